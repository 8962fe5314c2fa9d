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
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from device.live.failures import diagnose
from device.live.network import proxy_before
from device.live.setup import GOOGLE, VERSION_OF_TOKENS, LiveSettings, host_of
from device.live.symptoms import Place, symptom_of
from device.live.token import PREFIX
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
    return _goal(settings.endpoint or GOOGLE)


def _goal(url: str) -> Goal:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if proxy := proxy_before(host):
        before = urlsplit(proxy)
        return Goal(before.hostname or "", before.port or 3128, via_proxy=True)
    return Goal(host, parts.port or 443, via_proxy=False)


async def probe(settings: LiveSettings, key: str | None) -> AsyncGenerator[Step, None]:
    """Take the steps until one fails; without a key, or a token, the last one is left out.

    Takes at most 8 s each. The key is in no step's words.
    """
    goal = goal_of(settings)
    token = (key or "").startswith(PREFIX)
    about: dict[str, Any] = {"host": host_of(settings), "secret": key or "", "token": token}
    about["model"] = settings.model
    async with aclosing(_steps(goal, about, settings, key)) as steps:
        async for step in steps:
            yield step


async def reach(url: str) -> AsyncGenerator[Step, None]:
    """Take the steps to a token server until one fails: ``dns``, ``tcp``, and ``tls`` for https.

    Takes at most 8 s each. What fails is told as of a token server.
    """
    parts = urlsplit(url)
    if parts.scheme == "https":
        goal, secure = _goal(url), True
    else:
        goal, secure = Goal(parts.hostname or "", parts.port or 80, via_proxy=False), False
    about: dict[str, Any] = {"host": parts.netloc, "place": Place.TOKEN}
    async with aclosing(_steps(goal, about, None, None, secure=secure)) as steps:
        async for step in steps:
            yield step


async def _steps(
    goal: Goal,
    about: dict[str, Any],
    settings: LiveSettings | None,
    key: str | None,
    *,
    secure: bool = True,
) -> AsyncGenerator[Step, None]:
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
        if goal.via_proxy or not secure:
            return
        told, step = await _timed("tls", _secure(writer, goal.host), about)
        yield Step("tls", step.took_ms, told) if told is not None else step
        if told is None or key is None or settings is None:
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
        plain = {name: value for name, value in about.items() if name != "place"}
        symptom = symptom_of(told, opened=False, **plain)
        failure = diagnose(replace(symptom, place=about.get("place", symptom.place))).failure
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

    token = key.startswith(PREFIX)
    path = PATH.format(version=VERSION_OF_TOKENS if token else settings.api_version)
    path += "Constrained" if token else ""
    protocol = ClientProtocol(parse_uri(f"wss://{host_of(settings)}{path}"))
    request = protocol.connect()
    if token:
        request.headers["Authorization"] = f"Token {key}"
    else:
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
