"""`EventLoop` connects to whichever of a name's addresses answers first (happy eyeballs)."""

from __future__ import annotations

import asyncio
from typing import Any

ATTEMPT_DELAY_S = 0.25
"""How long an address is tried alone before the next is tried beside it. RFC 8305, section 5."""


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, to which an IPv6 address that leads nowhere costs a quarter of a second.

    google-genai hands no such wish on to where a connection is made, so it is made here, for every
    connection of the process to a name.
    """

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Connect as asyncio does, but try the addresses of a name beside each other."""
        host = kwargs.get("host", args[1] if len(args) > 1 else None)
        if host is not None:
            kwargs.setdefault("happy_eyeballs_delay", ATTEMPT_DELAY_S)
        return await super().create_connection(*args, **kwargs)
