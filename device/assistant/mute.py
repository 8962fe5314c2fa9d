"""`Mute` knows who has muted the speaker: its owner, or the microphone's own switch.

Either is enough, and both must be undone to hear again. The switch wins: while it is on, nobody can
unmute otherwise. What the owner said outlives the process; the switch speaks for itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Literal

from device import news as n
from device.assistant.input import Input
from device.board.mute_switch import SwitchWatch
from device.errors import MutingError
from device.news import Post
from device.ports import OpenDevice
from device.state.mute import Kept, MuteMemory

log = logging.getLogger(__name__)

SWITCH_ON = (
    "the microphone's own mute switch is on, and no command can undo that: press it at the"
    " microphone"
)


class Mute:
    """Used from the event loop's thread only."""

    def __init__(self, memory: MuteMemory, source: Input, post: Post) -> None:
        """`source` has the microphone; that it is to be closed or opened is posted."""
        self._memory = memory
        self._input = source
        self._post = post
        self._kept = memory.load()
        self._switch = False
        self._watched: SwitchWatch | None = None
        self._writing = asyncio.Lock()
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def by(self) -> Literal["switch", "owner"] | None:
        """Who has muted; None while it may hear. The switch is named before the owner."""
        if self._switch:
            return "switch"
        return "owner" if self._kept.muted else None

    @property
    def microphone(self) -> OpenDevice | None:
        """The microphone in use, or the one that the owner has hidden: that tells the board too."""
        return self._kept.hidden or self._input.microphone.device

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Be as muted as before the restart, before any microphone is opened."""
        self._tasks = tasks
        self._follow()

    async def mute(self) -> None:
        """Close the microphone, and keep it closed; returns when both are done.

        Raises MutingError when it is closed, but a restart would open it.
        """
        self._kept = Kept(muted=True, microphone=self.microphone)
        self._follow()
        await self._input.closed()
        await self._keep("the microphone is closed, but a restart would open it")

    async def unmute(self) -> None:
        """Open the microphone. Raises MutingError while its switch is on.

        Also, once it is open, when a restart would close it again.
        """
        if self._switch:
            raise MutingError(SWITCH_ON)
        self._kept = replace(self._kept, muted=False)
        self._follow()
        await self._keep("the microphone is open, but a restart would close it")

    def toggle(self) -> None:
        """Mute, or unmute, at the button: returns at once, and tells by itself what went wrong."""
        assert self._tasks is not None  # noqa: S101 - there is no button before
        doing = self.unmute() if self.by else self.mute()
        self._tasks.create_task(self._told(doing), name="muting")

    def mute_soon(self) -> None:
        """Mute; returns at once, and tells by itself what went wrong."""
        assert self._tasks is not None  # noqa: S101 - nobody talks before
        self._tasks.create_task(self._told(self.mute()), name="muting")

    def watch(self, switch: SwitchWatch | None) -> None:
        """Look at this switch from now on; None: the microphone has none that can be read."""
        self.close()
        self._watched = switch
        if switch is not None:
            switch.start(self._post)
        else:
            self.switched(on=False)

    def close(self) -> None:
        """Look at no switch any more; harmless when closed."""
        if self._watched is not None:
            self._watched.close()
            self._watched = None

    def switched(self, *, on: bool) -> None:
        """The microphone's own switch was found on or off."""
        if on != self._switch:
            log.info("the microphone's own mute switch is %s", "on" if on else "off")
            self._switch = on
            self._follow()

    def _follow(self) -> None:
        self._post(n.Mute() if self.by else n.Unmute())

    async def _keep(self, otherwise: str) -> None:
        async with self._writing:
            try:
                # Whoever came last has said what is to be kept, also if they are written first.
                await asyncio.to_thread(self._memory.keep, self._kept)
            except OSError as error:
                raise MutingError(f"{otherwise}: that cannot be written down ({error})") from error

    async def _told(self, doing: Awaitable[None]) -> None:
        try:
            await doing
        except MutingError as error:
            log.warning("%s", error)
            # As for whoever talks into a speaker that does not hear.
            self._post(n.Release(heard=False))
