"""A clip of a wake word, scored again by the product's networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from device.news import WakeClip
from device.wake.clip import LOOK_BACK_HOPS
from device.wake.micro import micro_networks
from device.wake.networks import Floats
from device.wake.opinion import SecondOpinion
from device.wake.scores import Scores, WakeScorer


class Knowing:
    """Scores as openWakeWord does, but for the hops of which it does not know what was before."""

    def __init__(self, scorer: WakeScorer, unknown_hops: int) -> None:
        self._scorer = scorer
        self._unknown_hops = unknown_hops

    @property
    def unfinished_samples(self) -> int:
        return self._scorer.unfinished_samples

    @property
    def warm(self) -> bool:
        return self._scorer.warm

    def embeddings(self, count: int) -> Floats | None:
        return self._scorer.embeddings(count)

    def reset(self, silent_samples: int = 0) -> None:
        self._scorer.reset(silent_samples)

    def feed(self, samples: NDArray[np.int16]) -> Iterator[Scores]:
        for scores in self._scorer.feed(samples):
            self._unknown_hops -= 1
            yield scores if self._unknown_hops < 0 else dict.fromkeys(scores, 0.0)


def scored_again(clip: WakeClip, words: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """The scores of the clip's last hops, by networks that have heard nothing else."""
    unknown = 0 if clip.from_the_start else LOOK_BACK_HOPS - 1
    opinion = SecondOpinion(Knowing(WakeScorer(words), unknown), micro_networks(words))
    opinion.reset(clip.offset_samples)
    scores = list(opinion.feed(np.frombuffer(clip.pcm, "<i2")))
    shown = len(clip.scores[words[0]])
    return {word: tuple(hop[word] for hop in scores[-shown:]) for word in words}
