"""How loud each channel is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from device.audio.levels import FLOOR_BLOCKS, LEAST_DBFS, Levels

BLOCK = 320


def sine(level: float, blocks: int = 10) -> npt.NDArray[np.float64]:
    return level * np.sin(2 * np.pi * 1000 * np.arange(BLOCK * blocks) / 16_000)


def fed(levels: Levels, *channels: npt.NDArray[np.float64], sample_bytes: int = 2) -> None:
    """Feed channels of -1..1 in blocks of 20 ms."""
    full = 1 << (8 * sample_bytes - 1)
    whole = np.clip(np.rint(np.stack(channels, axis=1) * full), -full, full - 1)
    for block in np.split(whole, len(whole) // BLOCK):
        levels.hear(block.astype(f"<i{sample_bytes}").tobytes(), sample_bytes)


@pytest.mark.parametrize("sample_bytes", [2, 4])
def test_each_channel_has_its_own_level(sample_bytes: int) -> None:
    """In dB of full scale, whatever the card's format; a sine's RMS is 3 dB below its peak."""
    levels = Levels(2)
    fed(levels, sine(0.5), sine(0.005), sample_bytes=sample_bytes)
    loud, soft = levels.take()
    assert (loud.rms_dbfs, loud.peak_dbfs) == pytest.approx((-9.0, -6.0), abs=0.1)
    assert (soft.rms_dbfs, soft.peak_dbfs) == pytest.approx((-49.0, -46.0), abs=0.1)
    assert [level.clipped for level in (loud, soft)] == [0, 0]
    assert [level.dead for level in (loud, soft)] == [False, False]


def test_what_was_cut_off_is_counted() -> None:
    """At either end of the scale."""
    levels = Levels(1)
    fed(levels, np.clip(sine(1.5), -1.0, 1.0))
    [level] = levels.take()
    assert level.peak_dbfs == 0.0
    assert level.clipped == 10 * BLOCK * 10 / 16


def test_a_channel_that_never_moves_is_dead() -> None:
    """Silence or a constant: a microphone has noise. One step of noise is alive."""
    levels = Levels(3)
    barely = np.zeros(10 * BLOCK)
    barely[100] = 1 / 32_768
    fed(levels, np.zeros(10 * BLOCK), np.full(10 * BLOCK, 0.25), barely)
    silent, stuck, alive = levels.take()
    assert (silent.dead, stuck.dead, alive.dead) == (True, True, False)
    assert silent.rms_dbfs == silent.floor_dbfs == LEAST_DBFS


def test_the_floor_is_what_is_left_between_the_words() -> None:
    """Of ten seconds, not of the last look; what was longer ago does not count."""
    levels = Levels(1)
    fed(levels, sine(0.001, 100))
    levels.take()
    fed(levels, sine(0.3, 300))
    [level] = levels.take()
    assert level.rms_dbfs == pytest.approx(-13.5, abs=0.1)
    assert level.floor_dbfs == pytest.approx(-63.0, abs=0.1)
    fed(levels, sine(0.3, FLOOR_BLOCKS))
    assert levels.take()[0].floor_dbfs == pytest.approx(-13.5, abs=0.1)


def test_each_look_begins_anew() -> None:
    """And tells nothing when nothing came."""
    levels = Levels(1)
    assert levels.take() == ()
    fed(levels, np.ones(BLOCK))
    assert levels.samples == BLOCK
    assert levels.take()[0].clipped == BLOCK
    assert levels.take() == ()
    levels.hear(b"", 2)
    assert levels.take() == ()
    fed(levels, sine(0.1, 1))
    assert levels.take()[0].clipped == 0
