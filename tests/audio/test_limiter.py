"""The ceiling over what is played."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio.limiter import (
    ATTACK_MS,
    CEILING_DBFS,
    HOLD_MS,
    RELEASE_MS,
    Limiter,
)

RATE_HZ = 48_000
Samples = npt.NDArray[np.float32]
FALL = 0.5 / (RATE_HZ * ATTACK_MS / 1000)
RISE = 0.5 / (RATE_HZ * RELEASE_MS / 1000)


def limiter(ceiling_dbfs: float = CEILING_DBFS) -> Limiter:
    return Limiter(RATE_HZ, ceiling_dbfs)


def steady(samples: int, value: float) -> Samples:
    return np.full(samples, value, np.float32)


def voice(seconds: float, peak: float, hz: float = 100) -> Samples:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (peak * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def in_blocks(limiter: Limiter, sound: Samples, sizes: list[int]) -> Samples:
    """What comes out, the sizes of the blocks being taken in turn."""
    pieces, begin, index = [], 0, 0
    while begin < len(sound):
        size = sizes[index % len(sizes)]
        pieces.append(limiter.apply(sound[begin : begin + size]))
        begin, index = begin + size, index + 1
    return np.concatenate(pieces)


@pytest.mark.parametrize(
    ("ceiling_dbfs", "ceiling"), [(0.0, 32_767), (3.0, 32_767), (-1.0, 29_204), (-6.0, 16_422)]
)
def test_the_ceiling_is_a_whole_step_of_int16(ceiling_dbfs: float, ceiling: int) -> None:
    """Rounding cannot lift a sample above it, and nothing is louder than the card can take."""
    limited = limiter(ceiling_dbfs)
    assert limited.ceiling == ceiling
    assert np.all(limited.apply(steady(480, -40_000)) == -ceiling)


def test_what_does_not_exceed_the_ceiling_passes_bit_for_bit() -> None:
    """It is the same array, the ceiling itself included."""
    limited = limiter()
    sound = voice(0.1, limited.ceiling)
    assert limited.apply(sound) is sound
    assert len(limited.apply(sound[:0])) == 0


def test_the_gain_is_down_when_the_peak_comes_and_takes_a_ramp_for_it() -> None:
    """2 ms for half of the amplitude; before that nothing happens."""
    sound = steady(960, 1000)
    sound[480] = 2 * limiter().ceiling
    gains = limiter().apply(sound) / sound
    assert gains[480] == pytest.approx(0.5, abs=1e-4)
    assert np.all(gains[: 480 - 97] == 1)
    assert np.min(np.diff(gains)) >= -FALL - 1e-5
    assert np.max(np.diff(gains)) <= RISE + 1e-5


def test_it_holds_and_comes_back_slowly_until_it_changes_nothing() -> None:
    """30 ms and then 150 for what was half of the amplitude."""
    limited = limiter()
    limited.apply(steady(480, 2 * limited.ceiling))
    after = in_blocks(limited, steady(RATE_HZ // 2, 1000), [480]) / 1000
    hold = RATE_HZ * HOLD_MS // 1000
    assert after[: hold - 1] == pytest.approx(0.5, abs=1e-4)
    assert np.all(np.diff(after) >= 0)
    assert after[hold + RATE_HZ * 75 // 1000] == pytest.approx(0.75, abs=0.01)
    assert np.all(after[hold + RATE_HZ * (RELEASE_MS + 1) // 1000 :] == 1)
    sound = steady(10, 29_000)
    assert limited.apply(sound) is sound


def test_a_loud_voice_is_turned_down_and_not_bent() -> None:
    """The gain stays where it is over the periods of a voice: it does not distort."""
    sound = voice(1, 1.5 * limiter().ceiling)
    out = in_blocks(limiter(), sound, [480])
    steady_part = slice(RATE_HZ // 10, None)
    expected = sound[steady_part] / 1.5
    assert np.max(np.abs(out[steady_part] - expected)) < 2


def test_a_peak_at_the_beginning_of_a_block_is_met_without_a_jump_in_the_sound() -> None:
    """A wave that rises through the ceiling from block to block goes on from where it was."""
    sound = voice(0.1, 2 * limiter().ceiling, hz=200)
    for size in (1, 7, 48, 480):
        out = in_blocks(limiter(), sound, [size])
        assert np.max(np.abs(np.diff(out))) <= np.max(np.abs(np.diff(sound))) + 1


def test_a_reset_forgets() -> None:
    """After silence nothing is left of the last peak."""
    limited = limiter()
    limited.apply(steady(480, 60_000))
    assert limited.gain < 0.5
    limited.reset()
    sound = steady(480, 1000)
    assert limited.apply(sound) is sound


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    loudness=st.floats(0.1, 4),
    sizes=st.lists(st.integers(1, 4800), min_size=1, max_size=12),
    ceiling_dbfs=st.floats(-20, 0),
)
def test_no_sample_is_ever_above_the_ceiling_however_the_sound_is_cut(
    seed: int, loudness: float, sizes: list[int], ceiling_dbfs: float
) -> None:
    """Nor is one louder than it was, or turned over; and the gain moves as slowly as it may."""
    random = np.random.default_rng(seed)
    limited = limiter(ceiling_dbfs)
    length = int(random.integers(1, 9600))
    bursts = np.repeat(random.random(length // 400 + 1) ** 4, 400)[:length]
    sound = (random.choice([-1, 1], length) * random.uniform(0.5, 1, length) * bursts).astype("f4")
    sound = np.where(sound == 0, 1, sound * np.float32(32_768 * loudness)).astype(np.float32)
    out = in_blocks(limited, sound, sizes)
    assert np.max(np.abs(out)) <= limited.ceiling
    gains = out / sound
    assert np.all((gains > 0) & (gains <= 1 + 1e-6))
    assert np.max(np.diff(gains), initial=0) <= RISE + 1e-5
    if np.max(np.abs(sound)) <= limited.ceiling:
        assert np.array_equal(out, sound)


@settings(max_examples=100, deadline=None)
@given(
    first=st.integers(1, 4800),
    second=st.integers(1, 4800),
    place=st.integers(0, 4799),
    peak=st.floats(1.01, 8),
)
def test_the_gain_goes_on_where_the_last_block_ended(
    first: int, second: int, place: int, peak: float
) -> None:
    """It falls no steeper than a straight line from there to the peak, or than its own ramp."""
    limited = limiter()
    limited.apply(steady(first, 1000))
    sound = steady(second, 1000)
    place = min(place, second - 1)
    sound[place] = peak * limited.ceiling
    gains = np.concatenate([[1.0], limited.apply(sound) / sound])
    needed = max(FALL, (1 - 1 / peak) / (place + 1))
    assert np.min(np.diff(gains)) >= -needed - 1e-5
