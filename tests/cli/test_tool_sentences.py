"""Functions and MCP servers as a person reads them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from device.cli import tool_sentences as sentences
from device.cli.presentation import print_table

LIGHT: dict[str, Any] = {
    "name": "home_HassTurnOff",
    "from": "home",
    "purpose": "Turns off [b]a device[/b].",
    "tokens": 112,
    "confirm": False,
}
UNLOCK = {**LIGHT, "name": "home_HassUnlock", "purpose": "Unlocks a lock.", "confirm": True}
READY: dict[str, Any] = {
    "name": "home",
    "place": "http://ha.local:8123/api/mcp",
    "state": "ready",
    "why": None,
    "tools": 2,
    "tokens": 224,
    "left_out": [],
    "protocol": "2025-11-25",
    "version": "home-assistant 2026.11.0",
    "since": None,
    "since_s": 12.4,
}


def lines(width: int, *functions: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    print_table(sentences.table(functions), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_every_function_has_a_line() -> None:
    """Its name, where it is from, its cost, whether it asks; what looks like a colour is text."""
    assert lines(100, LIGHT, UNLOCK) == [
        "name              from  tokens  asks first  what it does",
        "home_HassTurnOff  home     112              Turns off [b]a device[/b].",
        "home_HassUnlock   home     112  yes         Unlocks a lock.",
    ]


@pytest.mark.parametrize("width", [70, 10_000])
def test_what_it_does_is_cut_and_nothing_else(width: int) -> None:
    """A narrow terminal shows less of it; a manual in it fills no screen."""
    (_, line) = lines(width, {**LIGHT, "purpose": "It goes on " * 90})
    assert line.startswith("home_HassTurnOff  home     112              It goes on")
    assert line.endswith("…")
    assert len(line) <= min(width, 44 + sentences.LONGEST_PURPOSE)


def test_the_total_is_what_each_turn_costs() -> None:
    """Of one, of several; and what to do where there is none."""
    assert sentences.total([LIGHT]) == "1 function, about 112 tokens in each turn"
    assert sentences.total([LIGHT, UNLOCK]) == "2 functions, about 224 tokens in each turn"
    with_house = sentences.total([LIGHT], 40)
    assert with_house.endswith(" in each turn, and about 40 for what is said of the house")
    assert sentences.total([]).startswith("the model can call no function: see tools in the conf")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {},
            [
                (
                    "ready for 12 seconds: home (http://ha.local:8123/api/mcp): home-assistant "
                    "2026.11.0, MCP 2025-11-25, 2 functions, about 224 tokens in each turn"
                )
            ],
        ),
        (
            {"version": "", "since_s": 7_260, "left_out": ["big: too many", "only: 'x' matches"]},
            [
                (
                    "ready for 2 hours 1 minute: home (http://ha.local:8123/api/mcp): MCP "
                    "2025-11-25, 2 functions, about 224 tokens in each turn"
                ),
                "  left out: big: too many",
                "  left out: only: 'x' matches",
            ],
        ),
        (
            {"state": "gone", "why": "home (http://ha.local): it has gone", "since_s": 180_001},
            ["gone for 2 days 2 hours: home (http://ha.local): it has gone"],
        ),
        (
            {"state": "connecting", "since_s": 0.0},
            ["connecting for 0 seconds: home (http://ha.local:8123/api/mcp)"],
        ),
    ],
)
def test_a_server_is_told_in_a_line_and_what_is_left_out_below_it(
    changes: dict[str, Any], told: list[str]
) -> None:
    """Since when; what is wrong is in the server's own sentence."""
    assert list(sentences.server({**READY, **changes})) == told
