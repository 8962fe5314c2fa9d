"""A token server of a few lines, which answers over HTTPS whatever a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self

from device.simulator.certificate import Certificate
from device.simulator.live_server import LiveServer


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What comes back."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Decide = Callable[[Asked], Awaitable[Answer]]


class LendingServer:
    """``async with`` listens on loopback; ``decide`` answers each request."""

    def __init__(self, decide: Decide, certificate: Certificate | None) -> None:
        self.decide = decide
        self.asked: list[Asked] = []
        self._certificate = certificate
        self._port = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://localhost:{self._port}/token"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def listen(self) -> None:
        """Take requests, on the same port as before."""
        context = self._certificate.server_context() if self._certificate else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, ssl=context)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Take none any more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            asked = Asked(first.split()[0], first.split()[1], headers, body)
            self.asked.append(asked)
            answer = await self.decide(asked)
            told = {
                "Date": format_datetime(datetime.now(UTC), usegmt=True),
                "Content-Length": str(len(answer.body)),
                "Connection": "close",
            } | answer.headers
            lines = [f"{name}: {value}" for name, value in told.items()]
            writer.write("\r\n".join([f"HTTP/1.1 {answer.status} x", *lines, "", ""]).encode())
            writer.write(answer.body)
            await writer.drain()
        writer.close()


def lends(server: LiveServer, **terms: Any) -> Decide:
    """Answer with a token that the stand-in has just made, as `parley token serve` does."""

    async def decide(asked: Asked) -> Answer:
        model = json.loads(asked.body)["model"]
        return Answer(body=json.dumps(lent(server, model, **terms)).encode())

    return decide


def lent(
    server: LiveServer,
    model: str,
    *,
    uses: int = 1,
    life_s: float = 1_800.0,
    sessions_s: float = 120.0,
    locked: str | None = None,
) -> dict[str, Any]:
    """Make a token of the stand-in, and say of it what a token server says."""
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=life_s)
    sessions = now + timedelta(seconds=min(sessions_s, life_s))
    asked = {
        "uses": uses,
        "expireTime": ends.isoformat(),
        "newSessionExpireTime": sessions.isoformat(),
        "bidiGenerateContentSetup": {
            "model": f"models/{locked or model}",
            "generationConfig": {"responseModalities": ["AUDIO"]},
        },
        "fieldMask": "model,generationConfig.responseModalities",
    }
    clock = asyncio.get_running_loop().time()
    minted = server.mint.make(json.dumps(asked).encode(), now, clock)
    return {
        "name": minted.name,
        "expire_time": ends.isoformat(),
        "new_session_expire_time": sessions.isoformat(),
        "uses": uses,
        "models": [locked or model],
    }
