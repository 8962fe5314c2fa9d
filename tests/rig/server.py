"""The stand-in Live server in a thread of its own, for tests that start Parley as a process."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from device.simulator.certificate import Certificate
from device.simulator.live_server import LiveServer
from device.simulator.record import ConnectionRecord, Question
from device.simulator.script import Script

T = TypeVar("T")
CALL_TIMEOUT_S = 30.0


class ServerThread:
    """Runs a LiveServer with its own event loop; every method may be called from any thread.

    ``with ServerThread(script) as server`` listens; point the process under test at ``server.url``
    with ``SSL_CERT_FILE=server.certificate``. Raises whatever the server raised when it started.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        certificate: Certificate | None = None,
        host: str = "localhost",
    ) -> None:
        self._script = script or Script()
        self._host = host
        self._made = certificate
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="live-server")
        self._directory = tempfile.TemporaryDirectory(prefix="parley-server-")
        self.server: LiveServer | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._run(self._start())
        except BaseException:
            self._stop_loop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.call(lambda server: server.__aexit__(None, None, None))
        finally:
            self._stop_loop()

    @property
    def url(self) -> str:
        """``https://localhost:PORT``, without a trailing slash."""
        return self._running.url

    @property
    def certificate(self) -> Path:
        """The PEM file to trust."""
        return self._running.certificate

    @property
    def attempts(self) -> int:
        """TCP connections taken, whatever became of them."""
        return self._running.attempts

    @property
    def connections(self) -> list[ConnectionRecord]:
        """Copies of the records as they are now."""
        return self.look(lambda server: [record.copy() for record in server.connections])

    @property
    def audio(self) -> bytes:
        """Microphone audio of all connections so far."""
        return self.look(lambda server: server.audio)

    @property
    def questions(self) -> list[Question]:
        """Copies of every request for an answer, on all connections, in order of arrival."""
        return self.look(lambda server: [replace(question) for question in server.questions])

    def times_asked(self, turn: int) -> int:
        """Return how often the question of a turn was asked, over all connections."""
        return self.look(lambda server: server.times_asked(turn))

    def wait_for(
        self, predicate: Callable[[LiveServer], T], timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        """Block until ``predicate(server)`` is true; return what it returned.

        The predicate runs in the server's thread and sees the live records. Raises TimeoutError,
        which tells what came instead.
        """
        return self.call(
            lambda server: server.wait_for(predicate, timeout_s), timeout_s=timeout_s + 5
        )

    def call(
        self, function: Callable[[LiveServer], Awaitable[T]], *, timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        """Run a coroutine function with the server in its thread, and return its result.

        Such as ``call(lambda server: server.go_away(5))``.
        """

        async def run() -> T:
            return await function(self._running)

        return self._run(run(), timeout_s)

    def look(self, function: Callable[[LiveServer], T]) -> T:
        """Run a plain function with the server in its thread, and return its result."""

        async def run() -> T:
            return function(self._running)

        return self._run(run())

    @property
    def _running(self) -> LiveServer:
        assert self.server is not None, "enter the ServerThread first"
        return self.server

    async def _start(self) -> None:
        # Made in here: its events belong to this loop.
        server = LiveServer(
            self._script,
            directory=Path(self._directory.name),
            certificate=self._made,
            host=self._host,
        )
        self.server = await server.__aenter__()

    def _run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = CALL_TIMEOUT_S) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()
        self._directory.cleanup()
