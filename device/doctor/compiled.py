"""``python -m device.doctor.compiled`` loads and runs all that is compiled in a release.

The installer asks it before a release is put in force. A wheel that was built for another
processor than this one ends the process by SIGILL (exit code 132 in a shell), often not before it
computes, so the wake word networks hear a recording.
"""

from __future__ import annotations

from importlib import import_module

from device.doctor.wake import KNOWN_WORD
from device.errors import ParleyError
from device.frames import FRAME_BYTES, FRAME_SAMPLES, Frame
from device.news import Detection
from device.simulator.voices import load
from device.wake.worker import Hearing, Word

MODULES = (
    *("_cffi_backend", "charset_normalizer.cd", "charset_normalizer.md", "google._upb._message"),
    *("cryptography.hazmat.bindings._rust", "numpy", "pyaudio", "pydantic_core"),
    *("soxr", "systemd.journal", "websockets.speedups", "yaml._yaml"),
    "google.genai",
)
"""One of each package that has compiled parts, and the SDK, which imports half of the rest.

Not onnxruntime: the networks load it, after they have switched its telemetry off. Nor
pymicro-wakeword, which is asked about the recording where it loads, and done without elsewhere."""
RECORDING = "wake"
"""Somebody says the known word in it."""
QUIET = bytes(FRAME_BYTES) * 100
"""The networks look back two seconds."""


def run_all() -> None:
    """Load each module, and let the wake word networks compute.

    Raises ImportError, OSError or ParleyError when one of them does not work here.
    """
    for name in MODULES:
        import_module(name)
    hearing = Hearing([Word(KNOWN_WORD)], 1, 0.0, 700)
    sound = QUIET + load(RECORDING)[0] + QUIET
    heard = 0
    for number, place in enumerate(range(0, len(sound) - FRAME_BYTES, FRAME_BYTES)):
        frame = Frame(sound[place : place + FRAME_BYTES], number * FRAME_SAMPLES, 0.0)
        news = hearing.hear(frame, track_speech=True)
        heard += sum(isinstance(each, Detection) for each in news)
    if not heard:
        raise ParleyError(f"the wake word networks do not hear {KNOWN_WORD} in a recording of it")


if __name__ == "__main__":
    run_all()
