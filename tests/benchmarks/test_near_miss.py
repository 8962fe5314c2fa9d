"""How many near misses there are, how many missed calls are among them, and what they cost.

Run with ``-m benchmark -s``; the first time it fetches its voices (`tests.benchmarks.corpora`). The
calls, the conditions and the hours of talk are those of `tests.benchmarks.test_wake_opinion`, and
``WAKE_CALLS`` and ``WAKE_MINUTES`` count here too: 8 each give the figures that
`device.wake.near_miss` names, in some twenty minutes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from device.frames import FRAME_SAMPLES, HOP_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.news import KeepWakes
from device.wake import near_miss
from device.wake.near_miss import END_HOPS, NearMisses
from device.wake.scores import WakeScorer
from device.wake.worker import Hearing, Word
from tests.benchmarks.test_wake_opinion import (
    FIRST_HOP,
    REFRACTORY_HOPS,
    THRESHOLD,
    Track,
    judged,
    never,
    trials,
)
from tests.rig.overhearing import Samples

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(7200)]

WORDS = ("hey_jarvis", "alexa", "hey_mycroft")
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6)
MINUTES = 2


def found(track: Track) -> tuple[int, int]:
    """How often it wakes, and how many near misses there are, in the scores of a word."""
    misses = NearMisses(REFRACTORY_HOPS * HOP_SAMPLES)
    wakes, missed, deaf_until = 0, 0, FIRST_HOP
    calm = np.zeros(END_HOPS)
    for hop, score in enumerate(np.concatenate([track, calm]).tolist()):
        if hop < FIRST_HOP:
            continue
        woke = score >= THRESHOLD and hop >= deaf_until
        if woke:
            wakes, deaf_until = wakes + 1, hop + REFRACTORY_HOPS
        end_sample = (hop + 1) * HOP_SAMPLES
        if misses.judge({"word": score}, {"word": THRESHOLD}, end_sample, woke=woke):
            missed += 1
    return wakes, missed


def test_what_is_nearly_a_wake_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of talk, of music and of what resembles the word; and of calls that are missed."""
    scorer = WakeScorer(list(WORDS))
    talk: dict[str, list[tuple[str, float, Track]]] = {word: [] for word in WORDS}
    for name, sound in never():
        scorer.reset()
        scored = list(scorer.feed(sound))
        hours = sound.size / MICROPHONE_RATE_HZ / 3600
        for word in WORDS:
            scores = np.array([hop[word] for hop in scored])
            talk[word].append((name, hours, judged(word, sound, scores).both))
    with capsys.disabled():
        heads = f"{'talk, /h':>10}{'music, /h':>10}{'like it, /h':>12}    caught"
        print(f"\n{'':12}{'share':>6}{heads}")
        for word in WORDS:
            calls = [trial.judged.both for trial in trials(word)]
            for share in SHARES:
                monkeypatch.setattr(near_miss, "SHARE", share)
                print(row(word, share, talk[word], calls))
    monkeypatch.undo()


def row(
    word: str, share: float, talk: Sequence[tuple[str, float, Track]], calls: Sequence[Track]
) -> str:
    kinds = {
        "talk": [each for each in talk if each[0] != "music" and not each[0].startswith("like")],
        "music": [each for each in talk if each[0] == "music"],
        "like": [each for each in talk if each[0] == f"like {word}"],
    }
    rates = [
        sum(found(track)[1] for _, _, track in some) / sum(hours for _, hours, _ in some)
        for some in kinds.values()
    ]
    missed = [near > 0 for wakes, near in map(found, calls) if not wakes]
    shown = "".join(f"{rate:{wide}.1f}" for rate, wide in zip(rates, (10, 10, 12), strict=True))
    return f"{word:12}{share:6.2f}{shown}    {sum(missed)} of {len(missed)} missed calls"


def test_what_looking_for_them_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a hop's time: the search alone, with nothing and with everything suspected; clips too."""
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 300, MINUTES * 60 * MICROPHONE_RATE_HZ).astype(np.int16)
    choices: tuple[KeepWakes, ...] = ("none", "near", "all")
    hop_us = {keep: whole_us(sound, keep) for keep in choices}
    hops = 100_000
    calm, busy = (search_us(score, hops) for score in (0.001, 0.3))
    with capsys.disabled():
        print(f"\nus a hop: the search {calm:.2f}, while a word is suspected {busy:.2f}")
        print("the whole hop: " + ", ".join(f"keep {k} {us:.0f}" for k, us in hop_us.items()))
        print(f"the search is {100 * calm / hop_us['none']:.2f} % of a hop")


def search_us(score: float, hops: int) -> float:
    misses, thresholds = NearMisses(0), dict.fromkeys(WORDS, THRESHOLD)
    scores = dict.fromkeys(WORDS, score)
    began = time.perf_counter()
    for hop in range(hops):
        misses.culminated(scores)
        misses.judge(scores, thresholds, hop * HOP_SAMPLES)
    return (time.perf_counter() - began) / hops * 1e6


def whole_us(sound: Samples, keep: KeepWakes) -> float:
    hearing = Hearing([Word(word) for word in WORDS], 1, 2.0, 700)
    hearing.keep(keep)
    began = time.perf_counter()
    for place in range(0, sound.size, FRAME_SAMPLES):
        frame = Frame(sound[place : place + FRAME_SAMPLES].tobytes(), place, 0.0)
        list(hearing.hear(frame, track_speech=False))
    return (time.perf_counter() - began) / hearing.hops * 1e6
