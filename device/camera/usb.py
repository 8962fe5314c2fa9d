"""`UsbCamera` takes pictures with a camera on USB, and is never held up by one.

Each picture is taken in a thread that may hang: in ``open``, which wakes it up, in STREAMON, in a
wait for frames. The thread has a deadline for what it waits for itself; for what hangs in the
kernel the event loop has a later one. Then the thread is left behind; it lets the camera go when it
comes back, and until then another picture is refused, since it would hang as well. One that was
only given up is on its way back, and is waited for.

A camera that was just opened gives black, green or glaring frames until it knows the light. So
frames are thrown away until they are as bright as the one before, a second and a half at most; a
camera that gives one in four seconds is taken at its word. Frames that are damaged are passed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from device.camera import picture, v4l2
from device.camera.nodes import name_of
from device.camera.picture import brightness_of, picture_of
from device.errors import CameraError
from device.ports import Picture
from device.threads import in_thread, tell

DEADLINE_S: Final = 6.0
"""From the opening to the picture: a slow camera's first frame may take four."""
GRACE_S: Final = 1.0
"""After which what still has not come back hangs in the kernel."""
SETTLE_S: Final = 1.5
"""Since the first good frame: automatic exposure of webcams takes about a second."""
SETTLED_LUMINANCE: Final = 3.0
"""Two frames in a row that differ by less (of 255) have the same exposure; a person who moves in a
steady light changes the mean by one or two."""
FIRST_FRAMES: Final = 2
"""Not looked at at all: they are often of a moment before."""
LOOK_S: Final = 0.2
"""How often the thread looks whether its picture is still wanted."""
KEEP_S: Final = 5.0
"""How long it stays open for a picture that was said to come soon. Then it is let go, so that its
light does not stay on where somebody forgets about it."""
CLOSE_S: Final = 1.0
"""How long the loop waits for the camera to be let go."""


class Stream(Protocol):
    """What delivers frames: `device.camera.v4l2.V4l2Stream`."""

    def next(self, until: float) -> bytes | None:
        """Return the next frame, or None where none came in time."""
        ...

    def skip_ready(self) -> None:
        """Pass over what was taken a while ago."""
        ...

    def close(self) -> None:
        """Let it go; never raises."""
        ...


class UsbCamera:
    """One camera by its path. Used from the event loop's thread only."""

    def __init__(
        self,
        path: str,
        rotate: int = 0,
        *,
        deadline_s: float = DEADLINE_S,
        grace_s: float = GRACE_S,
        opened: Callable[[str], Stream] = v4l2.V4l2Stream,
    ) -> None:
        """`path`: /dev/v4l/by-id/…; nothing is opened before a picture is taken."""
        self._path = path
        self._rotate = rotate
        self._deadline_s = deadline_s
        self._grace_s = grace_s
        self._opened = opened
        self._held: _Held | None = None
        self._one_at_a_time = asyncio.Lock()
        self._letting_go: asyncio.Task[None] | None = None
        """Waits for the end of `KEEP_S`."""

    @property
    def description(self) -> str:
        """What it calls itself, and its path."""
        name = name_of(self._path)
        return f"USB camera '{name}' ({self._path})" if name else f"USB camera {self._path}"

    async def take(self, *, more_soon: bool = False) -> Picture:
        """Take a picture. Raises CameraError; cancelling lets the camera go."""
        async with self._one_at_a_time:
            self._keep_no_longer(None)
            # This ends by itself, and does not count: a small board takes two seconds for it.
            await asyncio.to_thread(_load)
            held = self._held or _Held(self._path, self._opened)
            if held.is_busy and not await held.came_back(self._grace_s):
                raise CameraError(
                    f"the camera {self._path} still hangs since an earlier picture: plug it out "
                    "and in again"
                )
            self._held = held
            taken = False
            try:
                async with asyncio.timeout(self._deadline_s + self._grace_s):
                    made = await in_thread(
                        held.work(self._deadline_s, self._rotate, keep=more_soon), "camera"
                    )
                taken = True
            except TimeoutError:
                raise CameraError(
                    f"the camera {self._path} hangs: no answer within "
                    f"{self._deadline_s + self._grace_s:g} s; plug it out and in again"
                ) from None
            finally:
                if not (taken and more_soon):
                    await self._let_go()
            self._keep_no_longer(KEEP_S if more_soon else None)
            return made

    async def close(self) -> None:
        """Let the camera go, within a second, or as soon as its thread comes back."""
        if self._one_at_a_time.locked() and self._held is not None:
            self._held.give_up()  # whoever takes a picture lets it go then
            return
        async with self._one_at_a_time:
            self._keep_no_longer(None)
            await self._let_go()

    def _keep_no_longer(self, than_s: float | None) -> None:
        """Let the camera go so much later, unless somebody wants it before; None: not by itself."""
        if self._letting_go is not None:
            self._letting_go.cancel()
            self._letting_go = None
        if than_s is not None:
            self._letting_go = asyncio.create_task(self._let_go_in(than_s), name="camera")

    async def _let_go_in(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        async with self._one_at_a_time:
            self._letting_go = None
            await self._let_go()

    async def _let_go(self) -> None:
        held = self._held
        if held is None:
            return
        idle = held.give_up()
        if not idle:
            return  # its thread does it, and is asked by the next picture whether it came back
        closing = in_thread(held.close, "camera close")
        await asyncio.wait({closing}, timeout=CLOSE_S)


class _Held:
    """A camera and the one thread that is at work on it, if any."""

    def __init__(self, path: str, opened: Callable[[str], Stream]) -> None:
        self._path = path
        self._open = opened
        self._stream: Stream | None = None
        self._state = threading.Lock()
        """Of the stream above and the two below; never held while a driver is asked."""
        self._busy = False
        self._given_up = False
        self._deadline_s = DEADLINE_S
        self._back = asyncio.Event()
        """Set when a thread has come back; perhaps a moment late."""

    async def came_back(self, within_s: float) -> bool:
        """Wait for a thread that was given up a moment ago; return whether none is at work."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.is_busy:
                    self._back.clear()
                    await self._back.wait()
        return not self.is_busy

    @property
    def is_busy(self) -> bool:
        """Whether a thread has not come back yet."""
        with self._state:
            return self._busy

    def work(self, deadline_s: float, rotate: int, *, keep: bool) -> Callable[[], Picture]:
        """Return what takes a picture, for a thread; from now on it is busy."""
        with self._state:
            self._busy, self._given_up = True, False
        self._deadline_s = deadline_s
        loop = asyncio.get_running_loop()

        def run() -> Picture:
            kept = False
            try:
                until = time.monotonic() + deadline_s
                data = self._frame(until)
                taken_at = time.monotonic()
                kept = keep
            finally:
                self._end(keep=kept)
                tell(loop, self._back.set)
            return picture_of(data, taken_at, rotate)

        return run

    def give_up(self) -> bool:
        """Have the thread let the camera go at its end. Returns whether none is at work."""
        with self._state:
            self._given_up = True
            return not self._busy

    def close(self) -> None:
        """Let the camera go; for a thread, and only where none is at work."""
        with self._state:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _end(self, *, keep: bool) -> None:
        with self._state:
            keep = keep and not self._given_up
            if keep:
                self._busy = False
        if not keep:
            self.close()
            with self._state:
                self._busy = False

    def _frame(self, until: float) -> bytes:
        """Return a good frame of now. Raises CameraError."""
        if self._stream is not None:
            self._stream.skip_ready()
            return self._good(self._stream, until)[0]
        self._stream = self._open(self._path)
        return self._settled(self._stream, until)

    def _settled(self, stream: Stream, until: float) -> bytes:
        """Return the first frame that is as bright as the one before, or the last in its time."""
        data, before = self._good(stream, until)
        enough = min(until, time.monotonic() + SETTLE_S)
        seen = 1
        while (frame := self._next(stream, enough)) is not None:
            try:
                brightness = brightness_of(frame)
            except CameraError:
                continue  # a damaged one, and there is a good one already
            seen += 1
            change = abs(brightness - before)
            data, before = frame, brightness
            if seen > FIRST_FRAMES and change < SETTLED_LUMINANCE:
                break
        return data

    def _good(self, stream: Stream, until: float) -> tuple[bytes, float]:
        """Return the first frame that can be decoded, and how bright it is."""
        trouble: CameraError | None = None
        while (frame := self._next(stream, until)) is not None:
            try:
                return frame, brightness_of(frame)
            except CameraError as error:
                trouble = error
        if trouble is not None:
            raise CameraError(f"the camera {self._path}: {trouble}; try another cable or port")
        with self._state:
            if self._given_up:
                raise CameraError(f"the camera {self._path} was let go before it gave a picture")
        raise CameraError(
            f"the camera {self._path} gave no picture within {self._deadline_s:g} s: plug it out "
            "and in again, or into another port"
        )

    def _next(self, stream: Stream, until: float) -> bytes | None:
        """Return the next frame, None where there is none in time or none is wanted any more."""
        while (now := time.monotonic()) < until:
            with self._state:
                if self._given_up:
                    return None
            frame = stream.next(min(until, now + LOOK_S))
            if frame is not None:
                return frame
        return None


def _load() -> None:
    picture.load()
    v4l2.load()
