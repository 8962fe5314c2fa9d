"""`V4l2Stream` is one open V4L2 camera that delivers frames, in a thread of its user's.

By linuxpy, which makes the kernel's calls (VIDIOC_*) without a library of C. It is used below its
convenience: its waits have no end. Every call here may hang in a driver; whoever uses it must be
able to leave the thread behind (`device.camera.usb`).

Frames lie in buffers that are shared with the driver. While nobody takes them they stay what they
were, so a picture of now is the first after all that lay ready were given back (`skip_ready`).
"""

from __future__ import annotations

import errno
import logging
import os
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from device.camera.failures import failure_of
from device.camera.picture import LONGEST_PX, jpeg_of_yuyv
from device.errors import CameraError

if TYPE_CHECKING:
    from linuxpy.video.device import Device, VideoCapture

BUFFERS: Final = 3
"""One is being filled, one waits, one is being read."""
MJPG, JPEG, YUYV = "MJPG", "JPEG", "YUYV"
FALLBACK_SIZE: Final = (1280, 720)
"""Asked of a camera that does not list its sizes; the driver takes the nearest that it has."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What a camera is asked for."""

    pixel_format: str
    """Four letters, as V4L2 has them."""
    width: int
    height: int


def load() -> None:
    """Import linuxpy. Takes 0.1 s, on a small board a second; any thread."""
    import linuxpy.video.device  # noqa: PLC0415 - heavy, and for pictures only

    # It tells each opening at INFO; what matters of it is in our errors.
    logging.getLogger(linuxpy.__name__).setLevel(logging.ERROR)


def best_mode(offered: Sequence[Mode]) -> Mode:
    """Return the mode to ask for: JPEG, the smallest that has all that is sent, else the largest.

    Without JPEG it is YUYV, by the same rule. Raises CameraError where there is neither. Pure.
    """
    for formats in ((MJPG, JPEG), (YUYV,)):
        found = [mode for mode in offered if mode.pixel_format in formats]
        enough = [mode for mode in found if max(mode.width, mode.height) >= LONGEST_PX]
        if enough:
            return min(enough, key=lambda mode: mode.width * mode.height)
        if found:
            return max(found, key=lambda mode: mode.width * mode.height)
    if not offered:
        raise CameraError("it gives no pictures: name the node that ends in -video-index0")
    kinds = sorted({mode.pixel_format for mode in offered})
    raise CameraError(
        f"it offers pictures as {', '.join(kinds)}, not as MJPG, JPEG or YUYV: write "
        "another camera.source"
    )


class V4l2Stream:
    """Open from its construction until `close`. One thread at a time."""

    def __init__(self, path: str) -> None:
        """Open the camera and have it deliver. Raises CameraError, and holds nothing then."""
        load()
        from linuxpy.video.device import Device, VideoCapture  # noqa: PLC0415 - as `load`

        self._path = path
        self._device: Device = Device(path)
        try:
            self._device.open()
        except OSError as error:
            raise failure_of(error, path) from error
        try:
            self._capture: VideoCapture = VideoCapture(self._device, size=BUFFERS)
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        try:
            mode = best_mode(self._offered())
            self._capture.set_format(mode.width, mode.height, mode.pixel_format)
            self._format = self._capture.get_format()
            self._capture.open()
        except OSError as error:
            raise failure_of(error, self._path) from error
        except CameraError as error:
            raise CameraError(f"the camera {self._path}: {error}") from error
        except Exception as error:  # linuxpy's own, over what no camera should answer
            why = str(error) or type(error).__name__
            raise CameraError(
                f"the camera {self._path} is none that gives pictures ({why}): name the one that "
                "ends in -video-index0"
            ) from error

    @property
    def mode(self) -> Mode:
        """What the driver has made of what was asked for."""
        wanted = self._format
        return Mode(wanted.pixel_format.human_str(), wanted.width, wanted.height)

    def next(self, until: float) -> bytes | None:
        """Return the next frame as a JPEG; None where none has come, CLOCK_MONOTONIC.

        What the driver itself marks as damaged is passed over, a frame without a byte too. Raises
        CameraError where the camera is gone.
        """
        while self._is_ready(until):
            frame = self._dequeued()
            if frame is not None:
                return frame
        return None

    def skip_ready(self) -> None:
        """Give back what lies ready: it was taken a while ago. Raises CameraError."""
        for _ in range(BUFFERS):
            if not self._is_ready(0.0):
                return
            self._dequeued(wanted=False)

    def close(self) -> None:
        """Have it stop, and let it go; what goes wrong with that does not matter any more."""
        capture: Any = getattr(self, "_capture", None)
        for step in (getattr(capture, "close", None), self._device.close):
            try:
                if step is not None:
                    step()
            except Exception:  # noqa: BLE001, S110 - an unplugged camera refuses everything
                pass
        # Its file is closed whatever else failed.
        if not self._device.closed:
            os.close(self._device.fileno())

    def _offered(self) -> list[Mode]:
        """Return what it says that it can do."""
        from linuxpy.video.device import BufferType, FrameSizeType  # noqa: PLC0415 - as `load`

        info, found = self._device.info, []
        for each in info.buffer_formats(BufferType.VIDEO_CAPTURE):
            name = each.pixel_format.human_str()
            if name not in {MJPG, JPEG, YUYV}:
                found.append(Mode(name, 0, 0))
                continue
            sizes = info.format_frame_sizes(each.pixel_format)
            if not sizes:
                found.append(Mode(name, *FALLBACK_SIZE))
            for size in sizes:
                if size.type == FrameSizeType.DISCRETE:
                    found.append(Mode(name, size.info.width, size.info.height))
                else:
                    found.append(Mode(name, *_within(size.info)))
        return found

    def _is_ready(self, until: float) -> bool:
        """Wait until a frame lies ready, or something is wrong with the camera."""
        poll = select.poll()
        poll.register(self._device.fileno(), select.POLLIN)
        left_ms = max(0, int((until - time.monotonic()) * 1000)) if until else 0
        return bool(poll.poll(left_ms))

    def _dequeued(self, *, wanted: bool = True) -> bytes | None:
        """Take a frame out of its buffer, and give the buffer back to the driver."""
        from linuxpy.video.device import BufferFlag  # noqa: PLC0415 - as `load`

        try:
            frame = self._capture.buffer.raw_read()
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return None
            raise failure_of(error, self._path, was_open=True) from error
        if not wanted or not frame.nbytes or BufferFlag.ERROR in frame.flags:
            return None
        data = bytes(frame.data)
        if self.mode.pixel_format != YUYV:
            return data
        try:
            return jpeg_of_yuyv(data, frame.width, frame.height, self._format.bytes_per_line)
        except CameraError:
            return None  # cut off


def _within(sizes: Any) -> tuple[int, int]:
    """Return a size between the smallest and the largest of a camera that scales by itself."""
    width = min(max(FALLBACK_SIZE[0], sizes.min_width), sizes.max_width)
    height = min(max(FALLBACK_SIZE[1], sizes.min_height), sizes.max_height)
    return width, height
