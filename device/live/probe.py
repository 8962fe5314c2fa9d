"""`probe` takes the way to the Live API step by step and tells how long each takes.

Name, TCP, TLS and the WebSocket's upgrade, each by itself: a session makes them all in one go, and
says only of the last what went wrong. No setup is sent, so nothing is billed.

Tested in tests/doctor/test_network.py.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
import urllib.request
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from device.live.failures import diagnose
from device.live.setup import GOOGLE, LiveSettings, host_of
from device.live.symptoms import symptom_of
from device.news import Failure
from device.text import printable
from device.threads import in_thread

PATH = "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"
"""Live API: where its WebSocket is."""
STEP_S = 8.0
ADDRESSES = 4
"""How many of a name's addresses are tried."""
ISSUER_CHARACTERS = 80
"""Of the name of who made a certificate; RFC 5280 lets it have 64."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way. Without a failure it was taken."""

    name: str
    """``dns``, ``tcp``, ``tls``, ``websocket``."""
    took_ms: float
    what: str = ""
    """What was found: an address, a protocol's version."""
    failure: Failure | None = None
    ipv6_lost: bool = False
    """Whether the name has an IPv6 address too, to which this machine has a way that leads nowhere.
    """


@dataclass(frozen=True, slots=True)
class Goal:
    """Who is to be reached."""

    host: str
    port: int
    via_proxy: bool
    """Whether it is only a proxy on the way: behind that the steps cannot be told apart."""


def goal_of(settings: LiveSettings) -> Goal:
    """Return the server of these settings, or the proxy that the environment puts before it."""
    parts = urlsplit(settings.endpoint or GOOGLE)
    host = parts.hostname or ""
    proxy = urllib.request.getproxies().get("https")
    if proxy and not urllib.request.proxy_bypass(host):
        before = urlsplit(proxy if "://" in proxy else f"//{proxy}")
        return Goal(before.hostname or "", before.port or 3128, via_proxy=True)
    return Goal(host, parts.port or 443, via_proxy=False)


async def probe(settings: LiveSettings, key: str | None) -> AsyncGenerator[Step, None]:
    """Take the steps until one fails; without a key the last one is left out.

    Takes at most 8 s each. The key is in no step's words.
    """
    goal = goal_of(settings)
    about = {"host": host_of(settings), "secret": key or "", "model": settings.model}
    names, step = await _timed("dns", _resolve(goal), about)
    if names is None:
        yield step
        return
    kinds = {"IPv6" if _is_ipv6(name) else "IPv4" for name in names}
    yield Step("dns", step.took_ms, f"{goal.host} → {names[0]} ({' and '.join(sorted(kinds))})")
    streams, step = await _timed("tcp", _connect(names, goal.port), about)
    if streams is None:
        yield step
        return
    reader, writer = streams
    try:
        peer = writer.get_extra_info("peername")[0]
        lost = await _ipv6_lost(names, goal.port)
        yield Step("tcp", step.took_ms, f"{peer} port {goal.port}", ipv6_lost=lost)
        if goal.via_proxy:
            return
        told, step = await _timed("tls", _secure(writer, goal.host), about)
        yield Step("tls", step.took_ms, told) if told is not None else step
        if told is None or key is None:
            return
        told, step = await _timed("websocket", _upgrade(reader, writer, settings, key), about)
        yield Step("websocket", step.took_ms, told) if told is not None else step
    finally:
        writer.transport.abort()


async def _timed(name: str, work: Awaitable[T], about: dict[str, Any]) -> tuple[T | None, Step]:
    from websockets.exceptions import WebSocketException  # noqa: PLC0415 - heavy

    began = time.perf_counter()
    result, failure = None, None
    try:
        async with asyncio.timeout(STEP_S):
            result = await work
    except (OSError, EOFError, ValueError, WebSocketException) as error:
        told: BaseException = error
        if isinstance(error, TimeoutError):
            told = TimeoutError(f"no answer within {STEP_S:g} s")
        elif isinstance(error, EOFError):
            told = ConnectionError("the other end hung up")
        failure = diagnose(symptom_of(told, opened=False, **about)).failure
    return result, Step(name, round((time.perf_counter() - began) * 1000, 1), failure=failure)


async def _resolve(goal: Goal) -> list[str]:
    """In a thread that nobody waits for: a resolver may take half a minute to give up."""

    def resolve() -> list[str]:
        told = socket.getaddrinfo(goal.host, goal.port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in told))

    return await in_thread(resolve, "resolver")


async def _connect(
    names: list[str], port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect by IPv4 where there is an address; raises what the first raised, if none answers."""
    failures: list[OSError] = []
    for name in sorted(names, key=_is_ipv6)[:ADDRESSES]:
        try:
            async with asyncio.timeout(STEP_S / ADDRESSES):
                return await asyncio.open_connection(name, port)
        except OSError as error:
            failures.append(error)
    raise failures[0]


def _is_ipv6(address: str) -> bool:
    return ":" in address


async def _ipv6_lost(names: list[str], port: int) -> bool:
    """Tell an IPv6 address to which nothing gets through from one that there is no way to at all.

    The latter is found out at once, and costs nobody any time.
    """
    address = next(filter(_is_ipv6, names), None)
    if address is None or all(map(_is_ipv6, names)):
        return False
    try:
        async with asyncio.timeout(STEP_S / ADDRESSES):
            _, writer = await asyncio.open_connection(address, port)
    except OSError as error:
        return isinstance(error, TimeoutError) or error.errno == errno.EHOSTUNREACH
    writer.transport.abort()
    return False


async def _secure(writer: asyncio.StreamWriter, host: str) -> str:
    await writer.start_tls(ssl.create_default_context(), server_hostname=host)
    inner = writer.get_extra_info("ssl_object")
    certificate = inner.getpeercert() or {}
    left_days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86_400
    issuer = dict(pair for each in certificate["issuer"] for pair in each)
    by = printable(
        issuer.get("organizationName") or issuer.get("commonName", "?"), ISSUER_CHARACTERS
    )
    return f"{inner.version()}, certificate by {by}, good for {left_days:.0f} days"


async def _upgrade(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    settings: LiveSettings,
    key: str,
) -> str:
    from websockets.client import ClientProtocol  # noqa: PLC0415 - heavy
    from websockets.uri import parse_uri  # noqa: PLC0415 - heavy

    path = PATH.format(version=settings.api_version)
    protocol = ClientProtocol(parse_uri(f"wss://{host_of(settings)}{path}"))
    request = protocol.connect()
    request.headers["x-goog-api-key"] = key
    protocol.send_request(request)
    writer.write(b"".join(protocol.data_to_send()))
    while not protocol.events_received() and protocol.handshake_exc is None:
        data = await reader.read(65_536)
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
    if protocol.handshake_exc is not None:
        raise protocol.handshake_exc
    protocol.send_close(1000)
    writer.write(b"".join(protocol.data_to_send()))
    return "the server takes the connection"
