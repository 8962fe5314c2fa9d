"""The hearing half of the hub: microphone, pre-roll, wake word and speech detection.

Frames arrive here one by one, lose our own voice, and go three ways: into the pre-roll ring, to the
detector's worker and to the listener. The microphone task never waits for the network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from device.audio.keep_open import Pause, keep_open
from device.audio.pre_roll import PreRoll
from device.echo.canceller import Heard
from device.errors import AudioDeviceError
from device.frames import MICROPHONE_RATE_HZ, Frame
from device.news import Post
from device.ports import Microphone, WakeDetector

RING_S = 8.0
"""Longer than any pre-roll, so that a busy worker may report a wake word late."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told what the ears notice; each is called on the event loop's thread."""

    frame: Callable[[Heard], None]
    lost: Callable[[AudioDeviceError], None]
    back: Callable[[], None]
    opened: Callable[[], None]


class Ears:
    """Keeps the microphone open unless muted, and the detector running."""

    def __init__(
        self,
        microphone: Microphone,
        detector: WakeDetector,
        listener: Listener,
        clean: Callable[[Frame], Heard],
    ) -> None:
        """`clean` takes our own voice out of a frame."""
        self.microphone = microphone
        self.detector = detector
        self._listener = listener
        self._clean = clean
        self._ring = PreRoll(RING_S)
        self._end_sample = 0
        self._tasks: asyncio.TaskGroup | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._pause: Pause | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._detecting: asyncio.Task[None] | None = None
        self._muted = False

    @property
    def open(self) -> bool:
        """Whether the microphone is (being kept) open: not muted."""
        return self._hearing is not None

    def start(self, tasks: asyncio.TaskGroup, post: Post, pause: Pause | None = None) -> None:
        """Open the microphone, unless muted, and start the detector as tasks of `tasks`.

        `pause` waits between two tries to open it.
        """
        self._tasks = tasks
        self._pause = pause
        self._post = post
        self._detecting = tasks.create_task(self.detector.run(post), name="wake word")
        if not self._muted:
            self.unmute()

    def unmute(self) -> None:
        """Keep the microphone open from now on."""
        self._muted = False
        if self._tasks is not None and self._hearing is None:
            self._hearing = self._tasks.create_task(self._keep_hearing(), name="microphone")

    def mute(self) -> None:
        """Close the microphone and forget what it heard; before `start`, never open it."""
        self._muted = True
        self._shut()

    def _shut(self) -> None:
        self._ring.clear()
        if self._hearing is not None:
            self._hearing.cancel()
            self._closing.add(self._hearing)
            self._hearing.add_done_callback(self._closing.discard)
            self._hearing = None

    async def closed(self) -> None:
        """Wait until a microphone that was muted is really closed."""
        if self._closing:
            await asyncio.wait(self._closing)

    def replace_microphone(self, microphone: Microphone) -> None:
        """Use another microphone from now on (its settings changed)."""
        was_open = self.open
        self._shut()
        self.microphone = microphone
        if was_open:
            self.unmute()

    def replace_detector(self, detector: WakeDetector) -> None:
        """Listen for other words from now on."""
        self.detector = detector
        if self._detecting is not None:
            self._detecting.cancel()
        if self._tasks is not None:
            self._detecting = self._tasks.create_task(detector.run(self._post), name="wake word")

    def since(self, end_sample: int | None, seconds: float, *, after: int) -> list[Frame]:
        """The recorded frames from `seconds` before `end_sample` on (None: before now).

        Frames that ended at or before sample `after` are left out: they were sent already.
        """
        until = self._end_sample if end_sample is None else end_sample
        return self._ring.since(max(until - round(seconds * MICROPHONE_RATE_HZ), after))

    async def _keep_hearing(self) -> None:
        # The microphone that was muted or replaced just now may hold the same card.
        await self.closed()
        await keep_open(self.microphone, self._hear, self._listener.lost, self._pause)

    async def _hear(self) -> None:
        await self.microphone.open()
        self._listener.opened()
        delivers = False
        while True:
            frame = await self.microphone.read()
            if not delivers:
                delivers = True
                self._listener.back()
            heard = self._clean(frame)
            self._ring.append(heard.frame)
            self._end_sample = frame.end_sample
            self.detector.feed(heard.frame, heard.far_end, near=heard.near)
            self._listener.frame(heard)
