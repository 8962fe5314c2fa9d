"""What of the servers' tools is declared, under which names, and what is left out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.mcp.tools import (
    LONGEST_FUNCTION_NAME,
    LONGEST_PURPOSE,
    MOST_TOKENS,
    MOST_TOOLS,
    Offer,
    function_name,
    select,
)
from device.mcp.wanted import Wanted

HOME = Wanted("home", url="http://home.local", timeout_s=7.0)
EMPTY = {"type": "object", "properties": {}}


def offers(*names: str) -> list[Offer]:
    return [Offer(name, f"It does {name}.", EMPTY) for name in names]


def names(wanted: Wanted, *own: str) -> list[str]:
    return [tool.name for tool in select([(wanted, offers(*own))]).tools]


def test_a_tool_is_a_function_of_its_server() -> None:
    """With what it is, what it costs and how long it may take."""
    (tool,) = select([(HOME, [Offer("HassTurnOff", "Turns\n off.", EMPTY)])]).tools
    assert (tool.name, tool.server, tool.own_name) == ("home_HassTurnOff", "home", "HassTurnOff")
    assert tool.purpose == "Turns off."
    assert tool.parameters == EMPTY
    assert not tool.confirm
    assert tool.deadline_s == 7.0
    assert 20 < tool.tokens < 60


def test_only_what_is_wanted_is_declared() -> None:
    """Patterns are the shell's, over the server's own names; `never` wins."""
    wanted = Wanted("home", only=("Hass*", "Get?ive"), never=("*Unlock",))
    assert names(wanted, "HassTurnOn", "HassUnlock", "GetLive", "other") == [
        "home_HassTurnOn",
        "home_GetLive",
    ]
    assert names(Wanted("home", never=("b",)), "a", "b") == ["home_a"]


def test_what_the_owner_does_not_want_is_not_told_as_left_out() -> None:
    """It is their wish."""
    wanted = Wanted("home", only=("a",))
    assert select([(wanted, offers("a", "b"))]).left_out == {"home": []}


def test_what_wants_a_yes_is_marked() -> None:
    """By the server's own name."""
    wanted = Wanted("home", confirm=("*Unlock*",))
    confirm = {each.name: each.confirm for each in select([(wanted, offers("Unlock", "On"))]).tools}
    assert confirm == {"home_Unlock": True, "home_On": False}


def test_a_pattern_that_matches_nothing_is_told() -> None:
    """A misspelt `confirm` would ask nobody."""
    wanted = Wanted("home", only=("a", "x*"), never=("y",), confirm=("unlok",))
    told = select([(wanted, offers("a"))]).left_out["home"]
    assert [line.partition(":")[0] for line in told] == ["only", "never", "confirm"]
    assert "'unlok' matches no tool of it" in told[2]


def test_what_cannot_be_declared_is_left_out_and_told() -> None:
    """The others are declared all the same."""
    listed = [*offers("a", "a"), Offer("b", "", {"type": "string"})]
    selection = select([(HOME, listed)])
    assert [tool.name for tool in selection.tools] == ["home_a"]
    assert selection.left_out["home"] == [
        "a: it is listed twice",
        "b: its schema describes no object of arguments",
    ]


def test_the_cap_is_shared_in_turns() -> None:
    """A server with hundreds of tools leaves room for the others, and none depends on chance."""
    many = [f"t{number}" for number in range(200)]
    few = Wanted("few")
    selection = select([(HOME, offers(*many)), (few, offers("a", "b"))])
    assert len(selection.tools) == MOST_TOOLS
    assert [tool.name for tool in selection.tools if tool.server == "few"] == ["few_a", "few_b"]
    assert selection.tools[0].name == "home_t0"
    assert selection.tools[-1].name == "few_b"
    assert len(selection.left_out["home"]) == 102
    assert f"more than {MOST_TOOLS} functions" in selection.left_out["home"][0]
    assert selection == select([(HOME, offers(*many)), (few, offers("a", "b"))])


def test_the_cap_counts_tokens_too() -> None:
    """They are billed in every turn."""
    long = [Offer(f"t{number}", "word " * 180, EMPTY) for number in range(60)]
    selection = select([(HOME, long)])
    assert sum(tool.tokens for tool in selection.tools) <= MOST_TOKENS
    assert 20 < len(selection.tools) < 60
    assert f"more than {MOST_TOKENS} tokens" in selection.left_out["home"][0]


def test_descriptions_only_show_hold_no_secret_and_are_bounded() -> None:
    """They are text from elsewhere, and part of every setup."""
    wanted = Wanted("home", secret="hunter22")
    (tool, other) = select(
        [(wanted, [Offer("a", "\x1b[2J hunter22 " + "x" * 9_000, EMPTY), Offer("b", "", EMPTY)])]
    ).tools
    assert tool.purpose.startswith("\ufffd[2J [secret] xxx")
    assert len(tool.purpose) <= LONGEST_PURPOSE
    assert other.purpose == "b"


@pytest.mark.parametrize(
    ("server", "own", "name"),
    [
        ("home", "turn-off.light", "home_turn_off_light"),
        ("home", "Licht ausschalten", "home_Licht_ausschalten"),
        ("2home", "a", "_2home_a"),
        ("home", "灯", "home__"),
    ],
)
def test_names_hold_what_a_function_name_may(server: str, own: str, name: str) -> None:
    """What may not be in one is an underscore."""
    assert function_name(server, own, set()) == name


def test_names_that_would_be_alike_are_told_apart() -> None:
    """Over all servers, and by the same name at each start."""
    told = names(HOME, "a-b", "a.b", "a b")
    assert told[0] == "home_a_b"
    assert len(set(told)) == 3
    assert told == names(HOME, "a-b", "a.b", "a b")
    both = select([(Wanted("a_b"), offers("c")), (Wanted("a"), offers("b_c"))]).tools
    assert both[0].name == "a_b_c"
    assert re.fullmatch(r"a_b_c_[0-9a-f]{6}", both[1].name)


@given(st.lists(st.tuples(st.text(max_size=90), st.text(max_size=90)), max_size=12))
def test_any_names_make_function_names(pairs: list[tuple[str, str]]) -> None:
    """At most 64 characters, no two alike."""
    taken: set[str] = set()
    for server, own in pairs:
        name = function_name(server, own, taken)
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
        assert len(name) <= LONGEST_FUNCTION_NAME
        assert name not in taken
        taken.add(name)


class Counting(dict[str, Any]):
    """A schema that counts how often it is looked at."""

    looks = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.looks += 1
        return super().get(key, default)


def test_a_schema_is_read_once() -> None:
    """Not whenever a server changes; also where it is unfit."""
    good, bad = Counting(EMPTY), Counting(type="string")
    listed = [Offer("good", "", good), Offer("bad", "", bad)]
    first = select([(HOME, listed)])
    looks = (good.looks, bad.looks)
    assert min(looks) > 0
    assert select([(HOME, listed), (Wanted("new"), offers("a"))]).left_out["home"] == [
        "bad: its schema describes no object of arguments"
    ]
    assert select([(HOME, listed)]) == first
    assert (good.looks, bad.looks) == looks
