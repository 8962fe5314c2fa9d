"""Impulse responses are drawn from the facts of a room with its seed. Pure.

A response has its direct sound, a handful of early reflections, and a diffuse tail whose highs die
sooner than its lows. On the way from the loudspeaker come the resonances of its box and the band of
a small driver. Time is counted in samples of ``rate_hz``; the direct sound is at sample 0.

Tested in tests/simulator/test_room.py.
"""

from __future__ import annotations

import numpy as np

from device.simulator.acoustics import Acoustics, Floats

SPEAKER_BAND_HZ = (150.0, 7000.0)
"""What a driver of 3 to 5 cm gives back."""

BAND_EDGES_HZ = (0.0, 350.0, 700.0, 1400.0, 2800.0, 5600.0, 12_000.0)
BAND_DECAY = (1.1, 1.05, 1.0, 0.95, 0.75, 0.55)
"""Decay of each band relative to ``rt60_ms``: air and soft things swallow the highs first."""

NEPERS_OF_60_DB = float(np.log(1e3))
REFLECTIONS = 7
EARLY_S = 0.03
EARLY_SHARE = 0.7
"""Amplitude of all early reflections relative to that of the tail."""
BOX_MODES_HZ = (310.0, 540.0, 880.0, 1350.0, 2100.0)
BOX_RT60_S = 0.012
BOX_LEVEL = 0.06
VOICE_FARTHER_DB = 5.0
"""A person is farther from the microphone than the loudspeaker: so much less direct sound."""
NOISE_TAPS = 512


def echo_response(room: Acoustics, rate_hz: int) -> Floats:
    """Return the response from loudspeaker to microphone, at the room's level for speech."""
    drawn = _drawn(room, rate_hz, room.seed, room.direct_to_reverberant_db)
    response = _through_driver(np.convolve(drawn, _box(rate_hz)), rate_hz)
    gain: float = 10 ** (room.echo_gain_db / 20) / speech_gain(response, rate_hz)
    return response * gain


def voice_response(room: Acoustics, rate_hz: int) -> Floats:
    """Return the response from a person in the room to the microphone; the direct sound is 1."""
    farther_db = room.direct_to_reverberant_db - VOICE_FARTHER_DB
    return _drawn(room, rate_hz, room.seed + 1000, farther_db)


def noise_response(rate_hz: int) -> Floats:
    """Return what colours white noise as a room's (3 dB less an octave) and keeps its level."""
    hz = np.fft.rfftfreq(NOISE_TAPS, 1 / rate_hz)
    spectrum = np.sqrt(100 / np.maximum(hz, 100)) * (hz > 20)
    response = np.roll(np.fft.irfft(spectrum), NOISE_TAPS // 2) * np.hanning(NOISE_TAPS)
    normalised: Floats = response / np.linalg.norm(response)
    return normalised


def speech_gain(response: Floats, rate_hz: int) -> float:
    """Return by how much a response changes the RMS of speech."""
    size = 1 << (len(response) + rate_hz // 4).bit_length()
    power = np.abs(np.fft.rfft(response, size)) ** 2
    hz: Floats = np.asarray(np.fft.rfftfreq(size, 1 / rate_hz), np.float64)
    weight = _speech_power(hz)
    return float(np.sqrt(np.sum(weight * power) / np.sum(weight)))


def convolved(samples: Floats, response: Floats) -> Floats:
    """Return the whole convolution, the response's tail included."""
    length = len(samples) + len(response) - 1
    size = 1 << length.bit_length()
    product = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    whole: Floats = np.fft.irfft(product, size)[:length]
    return whole


def _drawn(room: Acoustics, rate_hz: int, seed: int, direct_to_reverberant_db: float) -> Floats:
    rng = np.random.default_rng(seed)
    rt60_s = room.rt60_ms / 1000
    response = _tail(rng, rt60_s, rate_hz)
    places = 1 + (rng.uniform(0.05, 1.0, REFLECTIONS) * _early_s(rt60_s) * rate_hz).astype(int)
    fading = np.exp(-NEPERS_OF_60_DB * places / rate_hz / rt60_s)
    strengths = rng.choice([1.0, 1.0, -1.0], REFLECTIONS) * fading
    response /= np.linalg.norm(response)
    np.add.at(response, places, EARLY_SHARE * strengths / np.linalg.norm(strengths))
    response *= 10 ** (-direct_to_reverberant_db / 20) / np.linalg.norm(response)
    response[0] = 1.0
    return response


def _early_s(rt60_s: float) -> float:
    return min(EARLY_S, rt60_s / 3)


def _tail(rng: np.random.Generator, rt60_s: float, rate_hz: int) -> Floats:
    """Noise that dies away in each band in its own time, and begins softly after sample 0."""
    count = int(max(BAND_DECAY) * rt60_s * rate_hz) + 64
    time_s = np.arange(count) / rate_hz
    hz = np.fft.rfftfreq(count, 1 / rate_hz)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    tail = np.zeros(count)
    for low, high, decay in zip(BAND_EDGES_HZ[:-1], BAND_EDGES_HZ[1:], BAND_DECAY, strict=True):
        band = np.fft.irfft(spectrum * ((hz >= low) & (hz < high)), count)
        tail += band * np.exp(-NEPERS_OF_60_DB * time_s / (rt60_s * decay))
    softly: Floats = tail * np.minimum(1.0, time_s / (_early_s(rt60_s) / 3))
    return softly


def _box(rate_hz: int) -> Floats:
    """What is played, and what the loudspeaker's box sings along."""
    time_s = np.arange(int(1.2 * BOX_RT60_S * rate_hz)) / rate_hz
    # In turn up and down, or the modes would add up to a rise of all the lows.
    signs = (-1.0) ** np.arange(len(BOX_MODES_HZ))
    modes = signs[:, None] * np.sin(2 * np.pi * np.outer(BOX_MODES_HZ, time_s))
    box: Floats = BOX_LEVEL * modes.sum(axis=0) * np.exp(-NEPERS_OF_60_DB * time_s / BOX_RT60_S)
    box[0] += 1.0
    return box


def _through_driver(response: Floats, rate_hz: int) -> Floats:
    """Limit the band by 12 dB an octave each way, without any sound before its cause."""
    size = 1 << (len(response) + rate_hz // 16).bit_length()
    s = 2j * np.pi * np.fft.rfftfreq(size, 1 / rate_hz)
    low, high = (2 * np.pi * hz for hz in SPEAKER_BAND_HZ)
    gain = s**2 / (s**2 + np.sqrt(2) * low * s + low**2)
    gain *= high**2 / (s**2 + np.sqrt(2) * high * s + high**2)
    limited: Floats = np.fft.irfft(np.fft.rfft(response, size) * gain, size)
    return limited[: len(response) + rate_hz // 50]


def _speech_power(hz: Floats) -> Floats:
    """Long-term power of speech: flat from 150 to 700 Hz, then 7.5 dB less an octave.

    After Byrne et al., An international comparison of long-term average speech spectra, JASA 96
    (1994), its two slopes drawn into one.
    """
    return np.where(hz > 150, np.maximum(hz / 700, 1.0) ** -2.5, 0.0)
