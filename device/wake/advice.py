"""`advise` tells which threshold the labelled clips of a wake word speak for. Pure.

Each clip says how high the score of a word rose, and its owner whether the word was said. For a
threshold, what was said and stays below it is missed, and what was not said and reaches it wakes
the speaker. The best threshold has the fewest of both. Nothing is known of what is below every
clip, since no clip is kept of that, and nothing is advised where there are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from device.wake.near_miss import SHARE

ENOUGH = 5
"""Labels of either kind: with fewer, the next one may turn everything round."""
STEP = 0.01
HIGHEST = 0.95
"""Above that hardly anything is heard that somebody says across a room."""
SHOWN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

Verdict = Literal["too_few", "keep", "lower", "raise"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of one clip."""

    score: float
    """The highest that lasted for as long as ``wake.patience`` asks, 0..1: see `lasting`."""
    threshold: float
    """The one in force when it was kept."""
    woke: bool
    said: bool | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the labelled clips come to at a threshold."""

    threshold: float
    missed: int
    """Clips in which the word was said, and which would not wake the speaker."""
    woken: int
    """Clips in which it was not, and which would."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What the clips of a word speak for."""

    threshold: float
    """The one in force."""
    said: int
    not_said: int
    unlabelled: int
    outcomes: Sequence[Outcome]
    """The lowest threshold first; the one in force and the best are among them."""
    best: float | None
    """None: there are too few labels."""
    verdict: Verdict
    lowest: float
    """Of thresholds below this the clips say nothing."""
    hits_kept: bool
    """Whether any clip woke the speaker: without, nobody knows what a higher threshold misses."""


def lasting(scores: Sequence[float], patience: int) -> float:
    """Return the highest score (0..1) that so many hops in a row reach; 0 where there are fewer."""
    return max(
        (min(scores[at : at + patience]) for at in range(len(scores) - patience + 1)), default=0.0
    )


def advise(threshold: float, samples: Sequence[Sample]) -> Advice:
    """Return what the clips of one word speak for; ``threshold`` is in force, above 0 up to 1."""
    said = [each.score for each in samples if each.said is True]
    not_said = [each.score for each in samples if each.said is False]
    # Where a higher threshold was in force, what was less than a part of that was not kept.
    lowest = round(SHARE * max([threshold, *(each.threshold for each in samples)]), 4)

    def outcome(at: float) -> Outcome:
        missed = sum(score < at for score in said)
        return Outcome(at, missed, sum(score >= at for score in not_said))

    enough = min(len(said), len(not_said)) >= ENOUGH
    best = _best(threshold, [outcome(at) for at in _steps(lowest)]) if enough else None
    shown = {at for at in SHOWN if at >= lowest} | {threshold}
    shown |= {best} if best is not None else set()
    verdict: Verdict = "too_few"
    if best is not None:
        verdict = "keep" if best == threshold else "lower" if best < threshold else "raise"
    return Advice(
        threshold=threshold,
        said=len(said),
        not_said=len(not_said),
        unlabelled=len(samples) - len(said) - len(not_said),
        outcomes=[outcome(at) for at in sorted(shown)],
        best=best,
        verdict=verdict,
        lowest=lowest,
        hits_kept=any(each.woke for each in samples),
    )


def _steps(lowest: float) -> list[float]:
    first = math.ceil(round(lowest / STEP, 6))
    return [round(step * STEP, 2) for step in range(max(1, first), round(HIGHEST / STEP) + 1)]


def _best(threshold: float, outcomes: Sequence[Outcome]) -> float:
    """Return the one in force where it is as good as any, else the middle of the nearest best."""
    least = min(each.missed + each.woken for each in outcomes)
    stretches: list[list[float]] = [[]]
    for each in outcomes:
        if each.missed + each.woken == least:
            stretches[-1].append(each.threshold)
        elif stretches[-1]:
            stretches.append([])
    good = [stretch for stretch in stretches if stretch]
    nearest = min(good, key=lambda s: max(0.0, s[0] - threshold, threshold - s[-1]))
    if nearest[0] <= threshold <= nearest[-1]:
        return threshold
    return nearest[(len(nearest) - 1) // 2]
