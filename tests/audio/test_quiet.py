"""The gate in front of the networks is shut in a quiet room, and never while a word is said."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from device.audio.quiet import FIRST_HOPS, OPEN_HOPS, WINDOW_HOPS, QuietGate
from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ
from device.simulator.acoustics import at_level
from tests.rig.sound import espeak

Samples = npt.NDArray[np.int16]

HOPS_A_SECOND = MICROPHONE_RATE_HZ / HOP_SAMPLES


def noise(kind: str, level_dbfs: float, seconds: float, seed: int = 1) -> Samples:
    """White, as of a converter; pink, as of a street; brown, as of a fan; hum, as of a fridge."""
    samples = round(seconds * MICROPHONE_RATE_HZ)
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / MICROPHONE_RATE_HZ)
    if kind == "hum":
        time_s = np.arange(samples) / MICROPHONE_RATE_HZ
        harmonics = sum(np.sin(2 * np.pi * 50 * n * time_s) / n**2 for n in range(1, 8))
        sound = harmonics + 0.02 * random.standard_normal(samples)
    else:
        slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind]
        sound = np.fft.irfft(spectrum / (hz + 20) ** slope, samples)
    return whole(at_level(sound, level_dbfs))


def whole(sound: npt.NDArray[np.float64]) -> Samples:
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)


def word(level_dbfs: float) -> Samples:
    spoken = np.frombuffer(espeak("hey jarvis"), "<i2") / 32768
    return whole(at_level(spoken, level_dbfs))


def quiet(gate: QuietGate, sound: Samples) -> list[bool]:
    hops = len(sound) // HOP_SAMPLES
    return [gate.hear(hop) for hop in sound[: hops * HOP_SAMPLES].reshape(-1, HOP_SAMPLES)]


@pytest.mark.parametrize("level_dbfs", [-80.0, -60.0, -40.0])
@pytest.mark.parametrize("kind", ["white", "pink", "brown", "hum"])
def test_a_steady_noise_is_quiet(kind: str, level_dbfs: float) -> None:
    """However loud it is: it is what a room sounds like when nothing happens."""
    heard = quiet(QuietGate(), noise(kind, level_dbfs, 120))
    assert np.mean(heard[FIRST_HOPS + OPEN_HOPS :]) > 0.9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["white", "pink", "brown", "hum"])
@pytest.mark.parametrize("snr_db", [20, 5, 0])
def test_a_word_opens_it_well_before_its_end(kind: str, snr_db: int, seed: int) -> None:
    """Also one that is no louder than the noise, which stands out of it somewhere."""
    said = word(-40.0)
    around = noise(kind, -40.0 - snr_db, 20, seed)
    around[10 * MICROPHONE_RATE_HZ :][: len(said)] += said
    began = round(10 * HOPS_A_SECOND)
    heard = quiet(QuietGate(), around)
    assert False in heard[began : began + len(said) // HOP_SAMPLES // 2 + 1]
    ended = began + len(said) // HOP_SAMPLES
    assert not any(heard[ended : ended + 4])


def test_a_faint_word_in_a_very_quiet_room_opens_it() -> None:
    """At -65 dBFS, over the last bit of a converter."""
    gate = QuietGate()
    assert all(quiet(gate, noise("white", -95.0, 10))[FIRST_HOPS + OPEN_HOPS :])
    assert False in quiet(gate, word(-65.0))


def test_digital_zeros_are_quiet_and_set_no_floor() -> None:
    """An array whose own gate is shut gives them: its usual noise is no sound after that."""
    gate = QuietGate()
    usual = noise("pink", -60.0, 60)
    quiet(gate, usual[: 10 * MICROPHONE_RATE_HZ])
    assert all(quiet(gate, np.zeros(60 * MICROPHONE_RATE_HZ, np.int16)))
    assert np.mean(quiet(gate, usual[10 * MICROPHONE_RATE_HZ :])) > 0.95


def test_a_stream_that_begins_with_zeros_is_not_quiet_before_a_room_was_heard() -> None:
    """Nothing is known of the room yet."""
    gate = QuietGate()
    assert not any(quiet(gate, np.zeros(10 * MICROPHONE_RATE_HZ, np.int16)))
    assert not any(quiet(gate, noise("white", -60.0, 1)))


def test_a_fan_that_is_switched_on_is_soon_what_the_room_sounds_like() -> None:
    """At once it is a sound; after two windows at most it is the room's noise."""
    gate = QuietGate()
    quiet(gate, noise("white", -75.0, 20))
    heard = quiet(gate, noise("brown", -45.0, 30))
    assert not any(heard[: WINDOW_HOPS // 2])
    assert np.mean(heard[2 * WINDOW_HOPS + OPEN_HOPS + 2 :]) > 0.9


def test_talk_without_end_does_not_shut_it() -> None:
    """For minutes: people breathe, and the floor stays where their breaths are."""
    gate = QuietGate()
    quiet(gate, noise("white", -70.0, 10))
    text = "And then we walked along the river for an hour, because the bus had gone without us."
    said = np.frombuffer(espeak(text), "<i2") / 32768
    talk = np.tile(whole(at_level(said, -30.0)), 30)
    talk = talk + noise("white", -70.0, len(talk) / MICROPHONE_RATE_HZ)[: len(talk)]
    heard = quiet(gate, talk)
    spoken = itertools.groupby(heard)
    longest = max((len(list(run)) for shut, run in spoken if shut), default=0)
    assert longest * HOP_SAMPLES / MICROPHONE_RATE_HZ < 0.3
    assert np.mean(heard) < 0.05
