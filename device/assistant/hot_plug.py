"""`HotPlug` gives a board what it needs each time it appears, and cures one that is dead."""

from __future__ import annotations

import asyncio
import logging
import time

from device.assistant.parts import Parts
from device.board.arrivals import Arrivals
from device.board.profiles import Profile
from device.config import Config
from device.errors import DeviceTrouble
from device.news import Plugged, Post
from device.ports import OpenDevice

log = logging.getLogger(__name__)


class HotPlug:
    """Used from the event loop's thread only; what takes time is done in others."""

    def __init__(self, parts: Parts, post: Post) -> None:
        self._parts = parts
        self._post = post
        self._arrivals = Arrivals(parts.plugged)
        self._was_lost = False
        self._relapsed = False
        self._warned: set[str] = set()
        self._levelling = asyncio.Lock()
        self._tasks: asyncio.TaskGroup | None = None

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Watch what is plugged in, and run what takes time, as tasks of `tasks`."""
        self._tasks = tasks
        tasks.create_task(self._arrivals.watch(self._came), name="arrivals")

    async def pause(self, seconds: float) -> bool:
        """Wait so long for a device that is lost, or until something was plugged in.

        Returns whether something was.
        """
        return await self._arrivals.pause(seconds)

    def lost(self, trouble: DeviceTrouble, board: Profile) -> None:
        """Take note that the microphone is lost.

        One that is dead, or is lost again and again, is cured where a cure is known.
        """
        self._was_lost = True
        relapses = trouble is DeviceTrouble.RELAPSING
        curable = trouble is DeviceTrouble.DEAD or (relapses and not self._relapsed)
        self._relapsed = relapses
        if curable and self._tasks is not None:
            self._tasks.create_task(asyncio.to_thread(self._parts.revive, board), name="revival")

    def opened(
        self,
        config: Config,
        board: Profile,
        microphone: OpenDevice | None,
        speaker: OpenDevice | None,
    ) -> None:
        """Set the levels of the cards in use, which they may need to be heard and to hear.

        To be called when either device was opened, and when the owner wants other levels.
        """
        if self._tasks is not None and (microphone is not None or speaker is not None):
            work = self._set_levels(config, board, microphone, speaker)
            self._tasks.create_task(work, name="mixer")

    def delivers(self, board: Profile) -> bool:
        """Tell whether what is on the plug of a microphone that delivers has to be opened anew."""
        was_lost, self._was_lost = self._was_lost, False
        return was_lost and board.hot_plug

    def _came(self) -> None:
        self._post(Plugged(time.monotonic()))

    async def _set_levels(
        self,
        config: Config,
        board: Profile,
        microphone: OpenDevice | None,
        speaker: OpenDevice | None,
    ) -> None:
        # One after the other: both devices may be of one card.
        async with self._levelling:
            problems = await asyncio.to_thread(
                self._parts.set_levels, config, board, microphone, speaker
            )
        for problem in problems:
            if problem not in self._warned:
                self._warned.add(problem)
                log.warning("%s", problem)
