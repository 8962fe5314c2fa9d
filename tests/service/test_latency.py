"""Which moments belong together, and the figures made of them."""

from __future__ import annotations

from typing import Any

import pytest

from device.news import (
    Detection,
    FirstSound,
    Interrupted,
    News,
    PlaybackDrained,
    Pressed,
    ReplyAudio,
    SpeechChanged,
    TurnComplete,
)
from device.service.latency import ANSWER_WITHIN_S, KEPT, Kind, Latency

FRAME_S = 0.02


def kinds(latency: Latency) -> dict[str, float | None]:
    """The median of each kind that has one, in ms."""
    return {kind: each["p50"] for kind, each in latency.figures().items() if each["count"]}


def microphone(latency: Latency, *, until: float, wire_s: float = 0.03, frames: int = 50) -> None:
    """Frames go up one by one, the last of them recorded at that time."""
    for number in reversed(range(frames)):
        captured_at = until - number * FRAME_S
        latency.sent([captured_at], captured_at + wire_s)


def reply(latency: Latency, turn: int, at: float, *, way_s: float = 0.05) -> None:
    """Its chunks arrive and the first is heard."""
    latency.arrived(turn, at)
    latency.arrived(turn, at + 0.01)
    latency.sounded(turn, at + way_s - 0.04, at + way_s)


def test_the_newest_of_a_kind_is_told_with_how_many_there_were() -> None:
    """So that somebody who looks now and then misses none."""
    latency = Latency()
    assert latency.newest_ms(Kind.ANSWER_TOTAL) == (0, None)
    for number in (1, 2):
        latency.speech(speaking=False, at=10.0 * number)
        reply(latency, number, 10.0 * number + 0.5, way_s=0.25 * number)
        latency.drained(number)
    assert latency.newest_ms(Kind.ANSWER_TOTAL) == (2, 1000.0)


# --- the figures ---------------------------------------------------------------------------------


def test_the_figures_are_of_the_last_ones_and_the_count_of_all() -> None:
    """In milliseconds; whatever has not happened says so."""
    latency = Latency()
    for number in range(2 * KEPT):
        latency.sent([0.0], number / 1000)
    figures: dict[str, Any] = latency.figures()
    assert figures.pop("microphone_to_wire") == {
        "p50": 383.5,
        "p95": 499.0,
        "max": 511.0,
        "count": 512,
    }
    assert set(figures) == set(Kind) - {Kind.MICROPHONE_TO_WIRE}
    for each in figures.values():
        assert each == {"p50": None, "p95": None, "max": None, "count": 0}


@pytest.mark.parametrize(
    ("count", "p50", "p95"), [(1, 1.0, 1.0), (2, 1.5, 2.0), (20, 10.5, 19.0), (100, 50.5, 95.0)]
)
def test_of_few_the_95th_is_the_nearest_rank(count: int, p50: float, p95: float) -> None:
    """So it is one that really was."""
    latency = Latency()
    for number in range(count):
        latency.sent([0.0], (number + 1) / 1000)
    figures = latency.figures()["microphone_to_wire"]
    assert figures == {"p50": p50, "p95": p95, "max": float(count), "count": count}


# --- answers -------------------------------------------------------------------------------------


def test_an_answer_is_the_way_up_and_the_way_down() -> None:
    """The server's time lies between them, and counts for the total only."""
    latency = Latency()
    microphone(latency, until=10.01)
    latency.speech(True, 9.5)
    latency.speech(False, 10.0)
    reply(latency, 1, 10.8)
    assert kinds(latency) == {
        "answer": 90.0,
        "answer_total": 850.0,
        "microphone_to_wire": 30.0,
        "wire_to_speaker": 50.0,
    }


def test_the_end_of_speech_may_be_noticed_after_the_answer_began() -> None:
    """The server's patience with a pause may be shorter than ours."""
    latency = Latency()
    microphone(latency, until=10.0)
    latency.speech(True, 9.5)
    reply(latency, 1, 10.4)
    assert "answer" not in kinds(latency)
    latency.speech(False, 10.0)
    assert kinds(latency)["answer_total"] == 450.0


def test_of_two_sentences_the_last_was_answered() -> None:
    """And one answer it has: a further turn of the model is none."""
    latency = Latency()
    latency.speech(False, 8.0)
    latency.speech(True, 9.0)
    latency.speech(False, 10.0)
    reply(latency, 1, 10.4)
    latency.drained(1)
    reply(latency, 2, 13.0)
    figures = latency.figures()["answer_total"]
    assert (figures["p50"], figures["count"]) == (450.0, 1)


def test_words_over_a_reply_are_no_question_before_it() -> None:
    """They are answered by the next one."""
    latency = Latency()
    reply(latency, 1, 10.0)
    latency.speech(True, 11.0)
    latency.speech(False, 12.0)
    assert "answer_total" not in kinds(latency)
    reply(latency, 2, 12.5)
    assert kinds(latency)["answer_total"] == 550.0


def test_what_comes_late_is_no_answer() -> None:
    """Somebody typed a question long after words that nobody answered."""
    latency = Latency()
    latency.speech(False, 10.0)
    reply(latency, 1, 10.0 + ANSWER_WITHIN_S)
    assert kinds(latency) == {"wire_to_speaker": 50.0}


@pytest.mark.parametrize("until", [9.8, 11.1])
def test_a_question_that_was_held_has_no_own_share(until: float) -> None:
    """Its end waited for the session, or is long gone; what the person waited is known."""
    latency = Latency()
    microphone(latency, until=until, frames=10)
    latency.speech(False, 10.0)
    reply(latency, 1, 10.8)
    assert "answer" not in kinds(latency)
    assert kinds(latency)["answer_total"] == 850.0


def test_a_reply_that_waits_for_the_one_before_is_not_late() -> None:
    """It is heard when that is over; the one after a silenced reply is timed again."""
    latency = Latency()
    reply(latency, 1, 10.0)
    reply(latency, 2, 11.0, way_s=4.0)
    assert latency.figures()["wire_to_speaker"]["count"] == 1
    latency.drained(1)
    reply(latency, 3, 12.0, way_s=4.0)
    assert latency.figures()["wire_to_speaker"]["count"] == 1
    latency.silenced(17.0)
    reply(latency, 4, 18.0)
    assert latency.figures()["wire_to_speaker"]["count"] == 2


def test_the_sound_of_an_older_turn_is_nobodys() -> None:
    """A newer one has begun to arrive."""
    latency = Latency()
    latency.arrived(1, 10.0)
    latency.arrived(2, 10.1)
    latency.sounded(1, 10.2)
    assert kinds(latency) == {}


# --- silence and light ---------------------------------------------------------------------------


def test_silence_is_when_the_cards_queue_is_out() -> None:
    """As long as it was when the reply began to sound."""
    latency = Latency()
    latency.decided(9.0)
    reply(latency, 1, 10.0)
    latency.decided(11.0)
    latency.silenced(11.002)
    latency.silenced(11.5)
    assert kinds(latency)["barge_in_to_silence"] == 42.0


def test_a_reply_that_was_silenced_from_elsewhere_is_no_barge_in() -> None:
    """Nor is one that is silenced for something that was decided before it began."""
    latency = Latency()
    latency.decided(9.0)
    reply(latency, 1, 10.0)
    latency.silenced(11.0)
    assert "barge_in_to_silence" not in kinds(latency)


def test_a_card_without_a_queue_is_silent_at_once() -> None:
    """As far as is known."""
    latency = Latency()
    latency.arrived(1, 10.0)
    latency.sounded(1, 10.02)
    latency.decided(11.0)
    latency.silenced(11.01)
    assert kinds(latency) == {"wire_to_speaker": 20.0, "barge_in_to_silence": 10.0}


@pytest.mark.parametrize("pattern", ["connecting", "listening"])
def test_the_light_that_answers_the_wake_word(pattern: str) -> None:
    """Once; later patterns are for other reasons."""
    latency = Latency()
    latency.shown("idle", 9.0)
    latency.woken(10.0)
    latency.shown(pattern, 10.025)
    latency.shown("listening", 11.0)
    assert kinds(latency) == {"wake_to_light": 25.0}


def test_a_wake_word_that_changes_no_light_is_not_timed() -> None:
    """It was said to a speaker that was listening."""
    latency = Latency()
    latency.woken(10.0)
    latency.shown("thinking", 11.0)
    latency.shown("listening", 12.0)
    latency.woken(13.0)
    reply(latency, 1, 13.5)
    latency.shown("listening", 14.0)
    assert "wake_to_light" not in kinds(latency)


# --- news ----------------------------------------------------------------------------------------


def test_what_the_parts_post_is_told_by_itself() -> None:
    """The rest of their news is nothing to time."""
    latency = Latency()
    microphone(latency, until=10.0)
    news: list[News] = [
        Detection("hey", 0.9, 0, 9.0),
        SpeechChanged(False, 0, 10.0),
        ReplyAudio(1, 1, b"", 10.5),
        ReplyAudio(1, 1, b"", 10.6),
        FirstSound(1, 10.52),
        TurnComplete(1, 1, 11.0),
    ]
    for each in news:
        latency.note(each)
    assert kinds(latency) == {
        "answer": 50.0,
        "answer_total": 520.0,
        "microphone_to_wire": 30.0,
        "wire_to_speaker": 20.0,
    }
    latency.note(PlaybackDrained(1, 900, 12.0))
    latency.note(ReplyAudio(1, 2, b"", 13.0))
    latency.note(FirstSound(2, 13.04))
    assert latency.figures()["wire_to_speaker"]["count"] == 2


@pytest.mark.parametrize(
    "news", [Detection("hey", 0.9, 0, 11.0), Pressed("tap", 11.0), Interrupted(1, 1, 11.0)]
)
def test_what_silences_a_reply(news: News) -> None:
    """The wake word, the button, and the server that heard the user."""
    latency = Latency()
    latency.note(ReplyAudio(1, 1, b"", 10.0))
    latency.note(news)
    latency.silenced(11.01)
    assert kinds(latency) == {"barge_in_to_silence": 10.0}
