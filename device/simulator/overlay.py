"""What a card that is not there plays beside replies: a chime, and a sentence after it. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.frames import REPLY_RATE_HZ

Floats = NDArray[np.float64]

FADE_SAMPLES = REPLY_RATE_HZ * 5 // 1000
GAP_SAMPLES = REPLY_RATE_HZ * 150 // 1000
"""Between the chime and the sentence."""


class Overlay:
    """Samples in steps of s16, mono, 24 kHz."""

    def __init__(self) -> None:
        self._sound = np.zeros(0)
        self._sentence = np.zeros(0)
        self._silence_samples = 0
        """Before the sentence."""
        self._saying = False

    def chime(self, samples: Floats) -> None:
        """Play this from the next block on, instead of the chime before it."""
        self._sound = samples

    def say(self, sentence: Floats) -> None:
        """Say this when the chime is over, instead of the sentence before it."""
        self.hush()
        self._sentence = sentence
        self._silence_samples = len(self._sound) + GAP_SAMPLES if len(self._sound) else 0

    def hush(self) -> None:
        """Break the sentence off, with a fade."""
        if self._saying:
            rest = self._sentence[:FADE_SAMPLES]
            fade = rest * np.linspace(1.0, 0.0, len(rest))
            self._sound = _sum(self._sound, fade)
        self._sentence = np.zeros(0)
        self._saying = False

    def take(self, samples: int, *, replying: bool) -> Floats:
        """Give the next samples, or as many as there are; no sentence begins during a reply."""
        sound, self._sound = self._sound[:samples], self._sound[samples:]
        silence = min(samples, self._silence_samples)
        self._silence_samples -= silence
        if not self._saying and (replying or silence == samples):
            return sound
        said = self._sentence[: samples - silence]
        self._sentence = self._sentence[len(said) :]
        self._saying = len(self._sentence) > 0
        return _sum(sound, np.concatenate([np.zeros(silence), said]))


def _sum(one: Floats, other: Floats) -> Floats:
    """Add two that begin together and may end apart."""
    both = np.zeros(max(len(one), len(other)))
    both[: len(one)] += one
    both[: len(other)] += other
    return both
