"""`RpicamCamera` takes pictures with a camera on a Pi's connector, by Raspberry Pi OS's program.

Such a camera is a sensor, a receiver and an image processor, and only libcamera makes pictures of
that. Raspberry Pi OS has a program for it: ``rpicam-still`` (``libcamera-still`` until 2023) of
rpicam-apps. It is a process of its own, so whatever hangs in a driver hangs outside of the speaker
and is killed at the deadline; and its memory (libcamera, buffers of a sensor's size) is given back.

picamera2, the library for Python, is not used: it needs the system's own Python with libcamera's
bindings, brings numpy, av and OpenEXR of apt's into the speaker's process, and is nowhere installed
where rpicam-apps is not (Raspberry Pi OS Lite has the latter only).

Options as in rpicam-apps' core/options.cpp and core/still_options.hpp (v1.9.1); its errors are the
last line on standard error, ``ERROR: *** no cameras available ***``. Not tried with a real camera.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from device.camera.failures import MEND
from device.camera.picture import MOST_BYTES, picture_of
from device.errors import CameraError
from device.ports import Picture
from device.text import printable
from device.threads import in_thread

PROGRAMS: Final = ("rpicam-still", "rpicam-jpeg", "libcamera-still", "libcamera-jpeg")
"""Any of them will do; the first that is installed is taken."""
SETTLE_MS: Final = 1000
"""How long it looks before it takes the picture: about thirty frames, in which exposure and white
balance find their place. ``--immediate`` would take the first one."""
OPTIONS: Final = (
    *("--nopreview", "--timeout", str(SETTLE_MS)),
    # The whole view of the sensors that are 4:3 (v1, v2, HQ), the middle of wide ones (v3).
    *("--width", "768", "--height", "576"),
    *("--encoding", "jpg", "--quality", "90", "--thumb", "none"),
    *("--output", "-"),
)
DEADLINE_S: Final = 9.0
"""From start to picture: a second to load, one to look, one to take it; three times that."""
LIST_S: Final = 5.0
END_S: Final = 1.0
"""How long a killed program is waited for; one that hangs in a driver does not end."""
LONGEST_LINE: Final = 200


@dataclass(frozen=True, slots=True)
class _Said:
    """What a program said until its end."""

    out: bytes
    last_words: str
    code: int


class RpicamCamera:
    """The first camera that rpicam-apps know. A process for each picture, so nothing stays open."""

    def __init__(
        self,
        rotate: int = 0,
        environ: Mapping[str, str] | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """``environ``: what the program finds in its environment, no secrets; None: ours."""
        self._rotate = rotate
        self._environ = environ
        self._deadline_s = deadline_s
        self._one_at_a_time = asyncio.Lock()

    @property
    def description(self) -> str:
        """The connector it is on."""
        return "the Pi's camera (rpicam)"

    async def take(self, *, more_soon: bool = False) -> Picture:  # noqa: ARG002 - nothing is open
        """Take a picture, in about three seconds. Raises CameraError; cancelling ends the program.

        ``more_soon`` changes nothing: the next one is a process again.
        """
        async with self._one_at_a_time:
            program = program_in(self._environ)
            said = await _run((program, *OPTIONS), self._environ, self._deadline_s)
            taken_at = time.monotonic()
            if said.code != 0:
                raise _failure(program, said)
            return await in_thread(
                lambda: picture_of(said.out, taken_at, self._rotate), "camera picture"
            )

    async def close(self) -> None:
        """Nothing is open between two pictures."""


def program_in(environ: Mapping[str, str] | None = None) -> str:
    """Return the path of the program. Raises CameraError where none is installed."""
    path = environ.get("PATH") if environ is not None else None
    for name in PROGRAMS:
        if found := shutil.which(name, path=path):
            return found
    raise CameraError(
        "rpicam-apps are not installed, which a camera on a Pi's connector needs: sudo apt install "
        "rpicam-apps; or write another camera.source"
    )


async def listed(environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the cameras on the Pi's connectors by their sensors: "imx708". Raises CameraError."""
    program = program_in(environ)
    said = await _run((program, "--list-cameras"), environ, LIST_S)
    if said.code != 0:
        raise _failure(program, said)
    # A line each: "0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)"
    text = said.out.decode(errors="replace")
    return [printable(name, 40) for name in re.findall(r"^ *[0-9]+ *: *(\S+)", text, re.MULTILINE)]


def _failure(program: str, said: _Said) -> CameraError:
    name, words = os.path.basename(program), said.last_words  # noqa: PTH119 - no path is needed
    if "no cameras available" in words:
        return CameraError(
            f"{name} finds no camera on the Pi's connector: check its cable (and, with an older "
            f"camera, camera_auto_detect=1 in /boot/firmware/config.txt); in the service: {MEND}"
        )
    if "failed to acquire camera" in words or "Device or resource busy" in words:
        return CameraError(
            "the Pi's camera is in use by another program: end that (sudo fuser -v /dev/media*)"
        )
    how = f"ended by signal {-said.code}" if said.code < 0 else f"exit code {said.code}"
    told = f": {words}" if words else ""
    return CameraError(f"{name} took no picture ({how}){told}: try it by hand: {name} -o a.jpg")


async def _run(words: tuple[str, ...], environ: Mapping[str, str] | None, within_s: float) -> _Said:
    """Run a program to its end. Raises CameraError where it does not start, or not end in time."""
    process = await _started(words, environ)
    stdout = cast("asyncio.StreamReader", process.stdout)
    stderr = cast("asyncio.StreamReader", process.stderr)
    told = _LastLine()
    try:
        async with asyncio.timeout(within_s):
            out, _ = await asyncio.gather(_all_of(stdout, MOST_BYTES), told.read(stderr))
            code = await process.wait()
    except TimeoutError:
        words_of_it = f" (it said: {told.text})" if told.text else ""
        raise CameraError(
            f"the Pi's camera gave no picture within {within_s:g} s{words_of_it}: check its cable"
        ) from None
    finally:
        await _end(process)
    return _Said(out, told.text, code)


async def _started(
    words: tuple[str, ...], environ: Mapping[str, str] | None
) -> asyncio.subprocess.Process:
    """Start a program, wholly or not at all. Raises CameraError where it does not start."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=None if environ is None else dict(environ),
            # What it started in turn ends with it.
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CameraError(f"{words[0]} does not start: {why}: install it anew") from error
    except asyncio.CancelledError:
        # In the middle of it asyncio would leave pipes open (seen with Python 3.11).
        with contextlib.suppress(OSError):
            await _end(await starting)
        raise


class _LastLine:
    """Keeps the last line of what is read, which is why it failed."""

    def __init__(self) -> None:
        self.text = ""

    async def read(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await stream.read(4096):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-4096:]
            for line in (*lines, rest):
                if line.strip():
                    self.text = printable(line.decode(errors="replace").strip(), LONGEST_LINE)


async def _all_of(stream: asyncio.StreamReader, most: int) -> bytes:
    chunks, size = [], 0
    while chunk := await stream.read(65_536):
        size += len(chunk)
        if size > most:
            raise CameraError(f"the Pi's camera gave more than {most} bytes: that is no picture")
        chunks.append(chunk)
    return b"".join(chunks)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a program that still runs, and what it started. Returns after a second at most."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        waiting = asyncio.ensure_future(process.wait())
        await asyncio.wait({waiting}, timeout=END_S)
        waiting.cancel()
    # Somebody outside of its group may hold its pipes: they are closed on our side.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()
        # They are closed by the loop's next turn.
        await asyncio.sleep(0)
