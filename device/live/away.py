"""While a connection is away: told when it takes too long, and tried again when it makes sense."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from device.live.carrying import news_until
from device.live.network import obstacle
from device.live.traffic import Traffic
from device.ports import Failure, FailureKind, Post, Reconnecting

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
