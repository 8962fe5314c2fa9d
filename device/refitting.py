"""What a board needs each time it appears, and what may cure one that is dead."""

from __future__ import annotations

import asyncio
import logging

from device.board.profiles import Profile
from device.errors import AudioDeviceError, DeviceTrouble
from device.parts import Parts

log = logging.getLogger(__name__)


class Refitting:
    """Used from the event loop's thread only; what takes time is done in others."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._was_lost = False
        self._warned: set[str] = set()

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Run what takes time as tasks of `tasks` from now on."""
        self._tasks = tasks

    def lost(self, error: AudioDeviceError, board: Profile) -> None:
        """The microphone is lost, or is not there yet; a dead one is cured where that is known."""
        self._was_lost = True
        if error.trouble is DeviceTrouble.DEAD:
            self._tasks.create_task(asyncio.to_thread(self._parts.revive, board), name="revival")

    def back(self, board: Profile, microphone: str) -> bool:
        """The microphone delivers: set the levels of its card.

        Returns whether what is on its plug besides it has to be opened anew.
        """
        self._tasks.create_task(self._set_levels(board, microphone), name="mixer")
        was_lost, self._was_lost = self._was_lost, False
        return was_lost and board.hot_plug

    async def _set_levels(self, board: Profile, microphone: str) -> None:
        for problem in await asyncio.to_thread(self._parts.set_levels, board, microphone):
            if problem not in self._warned:
                self._warned.add(problem)
                log.warning("%s", problem)
