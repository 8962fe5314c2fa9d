"""`QuietGate` tells whether anything rises above the noise of the room. Pure.

While nothing does nobody can have said a word, and what listens for words need not look. In front
of networks a gate must never be shut too long, and may be open too often. So it looks at bands,
each with a floor of its own: a voice that a fan drowns stands out somewhere. It compares a hop with
the quietest moment of the last seconds, which talk cannot raise as long as people breathe. And it
stays open for a second after the last sound.

Digital zeros, which an array gives whose own gate is shut, are quiet but set no floor.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ

Levels = npt.NDArray[np.float64]

EDGES_HZ = (200, 500, 1000, 2000, 4000, 7500)
"""Below is hum, which no word is told by."""

SURE = 5.7
"""How many standard deviations of steady noise count as a sound: 4.5, which chance exceeds less
than once an hour, and 1.2 by which the quietest moment lies below the usual."""
LEAST_MARGIN_DB = 3.0
"""No room's noise is as steady as that of a generator."""
LEAST_FLOOR_DB = 0.0
"""Of a band's power, in squared steps of int16: -90 dBFS. What is below a converter's last bit is
no sound."""

MOMENT_HOPS = 3
"""What counts as a moment, 240 ms: a word has no pause as long."""
WINDOW_HOPS = 50
"""The floor is the quietest moment of the last four to eight seconds: so soon a fan that was
switched on is the room's noise."""
FIRST_HOPS = 25
"""So much must be heard before anything is taken for quiet."""
OPEN_HOPS = 19
"""How long it stays open, 1.5 s: of a word in noise only the first vowel may stand out, and its
score is highest up to half a second after its end."""


class QuietGate:
    """Takes the microphone hop by hop, 1280 samples each. One thread at a time."""

    def __init__(self) -> None:
        hz = np.fft.rfftfreq(HOP_SAMPLES, 1 / MICROPHONE_RATE_HZ)
        self._first, self._last = np.searchsorted(hz, [EDGES_HZ[0], EDGES_HZ[-1]])
        edges = np.searchsorted(hz, EDGES_HZ) - self._first
        self._begins = edges[:-1]
        self._window = np.hanning(HOP_SAMPLES).astype(np.float32)
        bins = np.diff(edges)
        # Power per sample of int16: of a Hann window 3/8 is left, and half of the spectrum.
        self._scale = 2 / (HOP_SAMPLES**2 * 0.375)
        # Two in three bins tell something new under that window; each has 4.34 dB of deviation.
        deviation_db = 10 / math.log(10) / np.sqrt(bins * 2 / 3)
        self._margin_db = np.maximum(SURE * deviation_db, LEAST_MARGIN_DB)
        self._recent = np.full((MOMENT_HOPS, len(bins)), np.inf)
        self._hops = 0
        self._open_hops = 0
        self._lowest = np.full(len(bins), np.inf)
        """Of this window, and of the one before."""
        self._lowest_before = np.full(len(bins), np.inf)

    def hear(self, samples: npt.NDArray[np.int16]) -> bool:
        """Take a hop of 1280 samples; whether it is quiet, and nothing was heard just before."""
        if not samples.any():
            self._open_hops = max(0, self._open_hops - 1)
            return self._hops >= FIRST_HOPS and not self._open_hops
        level_db = self._levels(samples)
        floor_db = np.maximum(np.minimum(self._lowest, self._lowest_before), LEAST_FLOOR_DB)
        known = self._hops >= FIRST_HOPS
        if not known or (level_db > floor_db + self._margin_db).any():
            self._open_hops = OPEN_HOPS
        else:
            self._open_hops = max(0, self._open_hops - 1)
        self._learn(level_db)
        return not self._open_hops

    def _learn(self, level_db: Levels) -> None:
        self._recent[self._hops % MOMENT_HOPS] = level_db
        self._hops += 1
        if self._hops % WINDOW_HOPS == 0:
            self._lowest_before, self._lowest = self._lowest, np.full(len(level_db), np.inf)
        self._lowest = np.minimum(self._lowest, self._recent.sum(axis=0) / MOMENT_HOPS)

    def _levels(self, samples: npt.NDArray[np.int16]) -> Levels:
        spectrum = np.fft.rfft(samples * self._window)[self._first : self._last]
        power = spectrum.real**2 + spectrum.imag**2
        levels: Levels = 10 * np.log10(np.add.reduceat(power, self._begins) * self._scale + 1e-3)
        return levels
