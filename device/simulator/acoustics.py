"""What a room does to sound on its way from a loudspeaker to a microphone, as numbers. Pure.

Rooms are data: a few facts each, from which the impulse responses are drawn with a seed. Amplitudes
are parts of full scale (-1..1), levels are RMS in dB of full scale (a square wave of full scale has
0 dBFS), and time is counted in samples of ``rate_hz``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    """Of the loudspeaker: 0 none .. 1 hard."""
    noise_dbfs: float
    """Level of the room's noise at the microphone."""
    drift_ppm: float
    """How much faster the loudspeaker's clock runs than the microphone's."""
    seed: int = 1
    direct_to_reverberant_db: float = 10.0
    """Energy of the direct sound over that of all that comes after it."""


ROOMS: Mapping[str, Acoustics] = MappingProxyType(
    {
        each.name: each
        for each in (
            Acoustics("enclosure", 15, 4.0, 0, 0.1, -66, 0, direct_to_reverberant_db=4),
            Acoustics("small", 150, 6.0, -6, 0.1, -62, 0, direct_to_reverberant_db=10),
            Acoustics("medium", 300, 8.0, -10, 0.1, -60, 20, direct_to_reverberant_db=8),
            Acoustics("large", 600, 10.0, -14, 0.1, -58, -30, direct_to_reverberant_db=5),
            Acoustics("rattling", 250, 6.0, 0, 1.0, -58, 0, direct_to_reverberant_db=8),
            Acoustics("headset", 60, 5.0, -70, 0.0, -70, 0, direct_to_reverberant_db=10),
        )
    }
)

SPEAKER_BAND_HZ = (150.0, 7000.0)
"""What a driver of 3 to 5 cm gives back."""

BAND_EDGES_HZ = (0.0, 350.0, 700.0, 1400.0, 2800.0, 5600.0, 8000.0)
BAND_DECAY = (1.1, 1.05, 1.0, 0.95, 0.75, 0.55)
"""Decay of each band relative to ``rt60_ms``: air and soft things swallow the highs first."""

DECAY_60_DB = np.log(1e3)
BOX_MODES_HZ = (310.0, 540.0, 880.0, 1350.0, 2100.0)
BOX_RT60_S = 0.012
BOX_LEVEL = 0.08
REFLECTIONS = 7
FULLEST_DRIVE = 10.0
ASYMMETRY = 0.25
SPEECH_RMS = 0.1


def echo_response(room: Acoustics, rate_hz: int) -> Floats:
    """Return the impulse response from loudspeaker to microphone; its direct sound is at 0."""
    response = _driver(_box(_room_response(room, rate_hz, room.seed), rate_hz), rate_hz)
    gain: float = 10 ** (room.echo_gain_db / 20) / speech_gain(response, rate_hz)
    return response * gain


def voice_response(room: Acoustics, rate_hz: int) -> Floats:
    """Return the impulse response from a person in the room to the microphone, direct sound 1."""
    return _room_response(room, rate_hz, room.seed + 1000)


def speech_gain(response: Floats, rate_hz: int) -> float:
    """Return by how much a response changes the RMS of speech."""
    size = 1 << (len(response) + rate_hz // 4).bit_length()
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    power = np.abs(np.fft.rfft(response, size)) ** 2
    weight = _speech_power(hz)
    return float(np.sqrt(np.sum(weight * power) / np.sum(weight)))


def speech_level(samples: Floats) -> float:
    """Return the RMS of what is voiced: the 20 ms blocks within 30 dB of the loudest; 0 if none."""
    blocks = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = np.mean(blocks**2, axis=1) if len(blocks) else np.zeros(1)
    return float(np.sqrt(np.mean(power[power >= np.max(power) / 1000])))


def distorted(samples: Floats, distortion: float) -> Floats:
    """Pass samples through the loudspeaker's non-linearity: a lopsided soft clip, memoryless.

    Speech of -20 dBFS keeps its level. At 0 the samples come back as they are.
    """
    return samples if distortion == 0 else _clip(samples, distortion) / _clip_gain(distortion)


def noise_response(rate_hz: int, taps: int = 512) -> Floats:
    """Return a filter that colours white noise as a room's: 3 dB less an octave above 100 Hz."""
    hz = np.fft.rfftfreq(taps, 1 / rate_hz)
    spectrum = np.sqrt(100 / np.maximum(hz, 100)) * (hz > 20)
    response = np.fft.irfft(spectrum) * 1.0
    response = np.roll(response, taps // 2) * np.hanning(taps)
    normalised: Floats = response / np.sqrt(np.sum(response**2))
    return normalised


def _room_response(room: Acoustics, rate_hz: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    rt60_s = room.rt60_ms / 1000
    tail = _tail(rng, rt60_s, rate_hz)
    early_s = min(0.03, rt60_s / 3)
    places = (rng.uniform(0.05, 1.0, REFLECTIONS) * early_s * rate_hz).astype(int) + 1
    strengths = rng.choice([1.0, 1.0, -1.0], REFLECTIONS) * np.exp(
        -DECAY_60_DB * places / rate_hz / rt60_s
    )
    tail /= np.sqrt(np.sum(tail**2))
    np.add.at(tail, places, strengths / np.sqrt(np.sum(strengths**2)) * 0.7)
    reverberant = 10 ** (-room.direct_to_reverberant_db / 20)
    tail *= reverberant / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def _tail(rng: np.random.Generator, rt60_s: float, rate_hz: int) -> Floats:
    count = int(1.1 * rt60_s * rate_hz) + 64
    time_s = np.arange(count) / rate_hz
    hz = np.fft.rfftfreq(count, 1 / rate_hz)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    tail = np.zeros(count)
    for low, high, decay in zip(BAND_EDGES_HZ, BAND_EDGES_HZ[1:], BAND_DECAY, strict=False):
        band = np.fft.irfft(spectrum * ((hz >= low) & (hz < high)), count)
        tail += band * np.exp(-DECAY_60_DB * time_s / (rt60_s * decay))
    onset = np.minimum(1.0, time_s / min(0.005, rt60_s / 5))
    return tail * onset


def _box(response: Floats, rate_hz: int) -> Floats:
    """Add what the loudspeaker's own box sings."""
    time_s = np.arange(int(1.2 * BOX_RT60_S * rate_hz)) / rate_hz
    decay = np.exp(-DECAY_60_DB * time_s / BOX_RT60_S)
    box = sum(np.sin(2 * np.pi * hz * time_s) * decay * BOX_LEVEL for hz in BOX_MODES_HZ)
    box = np.asarray(box)
    box[0] += 1.0
    return np.convolve(response, box)


def _driver(response: Floats, rate_hz: int) -> Floats:
    """Limit the band: second order each way, as a small driver does (minimum phase)."""
    size = 1 << (len(response) + rate_hz // 16).bit_length()
    s = 2j * np.pi * np.fft.rfftfreq(size, 1 / rate_hz)
    low, high = (2 * np.pi * hz for hz in SPEAKER_BAND_HZ)
    root = np.sqrt(2)
    gain = s**2 / (s**2 + root * low * s + low**2)
    gain *= high**2 / (s**2 + root * high * s + high**2)
    limited = np.fft.irfft(np.fft.rfft(response, size) * gain, size)
    return limited[: len(response) + rate_hz // 50]


def _speech_power(hz: Floats) -> Floats:
    """Long-term power of speech: flat from 120 to 500 Hz, then 9 dB less an octave.

    Byrne et al., An international comparison of long-term average speech spectra, JASA 96 (1994).
    """
    above = np.maximum(hz / 500, 1.0) ** -3.0
    return np.where(hz > 120, above, 0.0)


def _clip(samples: Floats, distortion: float) -> Floats:
    drive = FULLEST_DRIVE * distortion
    bias = ASYMMETRY * min(1.0, drive)
    steepness = 1 - np.tanh(bias) ** 2
    clipped: Floats = (np.tanh(drive * samples + bias) - np.tanh(bias)) / (drive * steepness)
    return clipped


def _clip_gain(distortion: float) -> float:
    """Gain of the soft clip for amplitudes spread as those of speech are (Laplace)."""
    amplitude = np.linspace(-1, 1, 4001)
    density = np.exp(-np.sqrt(2) * np.abs(amplitude) / SPEECH_RMS)
    after = np.sum(density * _clip(amplitude, distortion) ** 2)
    return float(np.sqrt(after / np.sum(density * amplitude**2)))
