"""`Limiter` keeps the loudest peaks below a ceiling by turning the sound down for them. Pure.

A small loudspeaker driven too hard distorts, and so does a peak that is cut off: no echo canceller
can undo either. So the gain goes down in time for a peak, holds, and comes back slowly enough that
nobody hears it breathe.

Theory of operation. No sample is delayed: a block is all that is known of what comes. Within it
the gain falls in a ramp of `ATTACK_MS` that ends at the peak. A peak that comes sooner after the
beginning of the block gets the straight line that is needed, from the gain that the last block
ended with: so the gain never jumps, and no sample is above the ceiling. The lowest gain is held for
`HOLD_MS`, longer than the period of any voice, so it does not follow the wave itself.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Gains = npt.NDArray[np.float64]

FULL_SCALE = 32_768

CEILING_DBFS = -1.0

ATTACK_MS = 2
"""From all of the amplitude to half of it."""
HOLD_MS = 30
RELEASE_MS = 150
"""From half of the amplitude back to all of it."""

NEAR = 1e-9
"""What sums of many small steps may be wrong by."""


class Limiter:
    """Turns down what exceeds ``ceiling_dbfs`` (dB of full scale, 0 at most); one thread at a time.

    Samples are mono, in steps of int16, at ``rate_hz``, in blocks of any length. What does not
    exceed the ceiling passes bit for bit, unless a peak just before it is still held or let go.
    """

    def __init__(self, rate_hz: int, ceiling_dbfs: float) -> None:
        full_scale = FULL_SCALE - 1
        self.ceiling = min(full_scale, math.floor(FULL_SCALE * 10 ** (ceiling_dbfs / 20)))
        """Largest magnitude that comes out, in steps of int16."""
        self._fall = 0.5 / (rate_hz * ATTACK_MS / 1000)
        self._rise = 0.5 / (rate_hz * RELEASE_MS / 1000)
        self._hold_samples = rate_hz * HOLD_MS // 1000
        self.reset()

    def reset(self) -> None:
        """Forget the peaks that were: after silence the gain is one at once."""
        self.gain = 1.0
        """Of the last sample that came out."""
        self._before = np.ones(self._hold_samples)

    def apply(self, samples: Samples) -> Samples:
        """Give the next block, turned down where it must be."""
        if not len(samples):
            return samples
        magnitudes = np.abs(samples).astype(np.float64)
        if self.gain == 1 and float(np.max(magnitudes)) <= self.ceiling:
            return samples
        # A divisor is never less than the ceiling: silence asks for nothing.
        allowed = self.ceiling / np.maximum(magnitudes, self.ceiling)
        gains = self._let_go(self._held(self._approached(allowed)))
        self.gain = float(gains[-1])
        limited = np.clip(samples * gains, -self.ceiling, self.ceiling)
        return limited.astype(np.float32)

    def _approached(self, allowed: Gains) -> Gains:
        """Go down in time for each of the allowed gains, from the last block's end on."""
        places = np.arange(1, len(allowed) + 1)
        ramps = allowed + places * self._fall
        in_time = np.minimum.accumulate(ramps[::-1])[::-1] - places * self._fall
        # Where the ramp would have had to begin before the block, this line is above it.
        steepest = float(np.min((allowed - self.gain) / places))
        approached: Gains = np.maximum(in_time, self.gain + steepest * places)
        return approached

    def _held(self, asked: Gains) -> Gains:
        """Keep the least of the last `HOLD_MS`, by windows that double their length."""
        least = np.concatenate([self._before, asked])
        self._before = least[-self._hold_samples :]
        length = 1
        while length <= self._hold_samples:
            step = min(length, self._hold_samples + 1 - length)
            least = np.minimum(least[step:], least[:-step])
            length += step
        return least

    def _let_go(self, held: Gains) -> Gains:
        """Come back no faster than the release."""
        risen = np.arange(len(held) + 1) * self._rise
        path = np.concatenate([[self.gain], held]) - risen
        gains: Gains = (np.minimum.accumulate(path) + risen)[1:]
        gains[gains > 1 - NEAR] = 1.0
        return gains
