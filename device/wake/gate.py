"""Decides which scores of a hop are a wake word (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hit:
    """A wake word, decided."""

    word: str
    score: float
    """0..1, of the hop that decided."""
    end_sample: int
    """The first sample after that hop."""


class WakeGate:
    """Threshold and patience for each word, one refractory period for all of them.

    It counts hops and samples, never the clock.
    """

    def __init__(
        self, thresholds: Mapping[str, float], patience: int, refractory_samples: int
    ) -> None:
        """``thresholds``: 0..1 by word; ``patience``: how many hops in a row must reach it."""
        self._thresholds = thresholds
        self._patience = patience
        self._refractory_samples = refractory_samples
        self._streaks = dict.fromkeys(thresholds, 0)
        self._deaf_until = -1

    def forget(self) -> None:
        """Begin anew with a stream whose samples are counted from 0 again: another microphone."""
        self._streaks = dict.fromkeys(self._thresholds, 0)
        self._deaf_until = -1

    def judge(self, scores: Mapping[str, float], end_sample: int) -> Hit | None:
        """The best of the words that fire in this hop, or None.

        Hops within the refractory period count for nothing, not even towards patience: the tail of
        one wake word must not become a second one.
        """
        if end_sample < self._deaf_until:
            return None
        for word, threshold in self._thresholds.items():
            self._streaks[word] = self._streaks[word] + 1 if scores[word] >= threshold else 0
        fired = [word for word, streak in self._streaks.items() if streak >= self._patience]
        if not fired:
            return None
        best = max(fired, key=lambda word: scores[word])
        self._streaks = dict.fromkeys(self._thresholds, 0)
        self._deaf_until = end_sample + self._refractory_samples
        return Hit(best, scores[best], end_sample)
