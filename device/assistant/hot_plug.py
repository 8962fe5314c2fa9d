"""What a board needs each time it appears, and what may cure one that is dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from device.assistant.input import Ears
from device.assistant.parts import Parts
from device.board.arrivals import Arrivals
from device.board.profiles import Profile
from device.errors import AudioDeviceError, DeviceTrouble
from device.faults import Faults

log = logging.getLogger(__name__)


class Refitting:
    """Used from the event loop's thread only; what takes time is done in others."""

    def __init__(
        self,
        parts: Parts,
        faults: Faults,
        board: Callable[[], Profile],
        choose_board: Callable[[], None],
    ) -> None:
        """`board` finds the board; `choose_board` also claims its lights, button and switch."""
        self._parts = parts
        self._faults = faults
        self._board = board
        self._choose_board = choose_board
        self._arrivals = Arrivals(parts.plugged)
        self.pause = self._arrivals.pause
        """To wait with for a device that is lost."""
        self._was_lost = False
        self._warned: set[str] = set()

    def start(self, tasks: asyncio.TaskGroup, ears: Ears) -> None:
        """Run what takes time as tasks of `tasks` from now on; `ears` have the microphone."""
        self._tasks = tasks
        self._ears = ears
        tasks.create_task(self._arrivals.watch(self._came), name="arrivals")

    def lost(self, error: AudioDeviceError, board: Profile) -> None:
        """The microphone is lost, or is not there yet; a dead one is cured where that is known."""
        self._was_lost = True
        if error.trouble is DeviceTrouble.DEAD:
            self._tasks.create_task(asyncio.to_thread(self._parts.revive, board), name="revival")

    def opened(self) -> None:
        """The microphone is open: set the levels of its card, which it may need to be heard."""
        setting = self._set_levels(self._board(), self._ears.microphone.description)
        self._tasks.create_task(setting, name="mixer")

    def back(self, board: Profile) -> bool:
        """Whether what is on the plug of a microphone that delivers has to be opened anew."""
        was_lost, self._was_lost = self._was_lost, False
        return was_lost and board.hot_plug

    def _came(self) -> None:
        """Something was plugged in, perhaps the array while its microphone is closed, or unused."""
        if self._board().hot_plug or self._faults.in_force("lights", "button"):
            self._was_lost = False
            self._choose_board()

    async def _set_levels(self, board: Profile, microphone: str) -> None:
        for problem in await asyncio.to_thread(self._parts.set_levels, board, microphone):
            if problem not in self._warned:
                self._warned.add(problem)
                log.warning("%s", problem)
