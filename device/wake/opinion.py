"""`SecondOpinion` asks another kind of network about what openWakeWord suspects.

openWakeWord listens all the time. From a suspicion on, the other network of that word hears the
last two seconds from a ring, and goes on hearing until the suspicion is over; the score is the mean
of what both say, as log odds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ
from device.wake.networks import Floats
from device.wake.scores import Scores

RING_SAMPLES = 2 * MICROPHONE_RATE_HZ
"""So much the other network hears first. With 1.5 s it knew as many calls, and took a fifth more of
what resembles the word for it: it must have got used to the room.
"""
SUSPICION = 0.01
"""openWakeWord's score from which the other network is asked.

Measured over 1152 calls of each word by voices that were learned from people, in eight conditions,
at a threshold of 0.5: asked from 0.1 on, both miss 9.3 % (hey_jarvis), 21 % (alexa) and 52 %
(hey_mycroft); from 0.01 on 6.9, 16 and 48 %; from 0.002 on, below which no score counts for less,
6.9, 15 and 48 %. In 5.4 hours of talk and music no bar woke it more often by mistake than another;
0.01 is reached in 0.2 % of that time.
"""
AGREEMENT_HOPS = 6
"""So far back (0.5 s) the other network may have heard the word: neither is always the first."""
SURE = 0.998
"""No network is surer than that, nor than 0.002 of the contrary: else one would decide alone."""

Samples = NDArray[np.int16]


class Network(Protocol):
    """What a second opinion is asked of."""

    def reset(self) -> None:
        """Forget all that was heard."""

    def hear(self, samples: Samples) -> float:
        """Take the next samples; return the best probability (0..1) within them."""


class Scorer(Protocol):
    """What scores the words first: `device.wake.scores.WakeScorer`."""

    @property
    def unfinished_samples(self) -> int:
        """How many samples of the next hop are there."""

    @property
    def warm(self) -> bool:
        """Whether its scores count."""

    def embeddings(self, count: int) -> Floats | None:
        """The last ones, oldest first."""

    def reset(self, silent_samples: int = 0) -> None:
        """Forget all that was heard; so much of the next hop is silence and already there."""

    def feed(self, samples: Samples) -> Iterator[Scores]:
        """Take samples; yield the scores of each hop they complete."""


class SecondOpinion:
    """Scores each hop as its scorer does, but what is suspected only by both. Not thread-safe."""

    def __init__(self, scorer: Scorer, networks: Mapping[str, Network]) -> None:
        """``networks``: by word, for those words that have another one."""
        self._scorer = scorer
        self._witnesses = {word: _Witness(network) for word, network in networks.items()}
        self._ring: deque[Samples] = deque(maxlen=RING_SAMPLES // HOP_SAMPLES)
        self._unfinished: list[Samples] = []

    @property
    def asks(self) -> Sequence[str]:
        """The words that have another network."""
        return list(self._witnesses)

    @property
    def replays(self) -> int:
        """How often a network was asked."""
        return sum(witness.replays for witness in self._witnesses.values())

    @property
    def awake_hops(self) -> int:
        """For how many hops, the newest included, another network has listened; 0: all sleep.

        What it said last depends on all that it has heard since, and on the ring before that.
        """
        return max((witness.awake_hops for witness in self._witnesses.values()), default=0)

    @property
    def warm(self) -> bool:
        """Whether the scorer's scores count: not shortly after a reset."""
        return self._scorer.warm

    def embeddings(self, count: int) -> Floats | None:
        """The scorer's last embeddings, (``count``, 96), oldest first; None in its warm-up."""
        return self._scorer.embeddings(count)

    def reset(self, silent_samples: int = 0) -> None:
        """Forget all that was heard, as after a gap.

        ``silent_samples``: how many of the next hop are silence and already there, 0..1279.
        """
        self._scorer.reset(silent_samples)
        self._ring.clear()
        self._unfinished.clear()
        for witness in self._witnesses.values():
            witness.forget()

    def feed(self, samples: Samples) -> Iterator[Scores]:
        """Take any number of samples; yield the scores (0..1) of each hop they complete."""
        if not self._witnesses:
            yield from self._scorer.feed(samples)
            return
        while samples.size:
            missing = HOP_SAMPLES - self._scorer.unfinished_samples
            taken, samples = samples[:missing], samples[missing:]
            self._unfinished.append(taken)
            for scores in self._scorer.feed(taken):
                self._ring.append(np.concatenate(self._unfinished))
                self._unfinished.clear()
                yield self._judged(scores)

    def _judged(self, scores: Scores) -> Scores:
        judged = {
            word: witness.judge(scores[word], self._ring)
            for word, witness in self._witnesses.items()
        }
        return {**scores, **judged}


def combined(first: float, second: float) -> float:
    """Return the probability (0..1) whose log odds are the mean of those of both."""
    return 0.5 + 0.5 * math.tanh((_log_odds(first) + _log_odds(second)) / 4)


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, 1 - SURE), SURE)
    return math.log(clipped / (1 - clipped))


class _Witness:
    """One word's other network: asleep while nothing is suspected."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._lately: deque[float] = deque(maxlen=AGREEMENT_HOPS)
        self.replays = 0
        self.forget()

    def forget(self) -> None:
        self._lately.clear()
        self._unsuspicious_hops = AGREEMENT_HOPS
        self.awake_hops = 0

    def judge(self, score: float, ring: deque[Samples]) -> float:
        """The score of the word after a hop that the ring ends with."""
        asleep = self._unsuspicious_hops >= AGREEMENT_HOPS
        suspects = score >= SUSPICION
        self._unsuspicious_hops = 0 if suspects else self._unsuspicious_hops + 1
        self.awake_hops = self.awake_hops + 1 if suspects or not asleep else 0
        if asleep and not suspects:
            return score
        if asleep:
            self.replays += 1
            self._network.reset()
        for hop in ring if asleep else [ring[-1]]:
            self._lately.append(self._network.hear(hop))
        return combined(score, max(self._lately)) if suspects else score
