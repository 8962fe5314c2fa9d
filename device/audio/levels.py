"""`Levels` measures how loud each channel of a microphone is, and how quiet it can be. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST_DBFS = -120.0
"""What silence is called: no converter is that quiet."""
CLIPPED = 0.9999
"""Of full scale: from there on a sample was cut off."""
FLOOR_BLOCKS = 500
"""The noise floor is that of the last ten seconds of 20 ms blocks."""
FLOOR_SHARE = 10
"""Percent of the blocks that are quieter than the noise floor: nobody talks without pauses."""


@dataclass(frozen=True, slots=True)
class Level:
    """One channel since the last look, in dB of full scale; a full sine is -3 dBFS RMS."""

    rms_dbfs: float
    peak_dbfs: float
    floor_dbfs: float
    """How loud it is when nobody speaks, over the last ten seconds."""
    clipped: int
    """Samples that were cut off."""
    dead: bool
    """Whether every sample was the same: a microphone is never that quiet."""


class Levels:
    """The channels of one opening of a microphone."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._powers: deque[npt.NDArray[np.float64]] = deque(maxlen=FLOOR_BLOCKS)
        self._begin()

    def _begin(self) -> None:
        self._samples = 0
        self._power = np.zeros(self.channels)
        self._least = np.full(self.channels, np.inf)
        self._most = np.full(self.channels, -np.inf)
        self._clipped = np.zeros(self.channels, np.int64)

    @property
    def samples(self) -> int:
        """How many samples of each channel came since the last look."""
        return self._samples

    def hear(self, pcm: bytes, sample_bytes: int) -> None:
        """Take a block of interleaved samples, ``sample_bytes`` (2 or 4) each."""
        whole = np.frombuffer(pcm, f"<i{sample_bytes}").reshape(-1, self.channels)
        if not len(whole):
            return
        samples = whole / float(1 << (8 * sample_bytes - 1))
        power = np.mean(np.square(samples), axis=0)
        self._powers.append(power)
        self._power += power * len(samples)
        self._samples += len(samples)
        self._least = np.minimum(self._least, samples.min(axis=0))
        self._most = np.maximum(self._most, samples.max(axis=0))
        self._clipped += np.count_nonzero(np.abs(samples) >= CLIPPED, axis=0)

    def take(self) -> tuple[Level, ...]:
        """Return each channel since the last look; nothing when nothing came."""
        if not self._samples:
            return ()
        rms = self._power / self._samples
        peak = np.square(np.maximum(np.abs(self._least), np.abs(self._most)))
        floor = np.sort(self._powers, axis=0)[len(self._powers) * FLOOR_SHARE // 100]
        dead = self._least == self._most
        levels = tuple(
            Level(
                rms_dbfs=_dbfs(float(rms[place])),
                peak_dbfs=_dbfs(float(peak[place])),
                floor_dbfs=_dbfs(float(floor[place])),
                clipped=int(self._clipped[place]),
                dead=bool(dead[place]),
            )
            for place in range(self.channels)
        )
        self._begin()
        return levels


def _dbfs(power: float) -> float:
    least = 10 ** (LEAST_DBFS / 10)
    return round(10 * float(np.log10(max(power, least))), 1)
