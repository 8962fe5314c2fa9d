"""`NearMisses` finds what was nearly a wake word: a peak of the score that woke nobody. Pure.

A suspicion begins when the score of a word reaches a part of its threshold, and ends when no word
has done that for half a second. What woke the speaker meanwhile, and what the speaker says itself,
is no near miss; neither is what follows a wake word, which is its tail. One suspicion is one near
miss at most, whichever words were suspected: that of the one that came nearest to its threshold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ

SHARE = 0.2
"""The part of a threshold from which a score is suspicious.

Measured at a threshold of 0.5 over 256 calls of each word by machines' voices in eight conditions,
and over 3.3 hours of talk and 0.3 of music without it (`tests/benchmarks/test_near_miss.py`; some
of the voices say nothing twice alike, so a few calls more or less): of the calls that were missed
it catches 30 of 53 (hey_jarvis), 17 of 65 (alexa) and 3 of 163 (hey_mycroft, which is heard or
not), and talk gives 1.2, 1.5 and no near misses an hour. From a tenth on it were 38, 19 and 4, and
7.8 an hour for hey_jarvis; from two fifths on 19, 14 and 2, and 1.2 at most.
"""
END_HOPS = 6
"""So long (0.5 s) after its last suspicious hop a suspicion is over: two syllables of one word are
not two of them."""
LONGEST_HOPS = 25
"""What stays suspicious for two seconds is no word: it is told then, and not listened to again for
as long."""
PAUSE_SAMPLES = 2 * MICROPHONE_RATE_HZ
"""After a near miss. The scores of one call rise and fall within this."""
LEAST_TAIL_SAMPLES = MICROPHONE_RATE_HZ
"""After a wake word, however short its refractory period is."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest score of a word within a suspicion."""

    word: str
    score: float
    """0..1; at its threshold or above where it did not last for as long as ``patience`` asks."""
    threshold: float
    """The one in force in that hop, 0..1."""
    end_sample: int
    """The first sample after that hop."""

    @property
    def nearness(self) -> float:
        """How near it came: 1 at the threshold."""
        return self.score / self.threshold


class NearMisses:
    """Counts hops and samples, never the clock."""

    def __init__(self, tail_samples: int) -> None:
        """``tail_samples``: for so long after a wake word nothing is a near miss."""
        self._tail_samples = max(tail_samples, LEAST_TAIL_SAMPLES)
        self._deaf_until = -1
        self.forget()

    @property
    def hops(self) -> int:
        """How long the suspicion has lasted so far; 0 while there is none."""
        return self._hops

    def forget(self) -> None:
        """Drop the suspicion: the stream broke off."""
        self._peaks: dict[str, Peak] = {}
        self._ours: set[str] = set()
        self._asked: set[str] = set()
        self._hops = self._calm_hops = 0

    def begin_again(self) -> None:
        """Begin with another stream, whose samples are counted from 0 again."""
        self.forget()
        self._deaf_until = -1

    def culminated(self, scores: Mapping[str, float]) -> list[str]:
        """Return the words whose score has just begun to fall, once for each peak.

        Whoever knows what the speaker plays is asked about those, since it costs something.
        """
        fallen = [
            word
            for word, peak in self._peaks.items()
            if word not in self._asked and scores[word] < peak.score
        ]
        self._asked.update(fallen)
        return fallen

    def judge(
        self,
        scores: Mapping[str, float],
        thresholds: Mapping[str, float],
        end_sample: int,
        *,
        ours: Collection[str] = (),
        woke: bool = False,
    ) -> Peak | None:
        """Take the scores of a hop; return the near miss that is certain with it.

        ``thresholds``: those in force, 0..1 by word. ``ours``: the words that our own voice says.
        ``woke``: whether this hop woke the speaker.
        """
        if woke:
            self.forget()
            self._deaf_until = end_sample + self._tail_samples
        if end_sample <= self._deaf_until:
            return None
        suspicious = [word for word, score in scores.items() if score >= SHARE * thresholds[word]]
        if not suspicious and not self._peaks:
            return None
        for word in suspicious:
            known = self._peaks.get(word)
            if known is None or scores[word] > known.score:
                self._peaks[word] = Peak(word, scores[word], thresholds[word], end_sample)
                self._asked.discard(word)
        self._ours.update(ours)
        self._hops += 1
        self._calm_hops = 0 if suspicious else self._calm_hops + 1
        if self._calm_hops < END_HOPS and self._hops < LONGEST_HOPS:
            return None
        heard = [peak for word, peak in self._peaks.items() if word not in self._ours]
        if self._calm_hops < END_HOPS:
            self._deaf_until = end_sample + PAUSE_SAMPLES
        self.forget()
        if not heard:
            return None
        nearest = max(heard, key=lambda peak: peak.nearness)
        self._deaf_until = max(self._deaf_until, nearest.end_sample + PAUSE_SAMPLES)
        return nearest


def hops_between(earlier_sample: int, later_sample: int) -> int:
    """Return how many hops lie between two ends of hops."""
    return (later_sample - earlier_sample) // HOP_SAMPLES
