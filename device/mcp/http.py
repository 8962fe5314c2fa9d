"""`http_client` makes the HTTP client that an MCP server is reached with, and sees what goes wrong.

Below the library's transports lies one of ours. It keeps what must not happen from happening: no
answer is longer than its bound, none is unpacked, none is waited for without end. And it notes what
happened in plain values: the transports above make one and the same sentence of a wrong token, a
wrong path and a broken server.

While a connection is being made, what cannot be helped by asking in another way is raised at once
(a token that is refused is sent once, not in each way). Later nothing is raised, since that would
end every other call too: a request that fails is answered with a 503 of our own, and whoever lives
with the server is told.

This module imports the library: nobody imports it before a server is to be connected to.
"""

from __future__ import annotations

import functools
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from device.credentials.certificates import shared_certificates
from device.errors import causes_of
from device.mcp.bounds import LONGEST_BYTES, Bound, TooLongError
from device.mcp.failures import Failure, Fault, ServerFailureError
from device.mcp.wanted import Wanted, shown_url
from device.text import printable

CONNECT_S = 5.0
"""How long a TCP and TLS connection may take; in a home it takes milliseconds."""
WRITE_S = 10.0
GOODBYE_S = 1.0
"""How long the end of a session may take to be told to its server."""
PATIENCE_BEYOND_CALL_S = 30.0
"""How long an answer is waited for after its call was given up, until its request is ended."""
LONGEST_REFUSAL_BYTES = 16_384
"""Of the body of an answer that says no: enough for the server's own words."""
LONGEST_WORDS = 120
LONGEST_OLDER_BYTES = 2**20 - 2**17
"""Of a message over the older transport, whose own limit of 1 MB says nothing of itself."""

JSON = "application/json"
EVENTS = "text/event-stream"
SESSION = "mcp-session-id"
METHOD_NOT_FOUND = -32601
_LISTEN = "subscriptions/listen"

Told = Callable[[Failure, bool], None]


@dataclass
class Fate:
    """What became of the one POST that carries a call; see `fate`."""

    failure: Failure | None = None
    """The first that met this very request; None while none has."""


fate: ContextVar[Fate | None] = ContextVar("fate", default=None)
"""Of the call that is made in this context. The library sends a message in the context of whoever
asked for it, so what happened to one request can be told from what happened to the others. Where it
does not, nothing is known of the request, and nobody is told that it did not arrive."""


def trusted(scheme: str) -> ssl.SSLContext:
    """Return the certificates to trust. Blocks for some ms. Raises OSError or ValueError.

    Without TLS there are none, and whoever asks for it all the same is not trusted.
    """
    if scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return shared_certificates()


def http_client(wanted: Wanted, watched: Watched) -> httpx2.AsyncClient:
    """Return a client that sends the server's token; close it by ``async with``."""
    # Not unpacked by anybody: a few kB can unpack to gigabytes.
    headers = {"Accept-Encoding": "identity"}
    if wanted.secret is not None:
        headers["Authorization"] = f"Bearer {wanted.secret}"
    timeout = httpx2.Timeout(
        CONNECT_S, read=wanted.timeout_s + PATIENCE_BEYOND_CALL_S, write=WRITE_S, pool=CONNECT_S
    )
    return httpx2.AsyncClient(
        headers=headers, timeout=timeout, transport=watched, follow_redirects=False
    )


class Watched(httpx2.AsyncBaseTransport):
    """The transport of one server. ``told`` hears each failure, and whether it ends the connection.

    Used from the event loop's thread.
    """

    def __init__(self, wanted: Wanted, trust: ssl.SSLContext, told: Told) -> None:
        self._inner = httpx2.AsyncHTTPTransport(verify=trust)
        self._wanted = wanted
        self._told = told
        self.settled = False
        """Whether the connection is made, so that nothing is raised any more."""
        self.fragile = False
        """Whether every failed request ends the connection (the older SSE transport)."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; see the module's docstring."""
        self._let_listen(request)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as error:
            failure = failure_of(error)
            # A stream of news that was cut is the library's to open again, and a call that is not
            # answered says nothing of the next one; a server that is not there has gone.
            gone = request.method == "POST" or failure.fault is not Fault.LOST
            self._tell(request, failure, gone and failure.fault is not Fault.SILENT)
            if not self.settled:
                raise ServerFailureError(failure) from error
            return httpx2.Response(503, request=request)
        if response.status_code >= 300:
            return await self._refused(request, response)
        kind = _kind(response)
        if request.method == "POST" and response.status_code == 200 and _asks(request):
            if kind not in {JSON, EVENTS}:
                self._note(
                    request, Failure(Fault.NOT_MCP, f"it answers with {kind or 'nothing'}", 200)
                )
        elif request.method == "GET" and kind != EVENTS:
            self._note(request, Failure(Fault.NOT_MCP, f"it answers with {kind or 'nothing'}", 200))
        return self._bounded(request, response)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()

    def _let_listen(self, request: httpx2.Request) -> None:
        """Wait without end for what a server may say at any time, and hardly for a goodbye."""
        timeout = dict(request.extensions.get("timeout", {}))
        if request.method == "DELETE":
            goodbye = dict.fromkeys(("connect", "read", "write", "pool"), GOODBYE_S)
            request.extensions = {**request.extensions, "timeout": goodbye}
        if request.method == "GET" or request.headers.get("mcp-method") == _LISTEN:
            request.extensions = {**request.extensions, "timeout": timeout | {"read": None}}

    async def _refused(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        """Take note of an answer that says no, unless it says so in the words of the protocol."""
        body = await _beginning(response)
        await response.aclose()
        kind, status = _kind(response), response.status_code
        headers = [
            (name, value) for name, value in response.headers.raw if name.lower() not in _LENGTHS
        ]
        again = httpx2.Response(
            status, headers=headers, content=body, request=request, extensions=response.extensions
        )
        if request.method == "DELETE":
            return again
        if request.method == "GET" and status == 405:
            return again  # it offers no stream of news, which is its right
        if kind == JSON and _says_so_itself(request, status, body):
            return again
        failure = self._failure(request, response, body)
        if failure is None:
            return again
        self._note(request, failure)
        return again

    def _failure(
        self, request: httpx2.Request, response: httpx2.Response, body: bytes
    ) -> Failure | None:
        status = response.status_code
        words = self._words(response, body)
        match status:
            case 401:
                return Failure(Fault.UNAUTHORIZED, words, status)
            case 403:
                return Failure(Fault.FORBIDDEN, words, status)
            case 404 if SESSION in request.headers:
                return Failure(Fault.FORGOTTEN, "", status)
            case 404:
                return Failure(Fault.NOT_FOUND, words, status)
            case 405 | 406 | 415 | 501:
                return Failure(Fault.METHOD, words, status)
            case _ if status < 400:
                return self._redirected(request, response)
            case _:
                return Failure(Fault.STATUS, words, status)

    def _redirected(self, request: httpx2.Request, response: httpx2.Response) -> Failure | None:
        try:
            there = request.url.join(response.headers.get("location", ""))
        except (httpx2.InvalidURL, ValueError):
            return Failure(Fault.REDIRECTED, "an address that is none", response.status_code)
        same = (there.scheme, there.host, there.port) == (
            request.url.scheme,
            request.url.host,
            request.url.port,
        )
        if same and response.status_code in {307, 308}:
            return None  # the library goes there
        return Failure(Fault.REDIRECTED, shown_url(str(there)), response.status_code)

    def _words(self, response: httpx2.Response, body: bytes) -> str:
        """Return what the server says in plain text, if it says something short."""
        if _kind(response) not in {"text/plain", JSON}:
            return ""
        text = " ".join(printable(body.decode(errors="replace")).split())
        return printable(self._wanted.blot(text), LONGEST_WORDS)

    def _note(self, request: httpx2.Request, failure: Failure) -> None:
        asked = request.method == "POST" and failure.fault is not Fault.NOT_MCP
        self._tell(request, failure, failure.fault in _ENDS or (self.fragile and asked))
        if not self.settled and failure.fault in _HOPELESS:
            raise ServerFailureError(failure)

    def _bounded(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        coded = response.headers.get("content-encoding", "identity").lower()
        if coded not in {"", "identity"}:
            said = f"it packs its answers ({printable(coded, 20)})"
            self._tell(request, Failure(Fault.NOT_MCP, said), True)
            raise httpx2.DecodingError(f"it packs its answers ({coded})", request=request)
        stream = cast("httpx2.AsyncByteStream", response.stream)
        # On the older transport's one stream everything comes, and nothing after what is too long.
        one = self.fragile and request.method == "GET"
        told = functools.partial(self._tell, request)
        response.stream = _Bounded(stream, _kind(response) == EVENTS, one, told)
        return response

    def _tell(self, request: httpx2.Request, failure: Failure, ends: bool) -> None:
        """Tell a failure; the call that was sent with this request has met it."""
        call = fate.get()
        # A GET in the same context opens the stream of an answer again, long after the call went.
        if call is not None and request.method == "POST" and call.failure is None:
            call.failure = failure
        self._told(failure, ends)


_LENGTHS = {b"content-length", b"transfer-encoding", b"content-encoding"}
_ENDS = {Fault.UNAUTHORIZED, Fault.FORGOTTEN, Fault.REDIRECTED, Fault.NOT_FOUND, Fault.METHOD}
_HOPELESS = {Fault.UNAUTHORIZED, Fault.FORBIDDEN, Fault.REDIRECTED}


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error where it is longer than its bound."""

    def __init__(self, inner: httpx2.AsyncByteStream, events: bool, ends: bool, told: Told) -> None:
        self._inner = inner
        self._events = events
        self._ends = ends
        self._told = told
        longest = LONGEST_OLDER_BYTES if ends else LONGEST_BYTES
        self._bound = Bound(events, longest)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                self._bound.feed(chunk)
                yield chunk
        except TooLongError as error:
            self._told(Failure(Fault.TOO_LONG, str(error)), self._ends)
            # The library gives up one answer for it, where others would end the connection.
            raise httpx2.StreamError(str(error)) from error
        except httpx2.TransportError as error:
            # A plain answer that is cut off ends the library's transport; a stream is given up.
            self._told(failure_of(error), self._ends or not self._events)
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _beginning(response: httpx2.Response) -> bytes:
    body = b""
    try:
        async for chunk in cast("httpx2.AsyncByteStream", response.stream):
            body += chunk
            if len(body) > LONGEST_REFUSAL_BYTES:
                break
    except httpx2.TransportError:
        pass  # the status is known, and counts
    return body[:LONGEST_REFUSAL_BYTES]


def _kind(response: httpx2.Response) -> str:
    kind = str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
    return printable(kind, 60)


def _asks(request: httpx2.Request) -> bool:
    """Whether a request of the protocol is in it, which must be answered; not only news."""
    try:
        message: Any = json.loads(request.content)
    except (ValueError, httpx2.RequestNotRead):
        return False
    return isinstance(message, dict) and "id" in message and "method" in message


def _says_so_itself(request: httpx2.Request, status: int, body: bytes) -> bool:
    """Whether a body says in the words of the protocol what the status says, and better.

    Never of a token that is refused, nor of another address: gateways put such a body around those,
    too. Nor of a session that is not known: the official SDKs answer that with 404 and an error
    (-32600 in Python, -32001 in TypeScript), where -32601 is a method that is not known.
    """
    code = _error_code(body)
    if code is None or status < 400 or status in {401, 403}:
        return False
    return status != 404 or SESSION not in request.headers or code == METHOD_NOT_FOUND


def _error_code(body: bytes) -> int | None:
    """Return the code of the error of the protocol that is in a body, if there is one."""
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or "jsonrpc" not in message:
        return None
    told = message.get("error")
    code = told.get("code") if isinstance(told, dict) else None
    return code if isinstance(code, int) else None


def failure_of(error: BaseException) -> Failure:
    """Say what a failed request means; its causes know more than itself does."""
    causes = list(causes_of(error))
    for cause in causes:
        if isinstance(cause, ServerFailureError):
            return cause.failure
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Failure(Fault.TLS, printable(cause.verify_message, LONGEST_WORDS))
        if isinstance(cause, ssl.SSLError) and not isinstance(error, _AFTER_HANDSHAKE):
            return Failure(Fault.TLS, printable(str(cause), LONGEST_WORDS))
    said = " ".join(printable(str(error)).split())
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return Failure(Fault.DNS)
        if isinstance(cause, ConnectionRefusedError):
            return Failure(Fault.REFUSED)
    match error:
        case httpx2.ConnectTimeout():
            return Failure(Fault.UNREACHABLE, f"no answer in {CONNECT_S:g} s")
        case httpx2.ConnectError():
            return Failure(Fault.UNREACHABLE, printable(said, LONGEST_WORDS))
        case httpx2.TimeoutException():
            return Failure(Fault.SILENT)
        case httpx2.UnsupportedProtocol() | httpx2.LocalProtocolError():
            return Failure(Fault.ADDRESS, printable(said, LONGEST_WORDS))
        case httpx2.DecodingError():
            return Failure(Fault.NOT_MCP, printable(said, LONGEST_WORDS))
        case _:
            return Failure(Fault.LOST, printable(said, LONGEST_WORDS))


_AFTER_HANDSHAKE = (httpx2.ReadError, httpx2.WriteError, httpx2.ProtocolError)
"""A server that dies leaves a TLS stream that is broken off; its certificate was good, and it may
have done what it was asked."""
