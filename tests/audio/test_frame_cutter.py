"""Cutting blocks of the sound card into frames, and telling lost samples from late ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from device.audio.devices import Layout
from device.audio.frame_cutter import FrameCutter, LossMeter
from device.frames import FRAME_BYTES, FRAME_SAMPLES, Frame

MONO = Layout(16_000, 1, 2)


def noise(samples: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.random.default_rng(3).integers(-32768, 32767, samples).astype("<i2")


def joined(frames: Iterable[Frame]) -> bytes:
    return b"".join(frame.pcm for frame in frames)


@pytest.mark.parametrize("block_samples", [7, 160, 320, 1000])
def test_16_khz_mono_is_only_cut(block_samples: int) -> None:
    """Bit for bit what the microphone delivered, whatever the blocks; counted without a hole."""
    pcm = noise(3200).tobytes()
    framer = FrameCutter()
    framer.begin(MONO, 0, 0)
    frames: list[Frame] = []
    for start in range(0, len(pcm), 2 * block_samples):
        block = pcm[start : start + 2 * block_samples]
        frames += framer.take(block, (start + len(block)) / 2 / 16_000).frames()
    assert joined(frames) == pcm
    assert all(len(frame.pcm) == FRAME_BYTES for frame in frames)
    assert [frame.first_sample for frame in frames] == list(range(0, 3200, FRAME_SAMPLES))
    for frame in frames:
        assert frame.captured_at == pytest.approx(frame.end_sample / 16_000)


@pytest.mark.parametrize("channel", [0, 1, 5])
def test_one_channel_of_many_is_picked_unchanged(channel: int) -> None:
    """The other microphones and the playback reference stay out of it."""
    mono = noise(640)
    block = np.zeros((640, 6), "<i2")
    block[:] = noise(6 * 640).reshape(640, 6)
    block[:, channel] = mono
    framer = FrameCutter()
    framer.begin(Layout(16_000, 6, 2), channel, 0)
    assert joined(framer.take(block.tobytes(), 0).frames()) == mono.tobytes()


def test_32_bit_samples_lose_their_lower_half() -> None:
    """The AC108 boards deliver S32_LE with the sound in the upper bits."""
    mono = noise(640)
    block = np.zeros((640, 4), "<i4")
    block[:, 2] = (mono.astype("<i4") << 16) + 0x1234
    framer = FrameCutter()
    framer.begin(Layout(16_000, 4, 4), 2, 0)
    assert joined(framer.take(block.tobytes(), 0).frames()) == mono.tobytes()


def test_another_rate_is_resampled_to_16_khz() -> None:
    """A second at 48 kHz is fifty frames of the same tone."""
    time_s = np.arange(48_000) / 48_000
    tone = (10_000 * np.sin(2 * np.pi * 440 * time_s)).astype("<i2")
    framer = FrameCutter()
    framer.begin(Layout(48_000, 1, 2), 0, 0)
    frames: list[Frame] = []
    for start in range(0, 48_000, 960):
        frames += framer.take(tone[start : start + 960].tobytes(), 0).frames()
    got = np.frombuffer(joined(frames), "<i2")
    assert 48 <= len(frames) <= 50
    assert np.max(np.abs(got[200:] - tone[::3][200 : len(got)])) < 30


def test_closed_time_is_a_jump_in_the_count() -> None:
    """Half a second muted is 8000 samples nobody heard; a rest that made no frame counts in."""
    framer = FrameCutter()
    framer.begin(MONO, 0, 3.0)
    framer.take(bytes(2 * 500), 4.0)
    framer.begin(MONO, 0, 4.5)
    (frame,) = framer.take(bytes(FRAME_BYTES), 4.52).frames()
    assert frame.first_sample == 500 + 8000


def test_an_opening_that_began_before_the_last_block_loses_nothing() -> None:
    """A stamp is as late as the thread that took it: no sample is counted twice for that."""
    framer = FrameCutter()
    framer.begin(MONO, 0, 0)
    framer.take(bytes(FRAME_BYTES), 1.0)
    framer.begin(MONO, 0, 0.99)
    (frame,) = framer.take(bytes(FRAME_BYTES), 1.01).frames()
    assert frame.first_sample == FRAME_SAMPLES


def test_a_stretch_knows_whether_a_hop_is_whole_with_it() -> None:
    """Hops are counted from the first sample; resampled sound passes their ends in mid-frame."""
    framer = FrameCutter()
    framer.begin(MONO, 0, 0)
    ends = [framer.take(bytes(FRAME_BYTES), 0).ends_hop for _ in range(8)]
    assert ends == [False, False, False, True] * 2
    assert framer.take(bytes(3 * FRAME_BYTES + 100), 0).ends_hop is False
    assert framer.take(bytes(FRAME_BYTES - 100), 0).ends_hop is True
    assert framer.take(bytes(9 * FRAME_BYTES), 0).ends_hop is True
    assert framer.take(b"", 0).ends_hop is False


def feed(meter: LossMeter, times: Iterable[float]) -> int:
    return sum(meter.add(320, at) for at in times)


def test_a_steady_stream_lost_nothing() -> None:
    """Blocks come with some jitter, and the crystal is 200 ppm off."""
    jitter = np.random.default_rng(5).uniform(0, 0.015, 5000)
    times = [0.02 * number * 1.0002 + jitter[number] for number in range(5000)]
    assert feed(LossMeter(16_000), times) == 0


@pytest.mark.parametrize("late_s", [0.3, 1.7, 4.0])
def test_a_late_reader_that_catches_up_lost_nothing(late_s: float) -> None:
    """All blocks are there in the end, the late ones in one burst."""
    meter = LossMeter(16_000)
    times = [0.02 * number for number in range(1000)]
    until = times[200] + late_s
    assert feed(meter, [at if at < times[200] else max(at, until) for at in times]) == 0


def test_lost_samples_are_one_overrun() -> None:
    """The stream goes on 100 ms later than it should, for good."""
    times = [0.02 * number for number in range(200)]
    times += [0.1 + 0.02 * number for number in range(200, 600)]
    assert feed(LossMeter(16_000), times) == 1
