"""Answers to calls of functions that are not there."""

from __future__ import annotations

from google.genai import types

from device.live.calls import ID_CHARACTERS, NAME_CHARACTERS, Calls, not_available
from device.live.messages import Answer
from device.live.uplink import Uplink
from device.news import News, ToolNews


def test_answer_says_that_it_failed_and_what_to_do_instead() -> None:
    """Live API: an empty answer is called again; an error that names a way out is not."""
    answer = not_available("7", "lamp")
    assert (answer.call_id, answer.name, answer.failed) == ("7", "lamp", True)
    assert "lamp is not available" in answer.response["error"]
    assert "do not call it again" in answer.response["error"]


def test_answer_with_a_result_has_not_failed() -> None:
    """A result under ``output`` counts as answered."""
    assert not Answer("7", "lamp", {"output": "on"}).failed


def told_of(**call: str) -> tuple[list[tuple[str, str]], Uplink]:
    """What is told of a call, and the queue that its answer is in."""
    news: list[News] = []
    uplink = Uplink()
    Calls(1, news.append, uplink).take(types.FunctionCall(**call))  # type: ignore[arg-type]
    return [(each.what, each.name) for each in news if isinstance(each, ToolNews)], uplink


def test_a_name_only_shows_and_is_short() -> None:
    """It is told to the owner, and goes back with the answer."""
    told, uplink = told_of(id="1", name="lamp\x1b[2J\n" + "x" * 1_000)
    ((what, name),) = told
    assert (what, len(name)) == ("called", NAME_CHARACTERS)
    assert name.startswith("lamp�[2J xxx")
    answer = uplink.head
    assert isinstance(answer, Answer)
    assert answer.name == name


def test_a_call_whose_id_is_too_long_to_be_kept_cannot_be_answered() -> None:
    """A hundred answers may wait, each with its id."""
    told, uplink = told_of(id="i" * (ID_CHARACTERS + 1), name="lamp")
    assert told == [("called", "lamp"), ("failed", "lamp")]
    assert uplink.head is None
    told, uplink = told_of(id="i" * ID_CHARACTERS, name="")
    assert told == [("called", "(unnamed)")]
    assert uplink.head is not None
