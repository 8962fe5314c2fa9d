"""Keeps a sound device open: lost ones are told, and tried again with growing patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

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


async def keep_open(
    device: Closable,
    use: Callable[[], Awaitable[None]],
    lost: Callable[[AudioDeviceError], None],
    pause: Pause | None = None,
) -> None:
    """Run `use` (which opens the device and works with it) again and again, until cancelled.

    `lost` is told each time the device cannot be opened or is lost. The device is closed after
    every try and at the end. Without a `pause` it sleeps between two tries. Raises
    AudioDeviceHungError when it cannot be closed: then only the end of the process frees it.
    """
    delay_s = FIRST_DELAY_S
    while True:
        began = time.monotonic()
        try:
            await use()
        except AudioDeviceHungError:
            raise
        except AudioDeviceError as error:
            lost(error)
        finally:
            await _close(device)
        if time.monotonic() - began > STABLE_S:
            delay_s = FIRST_DELAY_S
        came = await (pause or asyncio.sleep)(delay_s)
        delay_s = FIRST_DELAY_S if came else min(2 * delay_s, LONGEST_DELAY_S)


async def _close(device: Closable) -> None:
    """Close it, to the end also when cancelled meanwhile: whoever cancels wants it closed."""
    closing = asyncio.ensure_future(device.close())
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await closing
        raise
