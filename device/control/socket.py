"""The control socket: commands in, answers and events out, as JSON lines over a Unix socket.

A client sends one line, ``{"command": "volume", "percent": 40}``, and reads lines until the
connection closes: any number of records, the last one ``{"result": …}`` or ``{"error": "…"}``.
`watch` sends public events until the client goes away. Whoever may open the socket (its owner and
the group `parley`) may do everything; there is no other access.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import reprlib
import select
import socket
import stat
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, Self

from device.errors import ControlError

log = logging.getLogger(__name__)

LINE_BYTES = 65_536
"""The longest request; a longer one is refused."""

REQUEST_TIMEOUT_S = 10.0
"""How long a client may take to say what it wants."""

WRITE_TIMEOUT_S = 10.0
"""How long a client may leave what we send unread before it is dropped."""

CLIENTS = 32
"""How many connections are served at once; as many more are heard, to be refused in words."""

GONE_CHECK_S = 1.0
"""How often a client that has said all it had to say is looked after: is it still there?"""

Record = Mapping[str, Any]
Records = AsyncGenerator[Record, None]
Command = Callable[[Record], Records]


def socket_path(given: str | None, environment: Mapping[str, str], user: int | None = None) -> Path:
    """Where the control socket is: as given, else systemd's runtime directory, else the user's.

    ``user``: a user's number, by default who runs this. Raises ControlError when another user
    might put a socket there.
    """
    user = os.getuid() if user is None else user
    if given:
        return Path(given)
    if environment.get("RUNTIME_DIRECTORY"):
        return Path(environment["RUNTIME_DIRECTORY"].split(":")[0], "control.sock")
    service = Path("/run/parley/control.sock")
    if user == 0 or service.parent.is_dir():
        return service
    if environment.get("XDG_RUNTIME_DIR"):
        return Path(environment["XDG_RUNTIME_DIR"], "parley", "control.sock")
    folder = Path(tempfile.gettempdir(), f"parley-{user}")
    _only_for(user, folder)
    return folder / "control.sock"


def _only_for(user: int, folder: Path) -> None:
    """Anybody may make a folder of that name among temporary files, and listen in it."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or others_write:
        raise ControlError(
            f"{folder} is not this user's own folder, or others may write to it: "
            "delete it, or choose another socket with --socket"
        )


class ControlServer:
    """Serves the control socket inside an ``async with`` block."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = commands
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Raises ControlError when another speaker serves this socket, or it cannot be made."""
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._remove_stale()
            before = os.umask(0o117)
            try:
                self._server = await asyncio.start_unix_server(
                    self._serve, self._path, limit=LINE_BYTES
                )
            finally:
                os.umask(before)
        except OSError as error:
            message = f"the control socket {self._path} cannot be made: {error.strerror or error}"
            raise ControlError(f"{message}; choose another with --socket") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for client in self._clients:
            client.cancel()
        if self._clients:
            await asyncio.wait(self._clients)
        self._path.unlink(missing_ok=True)

    def _remove_stale(self) -> None:
        """A socket left behind by a crash goes; one that answers is somebody else's."""
        if not self._path.is_socket():
            return
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
            try:
                probe.connect(str(self._path))
            except ConnectionRefusedError:
                self._path.unlink(missing_ok=True)
                return
        raise ControlError(
            f"another parley already runs on {self._path}; stop it or choose another --socket"
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        if len(self._clients) >= 2 * CLIENTS:
            # Descriptors are what sessions and sound devices need too.
            writer.transport.abort()
            return
        self._clients.add(task)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            log.debug("a control client went away, or does not read")
            # What it did not read is not waited for.
            writer.transport.abort()
        finally:
            self._clients.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = _parse(await self._read(reader))
            await self._send_all(self._command(request)(request), reader, writer)
        except ControlError as error:
            await _send(writer, {"error": str(error)})

    def _command(self, request: Record) -> Command:
        if len(self._clients) > CLIENTS:
            raise ControlError(f"more than {CLIENTS} clients at once; try again later")
        name = request.get("command")
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None:
            known = ", ".join(sorted(self._commands))
            raise ControlError(f"command {reprlib.repr(name)} is not known; there are: {known}")
        return command

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await reader.readline()
        except TimeoutError as error:
            message = f"no request, ended by a line break, came within {REQUEST_TIMEOUT_S:g} s"
            raise ControlError(message) from error
        except ValueError as error:
            raise ControlError(f"the request is longer than {LINE_BYTES} bytes") from error

    async def _send_all(
        self,
        records: Records,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Send what the command yields; stop working for a client that has hung up."""
        sending = asyncio.ensure_future(_send_each(records, writer))
        gone = asyncio.ensure_future(_hung_up(reader, writer))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)


async def _send_each(records: Records, writer: asyncio.StreamWriter) -> None:
    async with contextlib.aclosing(records):
        async for record in records:
            await _send(writer, record)


async def _hung_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Return when the client is gone, or does not stop talking.

    What it says is not listened to. One that only has no more to say (`... | nc -UN`) is answered.
    """
    heard = 0
    while more := await reader.read(LINE_BYTES):
        heard += len(more)
        if heard > LINE_BYTES:
            return
    client = writer.get_extra_info("socket")
    peer = select.poll()
    # Asked for nothing, poll tells when both directions are shut: nobody is left to answer.
    peer.register(client.fileno(), 0)
    while not peer.poll(0):  # noqa: ASYNC110 - asyncio watches for what can be read only
        await asyncio.sleep(GONE_CHECK_S)


async def _send(writer: asyncio.StreamWriter, record: Record) -> None:
    # Half a surrogate pair, which JSON can escape and UTF-8 cannot write, becomes a question mark.
    writer.write(json.dumps(record, ensure_ascii=False).encode(errors="replace") + b"\n")
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await writer.drain()


def _parse(line: bytes) -> dict[str, Any]:
    if not line.strip():
        raise ControlError('there is no request: send one line such as {"command": "status"}')
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"the request is not JSON: {line[:80]!r}") from error
    if not isinstance(request, dict):
        raise ControlError(f"the request is not a JSON object: {line[:80]!r}")
    return request


async def call(path: Path, request: Record) -> AsyncGenerator[dict[str, Any], None]:
    """Send a request to a running speaker and yield what it answers, as a client.

    Raises ControlError when nobody is there, may not be spoken to, or refuses.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=16 * LINE_BYTES)
    except PermissionError as error:
        hint = "use sudo, or: sudo usermod -aG parley $USER (then log in again)"
        raise ControlError(f"{path} may not be opened by this user; {hint}") from error
    except OSError as error:
        hint = "is the speaker running? (systemctl status parley, or parley run)"
        why = error.strerror or error
        raise ControlError(f"nobody answers on {path}: {why}; {hint}") from error
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        async for line in reader:
            record = json.loads(line)
            if "error" in record and "event" not in record:
                raise ControlError(record["error"])
            yield record
    except (ConnectionError, ValueError) as error:
        raise ControlError(f"the speaker on {path} hung up: {error}") from error
    finally:
        writer.close()
