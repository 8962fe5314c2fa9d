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


class SpeechProbability:
    """Silero's network, as openWakeWord ships it: how surely somebody speaks in a sound."""

    def __init__(self) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        found = importlib.util.find_spec("openwakeword")
        assert found is not None
        assert found.origin is not None
        network = Path(found.origin).parent / "resources" / "models" / "silero_vad.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(network), options)

    def __call__(self, sound: Floats, *, enough: float = 1.0) -> float:
        """Return the largest probability over a sound, or the first that is ``enough``."""
        most = 0.0
        state: dict[str, Any] = {key: np.zeros((2, 1, 64), np.float32) for key in ("h", "c")}
        for start in range(0, len(sound) - 511, 512):
            window = sound[None, start : start + 512]
            given = {"input": window, "sr": np.array(16_000, np.int64), **state}
            probability, state["h"], state["c"] = self._session.run(None, given)
            most = max(most, float(probability.squeeze()))
            if most >= enough:
                break
        return most


@pytest.fixture(scope="session")
def speech_probability() -> SpeechProbability:
    """The network that listens for people."""
    return SpeechProbability()
