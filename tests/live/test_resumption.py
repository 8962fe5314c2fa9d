"""What one session leaves to the next."""

from __future__ import annotations

import itertools
import json

import pytest

from device.live.resumption import GONE_S, LINES, SUMMARY_CHARACTERS, Past


def kept() -> Past:
    past = Past()
    past.keep("H", "model-a", "host", 1_000.0)
    past.said("user", "what is the weather?")
    past.said("model", "sunny.")
    return past


def test_talk_can_be_resumed_with_the_same_model_at_the_same_server() -> None:
    """Live API: on resuming everything may change but the model."""
    past = kept()
    assert past.fits("model-a", "host")
    assert not past.fits("model-b", "host")
    assert not past.fits("model-a", "elsewhere")
    past.drop_handle()
    assert not past.fits("model-a", "host")


@pytest.mark.parametrize(
    ("now", "within_s", "there"),
    [
        (1_600.0, 600.0, True),
        (1_601.0, 600.0, False),
        (5.0, 600.0, True),
        (1_000.0, 0.0, False),
        (5.0, 0.0, False),
    ],
)
def test_talk_expires(now: float, within_s: float, there: bool) -> None:
    """After its time the next session begins anew; a clock that is behind decides nothing."""
    past = kept()
    past.expire(now, within_s)
    assert past.fits("model-a", "host") is there
    assert bool(past.summary) is there


def test_summary_tells_the_end_of_the_talk_and_not_to_greet() -> None:
    """It opens a session that cannot be resumed."""
    summary = kept().summary
    assert summary.endswith("User: what is the weather?\nYou: sunny.")
    assert "Do not greet" in summary


def test_there_is_no_summary_of_nothing() -> None:
    """A first session is told nothing, and neither are words without letters."""
    past = Past()
    past.said("user", "")
    assert past.summary == ""


def test_summary_is_bounded_and_keeps_the_newest() -> None:
    """It is billed with every turn."""
    past = Past()
    for number in range(50):
        past.said("user", f"{number} " + "x" * 200)
    assert len(past.summary) <= SUMMARY_CHARACTERS
    assert "49 x" in past.summary
    assert past.summary.count("User:") < LINES


def test_one_endless_speech_is_cut() -> None:
    """Better its beginning than nothing."""
    past = Past()
    past.said("model", "y" * 9_000)
    assert len(past.summary) == SUMMARY_CHARACTERS


def test_models_that_are_gone_are_asked_for_again_after_a_day() -> None:
    """The server's word counts for a while; when none is left all are tried."""
    past = Past()
    past.found_gone("a", "here", 1_000.0)
    assert past.models(["a", "b"], "here", 2_000.0) == ["b"]
    assert past.models(["a", "b"], "elsewhere", 2_000.0) == ["a", "b"]
    assert past.models(["a"], "here", 2_000.0) == ["a"]
    assert past.models(["a", "b"], "here", 1_000.0 + GONE_S) == ["a", "b"]


def test_record_holds_what_resumes_the_talk_and_not_what_was_said() -> None:
    """What was said never goes to disk."""
    past = kept()
    past.gone["b"] = 5.0
    text = json.dumps(past.as_record())
    assert "weather" not in text
    again = Past()
    again.restore(json.loads(text))
    assert again.fits("model-a", "host")
    assert (again.at, again.gone, again.summary) == (1_000.0, {"b": 5.0}, "")


@pytest.mark.parametrize(
    "change",
    [
        {"handle": 3},
        {"model": None},
        {"host": []},
        {"at": "now"},
        {"at": True},
        {"at": 10**400},
        {"gone": {"a": 10**400}},
        {"gone": []},
        {"gone": {"a": "x"}},
    ],
)
def test_record_that_is_none_is_refused_as_a_whole(change: dict[str, object]) -> None:
    """A damaged file costs the talk, nothing else."""
    past = kept()
    with pytest.raises(ValueError, match=r"must be|object"):
        past.restore({**Past().as_record(), **change})
    assert past.fits("model-a", "host")


def test_record_must_be_an_object() -> None:
    """JSON may be anything."""
    with pytest.raises(ValueError, match="no object"):
        Past().restore([1])


def test_talk_without_a_handle_is_restored_too() -> None:
    """The models that are gone are worth remembering."""
    past = Past()
    past.restore({**Past().as_record(), "gone": {"a": 7}})
    assert past.handle is None
    assert past.gone == {"a": 7.0}


def test_turns_are_numbered_over_sessions() -> None:
    """No number is used twice in a process."""
    past = kept()
    assert list(itertools.islice(past.turns, 2)) == [1, 2]
    past.forget_talk()
    assert next(past.turns) == 3
