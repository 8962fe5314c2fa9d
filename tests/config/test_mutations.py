"""Whatever is done to the shipped file, the answer is a configuration or a list of mistakes."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.config import Config, describe, parse
from device.errors import ConfigError, Mistake

SHIPPED = Path(__file__).parents[2] / "config" / "parley.yaml"
LINES = SHIPPED.read_text().splitlines()
MUTATED_LINES = st.one_of(
    st.sampled_from(LINES),
    st.sampled_from(LINES).map(lambda line: " " + line),
    st.sampled_from(LINES).map(lambda line: line.replace(": ", ":\t")),
    st.sampled_from(LINES).map(lambda line: line.replace(": ", ": -")),
    st.sampled_from(LINES).map(lambda line: line + "e9"),
    st.text(max_size=30),
    st.binary(max_size=30).map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(["- a", "? b", "<<: {a: 1}", "volume: 1_0", "? - x", "key: |", "}", "''", "~"]),
)
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["delete", "duplicate", "replace", "insert"]),
        st.integers(0, len(LINES) - 1),
        MUTATED_LINES,
    ),
    min_size=1,
    max_size=8,
)


def edited(edits: list[tuple[str, int, str]]) -> str:
    """Apply edits to the shipped file as a hasty owner would."""
    lines = list(LINES)
    for what, place, line in edits:
        at = place % len(lines)
        match what:
            case "delete":
                del lines[at]
            case "duplicate":
                lines.insert(at, lines[at])
            case "replace":
                lines[at] = line
            case _:
                lines.insert(at, line)
    return "\n".join(lines)


def checked(text: str) -> tuple[Config | None, list[Mistake]]:
    """Parse a text: its configuration, or its mistakes; any other exception ends the test."""
    try:
        return parse(text, "edited.yaml"), []
    except ConfigError as error:
        return None, error.mistakes


WRONG: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    7,
    10**30,
    -(2**63),
    0.5,
    -0.0,
    1e308,
    math.inf,
    math.nan,
    "",
    " ",
    "auto",
    "off",
    "17:00",
    "../../etc/passwd",
    "${HOME}",
    "\u202egnp.exe",
    "\x00\x07",
    "x" * 20_000,
    [],
    [None],
    [[["deep"]]],
    list(range(2000)),
    {},
    {"unknown": 1},
    {1: {2: 3}},
    dt.date(2026, 11, 26),
]
"""What may stand where something else belongs; here and there it is right."""


def places(tree: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every section and every key of a file."""
    for key, value in tree.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from places(value, (*above, key))


SETTINGS: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""The one in C takes a tenth of the time."""


@pytest.mark.parametrize("place", list(places(SETTINGS)), ids=".".join)
def test_a_wrong_value_is_told_by_the_name_of_its_key(place: tuple[str, ...]) -> None:
    """Two thousand files, each with one value exchanged: fine, or the mistake is where it is."""
    for value in WRONG:
        tree = deepcopy(SETTINGS)
        section = tree
        for key in place[:-1]:
            section = section[key]
        section[place[-1]] = value
        config, found = checked(yaml.dump(tree, Dumper=DUMPER, allow_unicode=True))
        if config is None:
            assert found
        for mistake in found:
            # Of a list with a mistake in each entry the rest is only counted.
            named = mistake.where.startswith(".".join(place)) or place[-1] in mistake.message
            counted = mistake is found[-1] and "more mistakes" in mistake.message
            assert named or counted, (value, mistake)
            assert len(mistake.message) < 1000, (value, mistake)


class TestMutations:
    @settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
    @given(EDITS)
    def test_an_edited_file_is_either_fine_or_its_mistakes_have_places(
        self, edits: list[tuple[str, int, str]]
    ) -> None:
        """Whatever a hand does to the file, nothing but ConfigError comes out."""
        text = edited(edits)
        config, found = checked(text)
        if config is not None:
            assert parse(describe(config), "shown.yaml") == config
            return
        lines = text.count("\n") + len(text.splitlines()) + 1
        assert found
        assert all(0 < m.line <= lines and m.column > 0 for m in found)
        assert all(m.message and "\n" not in m.message for m in found)
        places = [(m.line, m.column) for m in found]
        assert places == sorted(places)

    @settings(deadline=None, max_examples=150)
    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_configuration_or_a_config_error(self, raw: bytes) -> None:
        """As any text, and behind a correct beginning."""
        for text in (raw.decode("latin-1"), "audio:\n  volume: " + raw.decode("utf-8", "replace")):
            _, found = checked(text)
            assert all(m.line > 0 and m.column > 0 for m in found)
