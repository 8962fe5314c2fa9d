"""The connection loop works on one open connection, and waits while there is none.

On an open connection a reader and a writer carry the traffic until there is a reason to leave it.
While the connection is away, that is told when it takes too long, and the next try waits for its
time or for the end of what kept it from being made.

Tested in tests/live/test_session.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from device.live.link import Link
from device.live.network import obstacle
from device.live.traffic import Traffic
from device.news import Failure, FailureKind, Post, Reconnecting

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


_UNNOTICED_S = 1.5
"""How long the first try after a loss may take before it is told that the connection is away."""
_LOOK_AGAIN_S = 0.5
"""Between two looks for a network or the time of day while a talk waits for it."""

_SEEN_HERE = frozenset({FailureKind.OFFLINE, FailureKind.CLOCK})
"""What can be seen to be over without sending anything."""


class Away:
    """The pauses of one session. Used from the event loop's thread only."""

    def __init__(self, session: int, post: Post, host: str) -> None:
        self._session = session
        self._post = post
        self._host = host
        self._telling: asyncio.TimerHandle | None = None

    async def pause(
        self, failure: Failure, wait_s: float, traffic: Traffic, is_closing: Callable[[], bool]
    ) -> None:
        """Wait before the next try, unless the session closes or the reason to wait is over."""
        self.back()
        if wait_s:
            self._tell(failure)
        else:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(_UNNOTICED_S, self._tell, failure)
        deadline = time.monotonic() + wait_s
        while not is_closing() and (now := time.monotonic()) < deadline:
            if failure.kind in _SEEN_HERE and obstacle(self._host) is None:
                return
            traffic.stirred.clear()
            await news_until(traffic, min(now + _LOOK_AGAIN_S, deadline))

    def back(self) -> None:
        """The connection stands again, or is not wanted any more: nothing is told late."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    def _tell(self, failure: Failure) -> None:
        self._post(Reconnecting(self._session, failure, time.monotonic()))
