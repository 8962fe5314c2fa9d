"""`LoopClocks` are the clocks that timers go by where time is that of the event loop.

The kernel's timers know nothing of a loop that runs slower than life. What is set here rings by the
loop's time, which is CLOCK_MONOTONIC's as `device.simulator.slow_motion` has it.
"""

from __future__ import annotations

import asyncio
import time
from datetime import tzinfo

from device.timers.entries import Now
from device.timers.schedule import Look


class LoopClocks:
    """A :class:`device.timers.clocks.Clocks`. The wall clock goes on with the loop's as well."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()
        self._look = Look(None, None)
        self._armed = asyncio.Event()

    def read(self, zone: tzinfo) -> Now:
        """Return what both clocks show; they are believed."""
        boot_s = time.monotonic()
        wall_s = boot_s + self._offset_s
        return Now("simulated", boot_s, wall_s, zone, plausible=True, synchronised=True)

    def arm(self, look: Look) -> None:
        """Have `wait` return at these times, in place of those of an earlier call."""
        self._look = look
        self._armed.set()

    async def wait(self) -> None:
        """Return when one of the times has come, or others were set."""
        self._armed.clear()
        wall_s = self._look.wall_s
        times = (self._look.boot_s, None if wall_s is None else wall_s - self._offset_s)
        first = min((each for each in times if each is not None), default=None)
        loop = asyncio.get_running_loop()
        handle = loop.call_at(first, self._armed.set) if first is not None else None
        try:
            await self._armed.wait()
        finally:
            if handle is not None:
                handle.cancel()

    def close(self) -> None:
        """Do nothing: the system has lent nothing."""
