"""`connect` makes a connection to one MCP server, and `Connection` asks it for things.

By URL the Streamable HTTP transport is tried, and where the server does not take that, the older
one (HTTP with SSE, as older Home Assistants speak it at ``/mcp_server/sse``); a path that ends with
``/sse`` is the older one's. That is what the specification says of clients (Transports, Backwards
compatibility). A command is run, see `device.mcp.stdio`.

The library negotiates the version: it asks for the newest way (`server/discover`) first and for the
handshake then. What a tool returns is read here, not by the library's own `call_tool`: that would
raise where a server breaks its own promise of what it returns, and a light that was switched would
be told as an error.

A connection belongs to the task that made it. When it breaks, `Notes` says so.

This module imports the library: nobody imports it before a server is to be connected to.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpx2
import mcp_types
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter

from device import __version__
from device.mcp import http, stdio
from device.mcp.bounds import LONGEST_BYTES
from device.mcp.failures import Failure, Fault, ServerFailureError
from device.mcp.results import LONGEST_ERROR, bounded
from device.mcp.streams import Streams, Watching
from device.mcp.tools import Offer
from device.mcp.wanted import Wanted
from device.text import printable
from device.threads import in_thread

if TYPE_CHECKING:
    from mcp.client._transport import Transport

log = logging.getLogger(__name__)

ANSWER_S = 30.0
"""How long anything but a tool may take to answer. A server that is a Python program takes some
seconds to start on a Pi."""
CONNECT_IN_ALL_S = 75.0
"""How long a connection may take in all: both ways to ask, and the older transport."""
NAME_S = 5.0
"""How long the name server may take."""
MOST_PAGES = 50
MOST_LISTED = 1_000
"""Tools of a server that are looked at."""
LONGEST_TEXT = 4_000
"""Characters of what one server says of itself and of the house: about 1,000 tokens in each turn.
A line of Home Assistant's prompt tells one device: that are about a hundred."""
LONGEST_VERSION = 80

# Whole messages, with what people say and what is at home, and tracebacks over foreign ones.
logging.getLogger("mcp").setLevel(logging.CRITICAL + 1)
# At INFO it writes the URL of each request, with its query.
logging.getLogger("httpx2").setLevel(logging.WARNING)

_RESULT: TypeAdapter[mcp_types.CallToolResult | mcp_types.InputRequiredResult] = TypeAdapter(
    mcp_types.CallToolResult | mcp_types.InputRequiredResult
)


class RefusedError(Exception):
    """The server answered a call with an error; its message is the server's own."""


@dataclass
class Notes:
    """What is seen of one connection below the library. Used from the event loop's thread."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something of it has changed."""
    lost: bool = False
    changed: bool = False
    """Whether the server says that it offers something else now."""
    failures: int = 0
    last: Failure | None = None
    child: stdio.Child | None = None

    def fail(self, failure: Failure, ends: bool) -> None:
        """Take note of a failure, and whether the connection is over by it."""
        self.failures += 1
        self.last = failure
        if ends:
            self.lost = True
            self.news.set()

    def end(self) -> None:
        """Take note that nothing more comes."""
        if not self.lost:
            self.fail(self.failure or Failure(Fault.LOST), True)

    def forget(self, failures: int) -> None:
        """Forget what went wrong before there were so many failures, and ended nothing."""
        if self.failures == failures and not self.lost:
            self.last = None

    def change(self) -> None:
        """Take note that the server offers something else now."""
        self.changed = True
        self.news.set()

    @property
    def failure(self) -> Failure | None:
        """What is known to have gone wrong."""
        if self.child is not None and (self.child.told or self.last is None):
            return self.child.failure()
        return self.last


class Connection:
    """A connection that stands. Used from the event loop's thread."""

    def __init__(self, client: Client, wanted: Wanted, notes: Notes) -> None:
        self._client = client
        self._wanted = wanted
        self.notes = notes
        self.protocol = client.session.protocol_version or ""
        """The version of MCP that is spoken."""
        info = client.session.server_info
        told = f"{info.name} {info.version}".strip() if info is not None else ""
        self.version = printable(wanted.blot(told), LONGEST_VERSION)
        """What the server calls itself."""

    async def offers(self) -> list[Offer]:
        """List its tools, page by page. Raises ServerFailureError."""
        capabilities = self._client.session.server_capabilities
        if capabilities is None or capabilities.tools is None:
            return []
        with _told(self.notes):
            listed: list[Offer] = []
            cursor: str | None = None
            for _ in range(MOST_PAGES):
                page = await self._client.list_tools(cursor=cursor)
                listed += [self._offer(each) for each in page.tools]
                cursor = page.next_cursor
                if cursor is None or len(listed) >= MOST_LISTED:
                    break
            return listed[:MOST_LISTED]

    def _offer(self, tool: mcp_types.Tool) -> Offer:
        listed = tool.model_dump(by_alias=True, include={"name", "description", "input_schema"})
        return Offer(listed["name"], listed.get("description") or "", listed.get("inputSchema"))

    async def says(self) -> str:
        """Return what it says of itself, and Home Assistant of the house; raises as `offers`."""
        parts = [self._client.session.instructions or ""]
        capabilities = self._client.session.server_capabilities
        if _is_home_assistant(self.version) and capabilities and capabilities.prompts is not None:
            failures = self.notes.failures
            try:
                parts += await self._prompts()
            except MCPError as error:
                # What it refuses to tell of the house is no reason to do without its tools.
                if _is_ours(error, self.notes, failures):
                    raise ServerFailureError(_failure(error, self.notes)) from error
            except Exception as error:  # what the library raises over foreign JSON has no list
                raise ServerFailureError(_failure(error, self.notes)) from error
        text = "\n".join(part.strip() for part in parts if part.strip())
        return bounded(self._wanted, text, LONGEST_TEXT)[0].strip()

    async def _prompts(self) -> list[str]:
        """Return the texts of the prompts that take no arguments: Home Assistant has one."""
        texts = []
        for prompt in (await self._client.list_prompts()).prompts:
            if any(each.required for each in prompt.arguments or ()):
                continue
            told = await self._client.get_prompt(prompt.name)
            contents = [message.content for message in told.messages]
            texts += [each.text for each in contents if isinstance(each, mcp_types.TextContent)]
        return texts

    async def call(
        self, own_name: str, arguments: Mapping[str, Any], timeout_s: float
    ) -> Mapping[str, Any]:
        """Call a tool and return its result as JSON holds it, without what is no text.

        Raises ServerFailureError (whose failure is the call's own where it met this very request),
        or RefusedError with the server's own words. Cancelling it, and the timeout, tell the server
        that nobody waits any more.
        """
        request = mcp_types.CallToolRequest(
            params=mcp_types.CallToolRequestParams(name=own_name, arguments=dict(arguments))
        )
        failures = self.notes.failures
        met = http.Fate()
        token = http.fate.set(met)
        try:
            result = await self._client.session.send_request(
                request, _RESULT, request_read_timeout_seconds=timeout_s
            )
        except MCPError as error:
            if met.failure is None and not _is_ours(error, self.notes, failures):
                words = bounded(self._wanted, error.message, LONGEST_ERROR)[0]
                refused = printable(words).strip()
                raise RefusedError(refused or f"it refused the call ({error.code})") from error
            raise self._call_failed(error, met, failures) from error
        except Exception as error:  # what the library raises over foreign JSON has no list
            raise self._call_failed(error, met, failures) from error
        finally:
            http.fate.reset(token)
        if isinstance(result, mcp_types.InputRequiredResult):
            raise RefusedError("it asks back for something that a speaker cannot give")
        return result.model_dump(
            by_alias=True,
            mode="json",
            exclude={"content": {"__all__": {"data": True, "resource": {"blob": True}}}},
        )

    def _call_failed(self, error: Exception, met: http.Fate, failures: int) -> ServerFailureError:
        if met.failure is not None:
            return ServerFailureError(met.failure, own=True)
        self.notes.forget(failures)
        return ServerFailureError(_failure(error, self.notes))

    async def listen(self) -> None:
        """Take note of changes for as long as the server tells of them.

        With the handshake they come by themselves; since 2026 they must be asked for. Returns when
        the server does not tell of any, or no longer.
        """
        capabilities = self._client.session.server_capabilities
        tells = capabilities and capabilities.tools and capabilities.tools.list_changed
        if not tells or self.protocol not in MODERN_PROTOCOL_VERSIONS:
            return
        try:
            async with self._client.listen(
                tools_list_changed=True, prompts_list_changed=True
            ) as subscription:
                async for _ in subscription:
                    self.notes.change()
        except (MCPError, RuntimeError, ValueError, OSError) as error:
            # It is listed again now and then anyway.
            log.debug(
                "%s tells of no changes any more: %s", self._wanted.name, type(error).__name__
            )


def _is_home_assistant(version: str) -> bool:
    """Whether it calls itself so: components/mcp_server/server.py names itself home-assistant."""
    return version.lower().startswith(("home-assistant", "home assistant"))


@asynccontextmanager
async def connect(wanted: Wanted, notes: Notes) -> AsyncIterator[Connection]:
    """Yield a connection that stands. Raises ServerFailureError, also when it breaks meanwhile."""
    try:
        async with AsyncExitStack() as stack:
            yield await _connected(stack, wanted, notes)
    except ServerFailureError:
        raise
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseExceptionGroup as group:
        if group.subgroup(asyncio.CancelledError) is not None and not notes.lost:
            raise
        raise ServerFailureError(_failure(group, notes)) from group
    except Exception as error:  # what the library raises over a foreign server has no list
        raise ServerFailureError(_failure(error, notes)) from error


async def _connected(stack: AsyncExitStack, wanted: Wanted, notes: Notes) -> Connection:
    try:
        async with asyncio.timeout(CONNECT_IN_ALL_S):
            if wanted.url is None:
                return await _run(stack, wanted, notes)
            return await _reached(stack, wanted, wanted.url, notes)
    except TimeoutError:
        raise ServerFailureError(Failure(Fault.SILENT)) from None


async def _run(stack: AsyncExitStack, wanted: Wanted, notes: Notes) -> Connection:
    def started(child: stdio.Child) -> None:
        notes.child = child

    return await _open(stack, wanted, notes, stdio.child_process(wanted, started))


async def _reached(stack: AsyncExitStack, wanted: Wanted, url: str, notes: Notes) -> Connection:
    trust = await _prepared(wanted, url)
    older = urlsplit(url).path.rstrip("/").endswith("/sse")
    if not older:
        try:
            return await _over_http(stack, wanted, notes, trust, older=False)
        except ServerFailureError as error:
            first = error
        except BaseExceptionGroup as group:
            if group.subgroup(asyncio.CancelledError) is not None:
                raise
            first = ServerFailureError(_failure(group, notes))
        if not _asks_for_older(first.failure):
            raise first
        notes.last = None
        try:
            return await _over_http(stack, wanted, notes, trust, older=True)
        except (ServerFailureError, ExceptionGroup, httpx2.HTTPError):
            raise first from None
    return await _over_http(stack, wanted, notes, trust, older=True)


def _asks_for_older(failure: Failure) -> bool:
    """Whether a server may speak the older transport only: it answers 400, 404 or 405."""
    return failure.fault in {Fault.NOT_FOUND, Fault.METHOD} or failure.status == 400


async def _prepared(wanted: Wanted, url: str) -> ssl.SSLContext:
    """Return the certificates to trust, when the name in the URL has an address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ServerFailureError(Failure(Fault.ADDRESS, printable(str(error), 80))) from error
    if not host or parts.scheme not in {"http", "https"}:
        raise ServerFailureError(Failure(Fault.ADDRESS, f"it begins with {parts.scheme!r}"))
    # Not left to the library: its thread would hold up the end of the process.
    asked = in_thread(partial(socket.getaddrinfo, host, port or 80), f"name of {wanted.name}")
    try:
        async with asyncio.timeout(NAME_S):
            await asked
    except (OSError, UnicodeError, TimeoutError) as error:
        raise ServerFailureError(Failure(Fault.DNS)) from error
    try:
        return await asyncio.to_thread(http.trusted, parts.scheme)
    except (OSError, ValueError) as error:
        said = printable(f"SSL_CERT_FILE cannot be used: {error}", 160)
        raise ServerFailureError(Failure(Fault.TLS, said)) from error


async def _over_http(
    stack: AsyncExitStack,
    wanted: Wanted,
    notes: Notes,
    trust: ssl.SSLContext,
    *,
    older: bool,
) -> Connection:
    url = wanted.url or ""
    watched = http.Watched(wanted, trust, notes.fail)
    watched.fragile = older
    if older:

        def factory(
            headers: dict[str, str] | None = None,  # noqa: ARG001 - the library's signature
            timeout: httpx2.Timeout | None = None,  # noqa: ARG001 - as above
            auth: httpx2.Auth | None = None,  # noqa: ARG001 - as above
        ) -> httpx2.AsyncClient:
            return http.http_client(wanted, watched)

        over_sse = sse_client(url, httpx_client_factory=factory)
        connection = await _open(stack, wanted, notes, over_sse)
    else:
        async with AsyncExitStack() as inner:
            client = await inner.enter_async_context(http.http_client(wanted, watched))
            transport = streamable_http_client(
                url, http_client=client, max_sse_event_size=LONGEST_BYTES
            )
            connection = await _open(inner, wanted, notes, transport)
            stack.push_async_exit(inner.pop_all())
    watched.settled = True
    return connection


async def _open(
    stack: AsyncExitStack,
    wanted: Wanted,
    notes: Notes,
    transport: AbstractAsyncContextManager[Streams],
) -> Connection:
    """Enter a transport and agree on a version. Raises ServerFailureError, or as the library."""

    async def heard(message: object) -> None:
        if isinstance(
            message,
            mcp_types.ToolListChangedNotification | mcp_types.PromptListChangedNotification,
        ):
            notes.change()

    client = Client(
        cast("Transport", _watched(transport, notes)),
        read_timeout_seconds=ANSWER_S,
        message_handler=heard,
        client_info=mcp_types.Implementation(name="parley", version=__version__),
        cache=None,
    )
    try:
        await stack.enter_async_context(client)
    except (MCPError, RuntimeError, ValueError) as error:
        raise ServerFailureError(_failure(error, notes)) from error
    notes.last = None
    notes.lost = False
    return Connection(client, wanted, notes)


@asynccontextmanager
async def _watched(
    transport: AbstractAsyncContextManager[Streams], notes: Notes
) -> AsyncIterator[Streams]:
    async with transport as (read, write):
        yield cast("Any", Watching(read, notes.end)), write


class _told:  # noqa: N801 - used as a word
    """Turn what the library raises into a ServerFailureError."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._failures = notes.failures

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ServerFailureError) or not isinstance(error, Exception):
            return
        self._notes.forget(self._failures)
        raise ServerFailureError(_failure(error, self._notes)) from error


def _is_ours(error: MCPError, notes: Notes, failures: int) -> bool:
    """Whether an error is the library's own, and none that the server answered with.

    The code does not tell: -32000, a closed connection for the library, is any error for many
    servers. ``failures`` are those noted before the request.
    """
    return notes.failures > failures or notes.lost or error.code == mcp_types.PARSE_ERROR


def _failure(error: BaseException, notes: Notes) -> Failure:
    """Say what was raised; what was seen below the library knows more than what it raises."""
    for each in _leaves(error):
        if isinstance(each, ServerFailureError):
            return each.failure
    leaf = next(_leaves(error), error)
    match leaf:
        case MCPError() if leaf.code == mcp_types.UNSUPPORTED_PROTOCOL_VERSION:
            return Failure(Fault.VERSION, printable(leaf.message, 120))
        case MCPError() if leaf.code == mcp_types.REQUEST_TIMEOUT:
            hint = notes.child.hint() if notes.child is not None else ""
            return notes.last or Failure(Fault.SILENT, hint)
        case RuntimeError() if "protocol version" in str(leaf).lower():
            return Failure(Fault.VERSION, printable(str(leaf).rpartition(": ")[2], 120))
    if notes.failure is not None:
        return notes.failure
    match leaf:
        case MCPError() if leaf.code == mcp_types.PARSE_ERROR:
            return Failure(Fault.NOT_MCP, "what it sends is no message of the protocol")
        case MCPError() if leaf.code == mcp_types.CONNECTION_CLOSED and notes.lost:
            return Failure(Fault.LOST)
        case MCPError():
            return Failure(Fault.PROTOCOL, printable(leaf.message, 120))
        case httpx2.HTTPError():
            return http.failure_of(leaf)
        case ValueError():
            return Failure(Fault.NOT_MCP, "it answers with another shape than the protocol's")
        case _:
            return Failure(Fault.PROTOCOL, type(leaf).__name__)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    elif not isinstance(error, asyncio.CancelledError):
        yield error
