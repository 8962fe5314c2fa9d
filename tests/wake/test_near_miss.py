"""What is nearly a wake word: when a suspicion begins and ends, and what is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ
from device.news import Detection, NearMiss, WakeNews
from device.wake.near_miss import (
    END_HOPS,
    LONGEST_HOPS,
    PAUSE_SAMPLES,
    SHARE,
    NearMisses,
    Peak,
    hops_between,
)
from device.wake.own_voice import OwnVoice
from tests.rig.speech import espeak, noise
from tests.wake.test_worker import START, frames, heard, make

THRESHOLD = 0.5
BAR = SHARE * THRESHOLD
CALM = [0.0] * END_HOPS


def run(
    scores: Sequence[float | Mapping[str, float]],
    *,
    ours: Mapping[int, set[str]] | None = None,
    woke: Sequence[int] = (),
    tail_samples: int = 0,
    misses: NearMisses | None = None,
    first_hop: int = 0,
) -> list[tuple[int, Peak]]:
    """The near misses of a track, and in which hop each was certain; hops count from 1."""
    misses = misses or NearMisses(tail_samples)
    found = []
    for hop, score in enumerate(scores, first_hop + 1):
        each = score if isinstance(score, Mapping) else {"word": score}
        peak = misses.judge(
            each,
            dict.fromkeys(each, THRESHOLD),
            hop * HOP_SAMPLES,
            ours=(ours or {}).get(hop, ()),
            woke=hop in woke,
        )
        if peak is not None:
            found.append((hop, peak))
    return found


def test_a_peak_below_the_threshold_is_told_once_half_a_second_after_it() -> None:
    """With the highest score and where it was."""
    ((hop, peak),) = run([0.0, BAR, 0.3, 0.4, 0.2, *CALM, *CALM])
    assert hop == 5 + END_HOPS
    assert peak == Peak("word", 0.4, THRESHOLD, 4 * HOP_SAMPLES)
    assert peak.nearness == 0.8
    assert hops_between(peak.end_sample, hop * HOP_SAMPLES) == 7


@pytest.mark.parametrize("score", [0.0, BAR - 0.001])
def test_what_stays_below_the_share_is_none(score: float) -> None:
    """However long it lasts."""
    assert run([score] * 100) == []


def test_two_rises_with_a_short_dip_are_one() -> None:
    """Two syllables of one word; a longer pause makes two, but only after the pause for another."""
    assert len(run([0.3, *CALM[1:], 0.4, *CALM])) == 1
    apart = [0.0] * (PAUSE_SAMPLES // HOP_SAMPLES + 1)
    assert len(run([0.3, *CALM, 0.4, *CALM])) == 1
    assert len(run([0.3, *apart, 0.4, *CALM])) == 2


def test_what_woke_the_speaker_is_none_nor_is_its_tail() -> None:
    """Its rise is dropped when it wakes, and what follows for as long as the refractory period."""
    rise_and_tail = [0.2, 0.3, 0.6, 0.4, 0.3, *CALM]
    assert run(rise_and_tail, woke=[3]) == []
    assert len(run(rise_and_tail)) == 1, "patience was not reached: it woke nobody"
    late = [0.6, *[0.0] * 13, 0.3, *CALM]
    assert len(run(late, woke=[1])) == 1, "after a second, where there is no refractory period"
    assert run(late, woke=[1], tail_samples=2 * MICROPHONE_RATE_HZ) == []


def test_a_missed_call_that_is_repeated_and_heard_is_one() -> None:
    """Half a second of quiet between them is enough: the first call is what taught nothing yet."""
    assert [peak.score for _, peak in run([0.4, *CALM, 0.7, *CALM], woke=[8])] == [0.4]
    assert run([0.4, 0.0, 0.7, *CALM], woke=[3]) == [], "one call"


def test_what_our_own_voice_says_is_none() -> None:
    """In any hop of the suspicion; another word of the same suspicion still counts."""
    for hop in (1, 2, 6):
        assert run([0.3, 0.4, *CALM, *CALM], ours={hop: {"word"}}) == []
    both = {"word": 0.4, "other": 0.3}
    track = [both, *[dict.fromkeys(both, 0.0)] * END_HOPS]
    ((_, peak),) = run(track, ours={1: {"word"}})
    assert peak.word == "other"
    assert run([0.0, 0.3, *CALM], ours={1: {"word"}}), "that was before it"


def test_the_word_that_came_nearest_is_told() -> None:
    """Of several that were suspected of the same sound."""
    track = [{"a": 0.3, "b": 0.2}, {"a": 0.2, "b": 0.45}, *[{"a": 0.0, "b": 0.0}] * END_HOPS]
    ((_, peak),) = run(track)
    assert (peak.word, peak.score) == ("b", 0.45)


def test_a_suspicion_without_an_end_is_told_and_then_left_alone() -> None:
    """Music: once in four seconds at most."""
    hops = [hop for hop, _ in run([0.3] * 4 * LONGEST_HOPS)]
    assert hops[0] == LONGEST_HOPS
    assert hops[1] - hops[0] == LONGEST_HOPS + PAUSE_SAMPLES // HOP_SAMPLES
    assert len(hops) == 2


def test_who_knows_our_voice_is_asked_once_for_each_peak() -> None:
    """When the score has just begun to fall: asking costs two seconds of sound to listen to."""
    misses, asked = NearMisses(0), []
    for hop, score in enumerate([0.2, 0.3, 0.25, 0.2, 0.4, 0.3, 0.2], 1):
        asked += [hop] * len(misses.culminated({"word": score}))
        misses.judge({"word": score}, {"word": THRESHOLD}, hop * HOP_SAMPLES)
    assert asked == [3, 6]


def test_a_gap_drops_the_suspicion_and_another_stream_the_pause_too() -> None:
    """Nothing of before is joined to what comes after."""
    misses = NearMisses(0)
    run([0.3], misses=misses)
    assert misses.hops == 1
    misses.forget()
    assert misses.hops == 0
    assert run(CALM, misses=misses, first_hop=1) == []
    assert len(run([0.3, *CALM], misses=misses, first_hop=1000)) == 1
    assert run([0.3, *CALM], misses=misses) == [], "still within the pause of the other stream"
    misses.begin_again()
    assert len(run([0.3, *CALM], misses=misses)) == 1


# --- in the worker -------------------------------------------------------------------------------


def test_a_call_that_is_not_sure_enough_is_a_near_miss_of_the_worker() -> None:
    """With the time of its peak; at a lower threshold the same call wakes, and is none."""
    clip = np.concatenate([noise(2.0, 20.0), espeak("hey jarvis"), noise(2.0, 20.0)])
    (woke,) = (n for n in heard(make(), clip) if isinstance(n, Detection))
    news = heard(make(threshold=0.999), clip)
    (missed,) = (n for n in news if isinstance(n, NearMiss))
    assert not any(isinstance(n, Detection) for n in news)
    assert missed.word == "hey_jarvis"
    assert woke.score <= missed.score < 0.999
    assert abs(missed.time - woke.time) < 0.5
    assert not any(isinstance(n, NearMiss) for n in heard(make(), clip))


def test_our_own_voice_is_no_near_miss_of_the_worker() -> None:
    """The same sound, told as ours."""
    hearing = make(threshold=0.999)
    clip = np.concatenate([noise(2.0, 20.0), espeak("hey jarvis"), noise(2.0, 20.0)])
    news = [
        each
        for frame in frames(clip, START)
        for each in hearing.hear(frame, track_speech=False, far_end=frame.pcm)
    ]
    assert not any(isinstance(each, NearMiss) for each in news)


@pytest.mark.parametrize("ours", [True, False])
def test_the_other_network_is_asked_whether_it_was_our_own_voice(
    monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    """Where openWakeWord does not know the word in what we play; once or twice, not in each hop."""
    asked: list[str] = []

    def hears(_self: OwnVoice, word: str) -> bool:
        asked.append(word)
        return ours

    monkeypatch.setattr(OwnVoice, "_other_hears", hears)
    clip = np.concatenate([noise(2.0, 20.0), espeak("hey jarvis"), noise(2.0, 20.0)])
    hearing, news = make(threshold=0.999), list[WakeNews]()
    for frame, played in zip(frames(clip), frames(noise(6.0, 300.0)), strict=False):
        news += hearing.hear(frame, track_speech=False, far_end=played.pcm)
    assert any(isinstance(each, NearMiss) for each in news) is not ours
    assert 1 <= len(asked) <= 3
    assert set(asked) == {"hey_jarvis"}
