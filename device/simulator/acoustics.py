"""Rooms are data: level of speech, reverberation and distortion in numbers. Pure.

Amplitudes are parts of full scale (-1..1). Levels are RMS in dB of full scale: a sine of full scale
has -3 dBFS.

Tested in tests/simulator/test_room.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Acoustics:
    """Facts of a room with a small loudspeaker and a microphone in it."""

    name: str
    rt60_ms: float
    """Time in which the sound dies away by 60 dB, in the middle of the band (500 Hz to 2 kHz)."""
    delay_ms: float
    """From the loudspeaker's card to the microphone's sample, without a sound system's buffers."""
    echo_gain_db: float
    """Level of speech at the microphone relative to what is played, at -20 dBFS of speech."""
    distortion: float
    """Of the loudspeaker, 0 none .. 1 hard: with speech of -20 dBFS the part of the echo that no
    linear filter explains is 34 dB below the rest at 0.05, 23 at 0.1, 13 at 0.3 and 6 at 1."""
    noise_dbfs: float
    """Level of the room's noise at the microphone."""
    drift_ppm: float
    """How much faster the loudspeaker's clock runs than the microphone's."""
    seed: int = 1
    direct_to_reverberant_db: float = 10.0
    """Energy of the loudspeaker's direct sound over that of the reflections and what follows."""


ROOMS: Mapping[str, Acoustics] = MappingProxyType(
    {
        each.name: each
        for each in (
            Acoustics("enclosure", 15, 4.0, 0, 0.1, -66, 0, direct_to_reverberant_db=4),
            Acoustics("small", 150, 6.0, -6, 0.05, -62, 0, direct_to_reverberant_db=10),
            Acoustics("medium", 300, 8.0, -10, 0.05, -60, 20, direct_to_reverberant_db=8),
            Acoustics("large", 600, 10.0, -14, 0.05, -58, -30, direct_to_reverberant_db=5),
            Acoustics("rattling", 250, 6.0, 0, 1.0, -58, 0, direct_to_reverberant_db=8),
            Acoustics("headset", 60, 5.0, -70, 0.0, -70, 0, direct_to_reverberant_db=10),
        )
    }
)
"""By name. ``enclosure`` is a loudspeaker and a microphone in one box, in a room that swallows the
rest; ``rattling`` a cheap driver played too loud, where a linear canceller must fail."""

LEVEL_BLOCK = 320
VOICED_DB = 30.0
FULLEST_DRIVE = 10.0
ASYMMETRY = 0.25
SPEECH_RMS = 0.1


def speech_level(samples: Floats) -> float:
    """Return the RMS of what is voiced (blocks of 320 samples within 30 dB of the loudest)."""
    blocks = samples[: len(samples) // LEVEL_BLOCK * LEVEL_BLOCK].reshape(-1, LEVEL_BLOCK)
    power = np.mean(blocks**2, axis=1) if len(blocks) else np.zeros(1)
    return float(np.sqrt(np.mean(power[power >= np.max(power) * 10 ** (-VOICED_DB / 10)])))


def at_level(samples: Floats, level_dbfs: float) -> Floats:
    """Return speech with the RMS of its voiced part at a level; silence stays silence."""
    level = speech_level(samples)
    return samples * (10 ** (level_dbfs / 20) / level) if level else samples


def distorted(samples: Floats, distortion: float) -> Floats:
    """Pass samples through the loudspeaker's non-linearity: a lopsided soft clip, memoryless.

    Speech of -20 dBFS keeps its level. At 0 the samples come back as they are.
    """
    return samples if distortion == 0 else _clip(samples, distortion) / _clip_gain(distortion)


def _clip(samples: Floats, distortion: float) -> Floats:
    drive = FULLEST_DRIVE * distortion
    bias = ASYMMETRY * min(1.0, drive)
    steepness = 1 - np.tanh(bias) ** 2
    clipped: Floats = (np.tanh(drive * samples + bias) - np.tanh(bias)) / (drive * steepness)
    return clipped


@cache
def _clip_gain(distortion: float) -> float:
    """Gain of the soft clip for speech, whose amplitudes have a gamma density.

    Paez and Glisson, Minimum mean-squared-error quantization in speech PCM and DPCM systems, IEEE
    Trans. Communications 20 (1972).
    """
    amplitude = (np.arange(-20_000, 20_000) + 0.5) / 20_000
    size = np.abs(amplitude)
    density = np.exp(-np.sqrt(0.75) * size / SPEECH_RMS) / np.sqrt(size)
    after = np.sum(density * _clip(amplitude, distortion) ** 2)
    return float(np.sqrt(after / np.sum(density * amplitude**2)))
