"""One WebSocket of the stand-in suffers what a script may do to it.

Theory of operation: reading and sending each pass a gate. A shut gate holds everything back and
lets it go in order when it opens, which is how a stall looks from outside. All tasks of a
connection live in one group and are over when ``run`` returns.

Tested in tests/simulator/test_connection.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import math
import time
from collections.abc import Awaitable, Callable

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from device.simulator.messages import Message
from device.simulator.record import ConnectionRecord

MAX_REASON_BYTES = 123
Job = Callable[[], Awaitable[None]]


class Wire:
    """Sends, receives and closes. Used from the event loop's thread only."""

    def __init__(
        self,
        socket: ServerConnection,
        record: ConnectionRecord,
        changed: Callable[[], None],
        *,
        empty: tuple[int, int] = (0, 1),
    ) -> None:
        """``empty``: the last of so many messages is ``{}``, and so many of those in a row."""
        self.record = record
        self.changed = changed
        """Called after every change of the record."""
        self.ended = False
        """Whether the server has ended the connection: what still comes in is not taken."""
        self._empty_every, self._empty_row = empty
        self._messages = 0
        self._socket = socket
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._hears = asyncio.Event()
        self._hears.set()

    @property
    def open(self) -> bool:
        """Whether the WebSocket is open, as far as anyone knows."""
        return self._socket.state is State.OPEN

    async def run(self, read: Job) -> None:
        """Run ``read`` until the connection is closed and all that had come in is read."""
        async with self._group:
            reader = self.spawn(read)
            await self._socket.wait_closed()
            self._hears.set()
            await asyncio.wait([reader])
            for task in self._tasks:
                task.cancel()

    async def receive(self) -> bytes | str:
        """Return the next frame. Raises ConnectionClosed."""
        await self._hears.wait()
        return await self._socket.recv()

    async def send(self, message: Message) -> None:
        """Send an object. Raises ConnectionClosed."""
        kinds = [
            name
            for key, content in message.items()
            for name in (content if key == "serverContent" else [key])
        ]
        await self.send_raw(json.dumps(message).encode(), kinds)
        self._messages += 1
        if self._empty_every and self._messages % (self._empty_every - 1) == 0:
            for _ in range(self._empty_row):
                await self.send_raw(b"{}", ["empty"])

    async def send_raw(self, data: bytes, kinds: list[str]) -> None:
        """Send bytes in a binary frame, as Google does. Raises ConnectionClosed."""
        await self.wait_speaking()
        if not self.ended:
            self.record.sent.extend((time.monotonic(), kind) for kind in kinds)
            self.changed()
        await self._socket.send(data)

    async def wait_speaking(self) -> None:
        """Wait until sending is allowed."""
        await self._speaks.wait()

    async def close(self, code: int, reason: str) -> None:
        """Close, once; the reason is cut as RFC 6455 asks."""
        if self.open:
            self.ended = True
            self.record.refused = (code, reason)
            cut = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
            await self._socket.close(code, cut)

    def refuse(self, code: int, reason: str) -> None:
        """Close from within the reading task, which must go on reading for that to succeed."""
        self.ended = True
        self.spawn(functools.partial(self.close, code, reason))

    async def drop(self) -> None:
        """Cut the TCP connection."""
        self.ended = True
        self._socket.transport.abort()
        await self._socket.wait_closed()

    def stop_speaking(self, for_s: float) -> None:
        """Hold back what is sent, for a while or (infinite) for good."""
        self._shut(self._speaks, for_s)

    def stop_hearing(self, for_s: float) -> None:
        """Read nothing, for a while or (infinite) for good."""
        self._shut(self._hears, for_s)

    def spawn(self, job: Job) -> asyncio.Task[None]:
        """Run a job in the group; it ends quietly when the connection is gone."""

        async def run() -> None:
            with contextlib.suppress(ConnectionClosed):
                await job()

        task = self._group.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def later(self, delay_s: float, job: Job) -> None:
        """Run a job after a delay, unless the connection ends first."""

        async def wait() -> None:
            await asyncio.sleep(delay_s)
            await job()

        self.spawn(wait)

    def _shut(self, gate: asyncio.Event, for_s: float) -> None:
        async def reopen() -> None:
            gate.set()

        gate.clear()
        if math.isfinite(for_s):
            self.later(for_s, reopen)
