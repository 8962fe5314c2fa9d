"""What is measured of our own echo."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.echo.path import ENOUGH_FRAMES, EchoFigures, EchoPath
from device.frames import FRAME_SAMPLES

Samples = npt.NDArray[np.int16]

LOUD = 3000.0
ONE_DB = 10 ** (1 / 20)


def sound(level: float, seed: int = 1) -> Samples:
    """A frame with this RMS."""
    wave = np.random.default_rng(seed).standard_normal(FRAME_SAMPLES)
    whole: Samples = np.rint(wave / np.sqrt(np.mean(wave**2)) * level).astype(np.int16)
    return whole


class Path:
    """An echo path, fed with levels."""

    def __init__(self) -> None:
        self.path = EchoPath()

    def quiet(self, frames: int, level: float) -> None:
        for number in range(frames):
            self.path.see(sound(level, number), sound(level, number), None)

    def play(self, frames: int, played: float, heard: float, left: float) -> None:
        for number in range(frames):
            self.path.see(sound(heard, number), sound(left, number), sound(played, number))

    @property
    def figures(self) -> EchoFigures:
        return self.path.figures(delay_ms=86.0, drift_ppm=20.0, needed_db=40.0, learned=True)


@pytest.fixture
def path() -> Path:
    return Path()


def test_at_first_nothing_is_known(path: Path) -> None:
    """But for what others know."""
    assert path.figures == EchoFigures(None, None, None, None, 86.0, 20.0, 40.0, learned=True)


def test_after_a_while_the_levels_mean_something(path: Path) -> None:
    """What was played, what of it is heard, what is left of that, and over what."""
    path.quiet(50, 30.0)
    path.play(ENOUGH_FRAMES - 1, LOUD, 600.0, 60.0)
    assert path.figures.erle_db is None
    path.play(1, LOUD, 600.0, 60.0)
    figures = path.figures
    assert figures.return_loss_db == pytest.approx(14, abs=0.1)
    assert figures.erle_db == pytest.approx(20, abs=0.1)
    assert figures.residue_db == pytest.approx(6, abs=0.5)
    assert figures.noise_dbfs == pytest.approx(-60.8, abs=0.5)


def test_without_quiet_there_is_no_noise_to_compare_with(path: Path) -> None:
    """A reply that began with the process."""
    path.play(ENOUGH_FRAMES, LOUD, 600.0, 60.0)
    assert path.figures.erle_db == pytest.approx(20, abs=0.1)
    assert path.figures.residue_db is None
    assert path.figures.noise_dbfs is None


def test_pauses_within_our_own_sound_say_nothing(path: Path) -> None:
    """Between two words only the room is heard."""
    path.play(ENOUGH_FRAMES, LOUD, 600.0, 60.0)
    before = path.figures
    path.play(1000, 10.0, 30.0, 30.0)
    assert path.figures == before


def test_the_last_two_seconds_count(path: Path) -> None:
    """A canceller gets better while it learns."""
    path.play(ENOUGH_FRAMES, LOUD, 600.0, 600.0)
    assert path.figures.erle_db == pytest.approx(0, abs=0.1)
    path.play(1000, LOUD, 600.0, 60.0)
    assert path.figures.erle_db == pytest.approx(20, abs=0.2)


def test_another_way_is_measured_anew(path: Path) -> None:
    """The noise of the room is the same."""
    path.quiet(50, 30.0)
    path.play(ENOUGH_FRAMES, LOUD, 600.0, 60.0)
    noise = path.figures.noise_dbfs
    path.path.forget()
    assert path.figures == EchoFigures(None, None, None, noise, 86.0, 20.0, 40.0, learned=True)
    path.play(ENOUGH_FRAMES, LOUD, 60.0, 60.0)
    assert path.figures.erle_db == pytest.approx(0, abs=0.1)


def noise_dbfs(path: Path) -> float:
    level = path.figures.noise_dbfs
    assert level is not None
    return level


def test_the_noise_follows_the_room(path: Path) -> None:
    """Where it is as quiet as that, or quieter."""
    path.quiet(100, 100.0)
    assert noise_dbfs(path) == pytest.approx(-50.3, abs=0.3)
    path.quiet(100, 10.0)
    assert noise_dbfs(path) == pytest.approx(-70.3, abs=0.3)


def test_a_voice_in_the_room_is_hardly_noise(path: Path) -> None:
    """A second of somebody speaking lifts it by a decibel; a fan is noise in a minute or two."""
    path.quiet(100, 30.0)
    before = noise_dbfs(path)
    path.quiet(10, 3000.0)
    assert noise_dbfs(path) == pytest.approx(before + 1, abs=0.1)
    path.quiet(600, 3000.0)
    assert noise_dbfs(path) == pytest.approx(-20.8, abs=0.3)


@given(
    played=st.floats(100, 20_000),
    heard=st.floats(0, 20_000),
    left=st.floats(0, 20_000),
    quiet=st.floats(0, 20_000),
)
def test_no_level_is_too_low_to_have_decibels(
    played: float, heard: float, left: float, quiet: float
) -> None:
    """Digital silence counts as a step of a bit; every figure is a number."""
    path = Path()
    path.quiet(1, quiet)
    for _ in range(ENOUGH_FRAMES):
        path.path.see(sound(heard), sound(left), sound(played))
    figures = path.figures
    assert figures.noise_dbfs is not None
    assert figures.return_loss_db is not None
    assert figures.erle_db is not None
    assert figures.residue_db is not None
    assert -91 <= figures.noise_dbfs <= 0
    assert -90 <= figures.erle_db <= 90
