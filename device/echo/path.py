"""The echo path is the way from loudspeaker to microphone, in figures. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.echo.noise import Noise

Samples = npt.NDArray[np.float32] | npt.NDArray[np.int16]

MEMORY_FRAMES = 100
"""Two seconds of our own sound: what the levels are averaged over."""
ENOUGH_FRAMES = 75
"""From which on they mean something."""
SOUNDING_POWER = 60.0**2
"""In squared steps of int16, -55 dBFS: quieter sound of ours tells nothing of its echo."""
FULL_SCALE_DB = 20 * math.log10(32_768)


@dataclass(frozen=True, slots=True)
class EchoFigures:
    """Measured while we play and nobody else speaks; None: not known yet."""

    return_loss_db: float | None
    """How much quieter than what was played the echo is at the microphone."""
    erle_db: float | None
    """How much of it the canceller takes out (echo return loss enhancement)."""
    residue_db: float | None
    """How far what is left stands over the room's noise."""
    noise_dbfs: float | None
    delay_ms: float | None
    """From when a sample should sound, as the sound system tells, to its echo's arrival."""
    drift_ppm: float | None
    """How much faster the loudspeaker's clock runs than the microphone's."""
    needed_db: float
    """How much evidence is needed to tell a person from what is left of our own voice."""
    learned: bool
    """Whether a person can be told from what is left of our own voice."""


class EchoPath:
    """Averages the levels of frames with our own sound in them."""

    def __init__(self) -> None:
        self._noise = Noise(1, 0.0)
        self.forget()

    def forget(self) -> None:
        """Begin anew: the way has changed. The noise stays."""
        self._played = self._heard = self._left = 0.0
        self._frames = 0

    def see(self, microphone: Samples, cleaned: Samples, far_end: Samples | None) -> None:
        """Take a frame in which nobody else speaks.

        ``far_end``: None while nothing of ours is on its way.
        """
        if far_end is None:
            self._noise.hear(np.array([_decibels(_power(microphone))]))
            return
        played = _power(far_end)
        if played < SOUNDING_POWER:
            return
        self._frames += 1
        share = 1 / min(self._frames, MEMORY_FRAMES)
        self._played += share * (played - self._played)
        self._heard += share * (_power(microphone) - self._heard)
        self._left += share * (_power(cleaned) - self._left)

    def figures(
        self, *, delay_ms: float | None, drift_ppm: float | None, needed_db: float, learned: bool
    ) -> EchoFigures:
        """Return what is known now, with what others know of it."""
        known = self._frames >= ENOUGH_FRAMES
        noise = float(self._noise.level_db[0]) if self._noise.known else None
        left = _decibels(self._left)
        return EchoFigures(
            return_loss_db=_decibels(self._played) - _decibels(self._heard) if known else None,
            erle_db=_decibels(self._heard) - left if known else None,
            residue_db=left - noise if known and noise is not None else None,
            noise_dbfs=None if noise is None else noise - FULL_SCALE_DB,
            delay_ms=delay_ms,
            drift_ppm=drift_ppm,
            needed_db=needed_db,
            learned=learned,
        )


def _power(samples: Samples) -> float:
    whole = samples.astype(np.float64)
    return float(np.dot(whole, whole)) / len(whole) + 1.0


def _decibels(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else 0.0
