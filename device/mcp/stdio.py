"""`child_process` runs a local MCP server and speaks with it over its standard input and output.

Messages are lines of JSON. What the child says on standard error is read always, so that it never
waits for us; some lines of it go to the journal at DEBUG, which is off by default, and the last
one is told where the server fails. Lines that are no messages are counted and
dropped. No line is longer than its bound.

The child has a process group of its own, which is ended with it: input closed, then SIGTERM, then
SIGKILL. When the speaker itself is killed, the child gets SIGTERM from the kernel
(see `device.mcp.tied`) and the end of its input; what it started sees that end, too. In systemd's
unit the whole control group is ended besides.

It gets an environment of its own: where programs are, whose it is, the language, the trusted
certificates, and its token; nothing else of the speaker's, whose keys are not its business.

This module imports the library: nobody imports it before a server is to be connected to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from device.mcp.bounds import Bound, TooLongError
from device.mcp.failures import Failure, Fault, ServerFailureError
from device.mcp.streams import Streams
from device.mcp.wanted import Wanted
from device.text import printable

log = logging.getLogger(__name__)

TOKEN_VARIABLE = "MCP_TOKEN"  # noqa: S105 - the name of one
"""Where a local server finds its credential."""
INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "STATE_DIRECTORY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
END_S = 1.0
"""How long a child may take to end when its input is closed, and again when it is told to. The
service has 10 s for all of its end."""
CHUNK_BYTES = 65_536
LONGEST_LINE = 200
"""Characters of a line of standard error that are kept."""
LINES = 20
"""Lines of standard error per start that are told to the journal, at DEBUG; the rest is counted."""
MOST_GARBAGE = 1_000
"""Lines on standard output that are no messages, until it is given up. Some print a greeting."""


def environment(wanted: Wanted, ours: Mapping[str, str]) -> dict[str, str]:
    """Return what a child finds in its environment."""
    kept = {name: ours[name] for name in INHERITED if name in ours}
    return kept | ({TOKEN_VARIABLE: wanted.secret} if wanted.secret is not None else {})


@dataclass
class Child:
    """What is known of a running child."""

    process: asyncio.subprocess.Process
    last_words: str = ""
    """The last line on standard error."""
    lines: int = 0
    garbage: int = 0
    last_garbage: str = ""
    told: list[Failure] = field(default_factory=list)
    """Why it was given up."""

    def failure(self) -> Failure:
        """Say why there is nothing more to be read of it."""
        if self.told:
            return self.told[0]
        code = self.process.returncode
        how = "it has closed its output" if code is None else _ending(code)
        return Failure(Fault.EXITED, f"{how}; {self.hint()}" if self.hint() else how)

    def hint(self) -> str:
        """Return what it said last, if that may help."""
        if self.last_words:
            return f"its last words: {self.last_words}"
        if self.last_garbage:
            return f"it wrote what is no message: {self.last_garbage}"
        return ""


def _ending(code: int) -> str:
    if code >= 0:
        return f"status {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


@asynccontextmanager
async def child_process(wanted: Wanted, started: Callable[[Child], None]) -> AsyncIterator[Streams]:
    """Start the command and yield its streams; it has ended when this is left.

    ``started`` is given what is known of it. Raises ServerFailureError where it does not start.
    """
    child = Child(await _start(wanted))
    started(child)
    into, messages = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, out_of = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        try:
            tasks.start_soon(_read, wanted, child, into)
            tasks.start_soon(_read_errors, wanted, child)
            tasks.start_soon(_write, child, out_of, into)
            yield messages, outgoing
        finally:
            # Whole, however often this is cancelled; it is bounded.
            ending = asyncio.ensure_future(_end(child.process))
            with anyio.CancelScope(shield=True):
                while not ending.done():
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait({ending})
            for stream in (into, messages, outgoing, out_of):
                stream.close()
            tasks.cancel_scope.cancel()


async def _start(wanted: Wanted) -> asyncio.subprocess.Process:
    command = wanted.command or ()
    if not command:
        raise ServerFailureError(Failure(Fault.COMMAND, "it is empty"))
    told = environment(wanted, os.environ)
    program = shutil.which(command[0], path=told.get("PATH"))
    if program is None:
        raise ServerFailureError(
            Failure(Fault.COMMAND, f"{printable(command[0], 80)!r} is not there, or not executable")
        )
    # Isolated, so that nothing but the standard library is found and no variable is heeded.
    tied = (sys.executable, "-I", "-S", str(Path(__file__).with_name("tied.py")), str(os.getpid()))
    try:
        return await asyncio.create_subprocess_exec(
            *tied,
            program,
            *command[1:],
            env=told,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        said = printable(wanted.blot(str(error)), LONGEST_LINE)
        raise ServerFailureError(Failure(Fault.COMMAND, said)) from error


async def _read(
    wanted: Wanted,
    child: Child,
    into: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    """Give every message on; the end of the stream is the end of the child."""
    stdout = cast("asyncio.StreamReader", child.process.stdout)
    kept: list[bytes] = []
    bound = Bound()
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async with into:
            try:
                while chunk := await stdout.read(CHUNK_BYTES):
                    *lines, rest = chunk.split(b"\n")
                    for line in lines:
                        bound.feed(line)
                        whole = b"".join((*kept, line))
                        kept, bound = [], Bound()
                        await _give(wanted, child, whole, into)
                    bound.feed(rest)
                    kept.append(rest)
            except TooLongError as error:
                child.told.append(Failure(Fault.TOO_LONG, str(error)))
            # How it ended is known a moment after its output has.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await child.process.wait()


async def _give(
    wanted: Wanted,
    child: Child,
    line: bytes,
    into: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    if not line.strip():
        return
    try:
        message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except (ValueError, RecursionError):
        child.garbage += 1
        text = line[: 4 * LONGEST_LINE].decode(errors="replace")
        child.last_garbage = printable(wanted.blot(text).strip(), LONGEST_LINE)
        if child.garbage == 1:
            log.info("%s writes what is no message: %s", wanted.name, child.last_garbage)
        if child.garbage > MOST_GARBAGE:
            raise TooLongError(f"{MOST_GARBAGE} lines that are no messages") from None
        return
    await into.send(SessionMessage(message))


async def _read_errors(wanted: Wanted, child: Child) -> None:
    """Read standard error to its end, some lines of it into the journal."""
    stderr = cast("asyncio.StreamReader", child.process.stderr)
    rest = b""
    while chunk := await stderr.read(CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[-CHUNK_BYTES:]
        for line in lines:
            _say(wanted, child, line)
    _say(wanted, child, rest)


def _say(wanted: Wanted, child: Child, line: bytes) -> None:
    text = wanted.blot(line[: 4 * LONGEST_LINE].decode(errors="replace")).strip()
    if not text:
        return
    child.last_words = printable(text, LONGEST_LINE)
    child.lines += 1
    if child.lines <= LINES:
        log.debug("%s says: %s", wanted.name, child.last_words)
    elif child.lines == LINES + 1:
        log.debug("%s says more than %d lines; the rest is not kept", wanted.name, LINES)


async def _write(
    child: Child,
    out_of: MemoryObjectReceiveStream[SessionMessage],
    into: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    stdin = cast("asyncio.StreamWriter", child.process.stdin)
    try:
        async with out_of:
            async for message in out_of:
                line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                stdin.write(line.encode() + b"\n")
                await stdin.drain()
    except (OSError, anyio.ClosedResourceError, anyio.BrokenResourceError):
        # Nobody reads it any more: whoever waits for an answer is told so.
        await into.aclose()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a child and its group; returns when the child has ended, after 2 s at most."""
    if process.stdin is not None:
        process.stdin.close()
    for told in (signal.SIGTERM, signal.SIGKILL):
        if await _ended(process):
            break
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, told)
    else:
        await _ended(process)
    # Those it started, which are in its group whether it has ended or not.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # A grandchild outside of the group may hold its pipes: they are closed on our side at once.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


async def _ended(process: asyncio.subprocess.Process) -> bool:
    """Wait for a moment, and return whether it has ended.

    In Python 3.11 `wait` waits for its pipes too, which what it started may hold.
    """
    waiting = asyncio.ensure_future(process.wait())
    await asyncio.wait({waiting}, timeout=END_S)
    waiting.cancel()
    return process.returncode is not None
