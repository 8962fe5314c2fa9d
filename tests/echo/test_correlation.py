"""The echo of what was played is found in what is heard, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from device.echo.correlation import (
    CLEAR,
    EARLIEST_SAMPLES,
    LATEST_SAMPLES,
    WINDOW_SAMPLES,
    Found,
    search,
)
from device.frames import MICROPHONE_RATE_HZ
from device.simulator.acoustics import ROOMS
from device.simulator.room import Room
from tests.rig.echo_bench import ANSWER, ours
from tests.rig.speech import espeak, noise

Samples = npt.NDArray[np.float32]

LONGER = 3 * MICROPHONE_RATE_HZ
"""What is played in these tests, so that a window fits everywhere."""
BEGIN = LATEST_SAMPLES + 4000
"""Where the window lies in it."""


def windows(played: npt.NDArray[np.int16], heard: npt.NDArray[np.int16]) -> tuple[Samples, Samples]:
    """The microphone's second and the stretch of the far end around it."""
    microphone = heard[BEGIN : BEGIN + WINDOW_SAMPLES]
    far = played[BEGIN - LATEST_SAMPLES : BEGIN + WINDOW_SAMPLES - EARLIEST_SAMPLES]
    return microphone.astype(np.float32), far.astype(np.float32)


def heard_later(room: str, delay_ms: float) -> Found:
    """Search for our voice in a room, the echo's first sample being so late (or early)."""
    acoustics = replace(ROOMS[room], drift_ppm=0.0)
    played = ours(LONGER / MICROPHONE_RATE_HZ)
    heard = Room(acoustics).hear(played)
    shift = round((delay_ms - acoustics.delay_ms) * MICROPHONE_RATE_HZ / 1000)
    return search(*windows(played, np.roll(heard, shift)))


@pytest.mark.parametrize("room", ["small", "medium", "large"])
@pytest.mark.parametrize("delay_ms", [-99.0, -40.0, 0.0, 8.0, 120.0, 300.0, 498.0])
def test_the_echo_is_found_where_it_is(room: str, delay_ms: float) -> None:
    """From a tenth of a second before the time stamps to half a second after, within 0.5 ms."""
    found = heard_later(room, delay_ms)
    assert found.clearness > CLEAR
    assert found.delay_samples == pytest.approx(delay_ms * 16, abs=8)


def test_the_delay_is_found_to_a_fraction_of_a_sample() -> None:
    """Or drift could not be seen within seconds."""
    played = noise((LONGER + 10) / MICROPHONE_RATE_HZ, 3000.0)
    spectrum = np.fft.rfft(played)
    turned = spectrum * np.exp(-2j * np.pi * np.fft.rfftfreq(len(played)) * 700.3)
    heard = np.rint(np.fft.irfft(turned, len(played))).astype(np.int16)
    found = search(*windows(played, heard))
    assert found.delay_samples == pytest.approx(700.3, abs=0.1)


@pytest.mark.parametrize("loudness", [300.0, 3000.0])
def test_in_noise_nothing_is_clear(loudness: float) -> None:
    """However loud it is."""
    for seed in range(5):
        microphone, far = windows(ours(3.0), noise(3.0, loudness, seed))
        assert search(microphone, far).clearness < CLEAR


def test_in_what_somebody_else_says_nothing_is_clear() -> None:
    """Voices are alike, but not to the sample."""
    played = ours(4.0)
    for voice in ("en-us+m3", "en-us+f3", "de", "en-gb"):
        said = espeak(ANSWER, voice)
        assert search(*windows(played, said)).clearness < CLEAR


def test_in_digital_silence_nothing_is_clear() -> None:
    """Nor where nothing was played."""
    silence = np.zeros(LONGER, np.int16)
    assert search(*windows(ours(3.0), silence)).clearness < CLEAR
    assert search(*windows(silence, ours(3.0))).clearness < CLEAR
    assert search(*windows(silence, silence)).clearness == 0


@pytest.mark.parametrize("delay_samples", [EARLIEST_SAMPLES + 1, LATEST_SAMPLES])
def test_a_delay_at_the_edge_is_a_whole_sample(delay_samples: int) -> None:
    """There is no neighbour to see the top of the peak with."""
    played = noise(LONGER / MICROPHONE_RATE_HZ, 3000.0)
    found = search(*windows(played, np.roll(played, delay_samples)))
    assert found == Found(delay_samples, found.clearness)
    assert found.clearness > CLEAR
