"""`prepared` trims speech from anywhere, levels it and rounds its peaks. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

RMS = 0.1
"""Of full scale: -20 dBFS, about what the Live API's voices have."""
CEILING = 0.7
"""-3.1 dBFS: what no sample reaches, so that a resampler has room above it."""
KNEE = 0.4
"""What is louder is bent towards the ceiling: in synthetic speech, the tips of its pulses."""
SILENCE = 0.003
"""-50 dB below the loudest sample nothing is heard."""
EDGE_MS = 5
"""Left of the silence at both ends, for a fade."""


def prepared(pcm: bytes, rate_hz: int) -> bytes:
    """Trim and level s16le mono; gives nothing when there is nothing but silence."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
    samples = _trimmed(samples, rate_hz * EDGE_MS // 1000)
    if not len(samples):
        return b""
    loud = _limited(samples * np.float32(RMS / np.sqrt(np.mean(np.square(samples)))))
    whole: bytes = np.rint(loud * 32_768).astype("<i2").tobytes()
    return whole


def _trimmed(samples: Samples, edge: int) -> Samples:
    magnitude = np.abs(samples)
    sounding = np.flatnonzero(magnitude > SILENCE * magnitude.max(initial=0.0))
    if not len(sounding):
        return samples[:0]
    padded = np.pad(samples, edge)[sounding[0] : sounding[-1] + 1 + 2 * edge]
    ramp = np.linspace(0, 1, edge, dtype=np.float32)
    padded[:edge] *= ramp
    padded[-edge:] *= ramp[::-1]
    return padded


def _limited(samples: Samples) -> Samples:
    magnitude, room = np.abs(samples), np.float32(CEILING - KNEE)
    bent = KNEE + room * np.tanh((magnitude - KNEE) / room)
    limited: Samples = np.where(magnitude > KNEE, np.sign(samples) * bent, samples)
    return limited
