"""The control socket takes commands and gives answers and events, as lines of JSON.

A client sends one line, ``{"command": "volume", "percent": 40}``, and reads lines until the
connection closes: any number of records, the last one ``{"result": …}`` or ``{"error": "…"}``.
`watch` sends public events until the client goes away. With `ask` a picture may come: so many bytes
after the line as ``attached_bytes`` in it says. Whoever may open the socket (its owner and
the group `parley`) may do everything; there is no other access.

A command that is over at once always finds room: those that last (`watch`, `ask`) get a part of the
connections only, and one that has not said yet what it wants gives way to one that comes.
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
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Self

from device.errors import ControlError, ParleyError, UnansweredError
from device.text import printable_lines, printable_record

log = logging.getLogger(__name__)

LINE_BYTES = 65_536
"""The longest request; a longer one is refused."""

REQUEST_TIMEOUT_S = 10.0
"""How long a client may take to say what it wants."""

WRITE_TIMEOUT_S = 10.0
"""How long a client may leave what we send unread before it is dropped."""

CLIENTS = 64
"""How many connections there may be at once: descriptors are what sessions and sound need too."""

LASTING_CLIENTS = 24
"""How many of them may hold a command that lasts."""

GONE_CHECK_S = 1.0
"""How often a client that has said all it had to say is looked after: is it still there?"""

Record = Mapping[str, Any]
Records = AsyncGenerator[Record, None]
Command = Callable[[Record], Records]


SERVICE = Path("/run/parley/control.sock")
"""Where the service listens; systemd makes the folder, for as long as the service runs."""


def listening_path(
    given: str | None, environment: Mapping[str, str], user: int | None = None
) -> Path:
    """Return where a speaker listens: as given, else where systemd says, else the user's own.

    Root's own is the service's. ``user``: a user's number, by default who runs this. Raises
    ControlError when another user might put a socket there.
    """
    user = os.getuid() if user is None else user
    if given:
        return Path(given)
    if environment.get("RUNTIME_DIRECTORY"):
        return Path(environment["RUNTIME_DIRECTORY"].split(":")[0], "control.sock")
    if user == 0:
        return SERVICE
    if environment.get("XDG_RUNTIME_DIR"):
        return Path(environment["XDG_RUNTIME_DIR"], "parley", "control.sock")
    folder = Path(tempfile.gettempdir(), f"parley-{user}")
    _only_for(user, folder)
    return folder / "control.sock"


def socket_path(given: str | None, environment: Mapping[str, str], user: int | None = None) -> Path:
    """Return where a speaker is spoken to: where one of the user's own listens, else the service.

    A folder of the service without a socket, as a crash leaves it, is nobody. Raises ControlError
    as `listening_path` does.
    """
    own = listening_path(given, environment, user)
    asked = given or environment.get("RUNTIME_DIRECTORY")
    return SERVICE if not asked and not _is_socket(own) and _is_socket(SERVICE) else own


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:
        return False


def _only_for(user: int, folder: Path) -> None:
    """Make sure of a folder among temporary files, where anybody may make one of that name.

    It is made before it is looked at, also by who only wants to speak: what is not there yet could
    be somebody else's a moment later.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        message = f"{folder} cannot be made: {error.strerror}; choose a socket with --socket"
        raise ControlError(message) from error
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or others_write:
        raise ControlError(
            f"{folder} is not this user's own folder, or others may write to it: "
            "delete it, or choose another socket with --socket"
        )


class ControlServer:
    """Serves the control socket inside an ``async with`` block."""

    def __init__(
        self,
        path: Path,
        commands: Mapping[str, Command],
        lasting: Collection[str] = (),
        attached: Mapping[str, int] | None = None,
    ) -> None:
        """`lasting`: the names of those commands that go on for as long as the client wants.

        `attached`: how many bytes may come after the line of which commands; they get them under
        that name. None may last less: so there are never many of them in memory.
        """
        self._attached = attached or {}
        self._path = path
        self._commands = commands
        self._lasting = frozenset(lasting)
        self._clients: dict[asyncio.Task[None], str] = {}
        """What each one wants, in the order in which they came; empty until it is known."""
        self._made: list[Path] = []
        """The folders that were made for the socket, the outermost first."""

    async def __aenter__(self) -> Self:
        """Raises ControlError when another speaker serves this socket, or it cannot be made."""
        try:
            self._make_folders()
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
        # What is left behind would tell the next who looks that a speaker is there.
        with contextlib.suppress(OSError):
            for folder in reversed(self._made):
                folder.rmdir()

    def _make_folders(self) -> None:
        missing = [folder for folder in self._path.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o750, exist_ok=True)
            self._made.append(folder)

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
        if len(self._clients) >= CLIENTS and not self._make_room():
            writer.transport.abort()
            return
        self._clients[task] = ""
        try:
            await self._answer(reader, writer)
            writer.close()
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await writer.wait_closed()
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            log.debug("a control client went away, or does not read")
            # What it did not read is not waited for.
            writer.transport.abort()
            # Asked, asyncio does not tell the journal that it went while it was written to.
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        finally:
            writer.close()
            self._clients.pop(task, None)

    def _make_room(self) -> bool:
        """Cut off who has been silent for longest; return whether there was one."""
        silent = next((task for task, wants in self._clients.items() if not wants), None)
        if silent is None:
            return False
        silent.cancel()
        del self._clients[silent]
        return True

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = _parse(await self._read(reader))
            command = self._command(request)
            if "attached_bytes" in request:
                request["attached"] = await self._read_attached(request, reader)
            await self._send_all(command(request), reader, writer)
        except ParleyError as error:
            # Of the records, say: whatever was raised on purpose has words for who asked.
            await _send(writer, {"error": str(error)})

    def _command(self, request: Record) -> Command:
        name = request.get("command")
        if not isinstance(name, str) or name not in self._commands:
            known = ", ".join(sorted(self._commands))
            raise ControlError(f"command {reprlib.repr(name)} is not known; there are: {known}")
        if name in self._lasting:
            lasting = sum(wants in self._lasting for wants in self._clients.values())
            if lasting >= LASTING_CLIENTS:
                kinds = ", ".join(sorted(self._lasting))
                raise ControlError(
                    f"{LASTING_CLIENTS} clients hold one of {kinds} already; end one of them, or"
                    " try again later"
                )
        task = asyncio.current_task()
        if task in self._clients:
            self._clients[task] = name
        return self._commands[name]

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await reader.readline()
        except TimeoutError as error:
            message = f"no request, ended by a line break, came within {REQUEST_TIMEOUT_S:g} s"
            raise ControlError(message) from error
        except ValueError as error:
            raise ControlError(f"the request is longer than {LINE_BYTES} bytes") from error

    async def _read_attached(self, request: Record, reader: asyncio.StreamReader) -> bytes:
        name, size = request["command"], request["attached_bytes"]
        most = self._attached.get(name, 0)
        if type(size) is not int or not 0 < size <= most:
            given = reprlib.repr(size)
            raise ControlError(f"{given} bytes cannot be attached to {name}; at most {most} can")
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await reader.readexactly(size)
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            message = f"the {size} bytes attached to {name} did not come"
            raise ControlError(f"{message} within {REQUEST_TIMEOUT_S:g} s") from error

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


async def call(
    path: Path, request: Record, attached: bytes = b""
) -> AsyncGenerator[dict[str, Any], None]:
    """Send a request to a running speaker and yield what it answers, as a client.

    ``attached`` goes with it. Raises ControlError when nobody is there, may not be spoken to, or
    refuses.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=16 * LINE_BYTES)
    except PermissionError as error:
        hint = "use sudo, or: sudo usermod -aG parley $USER (then log in again)"
        raise ControlError(f"{path} may not be opened by this user; {hint}") from error
    except OSError as error:
        hint = "is the speaker running? (systemctl status parley, or parley run)"
        why = error.strerror or error
        raise UnansweredError(f"nobody answers on {path}: {why}; {hint}") from error
    try:
        size = {"attached_bytes": len(attached)} if attached else {}
        writer.write(json.dumps({**request, **size}).encode() + b"\n" + attached)
        await writer.drain()
        async for line in reader:
            record = _record(line)
            if "error" in record and "event" not in record:
                raise ControlError(str(record["error"]))
            yield record
    except (ConnectionError, ValueError, RecursionError) as error:
        raise ControlError(f"the speaker on {path} hung up: {error}") from error
    finally:
        writer.close()


def _record(line: bytes) -> dict[str, Any]:
    """Return a record whose texts only show. Raises ValueError or RecursionError.

    Whoever asks may be root, and what answers a speaker that somebody has taken over.
    """
    record = printable_record(json.loads(line), printable_lines)
    if not isinstance(record, dict):
        raise ValueError(f"{reprlib.repr(record)} is no record")  # noqa: TRY004 - as what is no JSON
    return record
