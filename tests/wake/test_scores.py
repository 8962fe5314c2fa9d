"""The scores: those of openWakeWord, only cheaper, and silent where openWakeWord's are noise."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest

from device.wake.scores import WARM_UP_HOPS, WakeScorer
from tests.rig.speech import chatter, espeak, noise, silence
from tests.wake.conftest import Clip

HOP = 1280
WORDS = ("hey_jarvis", "alexa", "hey_mycroft", "hey_rhasspy", "weather")
FORGOTTEN_HOPS = 26 + 8
"""How long the oracle's random beginning stays in view of ``weather``, which looks far back."""


@functools.cache
def oracle_scores(words: tuple[str, ...], clip: bytes) -> list[dict[str, float]]:
    """What openWakeWord's own Model says, hop by hop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from openwakeword.model import Model

        model: Any = Model(wakeword_models=list(words), inference_framework="onnx")
    samples = np.frombuffer(clip, np.int16)
    hops = samples[: samples.size // HOP * HOP].reshape(-1, HOP)
    return [dict(model.predict(hop)) for hop in hops]


def scores(scorer: WakeScorer, samples: Clip) -> list[dict[str, float]]:
    return [dict(hop) for hop in scorer.feed(samples)]


@pytest.fixture(scope="module")
def scorer() -> WakeScorer:
    return WakeScorer(WORDS)


@pytest.fixture(scope="module")
def jarvis() -> WakeScorer:
    return WakeScorer(["hey_jarvis"])


NAMES = [
    "hey jarvis",
    "hey jarvis, a woman",
    "alexa",
    "hey mycroft",
    "german",
    "noise",
    "silence",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_score_is_the_oracles(scorer: WakeScorer, clips: dict[str, Clip], name: str) -> None:
    """Five words at once agree within 0.01 in every hop, once its random beginning is forgotten."""
    scorer.reset()
    ours, theirs = scores(scorer, clips[name]), oracle_scores(WORDS, clips[name].tobytes())
    assert len(ours) == len(theirs) > FORGOTTEN_HOPS + 20
    for word in WORDS:
        differences = [abs(a[word] - b[word]) for a, b in zip(ours, theirs, strict=True)]
        assert max(differences[FORGOTTEN_HOPS:]) < 0.01, word


@pytest.mark.parametrize(
    ("name", "word"),
    [("hey jarvis", "hey_jarvis"), ("hey jarvis, a woman", "hey_jarvis"), ("alexa", "alexa")],
)
def test_a_word_that_is_said_is_found(
    scorer: WakeScorer, clips: dict[str, Clip], name: str, word: str
) -> None:
    """The agreement above is about high scores too, not only about silence."""
    scorer.reset()
    best = {w: max(hop[w] for hop in scores(scorer, clips[name])) for w in WORDS}
    assert best.pop(word) > 0.8
    assert max(best.values()) < 0.5


def test_samples_may_come_in_pieces_of_any_size(jarvis: WakeScorer, clips: dict[str, Clip]) -> None:
    """One sample, a frame, a block that spans three hops: the scores are the same to the bit."""
    clip = clips["hey jarvis"]
    jarvis.reset()
    whole = scores(jarvis, clip)
    jarvis.reset()
    sizes = np.random.default_rng(2).choice([1, 7, 320, 1279, 1280, 1281, 4000], clip.size)
    pieces = np.split(clip, np.cumsum(sizes)[np.cumsum(sizes) < clip.size])
    assert [hop for piece in pieces for hop in scores(jarvis, piece)] == whole
    assert max(hop["hey_jarvis"] for hop in whole) > 0.8


def test_a_hop_scores_as_soon_as_its_last_sample_is_there(jarvis: WakeScorer) -> None:
    """1280 samples make a hop; 1279 do not."""
    jarvis.reset()
    assert scores(jarvis, silence(1279 / 16_000)) == []
    assert len(scores(jarvis, silence(1 / 16_000))) == 1
    assert len(scores(jarvis, silence(2 * 1280 / 16_000))) == 2


def test_after_a_reset_nothing_of_before_is_remembered(
    jarvis: WakeScorer, clips: dict[str, Clip]
) -> None:
    """Half a hop, a half-heard word and every buffer are gone: as if just loaded."""
    fresh = scores(WakeScorer(["hey_jarvis"]), clips["noise"])
    scores(jarvis, clips["hey jarvis"][: 5 * 16_000 + 100])
    jarvis.reset()
    assert scores(jarvis, clips["noise"]) == fresh


def test_nothing_scores_before_the_warm_up_is_over(scorer: WakeScorer) -> None:
    """Exactly as many hops as a word looks back on, and a few more, score 0."""
    scorer.reset()
    loud = scores(scorer, noise(4.0, 2000.0))
    for word, embeddings in (("alexa", 16), ("weather", 22)):
        silent = embeddings + WARM_UP_HOPS - 1
        assert [hop[word] for hop in loud[:silent]] == [0.0] * silent
        assert loud[silent][word] > 0.0


def test_a_start_in_the_middle_of_talk_wakes_nobody(scorer: WakeScorer) -> None:
    """Forty restarts at random places: in the 2 s after each, no score reaches 0.1."""
    talk, rng = chatter(), np.random.default_rng(4)
    for start in rng.integers(0, talk.size - 32_000, 40):
        scorer.reset()
        heard = scores(scorer, talk[start : start + 32_000])
        assert max(max(hop.values()) for hop in heard) < 0.1, start


@pytest.mark.parametrize("level", [3.0, 100.0, 3000.0, 20_000.0])
def test_a_start_in_noise_wakes_nobody(scorer: WakeScorer, level: float) -> None:
    """Hiss from the first sample on, soft to overdriven, several times each."""
    for seed in range(6):
        scorer.reset()
        heard = scores(scorer, noise(2.0, level, seed))
        assert max(max(hop.values()) for hop in heard) < 0.1


def test_minutes_of_talk_without_the_words_wake_nobody() -> None:
    """Six minutes in several voices and two speeds: no score of the usual words reaches 0.5.

    ``hey_mycroft`` is left out: its network, in openWakeWord too, takes a German voice that reads
    English fast for the word once in this talk.
    """
    talk = chatter()
    assert talk.size > 5 * 60 * 16_000
    heard = scores(WakeScorer(["hey_jarvis", "alexa"]), talk)
    assert max(max(hop.values()) for hop in heard) < 0.5


@pytest.mark.parametrize("voice", ["en-gb", "en-us", "en-gb-x-rp", "en-us+f3", "en-gb+f2"])
@pytest.mark.parametrize("after_s", [0.4, 0.8, 1.5])
def test_a_word_said_right_after_a_start_is_found(
    jarvis: WakeScorer, voice: str, after_s: float
) -> None:
    """The warm-up delays the first word, it does not lose it: 0.4 s after the start is enough."""
    jarvis.reset()
    said = np.concatenate([silence(after_s), espeak("hey jarvis", voice), silence(1.0)])
    background = noise(said.size / 16_000, 20.0)
    assert max(hop["hey_jarvis"] for hop in scores(jarvis, said + background)) > 0.5


def test_without_words_there_are_hops_and_no_scores() -> None:
    """A speaker that is woken by its button alone still shows that it hears."""
    assert scores(WakeScorer([]), noise(0.24)) == [{}, {}, {}]


def test_a_twin_scores_like_a_fresh_scorer(clips: dict[str, Clip]) -> None:
    """To the bit, whatever the other hears meanwhile, and the other as if there were no twin."""
    said, other = clips["hey jarvis"], clips["alexa"]
    first = WakeScorer(["hey_jarvis", "alexa"])
    alone, beside = scores(first, said), scores(first.twin(), other)
    first.reset()
    scores(first, noise(0.07))
    twin = first.twin()
    first.reset()
    ours, theirs = [], []
    for start in range(0, max(said.size, other.size), 320):
        ours += scores(first, said[start : start + 320])
        theirs += scores(twin, other[start : start + 320])
    assert ours == alone
    assert theirs == beside == scores(WakeScorer(["hey_jarvis", "alexa"]), other)


def test_where_the_past_is_silence_the_first_hop_scores() -> None:
    """A word from the first sample on scores as after a long silence: no warm-up misses it."""
    said = espeak("hey jarvis")
    twin = WakeScorer(["hey_jarvis"]).twin(past_is_silence=True)
    at_once = scores(twin, said)
    after_silence = scores(WakeScorer(["hey_jarvis"]), np.concatenate([silence(3.2), said]))
    assert at_once == after_silence[40:]
    assert max(hop["hey_jarvis"] for hop in at_once) > 0.5
    assert at_once == scores(WakeScorer(["hey_jarvis"], past_is_silence=True), said)


def test_a_hop_may_begin_with_silence(jarvis: WakeScorer) -> None:
    """As many samples of it as are wanted, so that two scorers go in step."""
    twin = jarvis.twin(past_is_silence=True)
    said = noise(0.1)
    scores(twin, said)
    twin.reset(silent_samples=640)
    assert twin.unfinished_samples == 640
    begun = scores(twin, said)
    twin.reset()
    assert scores(twin, np.concatenate([silence(0.04), said])) == begun
    assert len(begun) == 1
