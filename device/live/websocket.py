"""The WebSocket of a session ends in good order, follows nobody and takes messages within bounds.

websockets does most of what a speaker needs. What it does not is here: every end of ours is a
goodbye, the key goes to no other server than the one that was asked, one message can neither fill
the memory nor hold up the sound, and a message can be looked at before the SDK reads it.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import logging
import socket
import struct
import termios
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

CLOSE_S = 1.0
"""How long a close may take before the connection is cut."""
LONGEST_BYTES = 2 * 2**20
"""Of a message: half a minute of reply audio (64 kB a second in base64), which comes in pieces of a
second or less. A longer one closes the connection (1009). At worst, in text of four bytes a
character, the SDK takes thirteen times as much for a moment (measured: 26 MB)."""
QUEUE_FRAMES = 32
"""How many may wait to be read until nothing more is taken from the network. They do not wait for
long, and a burst of reply audio (64 kB each) in a longer queue took 16 MB."""
MOST_VALUES = 5_000
"""Of a message: numbers, texts, lists and objects in its JSON. The SDK makes an object of 1 kB of
each empty ``{}`` (300 kB of them took 71 MB and 0.7 s, measured on amd64), so the length alone
bounds nothing. The busiest message known, what a search has found, has some hundreds."""
_INT = bytes(4)
_UNACKNOWLEDGED_MS = 6_000
"""How long the other end's system may leave data unacknowledged until the connection is lost.

tcp(7): without it a network that has gone is noticed after a quarter of an hour. It is not the
model's silence that is measured here, nor its late pongs, but the acknowledgements of the network.
"""

# At DEBUG websockets writes every header of the handshake, the key among them, and every frame.
WIRE_LOG = logging.getLogger("device.live.wire")
WIRE_LOG.setLevel(logging.INFO)


def values(message: bytes) -> int:
    """Return how many values a message can hold at most, if it is JSON."""
    return 1 + message.count(b",") + message.count(b"[") + message.count(b"{")


class Socket(Protocol):
    """The connection under a session of the SDK's. Used by its reader and its writer."""

    async def ahead(self) -> bytes | None:
        """Wait for the next message and return it; it stays the next one.

        None when the connection is over: `recv` raises how. Cancelling loses no message. Raises
        ValueError for a message of more than `MOST_VALUES`, which is gone then.
        """

    def skip(self) -> None:
        """Drop the message that `ahead` has returned."""

    async def send(self, message: str) -> None:
        """Send a text frame; waits while the network takes nothing."""

    @property
    def takes(self) -> bool:
        """Whether `send` would write what it is given, at once, before it waits for anything."""

    def unacknowledged(self) -> int:
        """Return how many bytes were sent that the other end's system has not acknowledged."""


class Dialler:
    """Makes the connections of one session, and knows the newest.

    It is websockets' ``create_connection``. A session has one connection at a time.
    """

    def __init__(self) -> None:
        self._newest: Socket | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> ClientConnection:
        """Make a connection, as websockets asks for it."""
        connection: ClientConnection = _connection_type()(*args, **kwargs)
        self._newest = cast("Socket", connection)
        return connection

    @property
    def socket(self) -> Socket:
        """The newest connection. Raises ValueError where none was made yet."""
        if self._newest is None:
            raise ValueError("nothing was dialled")
        return self._newest


def _unacknowledged(connected: Any) -> int:
    try:
        # tcp(7) calls it SIOCOUTQ.
        return int(struct.unpack("i", fcntl.ioctl(connected, termios.TIOCOUTQ, _INT))[0])
    except (OSError, TypeError, ValueError):
        return 0  # It is closed, or no socket.


@functools.cache
def _connection_type() -> Any:  # noqa: C901 - a class with its methods
    from websockets.asyncio.client import ClientConnection  # noqa: PLC0415 - heavy
    from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: PLC0415 - heavy
    from websockets.protocol import State  # noqa: PLC0415 - heavy

    class OrderlyConnection(ClientConnection):
        _ahead: bytes | None = None

        # websockets calls every end by an exception an internal error (1011), also our own
        # cancelling of a connect, which the SDK does inside its context manager.
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            connected = transport.get_extra_info("socket")
            if connected is not None:
                option = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
                connected.setsockopt(*option)

        async def handshake(self, *args: Any, **kwargs: Any) -> None:
            try:
                await super().handshake(*args, **kwargs)
            except InvalidStatus as refused:
                # Without a place to go websockets does not go there. It would take the key along:
                # of the headers it only leaves those of HTTP's own passwords behind.
                refused.response.headers.pop("Location", None)
                raise

        async def recv(self, decode: bool | None = None) -> Any:
            message = await self._next()
            self.skip()
            return message.decode() if decode else message  # the SDK asks for bytes

        async def ahead(self) -> bytes | None:
            try:
                return await self._next()
            except ConnectionClosed:
                return None

        def skip(self) -> None:
            self._ahead = None

        @property
        def takes(self) -> bool:
            return self.state is State.OPEN

        def unacknowledged(self) -> int:
            return _unacknowledged(self.transport.get_extra_info("socket"))

        async def _next(self) -> bytes:
            if self._ahead is None:
                message = await super().recv(decode=False)
                if values(message) > MOST_VALUES:
                    raise ValueError(f"a message of more than {MOST_VALUES} values")
                self._ahead = message
            return self._ahead

        async def __aexit__(
            self,
            exc_type: type[BaseException] | None,
            exc_value: BaseException | None,
            traceback: TracebackType | None,
        ) -> None:
            # websockets waits without end for a stalled network to take the close frame.
            stalled = asyncio.get_running_loop().call_later(CLOSE_S, self.transport.abort)
            try:
                await self.close()
            finally:
                stalled.cancel()

    return OrderlyConnection
