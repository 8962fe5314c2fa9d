"""What a model is answered of what a tool returned."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.mcp.results import LONGEST_ERROR, LONGEST_RESULT, LOOKED_AT, answer, cut
from device.mcp.wanted import Wanted
from device.text import printable_lines

HOME = Wanted("home", url="http://home.local", secret="hunter22")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def answered(*blocks: dict[str, Any], **result: Any) -> Any:
    return answer(HOME, "home_f", {"content": list(blocks), **result})


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_texts_are_joined_line_by_line() -> None:
    """Under a field that says what it is."""
    assert answered(text("one"), text("two")) == {"output": {"result": "one\ntwo"}}


def test_structured_content_counts_where_there_is_no_text() -> None:
    """Servers send the same twice: as text, too."""
    assert answered(structuredContent={"on": True}) == {"output": {"result": {"on": True}}}
    both = answered(text("it is on"), structuredContent={"on": True})
    assert both == {"output": {"result": "it is on"}}


def test_nothing_is_told_as_done() -> None:
    """Live API: an answer without content is taken for none, and the call is repeated."""
    assert answered() == {"output": {"status": "done"}}
    assert answered(text("  \n")) == {"output": {"status": "done"}}


def test_pictures_sounds_and_files_are_left_out_with_a_note() -> None:
    """A text among them stays."""
    made = answered(
        text("a door"),
        {"type": "image"},
        {"type": "image"},
        {"type": "audio"},
        {"type": "resource", "resource": {"uri": "file:///a"}},
        {"type": "resource", "resource": {"text": "notes"}},
        {"type": "resource_link", "uri": "file:///b", "name": "b"},
        {"type": "smell"},
    )
    assert made["output"]["result"] == "a door\nnotes\nb file:///b"
    note = made["output"]["note"]
    assert note.count("a picture left out") == 1
    assert "a sound left out" in note
    assert "a file left out" in note
    assert "something of another kind left out" in note


def test_a_picture_alone_is_done_with_a_note() -> None:
    """The model can say that there was one."""
    assert set(answered({"type": "image"})["output"]) == {"status", "note"}


def test_a_long_result_is_cut_at_a_line_and_says_so() -> None:
    """With how much there was."""
    made = answered(text("a line of it\n" * 100_000))["output"]
    assert len(made["result"]) <= LONGEST_RESULT
    assert made["result"].endswith("a line of it")
    assert "of 1300000 characters" in made["note"]


def test_long_structured_content_is_cut_as_text() -> None:
    """It is no JSON any more then."""
    made = answered(structuredContent={"values": list(range(10_000))})["output"]
    assert isinstance(made["result"], str)
    assert len(made["result"]) == LONGEST_RESULT
    assert "cut" in made["note"]


def test_an_error_reaches_the_model_in_the_servers_own_words() -> None:
    """Within a bound; where it has none, the function is named."""
    made = answered(text("no lamp in the kitchen"), isError=True)
    assert made == {"error": "no lamp in the kitchen"}
    assert len(answered(text("x" * 10_000), isError=True)["error"]) == LONGEST_ERROR
    assert answered(isError=True) == {"error": "home_f failed, and home does not say why"}


def test_what_commands_a_terminal_or_tells_a_secret_does_not_come_through() -> None:
    """In texts, in structured content and in errors."""
    assert answered(text("\x1b[2J hunter22"))["output"]["result"] == "\ufffd[2J [secret]"
    structured = answered(structuredContent={"token": "hunter22"})
    assert structured == {"output": {"result": {"token": "[secret]"}}}
    assert answered(text("hunter22 is wrong"), isError=True) == {"error": "[secret] is wrong"}


def test_what_is_no_list_of_blocks_is_no_content() -> None:
    """A server may send anything that the library lets through."""
    assert answer(HOME, "home_f", {"content": None}) == {"output": {"status": "done"}}
    assert answered("text", 3) == {"output": {"status": "done"}}  # type: ignore[arg-type]


@given(st.lists(st.dictionaries(st.text(), json_values)), json_values)
def test_any_result_has_a_short_answer_with_content(
    blocks: list[dict[str, Any]], structured: object
) -> None:
    """Which JSON can hold."""
    made = answered(*blocks, structuredContent=structured)
    assert len(json.dumps(made)) < 6 * (LONGEST_RESULT + 1_000)
    assert made["output"]


@given(st.text(), st.integers(1, 50))
def test_what_is_cut_is_the_beginning(whole: str, longest: int) -> None:
    """And nothing is cut that fits."""
    kept, note = cut(whole, longest)
    assert whole.startswith(kept)
    assert len(kept) <= longest
    assert bool(note) == (len(whole) > longest)


def test_structured_content_that_holds_a_secret_in_odd_places_is_told_as_text() -> None:
    """Where blotting it out leaves no JSON."""
    odd = Wanted("home", secret='": 1')
    assert answer(odd, "f", {"structuredContent": {"a": 1}})["output"]["result"] == '{"a[secret]}'


def cost_s(work: Callable[[], object]) -> float:
    """Seconds of a processor that something takes, whoever else runs meanwhile."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


@pytest.mark.parametrize(
    "result",
    [
        {"content": [text("\x1b[2J\n" * 500_000)]},
        {"content": [text("\x1b[2J" * 500_000)], "isError": True},
        {"content": [], "structuredContent": {"a": ["\u200b" * 1_000] * 2_000}},
    ],
    ids=["text", "error", "structured"],
)
def test_what_is_cut_away_costs_no_time(result: dict[str, Any]) -> None:
    """All of it would keep the loop from the sound for as long as a Pi needs for millions."""
    all_of_it = cost_s(lambda: printable_lines("\x1b[2J\n" * 500_000))
    assert cost_s(lambda: answer(HOME, "home_f", result)) < all_of_it / 4


def test_a_secret_is_blotted_out_before_the_text_is_cut() -> None:
    """So no half of it is left at the end."""
    for before in range(LONGEST_RESULT - 30, LONGEST_RESULT + 4):
        made = answered(text("x" * before + "hunter22" + "x" * 9_000))["output"]["result"]
        assert "hunt" not in made
    long = LOOKED_AT * LONGEST_RESULT
    for before in range(long - 10, long + 4):
        made = answered(text("\u200b" * before + "hunter22" + "x" * 9_000))["output"]
        assert "hunt" not in made.get("result", "")


def test_what_shows_as_nothing_is_cut_with_a_note_too() -> None:
    """What is behind it may be of use, and was not looked at."""
    made = answered(text("one" + "\u200b" * 100_000 + "two"))["output"]
    assert made["result"] == "one"
    assert "the first 3 of 100006 characters" in made["note"]


def test_long_structured_content_says_that_there_is_more() -> None:
    """Without being written out for it."""
    note = answered(structuredContent={"values": list(range(100_000))})["output"]["note"]
    assert note.startswith("cut: the first 8000 of more than 3")
    note = answered(structuredContent={"values": list(range(3_000))})["output"]["note"]
    whole = len(json.dumps({"values": list(range(3_000))}))
    assert note.startswith(f"cut: the first 8000 of {whole} characters")
