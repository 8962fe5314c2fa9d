"""Changing the sampling rate of a stream."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio.resample import Resampler


def noise(samples: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).integers(-32768, 32767, samples).astype("<i2").tobytes()


def pieces(pcm: bytes, sizes: list[int]) -> list[bytes]:
    out = []
    while pcm:
        for size in sizes:
            out.append(pcm[: 2 * size])
            pcm = pcm[2 * size :]
    return out


@given(st.lists(st.integers(0, 400), min_size=1, max_size=6).filter(any))
def test_equal_rates_pass_bit_for_bit(sizes: list[int]) -> None:
    """At 16 kHz nothing may touch the microphone's samples."""
    pcm = noise(2000)
    resampler = Resampler(16_000, 16_000)
    out = b"".join(resampler.process(piece) for piece in pieces(pcm, sizes))
    assert out + resampler.finish() == pcm
    resampler.reset()
    assert resampler.process(pcm) == pcm


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 900), min_size=1, max_size=6).filter(any),
    st.sampled_from([(24_000, 48_000), (48_000, 16_000), (24_000, 44_100), (24_000, 16_000)]),
)
def test_any_pieces_joined_are_the_whole_resampled_at_once(
    sizes: list[int], rates: tuple[int, int]
) -> None:
    """No seam, no sample more or less, wherever the network cut the reply."""
    from_hz, to_hz = rates
    pcm = noise(4000)
    resampler = Resampler(from_hz, to_hz)
    streamed = b"".join(resampler.process(piece) for piece in pieces(pcm, sizes))
    streamed += resampler.finish()
    whole = soxr.resample(np.frombuffer(pcm, "<i2").astype(np.float32), from_hz, to_hz)
    expected = np.clip(np.rint(whole), -32768, 32767)
    got = np.frombuffer(streamed, "<i2")
    assert len(got) == len(expected) == round(4000 * to_hz / from_hz)
    assert np.max(np.abs(got - expected)) <= 1


def test_silence_stays_silence() -> None:
    """A dithering resampler would keep the loudspeaker hissing."""
    resampler = Resampler(24_000, 48_000)
    out = resampler.process(bytes(4800)) + resampler.finish()
    assert out == bytes(9600)


def test_a_full_scale_square_wave_is_limited_and_does_not_wrap() -> None:
    """The filter overshoots; a wrapped sample would be a loud click."""
    square = np.where(np.arange(4800) // 40 % 2, 32767, -32768).astype("<i2")
    resampler = Resampler(24_000, 48_000)
    out = np.frombuffer(resampler.process(square.tobytes()) + resampler.finish(), "<i2")
    level = square.repeat(2)
    inner = np.abs(np.arange(len(level)) % 80 - 40) < 30
    assert np.all(np.sign(out[inner]) == np.sign(level[inner]))


@pytest.mark.parametrize("end", ["finish", "reset"])
def test_a_new_stream_knows_nothing_of_the_one_before(end: str) -> None:
    """The end of one reply must not be heard at the beginning of the next."""
    used = Resampler(24_000, 48_000)
    used.process(noise(3000, seed=2))
    getattr(used, end)()
    fresh = Resampler(24_000, 48_000)
    pcm = noise(3000)
    assert used.process(pcm) + used.finish() == fresh.process(pcm) + fresh.finish()
