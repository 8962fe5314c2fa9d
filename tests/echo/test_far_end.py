"""What was played is found again by its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio.resample import Resampler
from device.echo.far_end import RING_SAMPLES, FarEnd
from device.frames import MICROPHONE_RATE_HZ
from device.ports import Played

Samples = npt.NDArray[np.int16]

RATES_HZ = (16_000, 24_000, 44_100, 48_000)
EDGE = 64
"""Samples of 16 kHz at a stream's ends in which a resampler rings."""


def tone(rate_hz: int, samples: int, hz: float = 440.0, amplitude: float = 8000.0) -> Samples:
    wave = np.sin(2 * np.pi * hz * np.arange(samples) / rate_hz)
    return np.rint(amplitude * wave).astype(np.int16)


def block(sound: Samples, position: int, rate_hz: int = 16_000, opening: int = 1) -> Played:
    return Played(sound.astype("<i2").tobytes(), rate_hz, opening, position, 0.0)


def blocks(sound: Samples, position: int, rate_hz: int, sizes: Sequence[int]) -> list[Played]:
    """The sound as blocks, whose sizes are taken in turn."""
    made, at, turn = [], 0, 0
    while at < len(sound):
        size = sizes[turn % len(sizes)]
        made.append(block(sound[at : at + size], position + at, rate_hz))
        at, turn = at + size, turn + 1
    return made


def resampled(sound: Samples, rate_hz: int) -> Samples:
    stream = Resampler(rate_hz, MICROPHONE_RATE_HZ)
    return np.frombuffer(stream.process(sound.astype("<i2").tobytes()) + stream.finish(), "<i2")


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_sample_is_found_at_the_time_it_was_played(rate_hz: int) -> None:
    """A place is that time in samples of 16 kHz, whatever the card's rate."""
    far = FarEnd()
    sound = tone(rate_hz, rate_hz)
    for each in blocks(sound, rate_hz // 2, rate_hz, [rate_hz // 100]):
        far.add(each)
    begin, samples = 8000 + EDGE, 16_000 - 2 * EDGE
    wanted = 8000 * np.sin(2 * np.pi * 440 * (np.arange(samples) + EDGE) / 16_000)
    assert far.read(begin, samples) == pytest.approx(wanted, abs=8)
    assert far.end == pytest.approx(24_000, abs=1)


def test_the_place_of_a_block_is_rounded() -> None:
    """441 samples of 44.1 kHz are 160, one more is not yet 161."""
    far = FarEnd()
    silence = np.zeros(10, np.int16)
    assert far.place_of(block(silence, 441, 44_100)) == 160
    assert far.place_of(block(silence, 442, 44_100)) == 160
    assert far.place_of(block(silence, 1_000_003, 48_000)) == 333_334


def test_nothing_was_played_yet() -> None:
    """That is silence everywhere, before its beginning too."""
    far = FarEnd()
    assert far.end == 0
    assert not far.read(0, 320).any()
    assert not far.read(-1000, 320).any()
    assert not far.read(12.25, 320).any()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_gaps_are_silence(rate_hz: int) -> None:
    """Stretches of silence are not told of; the next block says by its place how long they were."""
    far = FarEnd()
    sound = tone(rate_hz, rate_hz // 10)
    far.add(block(sound, 0, rate_hz))
    far.add(block(sound, rate_hz // 2, rate_hz))
    read = far.read(0, 9700)
    ours = resampled(sound, rate_hz)
    assert far.end == pytest.approx(9600, abs=1)
    assert np.array_equal(read[: len(ours)], ours)
    assert not read[len(ours) : 8000].any()
    assert np.array_equal(read[8000 : 8000 + 1500], ours[:1500])


def test_a_gap_longer_than_the_ring_leaves_nothing_behind() -> None:
    """And costs no more than the ring."""
    far = FarEnd()
    sound = tone(16_000, 1600)
    far.add(block(sound, 0))
    later = 10 * RING_SAMPLES + 7
    far.add(block(sound, later))
    assert far.end == later + 1600
    assert not far.read(later - RING_SAMPLES, RING_SAMPLES).any()
    assert np.array_equal(far.read(later, 1600), sound)


def test_a_block_that_begins_a_sample_too_early_is_taken_where_it_says() -> None:
    """A resampler's end may reach into what follows a gap of a sample."""
    far = FarEnd()
    far.add(block(tone(48_000, 480), 0, 48_000))
    far.add(block(tone(48_000, 480), 481, 48_000))
    assert far.end <= 161 + 160
    far.read(far.end, 320)
    assert far.end == pytest.approx(320, abs=1)


def test_another_opening_begins_anew() -> None:
    """Its places have nothing to do with those before; what was played before is gone."""
    far = FarEnd()
    sound = tone(16_000, 1600)
    assert far.add(block(sound, 16_000))
    assert not far.add(block(sound, 17_600))
    assert far.add(block(sound, 320, opening=2))
    assert far.end == 1920
    assert not far.read(0, 320).any()
    assert np.array_equal(far.read(320, 1600), sound)
    assert not far.read(1920, 20_000).any()


def test_another_rate_is_another_opening() -> None:
    """A device that was replaced counts in samples of its own."""
    far = FarEnd()
    assert far.add(block(tone(16_000, 1600), 0))
    assert far.add(block(tone(48_000, 4800), 4800, 48_000))
    assert not far.read(0, 1600).any()
    assert far.read(1600, 1600).any()


@settings(max_examples=40, deadline=None)
@given(place=st.floats(200, 15_000), hz=st.floats(100, 6500))
def test_between_two_samples_the_wave_goes_on(place: float, hz: float) -> None:
    """Up to the top of what a small loudspeaker plays."""
    far = FarEnd()
    far.add(block(tone(16_000, 16_000, hz), 0))
    wanted = 8000 * np.sin(2 * np.pi * hz * (np.arange(320) + place) / 16_000)
    assert np.max(np.abs(far.read(place, 320) - wanted)) < 8000 * 0.02


def test_a_whole_place_gives_the_samples_themselves() -> None:
    """Nothing is computed where nothing is between."""
    far = FarEnd()
    sound = tone(16_000, 1600)
    far.add(block(sound, 0))
    read = far.read(40.0, 320)
    assert read.dtype == np.float32
    assert np.array_equal(read, sound[40:360])


@pytest.mark.parametrize("rate_hz", [24_000, 44_100, 48_000])
def test_reading_beyond_the_end_brings_out_what_the_resampler_held(rate_hz: int) -> None:
    """Otherwise the last milliseconds of a reply would never be there."""
    far = FarEnd()
    sound = tone(rate_hz, rate_hz // 10)
    far.add(block(sound, 0, rate_hz))
    held_back = far.end
    assert held_back < 1600
    far.read(0, held_back)
    assert far.end == held_back
    read = far.read(0, 2000)
    ours = resampled(sound, rate_hz)
    assert far.end == len(ours)
    assert np.array_equal(read[: len(ours)], ours)
    assert not read[len(ours) :].any()
    assert np.array_equal(far.read(0, 2000), read)


def test_a_glance_brings_nothing_out() -> None:
    """What it sees is the same, and what follows is resampled as if nobody had looked."""
    far = FarEnd()
    sound = tone(48_000, 9600)
    for each in blocks(sound, 0, 48_000, [480]):
        far.add(each)
        there = far.end
        seen = far.glance(0, 4000)
        assert far.end == there
        assert not seen[there:].any()
        assert np.array_equal(seen[:there], far.read(0, there))
    assert np.array_equal(far.read(0, 3200), resampled(sound, 48_000))


def test_what_follows_a_read_beyond_the_end_keeps_its_place() -> None:
    """The loudspeaker was late, not silent: its next block goes where it belongs."""
    far = FarEnd()
    sound = tone(48_000, 9600)
    first, second = blocks(sound, 0, 48_000, [4800])
    far.add(first)
    far.read(1500, 320)
    far.add(second)
    read = far.read(0, 3200)
    wanted = resampled(sound, 48_000)
    assert np.max(np.abs(read[: 1600 - EDGE] - wanted[: 1600 - EDGE])) < 8
    assert np.max(np.abs(read[1600 + EDGE :] - wanted[1600 + EDGE :])) < 8


def test_what_is_older_than_the_ring_is_silence() -> None:
    """However long it plays, it remembers six seconds."""
    far = FarEnd()
    loud = np.full(MICROPHONE_RATE_HZ, 1000, np.int16)
    for second in range(10):
        far.add(block(loud, second * MICROPHONE_RATE_HZ))
    oldest = far.end - RING_SAMPLES
    assert oldest == 4 * MICROPHONE_RATE_HZ
    read = far.read(oldest - 100, 200)
    assert not read[:100].any()
    assert np.all(read[100:] == 1000)


WHOLE = {rate_hz: tone(rate_hz, rate_hz // 4, 700.0) for rate_hz in RATES_HZ}


@settings(max_examples=80, deadline=None)
@given(
    rate_hz=st.sampled_from(RATES_HZ),
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=20),
    milliseconds=st.integers(0, 60_000),
)
def test_how_it_was_cut_into_blocks_changes_nothing(
    rate_hz: int, sizes: list[int], milliseconds: int
) -> None:
    """What is read is the whole, resampled at once."""
    far = FarEnd()
    sound = WHOLE[rate_hz]
    position = milliseconds * rate_hz // 1000
    for each in blocks(sound, position, rate_hz, sizes):
        far.add(each)
    begin = far.place_of(block(sound, position, rate_hz))
    wanted = resampled(sound, rate_hz)
    assert np.array_equal(far.read(begin, len(wanted) + 100)[: len(wanted)], wanted)
    assert far.end == begin + len(wanted)
