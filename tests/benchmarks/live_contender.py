"""Runs one wake word engine on the microphone, as its own examples do, until it is killed.

``python -m tests.benchmarks.live_contender ENGINE``: ``openwakeword`` or ``microwakeword``. It
prints ``listening`` once it reads. Each is one thread: 80 ms of PyAudio, the engine, again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import pyaudio

HOP = 1280


def openwakeword() -> Callable[[bytes], object]:
    from openwakeword.model import Model

    model = Model(wakeword_models=["hey jarvis"], inference_framework="onnx")
    return lambda hop: model.predict(np.frombuffer(hop, np.int16))


def microwakeword() -> Callable[[bytes], object]:
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

    model = MicroWakeWord.from_builtin(Model.HEY_JARVIS)
    features = MicroWakeWordFeatures()
    return lambda hop: [model.process_streaming(each) for each in features.process_streaming(hop)]


def main(engine: str) -> None:
    """Listen for ever."""
    hear = {"openwakeword": openwakeword, "microwakeword": microwakeword}[engine]()
    stream = pyaudio.PyAudio().open(
        rate=16_000, channels=1, format=pyaudio.paInt16, input=True, frames_per_buffer=HOP
    )
    print("listening", flush=True)
    while True:
        hear(stream.read(HOP, exception_on_overflow=False))


if __name__ == "__main__":
    main(sys.argv[1])
