"""`DeviceKeeper` keeps a sound device open: a lost one is told, and tried again with patience.

One that is lost again and again, soon after each opening, is told once and tried again with more
patience (`device.audio.relapse`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from device.audio.relapse import PROVEN_S, Relapses
from device.errors import AudioDeviceError, AudioDeviceHungError

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 5.0
STABLE_S = 10.0
"""A device that has worked for this long starts again with the shortest delay when it is lost."""


Pause = Callable[[float], Awaitable[bool]]
"""Waits so many seconds, or less when something was plugged in; returns whether it was."""


class Closable(Protocol):
    """Something that can be closed, also when it is not open."""

    async def close(self) -> None:
        """Let the device go."""
        ...


Device = TypeVar("Device", bound=Closable)


class DeviceKeeper(Generic[Device]):
    """Keeps one device open at a time, as a task. Used from the event loop's thread only."""

    def __init__(
        self,
        device: Device,
        name: str,
        use: Callable[[Device], Awaitable[None]],
        lost: Callable[[AudioDeviceError], None],
        pause: Pause,
    ) -> None:
        """`use` opens the device and works with it until it is lost; `name` is that of the task.

        `lost` is told each time it cannot be opened, or is lost; `pause` waits between two tries.
        """
        self.device = device
        """The one that is kept open, or would be."""
        self._name = name
        self._use = use
        self._lost = lost
        self._pause = pause
        self._relapses = Relapses()
        self._wanted = True
        self._tasks: asyncio.TaskGroup | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def wanted(self) -> bool:
        """Whether the device is (being kept) open."""
        return self._wanted

    def works(self) -> float:
        """Say that the device works from now on.

        Returns for how many seconds it must go on doing so before that is news: 0, or a minute
        for one that was lost again and again.
        """
        self._relapses.works(time.monotonic())
        return PROVEN_S if self._relapses.doubted else 0.0

    def proven(self) -> None:
        """Say that it has worked for so long."""
        self._relapses.proven()

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Keep the device open, if it is wanted, as a task of `tasks` from now on."""
        self._tasks = tasks
        self._follow()

    def open(self) -> None:
        """Keep the device open from now on; harmless when it is."""
        self._wanted = True
        self._follow()

    def shut(self) -> None:
        """Close the device, and do not open it again before `open`; returns at once."""
        self._wanted = False
        self._let_go()

    def replace(self, device: Device) -> None:
        """Keep another device open from now on, if one is wanted; the old one is closed first."""
        self._let_go()
        self._relapses = Relapses()
        self.device = device
        self._follow()

    async def closed(self) -> None:
        """Wait until every device that was shut or replaced is really closed."""
        if self._closing:
            await asyncio.wait(self._closing)

    def _follow(self) -> None:
        if self._wanted and self._tasks is not None and self._keeping is None:
            self._keeping = self._tasks.create_task(self._keep(self.device), name=self._name)

    def _let_go(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            self._closing.add(self._keeping)
            self._keeping.add_done_callback(self._closing.discard)
            self._keeping = None

    async def _keep(self, device: Device) -> None:
        # The one that was shut or replaced just now may hold the same card.
        await self.closed()
        relapses = self._relapses
        await keep_open(device, lambda: self._use(device), self._lost, self._pause, relapses)


async def keep_open(
    device: Closable,
    use: Callable[[], Awaitable[None]],
    lost: Callable[[AudioDeviceError], None],
    pause: Pause | None = None,
    relapses: Relapses | None = None,
) -> None:
    """Run `use` (which opens the device and works with it) again and again, until cancelled.

    `lost` is told each time the device cannot be opened or is lost. The device is closed after
    every try and at the end. Without a `pause` it sleeps between two tries. `relapses` knows
    whether it is lost again and again. Raises AudioDeviceHungError when it cannot be closed: then
    only the end of the process frees it.
    """
    relapses = relapses or Relapses()
    delay_s = FIRST_DELAY_S
    while True:
        began = time.monotonic()
        try:
            await use()
        except AudioDeviceHungError:
            raise
        except AudioDeviceError as error:
            lost(relapses.lost(error, time.monotonic()))
        finally:
            await _close(device)
        if time.monotonic() - began > STABLE_S:
            delay_s = FIRST_DELAY_S
        came = await (pause or asyncio.sleep)(relapses.pause_s() or delay_s)
        delay_s = FIRST_DELAY_S if came else min(2 * delay_s, LONGEST_DELAY_S)


async def _close(device: Closable) -> None:
    """Close it, to the end also when cancelled meanwhile: whoever cancels wants it closed."""
    closing = asyncio.ensure_future(device.close())
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await closing
        raise
