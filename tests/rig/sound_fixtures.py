"""What tests of sound listen with: a sound server, and a network that knows speech."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.rig.sound import Sink, SoundServer

Floats = npt.NDArray[np.float32]


@pytest.fixture
def sound_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    """A running server that this process's sound goes to."""
    with SoundServer() as server:
        server.apply(monkeypatch)
        yield server


@pytest.fixture
def start_sound_server(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Sink], SoundServer]]:
    """Start a server whose microphone has a format; this process's sound goes to it."""
    with ExitStack() as stack:

        def start(microphone: Sink) -> SoundServer:
            server = stack.enter_context(SoundServer(microphone=microphone))
            server.apply(monkeypatch)
            return server

        yield start


@pytest.fixture(scope="session")
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
