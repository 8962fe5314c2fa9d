"""Answers to calls of functions that are not there."""

from __future__ import annotations

from device.live.calls import not_available
from device.live.messages import Answer


def test_answer_says_that_it_failed_and_what_to_do_instead() -> None:
    """Live API: an empty answer is called again; an error that names a way out is not."""
    answer = not_available("7", "lamp")
    assert (answer.call_id, answer.name, answer.failed) == ("7", "lamp", True)
    assert "lamp is not available" in answer.response["error"]
    assert "do not call it again" in answer.response["error"]


def test_answer_with_a_result_has_not_failed() -> None:
    """A result under ``output`` counts as answered."""
    assert not Answer("7", "lamp", {"output": "on"}).failed
