"""The noise of a room: learned at once at first, then slowly, and never from voices."""

from __future__ import annotations

import numpy as np
import pytest

from device.echo.noise import FIRST_FRAMES, STEADY_FRAMES, Levels, Noise

LEAST_DB = 10.0


def levels(*, of: float, frames: int, spread: float = 1.0, seed: int = 1) -> list[Levels]:
    """Frames of a steady sound in three bands."""
    rng = np.random.default_rng(seed)
    return [of + rng.normal(0.0, spread, 3) for _ in range(frames)]


def heard(noise: Noise, frames: list[Levels]) -> float:
    for frame in frames:
        noise.hear(frame)
    return float(np.mean(noise.level_db))


@pytest.fixture
def noise() -> Noise:
    """A room whose noise is known: 30 dB."""
    noise = Noise(3, LEAST_DB)
    before = noise.known
    assert heard(noise, levels(of=30.0, frames=FIRST_FRAMES)) == pytest.approx(30.0, abs=1.0)
    assert (before, noise.known) == (False, True)
    return noise


def test_a_quieter_room_is_noticed_soon(noise: Noise) -> None:
    """Whoever takes a room for louder than it is misses quiet people."""
    assert heard(noise, levels(of=22.0, frames=40)) == pytest.approx(22.0, abs=1.0)


def test_speech_moves_it_hardly(noise: Noise) -> None:
    """Half a minute of somebody talking, loud and less loud, is no noise."""
    rng = np.random.default_rng(3)
    talk = [60.0 + rng.normal(0.0, 9.0, 3) for _ in range(100)]
    assert heard(noise, talk) < 42.0


def test_a_fan_that_is_switched_on_is_noise_after_some_seconds(noise: Noise) -> None:
    """It stays as it is, as no voice does."""
    assert heard(noise, levels(of=55.0, frames=STEADY_FRAMES // 2)) < 35.0
    assert heard(noise, levels(of=55.0, frames=3 * STEADY_FRAMES)) == pytest.approx(55.0, abs=2.0)


def test_what_was_taken_for_a_person_and_was_none_is_noise_at_once(noise: Noise) -> None:
    """A tap that runs, say: the next reply should not stop for it."""
    noise.was_noise(np.full(3, 50.0))
    assert np.all(noise.level_db == 50.0)
    noise.was_noise(np.full(3, 20.0))
    assert np.all(noise.level_db == 50.0)


def test_digital_silence_is_not_that_quiet(noise: Noise) -> None:
    """A microphone that delivers zeros delivers something else soon."""
    assert heard(noise, [np.full(3, -20.0)] * 200) == LEAST_DB
