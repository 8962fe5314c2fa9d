"""`Arrivals` notices what is plugged in by the kernel's lists; PortAudio's does not change.

Whoever lost a device waits here instead of sleeping, and tries again as soon as something came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOK_S = 1.0
"""Between two looks. What came is told when a look found nothing new any more: the card of an array
is there a little after its USB device, and may be opened when its rule has been applied."""
UNHURRIED = 3
"""So many times as long it is while nobody waits for anything."""


class Arrivals:
    """Used from the event loop's thread only."""

    def __init__(self, plugged: Callable[[], frozenset[str]]) -> None:
        """`plugged` names what is there, in other words at each appearance; it may block."""
        self._plugged = plugged
        self._came = asyncio.Event()
        self._waiting = 0

    async def pause(self, seconds: float) -> bool:
        """Wait so long, or until something was plugged in; returns whether it was."""
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                return await self._came.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1

    async def watch(self, came: Callable[[], None]) -> None:
        """Call `came` whenever something was plugged in, until cancelled."""
        known = await asyncio.to_thread(self._plugged)
        settling = False
        while True:
            await asyncio.sleep(LOOK_S if settling or self._waiting else LOOK_S * UNHURRIED)
            before, known = known, await asyncio.to_thread(self._plugged)
            arriving = not known <= before
            if settling and not arriving:
                came()
                self._came.set()
                self._came = asyncio.Event()
            settling = arriving
