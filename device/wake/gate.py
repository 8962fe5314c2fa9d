"""`WakeGate` decides which scores of a hop are a wake word. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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
    """Patience for each word, one refractory period for all of them.

    It counts hops and samples, never the clock.
    """

    def __init__(
        self, words: Iterable[str], patience: int, refractory_samples: int, veto_samples: int
    ) -> None:
        """``patience``: how many hops in a row must reach a word's threshold.

        ``refractory_samples``: after a hit, for every word; ``veto_samples``: after a veto, for the
        word it struck.
        """
        self._patience = patience
        self._refractory_samples = refractory_samples
        self._veto_samples = veto_samples
        self._words = list(words)
        self.vetoed = 0
        """How many words would have been a hit, had they not been our own."""
        self.forget()

    def forget(self) -> None:
        """Begin anew with a stream whose samples are counted from 0 again: another microphone."""
        self._streaks = dict.fromkeys(self._words, 0)
        self._deaf_until = dict.fromkeys(self._words, -1)

    def judge(
        self,
        scores: Mapping[str, float],
        thresholds: Mapping[str, float],
        end_sample: int,
        ours: Collection[str] = (),
    ) -> Hit | None:
        """The best of the words that fire in this hop, or None.

        ``thresholds``: those in force in this hop, 0..1 by word. ``ours``: the words that our own
        voice says; one of them that fires is vetoed.

        Hops within the refractory period count for nothing, not even towards patience: the tail of
        one wake word must not become a second one.
        """
        fired = [w for w in self._words if self._fires(w, scores[w], thresholds[w], end_sample)]
        for word in fired:
            if word in ours:
                self.vetoed += 1
                self._streaks[word] = 0
                self._deaf_until[word] = end_sample + self._veto_samples
        heard = [word for word in fired if word not in ours]
        if not heard:
            return None
        best = max(heard, key=lambda word: scores[word])
        self._streaks = dict.fromkeys(self._words, 0)
        self._deaf_until = dict.fromkeys(self._words, end_sample + self._refractory_samples)
        return Hit(best, scores[best], end_sample)

    def _fires(self, word: str, score: float, threshold: float, end_sample: int) -> bool:
        if end_sample < self._deaf_until[word]:
            return False
        self._streaks[word] = self._streaks[word] + 1 if score >= threshold else 0
        return self._streaks[word] >= self._patience
