"""Cameras on an emulated V4L2, at the three places where linuxpy meets the kernel.

Those are ioctl(2), mmap(2) and open(2); a camera's node is a real pipe, so poll(2) is the real one:
a byte lies in it for each frame that is ready. All of linuxpy runs as on a Pi. The structures are a
second reading of the kernel's <linux/videodev2.h> for 64-bit machines, by their offsets, without
linuxpy's: where the two differ, nothing works.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import linuxpy.io
import linuxpy.ioctl
import linuxpy.video.device
import pytest

from tests.rig.pictures import jpeg

WITHIN_S = 30.0
PAGE = 4096
CAPTURE, META_CAPTURE, STREAMING, DEVICE_CAPS = 0x1, 0x0080_0000, 0x0400_0000, 0x8000_0000
BUFFER_ERROR = 0x40
DISCRETE, STEPWISE = 1, 3

Size = tuple[int, int]
Frame = bytes | int | None
"""What a camera gives next: a picture; the number of an error; nothing, for ever."""


def _number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("V") << 8 | number


CALLS = {
    _number(2, 0, 104): "QUERYCAP",
    _number(3, 2, 64): "ENUM_FMT",
    _number(3, 4, 208): "G_FMT",
    _number(3, 5, 208): "S_FMT",
    _number(3, 8, 20): "REQBUFS",
    _number(3, 9, 88): "QUERYBUF",
    _number(3, 15, 88): "QBUF",
    _number(3, 17, 88): "DQBUF",
    _number(1, 18, 4): "STREAMON",
    _number(1, 19, 4): "STREAMOFF",
    _number(3, 74, 44): "ENUM_FRAMESIZES",
}


class V4l2Camera:
    """One node, and what its camera gives."""

    def __init__(
        self,
        path: Path,
        formats: dict[str, list[Size]],
        frames: Iterable[Frame],
        *,
        stepwise: bool = False,
        metadata: bool = False,
    ) -> None:
        os.mkfifo(path)
        self._bytes = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.path = str(path)
        self._formats = formats
        self._stepwise = stepwise
        self._metadata = metadata
        self._frames: Iterator[Frame] = iter(frames)
        self.fails: dict[str, int] = {}
        """By the name of a call, or "open": the number of the error it ends with."""
        self.hangs: dict[str, threading.Event] = {}
        """By the same: until when the call does not come back."""
        self.calls: list[str] = []
        self.opened = 0
        self.asked: tuple[str, Size] = ("", (0, 0))
        """Of the last S_FMT."""
        self.damaged: set[int] = set()
        """Sequence numbers of the frames that the driver itself marks."""
        self._format = next(iter(formats), "MJPG")
        self._size: Size = (640, 480)
        self._buffers: list[mmap.mmap] = []
        self._free: list[int] = []
        self._full: list[tuple[int, int, int]] = []
        self._failed = 0
        self._sequence = 0
        self._streams = False
        self._lock = threading.RLock()
        self._open: set[int] = set()

    @property
    def is_open(self) -> bool:
        """Whether a file of it is open: then its own light is on."""
        return bool(self._open)

    def give(self, frame: Frame) -> None:
        """Have it take this picture now; without a free buffer it is lost, as a driver does it."""
        with self._lock:
            if not self._streams or frame is None:
                return
            if isinstance(frame, int):
                self._full.append((0, 0, -frame))
            elif not self._free:
                return
            else:
                index = self._free.pop(0)
                self._buffers[index][: len(frame)] = frame
                self._full.append((index, len(frame), self._sequence))
                self._sequence += 1
            os.write(self._bytes, b"\0")

    # --- the calls ------------------------------------------------------------------------------

    def called(self, name: str) -> None:
        """Hang and fail as told."""
        self.calls.append(name)
        if name in self.hangs:
            assert self.hangs[name].wait(WITHIN_S), f"{name} was never let go on"
        if name in self.fails:
            raise OSError(self.fails[name], os.strerror(self.fails[name]))

    def open(self, descriptor: int) -> None:
        self.opened += 1
        self._open.add(descriptor)

    def closed(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        with self._lock:
            self._stop()

    def answer(self, name: str, argument: memoryview) -> None:
        method: Callable[[memoryview], None] = getattr(self, f"_{name.lower()}")
        with self._lock:
            method(argument)

    def _querycap(self, about: memoryview) -> None:
        own = (META_CAPTURE if self._metadata else CAPTURE) | STREAMING
        whole = CAPTURE | META_CAPTURE | STREAMING | DEVICE_CAPS
        struct.pack_into("16s32s32s", about, 0, b"uvcvideo", b"Rig Webcam", b"usb-rig-1")
        struct.pack_into("III", about, 80, 0x60C00, whole, own)

    def _enum_fmt(self, about: memoryview) -> None:
        index, kind = struct.unpack_from("II", about)
        names = list(self._formats)
        if kind != 1 or self._metadata or index >= len(names):
            raise OSError(errno.EINVAL, "no more")
        struct.pack_into("I32s4s", about, 8, 0, b"a format", names[index].encode())

    def _enum_framesizes(self, about: memoryview) -> None:
        index, name = struct.unpack_from("I4s", about)
        sizes = self._formats.get(name.decode(), [])
        if self._stepwise and index == 0:
            (low_w, low_h), (high_w, high_h) = sizes
            struct.pack_into("I6I", about, 8, STEPWISE, low_w, high_w, 2, low_h, high_h, 2)
        elif self._stepwise or index >= len(sizes):
            raise OSError(errno.EINVAL, "no more")
        else:
            struct.pack_into("III", about, 8, DISCRETE, *sizes[index])

    def _s_fmt(self, about: memoryview) -> None:
        width, height, name = struct.unpack_from("II4s", about, 8)
        self.asked = (name.decode(), (width, height))
        if not self._formats:
            raise OSError(errno.EINVAL, "no such format")
        self._format = (
            name.decode() if name.decode() in self._formats else next(iter(self._formats))
        )
        sizes = self._formats[self._format] or [(width, height)]
        near = min(sizes, key=lambda size: abs(size[0] - width) + abs(size[1] - height))
        self._size = (width, height) if self._stepwise else near
        self._g_fmt(about)

    def _g_fmt(self, about: memoryview) -> None:
        width, height = self._size
        line = 2 * width if self._format == "YUYV" else 0
        struct.pack_into("II4sIII", about, 8, width, height, self._format.encode(), 1, line,
                         2 * width * height)  # fmt: skip

    def _reqbufs(self, about: memoryview) -> None:
        count, kind, memory = struct.unpack_from("III", about)
        assert (kind, memory) == (1, 1), "buffers are mapped, and for pictures"
        width, height = self._size
        length = -(-2 * width * height // PAGE) * PAGE
        self._buffers = [mmap.mmap(-1, length) for _ in range(count)]
        self._stop()

    def _querybuf(self, about: memoryview) -> None:
        (index,) = struct.unpack_from("I", about)
        # m.offset at 64, length at 72
        struct.pack_into("II", about, 64, index * PAGE, 0)
        struct.pack_into("I", about, 72, len(self._buffers[index]))

    def _qbuf(self, about: memoryview) -> None:
        (index,) = struct.unpack_from("I", about)
        assert index not in self._free, "queued twice"
        self._free.append(index)
        if self._streams:
            self.give(next(self._frames, None))

    def _dqbuf(self, about: memoryview) -> None:
        if self._failed:
            raise OSError(self._failed, os.strerror(self._failed))
        if not self._full:
            raise OSError(errno.EAGAIN, "nothing is ready")
        os.read(self._bytes, 1)
        index, used, sequence = self._full.pop(0)
        if sequence < 0:
            self._failed = -sequence
            raise OSError(self._failed, os.strerror(self._failed))
        flags = BUFFER_ERROR if sequence in self.damaged else 0
        # index, type, bytesused, flags; sequence at 56, memory at 60
        struct.pack_into("IIII", about, 0, index, 1, used, flags)
        struct.pack_into("II", about, 56, sequence, 1)

    def _streamon(self, _about: memoryview) -> None:
        self._streams = True
        for _ in range(len(self._free)):
            self.give(next(self._frames, None))

    def _streamoff(self, _about: memoryview) -> None:
        self._stop()

    def _stop(self) -> None:
        self._streams = False
        self._free.clear()
        self._full.clear()
        with contextlib.suppress(BlockingIOError):
            os.read(self._bytes, 4096)

    def mapped(self, length: int, offset: int) -> mmap.mmap:
        found = self._buffers[offset // PAGE]
        assert len(found) == length
        return found

    def remove(self) -> None:
        os.close(self._bytes)


class V4l2:
    """The kernel, as linuxpy sees it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._cameras: dict[str, V4l2Camera] = {}
        self._files: dict[int, V4l2Camera] = {}
        self._open = linuxpy.io.IO.open
        self._mmap = SimpleNamespace(mmap=self._mapped)
        monkeypatch.setattr(linuxpy.ioctl, "fcntl", SimpleNamespace(ioctl=self._ioctl))
        monkeypatch.setattr(linuxpy.video.device, "mmap", self._mmap)
        monkeypatch.setattr(linuxpy.io.IO, "open", staticmethod(self._opened))

    def camera(
        self,
        name: str = "usb-Rig_Webcam-video-index0",
        formats: dict[str, list[Size]] | None = None,
        frames: Iterable[Frame] | None = None,
        **facts: Any,
    ) -> V4l2Camera:
        """Plug one in; it gives the same picture again and again, unless it is told others."""
        wanted = {"MJPG": [(640, 480), (1280, 720), (1920, 1080)]} if formats is None else formats
        given = repeat(jpeg(1280, 720)) if frames is None else frames
        made = V4l2Camera(self._folder / name, wanted, given, **facts)
        self._cameras[made.path] = made
        return made

    def close(self) -> None:
        for camera in self._cameras.values():
            for hanging in camera.hangs.values():
                hanging.set()
            camera.remove()

    def _opened(self, path: Path, rw: bool = False, blocking: bool = False) -> Any:
        camera = self._cameras.get(str(path))
        if camera is None:
            return self._open(path, rw, blocking=blocking)
        camera.called("open")
        file = self._open(path, rw, blocking=blocking)
        descriptor: int = file.fileno()
        self._files[descriptor] = camera
        camera.open(descriptor)
        close, files, plugged = file.close, self._files, camera

        class Node:
            """The file; the kernel notices when it is closed."""

            closed = False
            name = file.name

            def fileno(self) -> int:
                return descriptor

            def close(self) -> None:
                self.closed = True
                files.pop(descriptor, None)
                plugged.closed(descriptor)
                close()

        return Node()

    def _ioctl(self, device: Any, request: int, argument: Any) -> int:
        camera = self._files[device.fileno()]
        name = CALLS[int(request) & 0xFFFF_FFFF]
        camera.called(name)
        camera.answer(name, memoryview(argument).cast("B"))
        return 0

    def _mapped(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        return self._files[descriptor].mapped(length, offset)
