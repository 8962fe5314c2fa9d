"""`FileCamera` takes pictures out of files: for the demo, for tests, and for whoever has no camera.

Each picture is read and decoded when it is taken, so a file that is exchanged is another picture,
and one that is broken is a camera that gives nothing.
"""

from __future__ import annotations

import asyncio
import glob
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from device.camera.picture import MOST_BYTES, picture_of
from device.errors import CameraError
from device.ports import Picture
from device.threads import in_thread, tell

ENDINGS: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""What is taken out of a folder; a pattern takes what it says."""
DEADLINE_S: Final = 5.0
"""How long a picture may take: the folder may be on a network."""


class FileCamera:
    """A picture, or the pictures of a folder or a pattern, in turn by their names."""

    def __init__(self, path: str, rotate: int = 0, deadline_s: float = DEADLINE_S) -> None:
        """`path` is absolute; nothing is looked at before a picture is taken."""
        self._path = path
        self._rotate = rotate
        self._deadline_s = deadline_s
        self._taken = 0
        self._one_at_a_time = asyncio.Lock()
        self._back = asyncio.Event()
        """Set while no thread is at work, also none that nobody waits for any more."""
        self._back.set()

    @property
    def description(self) -> str:
        """Which files."""
        return f"pictures out of {self._path}"

    async def take(self, *, more_soon: bool = False) -> Picture:  # noqa: ARG002 - nothing is open
        """Take the next one, after the last comes the first. Raises CameraError."""
        async with self._one_at_a_time:
            place, self._taken = self._taken, self._taken + 1
            try:
                async with asyncio.timeout(self._deadline_s):
                    # Where the last one hangs another would hang too, in one more thread.
                    await self._back.wait()
                    self._back.clear()
                    return await in_thread(self._work(place), "camera file")
            except TimeoutError:
                raise CameraError(
                    f"{self._path} gave no picture within {self._deadline_s:g} s: put the "
                    "pictures onto this machine"
                ) from None

    async def close(self) -> None:
        """Nothing is open between two pictures."""

    def _work(self, place: int) -> Callable[[], Picture]:
        loop = asyncio.get_running_loop()

        def work() -> Picture:
            try:
                return self._read(place)
            finally:
                tell(loop, self._back.set)

        return work

    def _read(self, place: int) -> Picture:
        files = self._files()
        file = files[place % len(files)]
        taken_at = time.monotonic()
        try:
            data = _content(file)
            return picture_of(data, taken_at, self._rotate)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise CameraError(f"{file} cannot be read: {why}: check its owner and mode") from error
        except CameraError as error:
            raise CameraError(f"{file}: {error}") from error

    def _files(self) -> list[str]:
        """Find the pictures that there are now. Raises CameraError where there is none."""
        if Path(self._path).is_dir():
            names = sorted(map(str, Path(self._path).iterdir()))
            found = [name for name in names if name.lower().endswith(ENDINGS)]
            wanted = f"a file that ends in {', '.join(ENDINGS)}"
        elif Path(self._path).exists():
            return [self._path]
        else:
            # Path.glob() raises over some patterns.
            found, wanted = sorted(glob.glob(self._path)), "it"  # noqa: PTH207
        if not found:
            raise CameraError(
                f"no picture is there for camera.source 'file:{self._path}': put {wanted} there"
            )
        return found


def _content(path: str) -> bytes:
    """Read a file of a picture's size. Raises OSError, or CameraError where it is none.

    Opened without waiting: a pipe would be waited at for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise CameraError("it is no file: name a picture, a folder or a pattern of pictures")
        if about.st_size > MOST_BYTES:
            raise CameraError(f"it has {about.st_size} bytes, and {MOST_BYTES} are the most")
        return file.read(MOST_BYTES)
