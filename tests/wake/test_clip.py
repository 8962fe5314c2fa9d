"""A clip holds what its scores depend on: scored again it gives the same, to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.frames import HOP_SAMPLES, SAMPLE_BYTES
from device.news import Detection, NearMiss, WakeClip, WakeNews
from device.wake.clip import LOOK_BACK_HOPS, MOST_HOPS, TAIL_HOPS, Tape
from device.wake.near_miss import Peak
from device.wake.scores import WakeScorer
from device.wake.worker import Hearing, Word
from tests.rig.replay import scored_again
from tests.rig.speech import espeak, noise
from tests.wake.conftest import Clip
from tests.wake.test_worker import START, frames

WORDS = ("hey_jarvis", "alexa", "hey_mycroft")
NEARLY = ("hey travis", "a lexicon of words", "hey my craft", "hey jarvis", "alexa", "hey mycroft")


def hearing(threshold: float = 0.5) -> Hearing:
    return Hearing([Word(word, threshold) for word in WORDS], 1, 2.0, 700)


def heard(ears: Hearing, sound: Clip, first_sample: int = START) -> list[WakeNews]:
    return [news for frame in frames(sound, first_sample) for news in ears.hear(frame, False)]


def clips(news: list[WakeNews]) -> list[WakeClip]:
    return [each for each in news if isinstance(each, WakeClip)]


@pytest.fixture(scope="module")
def talk() -> Clip:
    """Several voices, what they say and what resembles it, with pauses between."""
    parts = [noise(3.0, 20.0)]
    for voice in ("en-gb", "en-us+f3", "de"):
        for text in NEARLY:
            parts += [espeak(text, voice), noise(1.7, 60.0)]
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("threshold", "first_sample"), [(0.5, START), (0.95, START + 640)], ids=["half", "nearly one"]
)
def test_a_clip_that_is_scored_again_gives_the_same_to_the_bit(
    talk: Clip, threshold: float, first_sample: int
) -> None:
    """Hits and near misses, every word and hop of them, by both kinds of network."""
    ears = hearing(threshold)
    ears.keep("all")
    news = heard(ears, talk, first_sample)
    found = clips(news)
    hits = [each for each in found if each.woke]
    missed = [each for each in found if not each.woke]
    assert len(hits) == sum(isinstance(each, Detection) for each in news)
    assert len(missed) == sum(isinstance(each, NearMiss) for each in news)
    assert hits
    assert missed
    for clip in found:
        assert clip.exact
        assert scored_again(clip, WORDS) == clip.scores
        assert max(clip.scores[clip.word]) == clip.score
        assert (clip.score >= clip.threshold) == clip.woke
        assert 2.5 < len(clip.pcm) / SAMPLE_BYTES / 16_000 < 5.2


def test_a_clip_is_what_the_microphone_heard(talk: Clip) -> None:
    """Sample for sample, in whole hops; it ends 0.3 s after what woke the speaker."""
    ears = hearing()
    ears.keep("all")
    news = heard(ears, talk)
    detections = [each for each in news if isinstance(each, Detection)]
    for detection, clip in zip(detections, (c for c in clips(news) if c.woke), strict=True):
        end = detection.end_sample - START + TAIL_HOPS * HOP_SAMPLES
        begin = end - len(clip.pcm) // SAMPLE_BYTES
        assert clip.pcm == talk[begin:end].tobytes()
        assert clip.time == detection.time


def test_a_clip_shortly_after_a_gap_has_the_warm_up_in_it() -> None:
    """What it lacks of its first hop is told, and counts: scored without that it differs."""
    ears = hearing()
    ears.keep("all")
    ears_began = START + 700
    lead = noise(2.0, 20.0)[: 16_000 + 640]
    sound = np.concatenate([lead, espeak("hey jarvis"), noise(1.0, 20.0)])
    heard(ears, noise(0.5, 20.0))
    (clip,) = clips(heard(ears, sound, ears_began + 320_000))
    assert clip.from_the_start
    assert clip.exact
    assert clip.offset_samples == (ears_began + 320_000) % HOP_SAMPLES
    assert scored_again(clip, WORDS) == clip.scores
    shifted = scored_again(replace(clip, offset_samples=0), WORDS)
    assert shifted != clip.scores


@pytest.mark.parametrize(("keep", "kinds"), [("none", set()), ("near", {False})])
def test_only_what_is_wanted_is_cut(talk: Clip, keep: str, kinds: set[bool]) -> None:
    """While nothing is wanted no sound is remembered either."""
    ears = hearing()
    if keep == "near":
        ears.keep("near")
    news = heard(ears, talk)
    assert {each.woke for each in clips(news)} == kinds
    assert any(isinstance(each, NearMiss) for each in news)
    if keep == "none":
        assert not ears._tape._hops
        assert not ears._tape._part


def test_switched_on_in_the_middle_of_a_hop_it_begins_with_the_next() -> None:
    """A clip whose beginning is not there says so; switched off, everything is forgotten."""
    ears = hearing()
    lead, word = noise(3.0, 20.0), espeak("hey jarvis")
    sound = np.concatenate([lead, word, noise(1.0, 20.0)])
    found: list[WakeNews] = []
    for number, frame in enumerate(frames(sound)):
        if number == 101:  # 2.02 s: a second before the word is no more than that
            ears.keep("all")
        found += ears.hear(frame, False)
    (clip,) = clips(found)
    assert not clip.exact
    assert not clip.from_the_start
    begin = START + 104 * 320 - START
    assert clip.pcm == sound[begin : begin + len(clip.pcm) // SAMPLE_BYTES].tobytes()
    ears.keep("none")
    assert not ears._tape._hops


def test_a_clip_is_not_held_up_by_the_quiet_after_it() -> None:
    """What follows is too quiet to look at, at rest: it is looked at until the clip is complete."""
    ears = hearing(0.999)
    ears.keep("near")
    sound = np.concatenate([noise(3.0, 20.0), espeak("hey jarvis")])
    sound = sound[: sound.size // 320 * 320]
    news = heard(ears, sound)
    quiet = frames(noise(1.5, 3.0), START + sound.size)
    for frame in quiet:
        news += ears.hear(replace(frame, quiet=True), False)
    (clip,) = clips(news)
    assert scored_again(clip, WORDS) == clip.scores
    assert ears.quiet_hops > 0


def test_a_long_suspicion_has_a_clip_that_says_it_is_not_exact() -> None:
    """The tape is five seconds long, whatever goes on for longer."""
    tape = Tape()
    tape.keep("near")
    tape.begin(0)
    for hop in range(1, 200):
        tape.hear(bytes(2 * HOP_SAMPLES))
        tape.scored({"word": 0.3}, hop)
    peak = Peak("word", 0.3, 0.5, 199 * HOP_SAMPLES)
    (clip,) = tape.missed(peak, 10, 199 * HOP_SAMPLES, 0.0, over_our_own=True)
    assert not clip.exact
    assert clip.over_our_own
    assert len(clip.pcm) == MOST_HOPS * HOP_SAMPLES * SAMPLE_BYTES
    assert len(clip.scores["word"]) == 10


def test_a_clip_that_was_waited_for_is_dropped_where_it_is_no_longer_wanted() -> None:
    """The owner's word counts at once."""
    tape = Tape()
    tape.keep("all")
    tape.begin(0)
    for hop in range(40):
        tape.hear(bytes(2 * HOP_SAMPLES))
        tape.scored({"word": 0.9}, 0)
        if hop == 35:
            tape.woke(Peak("word", 0.9, 0.5, 36 * HOP_SAMPLES), 1.0, over_our_own=False)
            assert tape.waits
            tape.keep("near")
        assert not tape.waits
        assert list(tape.ripe((hop + 1) * HOP_SAMPLES)) == []


def test_the_networks_look_back_as_far_as_the_tape_takes_for_granted() -> None:
    """Most words' networks do; a word's own network may look back further."""
    assert WakeScorer(["hey_jarvis"]).look_back_hops == LOOK_BACK_HOPS
