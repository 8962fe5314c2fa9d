"""`Output` keeps the loudspeaker open, at the volume in force."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict
from typing import Any

from device.audio.keep_open import DeviceKeeper, Pause
from device.errors import AudioDeviceError
from device.news import Post, SpeakerLost, SpeakerOpened
from device.ports import Speaker


class Output:
    """One loudspeaker at a time. Used from the event loop's thread only."""

    def __init__(self, speaker: Speaker, volume: int, post: Post, pause: Pause) -> None:
        """`volume` is what `speaker` was made with, 0..100; `pause` waits between two tries."""
        self._post = post
        self._volume = volume
        self._keeper = DeviceKeeper(speaker, "loudspeaker", self._use, self._lost, pause)
        self._rests = False

    @property
    def speaker(self) -> Speaker:
        """The loudspeaker in use."""
        return self._keeper.device

    @property
    def volume(self) -> int:
        """How loud it is, 0..100."""
        return self._volume

    @property
    def level(self) -> float:
        """How loud what is being played is, 0..1."""
        return self.speaker.level

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Open the loudspeaker and keep it open, as a task of `tasks`."""
        self._keeper.start(tasks)

    def rest(self, on: bool) -> None:
        """Say whether nothing is likely to be played soon, until the opposite is said."""
        if on is not self._rests:
            self._rests = on
            self.speaker.rest(on)

    def replace(self, speaker: Speaker) -> None:
        """Use another loudspeaker from now on (its settings changed), as loud as the old one."""
        speaker.rest(self._rests)
        self._keeper.replace(speaker)
        speaker.set_volume(self._volume)

    def set_volume(self, percent: int) -> int:
        """Play at 0..100 until changed again; more or less is as much as there is.

        Returns the volume that is in force.
        """
        self._volume = min(max(percent, 0), 100)
        self.speaker.set_volume(self._volume)
        return self._volume

    def as_dict(self) -> dict[str, Any]:
        """Return the loudspeaker, its volume and its counters for `status`."""
        device = self.speaker.device
        return {
            "speaker": self.speaker.description,
            "speaker_device": asdict(device) if device else None,
            "volume": self._volume,
            "counters": dict(self.speaker.counters),
        }

    async def _use(self, speaker: Speaker) -> None:
        await speaker.open(self._post)
        if must_last_s := self._keeper.works():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(must_last_s):
                    await speaker.wait_lost()
            self._keeper.proven()
        self._post(SpeakerOpened(time.monotonic()))
        await speaker.wait_lost()

    def _lost(self, error: AudioDeviceError) -> None:
        self._post(SpeakerLost(str(error), time.monotonic()))
