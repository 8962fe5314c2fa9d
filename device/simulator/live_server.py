"""`LiveServer` stands in for Google's Live API on loopback: TLS, strict, told by a script.

It answers like the real server as far as the published reference and field reports say, and refuses
what the real one refuses. It does not understand a word: what it "hears" and says is in the script.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.protocol import State

from device.simulator import script as scripts
from device.simulator.certificate import Certificate, make_certificate
from device.simulator.connection import Connection
from device.simulator.handshake import api_version, judge, make_token, takes_tokens, token_in
from device.simulator.post import Post
from device.simulator.record import ConnectionRecord, Question
from device.simulator.stage import Stage
from device.simulator.tokens import Mint
from device.simulator.voices import reply_pcm

CLOSE_TIMEOUT_S = 1.0
HANDSHAKE_TIMEOUT_S = 5.0
RECEIVE_BUFFER_BYTES = 16_384
T = TypeVar("T")


class LiveServer:
    """The stand-in server. Used from one event loop's thread only.

    ``async with LiveServer(script, directory=path) as server`` listens on loopback with a
    certificate made in that directory; leaving the block ends every connection (1001, then cut).
    """

    def __init__(
        self,
        script: scripts.Script,
        *,
        directory: Path,
        port: int = 0,
        host: str = "localhost",
        certificate: Certificate | None = None,
    ) -> None:
        self.script = script
        self.connections: list[ConnectionRecord] = []
        """Every connection that got as far as an HTTP request, in order of arrival."""
        self.attempts = 0
        """TCP connections taken, whatever became of them."""
        self._directory = directory
        self._host = host
        self._port = port
        self._made = certificate
        self._changed = asyncio.Event()
        self._stage = Stage(script, self._wake)
        self._listeners: list[Server] = []
        """All there were; the last may be listening."""
        self._sockets: set[ServerConnection] = set()
        self._live: list[Connection] = []
        self._records: dict[ServerConnection, ConnectionRecord] = {}
        """Of those between their request and their WebSocket."""

    @property
    def url(self) -> str:
        """``https://localhost:PORT``: the ``base_url`` of a client, without a trailing slash."""
        return f"https://{self._host}:{self._port}"

    @property
    def certificate(self) -> Path:
        """The PEM file to trust."""
        assert self._made is not None  # noqa: S101 - only before entering
        return self._made.certificate

    @property
    def tls(self) -> Certificate:
        """The certificate with its key, for another server beside this one."""
        assert self._made is not None  # noqa: S101 - only before entering
        return self._made

    @property
    def audio(self) -> bytes:
        """Microphone audio of all connections, in order of arrival of the connections."""
        return b"".join(bytes(record.audio) for record in self.connections)

    @property
    def mint(self) -> Mint:
        """The ephemeral tokens that it has made, and which it refused."""
        return self._stage.mint

    @property
    def questions(self) -> list[Question]:
        """Every request for an answer on all connections, in order of arrival."""
        found = [question for record in self.connections for question in record.questions]
        return sorted(found, key=lambda question: question.at)

    def times_asked(self, turn: int) -> int:
        """Return how often the question of a turn was asked, over all connections.

        Turns count from 1 in each conversation.
        """
        return sum(question.turn == turn for question in self.questions)

    async def __aenter__(self) -> Self:
        for turn in self.script.turns:
            for audio in turn.sounds:
                reply_pcm(audio)
        self._made = self._made or make_certificate(self._directory)
        await self.listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.kill_listener()
        await asyncio.gather(*(_end(socket) for socket in list(self._sockets)))
        for listener in self._listeners:
            await listener.wait_closed()

    # --- control from outside --------------------------------------------------------------------

    async def wait_for(self, predicate: Callable[[LiveServer], T], timeout_s: float) -> T:
        """Wait until ``predicate(server)`` is true and return what it returned.

        It is looked at now and after every change of a record. Raises TimeoutError.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not (result := predicate(self)):
                    await self._changed.wait()
                return result
        except TimeoutError:
            raise TimeoutError(f"not within {timeout_s} s; {self.summary()}") from None

    def summary(self) -> str:
        """Return one line that tells what came so far, for the messages of failed tests."""
        lines = [
            f"connection {record.number}: status {record.status}, {len(record.audio)} bytes of "
            f"audio, {len(record.questions)} questions, {record.turns} turns, "
            f"refused {record.refused}, closed {record.close_code}"
            for record in self.connections
        ]
        return "; ".join([f"{self.attempts} attempts", *lines])

    async def do(self, action: scripts.Action) -> None:
        """Do an action of the script now, on the newest open connection.

        Raises ConnectionError when no connection is open.
        """
        await self._newest().do(action)
        self._wake()

    async def say(self, turn: scripts.Turn) -> None:
        """Let the model say something now, beside the script. Raises ConnectionError."""
        self._newest().say(turn)

    async def go_away(self, time_left_s: float) -> None:
        """Announce the end of the newest connection. Raises ConnectionError."""
        await self.do(scripts.GoAway(time_left_s))

    async def drop(self, code: int | None = None, reason: str = "") -> None:
        """Close the newest connection; without a code, cut TCP. Raises ConnectionError."""
        await self.do(scripts.Drop() if code is None else scripts.Close(code, reason))

    async def kill_listener(self) -> None:
        """Take no more connections (clients see "connection refused"); the open ones go on."""
        if self._listeners:
            self._listeners[-1].close(close_connections=False)

    async def listen(self) -> None:
        """Take connections, on the same port as before. Raises OSError when it is taken."""
        assert self._made is not None  # noqa: S101 - only before entering
        listener = await serve(
            self._serve,
            "127.0.0.1" if self._host == "localhost" else self._host,
            self._port,
            ssl=self._made.server_context(),
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            create_connection=self._counted(),
            process_request=self._judge_request,
            compression=None,
            # A slow client is for the script to judge, not for timeouts of ours.
            open_timeout=None,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=None,
        )
        for listening in listener.sockets:
            # Inherited by what is accepted: so a server that stops reading is soon felt.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._port = listener.sockets[0].getsockname()[1]
        self._listeners.append(listener)

    def _newest(self) -> Connection:
        for connection in reversed(self._live):
            if connection.open:
                return connection
        raise ConnectionError("no connection is open; wait for one first")

    # --- one connection --------------------------------------------------------------------------

    def _counted(self) -> type[ServerConnection]:
        """Return a connection class that counts: asyncio makes one before the TLS handshake."""
        server = self

        class CountedConnection(ServerConnection):
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                self.post: Post | None = None
                self._began = False
                server.attempts += 1
                server._wake()

            def data_received(self, data: bytes) -> None:
                if not self._began:
                    self._began = True
                    self.post = Post() if Post.begins(data) else None
                if self.post is None:
                    super().data_received(data)
                elif (request := self.post.feed(data)) is not None:
                    super().data_received(request)

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                server._sockets.add(self)

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                server._sockets.discard(self)

        return CountedConnection

    async def _judge_request(self, client: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        post = getattr(client, "post", None)
        if isinstance(post, Post):
            return make_token(self._stage.mint, request, post.body, self.script.api_keys)
        key = request.headers.get("x-goog-api-key") or parse_qs(parts.query).get("key", [""])[0]
        record = ConnectionRecord(len(self.connections) + 1, parts.path, key, time.monotonic())
        if takes_tokens(parts.path):
            record.token = token_in(request.headers, parts.query)
        self.connections.append(record)
        self._wake()
        answer = await judge(self.script, client, record, self._stage.mint)
        if answer is None:
            record.status = 101
            self._records[client] = record
        else:
            record.status = 0 if client.transport.is_closing() else answer.status_code
            record.closed_at, record.closed_by = time.monotonic(), "server"
        self._wake()
        return answer

    async def _serve(self, client: ServerConnection) -> None:
        record = self._records.pop(client)
        connection = Connection(self._stage, client, record, api_version(record.path) or "")
        self._live.append(connection)
        self._wake()
        try:
            await connection.run()
        finally:
            self._live.remove(connection)
            _note_end(record, client)
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def _end(client: ServerConnection) -> None:
    """End a connection politely, then by force: a client that is gone cannot hold us up."""
    if client.state is State.OPEN:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await client.close(1001, "")
    client.transport.abort()


def _note_end(record: ConnectionRecord, client: ServerConnection) -> None:
    record.closed_at = time.monotonic()
    received = client.protocol.close_rcvd
    if received is not None:
        record.close_code, record.close_reason = int(received.code), received.reason
    if client.protocol.close_rcvd_then_sent is not None:
        record.closed_by = "client" if client.protocol.close_rcvd_then_sent else "server"
    elif record.refused is not None:
        record.closed_by = "server"
