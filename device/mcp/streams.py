"""`Watching` tells when nothing more comes from a server, which the library tells nobody.

Tested in tests/mcp/test_client.py.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from mcp.client._transport import ReadStream, TransportStreams
    from mcp.shared.message import SessionMessage

    Streams = TransportStreams
else:
    Streams = tuple


class Watching:
    """A stream of messages that calls ``ended`` when it ends. Used from the event loop's thread."""

    def __init__(
        self, inner: ReadStream[SessionMessage | Exception], ended: Callable[[], None]
    ) -> None:
        self._inner = inner
        self._ended = ended

    @property
    def last_context(self) -> Any:
        """Return what the sender of the last message had as context, as the library asks."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """Wait for the next message. Raises what the inner stream raises at its end."""
        try:
            return await self._inner.receive()
        except Exception:  # whatever it is, nothing more comes
            self._ended()
            raise

    async def aclose(self) -> None:
        """Close the stream."""
        await self._inner.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self._inner.__anext__()
        except Exception:  # StopAsyncIteration for one: nothing more comes
            self._ended()
            raise

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, traceback)
