"""`try_out` loads and runs all that is compiled in a release, package by package, in a child.

A wheel that was built for another processor than this one ends its process by SIGILL, often not
before it computes; so the wake word networks hear a recording. The child names each package before
it is its turn: the last name is whose signal it was. The installer asks ``python -m
device.doctor.compiled`` before a release is put in force, and ``systemd/parley-ends`` after two
ends by SIGILL; it exits with 132, as a shell would say, where a package ends by SIGILL.

Only Python's own library is imported before the child's turn: anything else may be what does not
run.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

MODULES = (
    *("_cffi_backend", "charset_normalizer.cd", "charset_normalizer.md", "google._upb._message"),
    *("cryptography.hazmat.bindings._rust", "numpy", "pyaudio", "pydantic_core"),
    *("PIL._imaging", "rpds.rpds", "soxr", "systemd.journal", "websockets.speedups", "yaml._yaml"),
    "google.genai",
)
"""One of each package that has compiled parts, and the SDK, which imports half of the rest.

Not onnxruntime: the networks load it, after they have switched its telemetry off. Nor
pymicro-wakeword, which is asked about the recording where it loads, and done without elsewhere."""
RECORDING = "wake"
"""Somebody says the known word in it."""
PICTURE = (
    b"BM"
    + b"".join(
        number.to_bytes(4, "little")
        for number in (54 + 16 * 48, 0, 54, 40, 16, 16, 1 | 24 << 16, 0, 16 * 48, 0, 0, 0, 0)
    )
    + bytes(range(48)) * 16
)
"""As a bitmap, which is written anew as a JPEG and read again."""
QUIET_FRAMES = 100
"""The networks look back two seconds."""
CHILD = "one-by-one"
PATIENCE_S = 240.0
"""The whole takes 1 s on a PC, and 11 to 15 s on emulated cores of the Pi 5, 4 and 3."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of loading and running each compiled package."""

    ran: tuple[str, ...]
    """Modules whose turn came, in their order, but for the one that failed."""
    failed: str = ""
    """The module whose turn it was when the child ended; empty: none failed."""
    signal: str = ""
    """The name of the signal that ended the child, such as SIGILL; empty: none did."""
    why: str = ""
    """The last line that the child said of itself."""
    ended: bool = True
    """Whether it ended by itself, in its time."""
    took_s: float = 0.0

    @property
    def fine(self) -> bool:
        """Whether all of them ran."""
        return not self.failed


def try_out(words: Sequence[str] = (), patience_s: float = PATIENCE_S) -> Trial:
    """Load and run each in a child of this Python; blocks for seconds, ``patience_s`` at most.

    ``words``: another child than our own; it prints a line with the name of each module before its
    turn, and an empty one at the end.
    """
    # By path and isolated: it is this code that is tried, from wherever it is called.
    child = list(words) or [sys.executable, "-I", str(Path(__file__).resolve()), CHILD]
    began = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            child,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience_s,
            check=False,
        )
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as slow:
        code, out, err = None, slow.stdout or b"", slow.stderr or b""
    took_s = time.monotonic() - began
    *lines, _ = out.decode(errors="replace").split("\n")
    turns = [line for line in lines if line]
    if code == 0 and lines[-1:] == [""]:
        return Trial(tuple(turns), took_s=took_s)
    said = [line for line in err.decode(errors="replace").splitlines() if line.strip()]
    return Trial(
        ran=tuple(turns[:-1]),
        failed=turns[-1] if turns else "python",
        signal=_signal_name(-code) if code is not None and code < 0 else "",
        why=said[-1].strip() if said else "",
        ended=code is not None,
        took_s=took_s,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def run_all(turn: Callable[[str], None]) -> None:
    """Load each module, and let the wake word networks compute, after ``turn`` was told its name.

    Raises ImportError, OSError or ParleyError when one of them does not work here.
    """
    for name in MODULES:
        turn(name)
        import_module(name)
    turn("PIL.Image")
    _write_a_picture()
    turn("pymicro_wakeword")
    _ask_the_second_network()
    turn("onnxruntime")
    _hear_the_recording()


def _write_a_picture() -> None:
    from device.camera.picture import picture_of  # noqa: PLC0415 - what is compiled has its turn

    picture_of(picture_of(PICTURE, 0.0).jpeg, 0.0)


def _ask_the_second_network() -> None:
    """Let it compute, where it loads; a speaker does without it elsewhere."""
    import numpy as np  # noqa: PLC0415 - what is compiled has its turn

    from device.errors import SecondOpinionError  # noqa: PLC0415
    from device.wake.micro import MicroNetwork  # noqa: PLC0415

    with contextlib.suppress(SecondOpinionError):
        MicroNetwork(_known_word()).hear(np.zeros(16_000, np.int16))


def _hear_the_recording() -> None:
    from device.errors import ParleyError  # noqa: PLC0415 - what is compiled has its turn
    from device.frames import FRAME_BYTES, FRAME_SAMPLES, Frame  # noqa: PLC0415
    from device.news import Detection  # noqa: PLC0415
    from device.simulator.voices import load  # noqa: PLC0415
    from device.wake.worker import Hearing, Word  # noqa: PLC0415

    word = _known_word()
    hearing = Hearing([Word(word)], 1, 0.0, 700)
    quiet = bytes(FRAME_BYTES) * QUIET_FRAMES
    sound = quiet + load(RECORDING)[0] + quiet
    heard = 0
    for number, place in enumerate(range(0, len(sound) - FRAME_BYTES, FRAME_BYTES)):
        frame = Frame(sound[place : place + FRAME_BYTES], number * FRAME_SAMPLES, 0.0)
        news = hearing.hear(frame, track_speech=True)
        heard += sum(isinstance(each, Detection) for each in news)
    if not heard:
        raise ParleyError(f"the wake word networks do not hear {word} in a recording of it")


def _known_word() -> str:
    from device.doctor.wake import KNOWN_WORD  # noqa: PLC0415 - what is compiled has its turn

    return KNOWN_WORD


def main(words: Sequence[str]) -> int:
    """Say on stderr what does not run here; returns the exit code: 0, 1, or 128 and the signal."""
    if words == [CHILD]:
        run_all(partial(print, flush=True))
        print(flush=True)
        return 0
    from device.doctor.processor import processor_name, told_of  # noqa: PLC0415 - not in the child

    tried = try_out()
    if tried.fine:
        return 0
    print(told_of(tried, processor_name()), file=sys.stderr)
    return 128 + signal.Signals[tried.signal] if tried.signal in signal.Signals.__members__ else 1


if __name__ == "__main__":
    # Isolated, as the child is, nothing is found beside this file: the package lies two above it.
    if "device" not in sys.modules and str(Path(__file__).parents[2]) not in sys.path:
        sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.exit(main(sys.argv[1:]))
