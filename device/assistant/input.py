"""`Input` keeps the microphone open unless it is muted, and hands on every frame.

The task that reads it never waits for the network.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from device.audio.keep_open import DeviceKeeper, Pause
from device.errors import AudioDeviceError
from device.frames import Frame
from device.news import MicrophoneDelivers, MicrophoneLost, MicrophoneOpened, Post
from device.ports import Microphone


class Input:
    """One microphone at a time. Used from the event loop's thread only."""

    def __init__(
        self, microphone: Microphone, post: Post, hear: Callable[[Frame], None], pause: Pause
    ) -> None:
        """`hear` takes each frame; `pause` waits between two tries to open the device."""
        self._post = post
        self._hear = hear
        self._keeper = DeviceKeeper(microphone, "microphone", self._use, self._lost, pause)
        self._rests = False

    @property
    def microphone(self) -> Microphone:
        """The microphone in use."""
        return self._keeper.device

    @property
    def open(self) -> bool:
        """Whether the microphone is (being kept) open: not muted."""
        return self._keeper.wanted

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Open the microphone, unless muted, as a task of `tasks`."""
        self._keeper.start(tasks)

    def unmute(self) -> None:
        """Keep the microphone open from now on."""
        self._keeper.open()

    def mute(self) -> None:
        """Close the microphone; before `start`, never open it."""
        self._keeper.shut()

    async def closed(self) -> None:
        """Wait until a microphone that was muted is really closed."""
        await self._keeper.closed()

    def rest(self, on: bool) -> None:
        """Say whether nothing is awaited but a wake word, until the opposite is said."""
        if on is not self._rests:
            self._rests = on
            self.microphone.rest(on)

    def replace(self, microphone: Microphone) -> None:
        """Use another microphone from now on (its settings changed)."""
        microphone.rest(self._rests)
        self._keeper.replace(microphone)

    def as_dict(self) -> dict[str, Any]:
        """Return the microphone and its counters for `status`."""
        device = self.microphone.device
        return {
            "microphone": self.microphone.description,
            "microphone_device": asdict(device) if device else None,
            "counters": dict(self.microphone.counters),
        }

    async def _use(self, microphone: Microphone) -> None:
        await microphone.open()
        self._post(MicrophoneOpened(time.monotonic()))
        frame = await microphone.read()
        if must_last_s := self._keeper.works():
            # Nothing of it is heard meanwhile, as status and lights say: it may be gone any moment.
            proven_at = time.monotonic() + must_last_s
            while time.monotonic() < proven_at:
                frame = await microphone.read()
            self._keeper.proven()
        self._post(MicrophoneDelivers(time.monotonic()))
        while True:
            self._hear(frame)
            frame = await microphone.read()

    def _lost(self, error: AudioDeviceError) -> None:
        self._post(MicrophoneLost(error.trouble, str(error), time.monotonic()))
