"""One open connection at work: a reader, a writer, and the wait for a reason to leave it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from device.live.link import Link
from device.live.traffic import Traffic

_log = logging.getLogger(__name__)

_LAST_WORDS_S = 0.3
"""How long a closing session goes on sending what waits."""


async def carry(traffic: Traffic, link: Link, is_closing: Callable[[], bool]) -> None:
    """Read and write until the session closes or the connection should give way.

    Raises LinkError when the connection is lost. Safe to cancel: no task is left.
    """
    reader = asyncio.create_task(traffic.read(link), name="session reader")
    writer = asyncio.create_task(traffic.write(link), name="session writer")
    for task in (reader, writer):
        task.add_done_callback(lambda _: traffic.stirred.set())
    try:
        while True:
            traffic.stirred.clear()
            for task in (reader, writer):
                if task.done():
                    task.result()
            if is_closing():
                await _last_words(traffic)
                return
            if traffic.gives_way():
                await traffic.stop_writing(writer)
                return
            await news_until(traffic, traffic.due())
    finally:
        reader.cancel()
        writer.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)
        traffic.cut_off()


async def news_until(traffic: Traffic, due: float) -> None:
    """Wait until something has changed, or that time (CLOCK_MONOTONIC) has come."""
    try:
        async with asyncio.timeout(max(due - time.monotonic(), 0.0)):
            await traffic.stirred.wait()
    except TimeoutError:
        pass


async def _last_words(traffic: Traffic) -> None:
    try:
        async with asyncio.timeout(_LAST_WORDS_S):
            await traffic.uplink.emptied()
    except TimeoutError:
        _log.debug("closed with %d frames unsent", traffic.uplink.held)
