"""Servers that are kept as the speaker keeps them, and what tests wait for with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from device.mcp.server import LIST_AGAIN_S, State
from device.mcp.servers import Servers, Standing
from device.mcp.wanted import Wanted

EVENT_S = 60.0


class Living:
    """`Servers` that run; each standing that was told is kept in ``told``."""

    def __init__(self, wanted: Sequence[Wanted], list_again_s: float = LIST_AGAIN_S) -> None:
        self.told: list[Standing] = []
        self._changed = asyncio.Event()
        self.servers = Servers(wanted, self._note, list_again_s=list_again_s)

    def _note(self, standing: Standing) -> None:
        self.told.append(standing)
        self._changed.set()

    async def until(self, met: Callable[[Servers], object]) -> None:
        """Wait until a condition is met, looked at whenever a standing was told."""
        try:
            async with asyncio.timeout(EVENT_S):
                while not met(self.servers):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"the servers came to: {self.servers.standings}") from None

    async def until_ready(self) -> None:
        """Wait until all servers are ready."""
        await self.until(lambda now: all(each.state is State.READY for each in now.standings))

    async def until_gone(self, name: str = "home") -> Standing:
        """Wait until a server is gone, and return where it stands then."""
        await self.until(lambda _: self.standing(name).state is State.GONE)
        return self.standing(name)

    def standing(self, name: str = "home") -> Standing:
        """Where a server stands now."""
        return next(each for each in self.servers.standings if each.name == name)

    @property
    def names(self) -> list[str]:
        """The functions that are declared now."""
        return [tool.name for tool in self.servers.tools]


@asynccontextmanager
async def living(*wanted: Wanted, list_again_s: float = LIST_AGAIN_S) -> AsyncIterator[Living]:
    """Keep servers for as long as this is entered."""
    made = Living(wanted, list_again_s)
    task = asyncio.create_task(made.servers.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass
class Canned:
    """An HTTP server that gives one answer to everything, and keeps what it was asked."""

    answer: bytes
    heads: list[str] = field(default_factory=list)
    port: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """An address at it."""
        return f"http://127.0.0.1:{self.port}/api/mcp"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the request of one connection, or nothing where there is no answer."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        self.asked.set()
        if self.answer:
            writer.write(self.answer)
            await writer.drain()
            writer.close()
        else:
            await reader.read()
            writer.close()


Message = dict[str, Any]


@asynccontextmanager
async def scripted(
    respond: Callable[[Message], Message | bytes | None],
    news: Callable[[], Awaitable[bytes]] | None = None,
) -> AsyncIterator[str]:
    """Yield the URL of a server that answers each message as ``respond`` says.

    That is ``result`` or ``error``, or all that is on the wire (nothing: it is not answered), or
    None: then it is answered as the simplest server does that has tools. What a GET is answered
    with, if it has a body of its own, ``news`` says.
    """
    plain: dict[str, Message] = {
        "initialize": {
            "result": {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "scripted", "version": "1"},
            }
        },
        "tools/list": {"result": {"tools": []}},
    }
    unknown = {"error": {"code": -32601, "message": "Method not found"}}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        except asyncio.IncompleteReadError:
            writer.close()  # who connected has thought better of it
            return
        if not head.startswith("post "):
            writer.write(await news() if news else http_answer("405 Method Not Allowed"))
            await writer.drain()
            writer.close()
            return
        length = int(head.partition("content-length:")[2].split()[0])
        message = json.loads(await reader.readexactly(length))
        if "id" in message:
            answer = respond(message)
            if answer is None:
                answer = plain.get(message["method"], unknown)
            if answer == b"":
                await reader.read()
            elif isinstance(answer, bytes):
                writer.write(answer)
            else:
                body = json.dumps({"jsonrpc": "2.0", "id": message["id"]} | answer)
                writer.write(http_answer("200 OK", "application/json", body))
        else:
            writer.write(http_answer("202 Accepted"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    finally:
        server.close()


def http_answer(status: str, kind: str = "text/plain", body: str = "", *headers: str) -> bytes:
    """An answer as it is on the wire."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "connection: close", *headers, "", body]).encode()


@asynccontextmanager
async def canned(answer: bytes) -> AsyncIterator[Canned]:
    """Listen on loopback for as long as this is entered."""
    made = Canned(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
