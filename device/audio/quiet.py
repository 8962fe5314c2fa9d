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
from collections import deque

import numpy as np
import numpy.typing as npt

from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ

Levels = list[float]
"""Of each band."""

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
        edges = np.searchsorted(hz, EDGES_HZ)
        # Of each complex number two parts are summed; what the last sum adds is above all bands.
        self._begins = 2 * edges
        self._window = np.hanning(HOP_SAMPLES).astype(np.float32)
        bins = np.diff(edges)
        # Power per sample of int16: of a Hann window 3/8 is left, and half of the spectrum.
        self._scale = 2 / (HOP_SAMPLES**2 * 0.375)
        # Two in three bins tell something new under that window; each has 4.34 dB of deviation.
        deviation_db = 10 / math.log(10) / np.sqrt(bins * 2 / 3)
        self._margin_db: Levels = np.maximum(SURE * deviation_db, LEAST_MARGIN_DB).tolist()
        nothing = [math.inf] * len(bins)
        self._recent = deque([nothing] * MOMENT_HOPS, MOMENT_HOPS)
        self._hops = 0
        self._open_hops = 0
        self._lowest = self._lowest_before = nothing
        """Of this window, and of the one before."""

    def hear(self, samples: npt.NDArray[np.int16]) -> bool:
        """Take one hop of 1280 samples or more; whether they are quiet, and what came before."""
        quiet = True
        for power in self._powers(samples):
            quiet = self._hear(power) and quiet
        return quiet

    def _hear(self, power: Levels) -> bool:
        known = self._hops >= FIRST_HOPS
        if not any(power):
            self._open_hops = max(0, self._open_hops - 1)
            return known and not self._open_hops
        # Half a dozen numbers: numpy would take longer to begin than to calculate.
        level_db = [10 * math.log10(each + 1e-3) for each in power]
        if not known or self._rises(level_db):
            self._open_hops = OPEN_HOPS
        else:
            self._open_hops = max(0, self._open_hops - 1)
        self._learn(level_db)
        return not self._open_hops

    def _rises(self, level_db: Levels) -> bool:
        bands = zip(level_db, self._lowest, self._lowest_before, self._margin_db, strict=True)
        return any(
            level > max(min(lowest, before), LEAST_FLOOR_DB) + margin
            for level, lowest, before, margin in bands
        )

    def _learn(self, level_db: Levels) -> None:
        self._recent.append(level_db)
        self._hops += 1
        if self._hops % WINDOW_HOPS == 0:
            self._lowest_before, self._lowest = self._lowest, [math.inf] * len(level_db)
        moment_db = [sum(hops) / MOMENT_HOPS for hops in zip(*self._recent, strict=True)]
        self._lowest = list(map(min, self._lowest, moment_db))

    def _powers(self, samples: npt.NDArray[np.int16]) -> list[Levels]:
        """Return those of each hop's bands, in squared steps of int16."""
        parts = np.fft.rfft(samples.reshape(-1, HOP_SAMPLES) * self._window).view(np.float32)
        np.multiply(parts, parts, out=parts)
        sums = np.add.reduceat(parts, self._begins, axis=1)[:, :-1] * self._scale
        powers: list[Levels] = sums.tolist()
        return powers
