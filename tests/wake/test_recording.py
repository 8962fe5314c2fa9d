"""Recordings are heard as a speaker would have heard them."""

from __future__ import annotations

import pytest

from device.simulator.voices import load
from device.wake.recording import Recordings
from device.wake.worker import Hearing, Word

WAKE, TALK = load("wake")[0], load("chatter")[0]


@pytest.fixture(scope="module")
def recordings() -> Recordings:
    return Recordings(Hearing([Word("hey_jarvis"), Word("alexa")], 1, 1.0, 700))


def test_the_word_is_found_with_its_score_and_when_it_had_been_said(
    recordings: Recordings,
) -> None:
    """Near its end, within the recording; other words are far from it."""
    heard = recordings.hear(WAKE)
    assert [word for word, _ in heard.woke] == ["hey_jarvis"]
    best = heard.best["hey_jarvis"]
    assert best.score >= 0.5
    seconds = len(WAKE) / 32_000
    assert 0.5 * seconds < best.at_s <= seconds
    assert heard.best["alexa"].score < 0.1


def test_each_recording_is_heard_as_if_it_were_the_first(recordings: Recordings) -> None:
    """What was in the one before is over."""
    hits = [recordings.hear(pcm).woke for pcm in (WAKE, TALK, WAKE, WAKE)]
    assert [[word for word, _ in each] for each in hits] == [
        ["hey_jarvis"], [], ["hey_jarvis"], ["hey_jarvis"],
    ]  # fmt: skip


def test_where_in_a_long_recording_it_was_said_is_told(recordings: Recordings) -> None:
    """Within a few tenths of a second."""
    before_s = 3.0
    heard = recordings.hear(bytes(round(before_s * 32_000)) + WAKE + bytes(96_000))
    [(_, at_s)] = heard.woke
    assert before_s + 0.4 < at_s < before_s + 1.5
    assert abs(heard.best["hey_jarvis"].at_s - at_s) < 0.5


def test_nothing_at_all_is_scored_as_nothing(recordings: Recordings) -> None:
    """No frame, and one that is not whole."""
    for pcm in (b"", b"\x01\x00" * 7):
        heard = recordings.hear(pcm)
        assert not heard.woke
        assert max(best.score for best in heard.best.values()) < 0.1
