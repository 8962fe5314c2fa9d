"""The short sounds of our own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from device.audio.chimes import CHIMES, render
from tests.rig.sound import espeak

RATES_HZ = [16_000, 24_000, 44_100, 48_000]
Floats = npt.NDArray[np.float32]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("name", CHIMES)
def test_it_is_short_quiet_and_soft_at_both_ends(name: str, rate_hz: int) -> None:
    """No click, no clipping, no offset: it may be heard often and late at night."""
    sound = render(name, rate_hz)
    assert len(sound) / rate_hz <= (0.35 if name == "error" else 0.2)
    assert np.max(np.abs(sound)) == pytest.approx(0.2, abs=0.001)
    assert abs(np.mean(sound)) < 0.001
    assert np.abs(sound[0]) < 0.001
    assert np.abs(sound[-1]) < 0.002
    assert np.max(np.abs(sound[: rate_hz // 1000])) < 0.02


@pytest.mark.parametrize("name", CHIMES)
def test_it_sounds_the_same_at_every_rate(name: str) -> None:
    """The pitch is in hertz, not in samples."""
    centroids = [_centroid_hz(render(name, rate_hz), rate_hz) for rate_hz in RATES_HZ]
    assert max(centroids) - min(centroids) < 20


def test_they_are_told_apart_by_the_way_they_move() -> None:
    """Up: I listen. Down: it is over. Twice the same: it did not work."""

    def movement(name: str) -> float:
        sound = render(name, 16_000)
        half = len(sound) // 2
        return _centroid_hz(sound[half:], 16_000) / _centroid_hz(sound[:half], 16_000)

    assert movement("wake") > 1.2
    assert movement("end") < 0.8
    assert movement("error") == pytest.approx(1, abs=0.05)
    gap = render("error", 16_000)[16 * 150 : 16 * 175]
    assert not gap.any()


def _centroid_hz(sound: Floats, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    return float(np.sum(np.fft.rfftfreq(len(sound), 1 / rate_hz) * spectrum) / np.sum(spectrum))


@pytest.mark.parametrize("name", CHIMES)
@pytest.mark.parametrize("level", [4.0, 1.0, 0.3, 0.1, 0.03])
def test_it_is_never_taken_for_speech(
    name: str, level: float, speech_probability: Callable[[Floats], float]
) -> None:
    """Heard by the microphone, loud or from afar, it starts no turn of the user."""
    quiet = np.zeros(8000, np.float32)
    hiss = np.random.default_rng(2).normal(0, 0.0005, 8000).astype(np.float32)
    for around in (quiet, hiss):
        sound = np.concatenate([around, render(name, 16_000) * np.float32(level), around])
        assert speech_probability(sound) < 0.5


def test_speech_is_taken_for_speech(speech_probability: Callable[[Floats], float]) -> None:
    """The judge of the test above is not deaf."""
    spoken = _floats(espeak("hello there, how are you"))
    assert speech_probability(spoken) > 0.8


def _floats(pcm: bytes) -> Floats:
    floats: Floats = (np.frombuffer(pcm, "<i2") / 32_768).astype(np.float32)
    return floats


@pytest.fixture(scope="module")
def speech_probability() -> Callable[[Floats], float]:
    """Silero's network, as openWakeWord ships it: the largest probability over a sound."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    found = importlib.util.find_spec("openwakeword")
    assert found is not None
    assert found.origin is not None
    network = Path(found.origin).parent / "resources" / "models" / "silero_vad.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(network), options)

    def judge(sound: Floats) -> float:
        state: dict[str, Any] = {key: np.zeros((2, 1, 64), np.float32) for key in ("h", "c")}
        most = 0.0
        for start in range(0, len(sound) - 511, 512):
            window = sound[None, start : start + 512]
            given = {"input": window, "sr": np.array(16_000, np.int64), **state}
            probability, state["h"], state["c"] = session.run(None, given)
            most = max(most, float(probability.squeeze()))
        return most

    return judge
