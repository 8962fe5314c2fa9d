"""Trimming and levelling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from device.announcements.loudness import CEILING, KNEE, RMS, prepared

RATE_HZ = 24_000
Floats = npt.NDArray[np.float64]


def pcm(samples: npt.NDArray[np.floating]) -> bytes:
    whole: bytes = np.rint(samples * 32_767).astype("<i2").tobytes()
    return whole


def floats(prepared_pcm: bytes) -> Floats:
    return np.frombuffer(prepared_pcm, "<i2") / 32_768


def tone(seconds: float, amplitude: float) -> Floats:
    time_s = np.arange(round(RATE_HZ * seconds)) / RATE_HZ
    return np.asarray(amplitude * np.cos(2 * np.pi * 300 * time_s))


def rms(samples: Floats) -> float:
    return float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("amplitude", [0.02, 0.3, 1.0])
def test_it_is_as_loud_as_a_reply_however_loud_it_came(amplitude: float) -> None:
    """-20 dBFS, up and down."""
    assert rms(floats(prepared(pcm(tone(1, amplitude)), RATE_HZ))) == pytest.approx(RMS, rel=0.02)


def test_silence_at_both_ends_is_cut_off_and_silence_within_stays() -> None:
    """What is left begins and ends in 5 ms from nothing to nothing."""
    silence = np.zeros(RATE_HZ)
    sound = np.concatenate([silence, tone(0.5, 0.3), silence, tone(0.5, 0.3), silence])
    got = floats(prepared(pcm(sound), RATE_HZ))
    assert len(got) / RATE_HZ == pytest.approx(2.01, abs=0.002)
    assert got[0] == got[-1] == 0
    assert np.max(np.abs(got[:24])) < 0.2 * np.max(np.abs(got))
    assert not got[RATE_HZ * 6 // 10 : RATE_HZ * 14 // 10].any()


def test_sound_from_edge_to_edge_is_faded_and_not_shortened() -> None:
    """There may be no silence to cut."""
    got = floats(prepared(pcm(tone(0.5, 0.3)), RATE_HZ))
    assert len(got) / RATE_HZ == pytest.approx(0.51, abs=0.001)
    assert got[0] == got[-1] == 0


def test_high_peaks_are_bent_below_the_ceiling_and_nothing_else_is_touched() -> None:
    """In order: what was louder stays louder; below the knee it is a factor and no more."""
    sound = tone(1, 0.02)
    sound[1000::400] = np.linspace(0.1, 1.0, len(sound[1000::400]))
    got = floats(prepared(pcm(sound), RATE_HZ))[120:-120]
    assert np.max(got) < CEILING + 1e-4
    peaks = got[1000::400]
    assert np.all(np.diff(peaks) >= 0)
    quiet = np.abs(got) < KNEE
    factor = np.median(got[quiet & (sound > 0.01)] / sound[quiet & (sound > 0.01)])
    assert np.allclose(got[quiet], sound[quiet] * factor, atol=1e-3)


@pytest.mark.parametrize("nothing", [b"", bytes(4800)])
def test_of_silence_nothing_is_left(nothing: bytes) -> None:
    """And nothing is divided by it."""
    assert prepared(nothing, RATE_HZ) == b""
