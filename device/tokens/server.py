"""`TokenService` lends tokens over HTTPS to the speakers of one owner: one machine has the key.

``POST /token`` with ``Authorization: Bearer …`` and, in JSON, ``{"model": "…"}`` is answered with
the token, its two ends, its uses and its model. Everything else is an error in JSON. A request and
its answer are small, and whoever opens a connection and says nothing is hung up on.

This module imports the library that serves: nobody imports it but the command that serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import signal
import socket
import ssl
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from device.credentials.hosts import is_loopback
from device.errors import ParleyError
from device.news import FailureKind
from device.tokens.audit import Audit
from device.tokens.limit import Limit
from device.tokens.mint import Minter, MintError
from device.tokens.speakers import Speakers, SpeakersError

_log = logging.getLogger(__name__)

PATH = "/token"
LONGEST_BODY = 4_096
LONGEST_HEAD = 16_384
CONNECTIONS = 64
CONNECTIONS_EACH = 16
"""From one address elsewhere, so that nobody takes all the places; a speaker needs one."""
READ_S = 10.0
"""How long a connection may take to bring its request, and how long its body."""
GOODBYE_S = 5
"""How long requests may take that are being answered when the server ends."""
AT_ONCE = 10
"""How many tokens a speaker may be lent in a row."""
FAILURES_AN_HOUR = 60
FAILURES_AT_ONCE = 10
"""How many wrong bearers an address may show in a row."""
_LAST = {"Connection": "close"}
"""A connection is good for one request: the library would wait for a second one for ever, once a
byte of it has come."""
_AWAY = frozenset(
    {FailureKind.NETWORK, FailureKind.DNS, FailureKind.OFFLINE, FailureKind.CLOCK}
    | {FailureKind.SERVER, FailureKind.TIMEOUT}
)


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms tokens are lent."""

    models: tuple[str, ...]
    """The first is lent for where a speaker names none."""
    uses: int
    life_s: float
    sessions_s: float
    an_hour: int
    """To each speaker."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where it listens, and as whom."""

    host: str
    port: int
    certificate: Path | None
    private_key: Path | None

    def check(self) -> None:
        """Make sure that what is secret is encrypted. Raises ParleyError."""
        if self.certificate is None and self.private_key is None:
            if not is_loopback(self.host):
                raise ParleyError(
                    f"without --certificate and --private-key it listens on this machine only, and "
                    f"{self.host} is more: name them, or --listen 127.0.0.1:{self.port}"
                )
            return
        if self.certificate is None or self.private_key is None:
            raise ParleyError("--certificate and --private-key go together: name both")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.private_key, password=_no_password)
        except (OSError, ValueError) as error:
            told = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
            raise ParleyError(
                f"the certificate {self.certificate} with the private key {self.private_key} "
                f"cannot be used: {str(told).lower()}: both must be PEM files that belong together"
            ) from error


def _no_password() -> str:
    raise ValueError("the private key has a password")


class Refusal(Exception):  # noqa: N818 - an answer, and no error of ours
    """What is answered instead of a token."""

    def __init__(self, status: int, message: str, wait_s: float = 0.0) -> None:
        self.status = status
        self.wait_s = wait_s
        super().__init__(message)


class TokenService:
    """Used from the event loop's thread only."""

    def __init__(self, minter: Minter, speakers: Speakers, audit: Audit, terms: Terms) -> None:
        """``minter`` is entered by the caller."""
        self._minter = minter
        self._speakers = speakers
        self._audit = audit
        self._terms = terms
        self._lent = Limit(terms.an_hour, AT_ONCE)
        self._failures = Limit(FAILURES_AN_HOUR, FAILURES_AT_ONCE)
        self.app = Starlette(
            routes=[Route(PATH, self._answer, methods=["POST"])],
            exception_handlers={404: _plain(404, "no such path"), 405: _plain(405, "POST only")},
        )

    async def _answer(self, request: Request) -> JSONResponse:
        address = request.client.host if request.client is not None else "?"
        try:
            speaker = self._who(request, address)
            return await self._lend(speaker, address, await _model_in(request))
        except Refusal as refusal:
            headers = {"Retry-After": str(int(refusal.wait_s))} if refusal.wait_s else {}
            if refusal.status == 401:
                headers["WWW-Authenticate"] = "Bearer"
            return _error(refusal.status, str(refusal), headers)

    def _who(self, request: Request, address: str) -> str:
        """Return the name of the speaker that asks. Raises Refusal."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        try:
            found = self._speakers.find(bearer) if scheme.lower() == "bearer" and bearer else None
        except SpeakersError as error:
            _log.error("%s", error)
            raise Refusal(500, "the file of speakers cannot be used: look at its log") from error
        if found is None:
            # Only those: others may come from the same address, behind a proxy say, and a bearer is
            # beyond guessing. What is spared is the log.
            now = time.monotonic()
            if wait_s := self._failures.wait_s(address, now):
                raise Refusal(429, "too many wrong bearers from this address", wait_s)
            self._failures.count(address, now)
            _log.warning("refused somebody at %s: no speaker has this bearer", address)
            raise Refusal(401, "no speaker has this bearer")
        return found.name

    async def _lend(self, speaker: str, address: str, model: str | None) -> JSONResponse:
        """Lend this speaker a token. Raises Refusal."""
        terms, now = self._terms, time.monotonic()
        model = (model or terms.models[0]).removeprefix("models/")
        if model not in terms.models:
            _log.warning("lent %s nothing: its model is not configured here", speaker)
            raise Refusal(422, f"tokens are lent for {' and '.join(terms.models)} only")
        if wait_s := self._lent.wait_s(speaker, now):
            _log.warning("lent %s nothing: it had more than %d an hour", speaker, terms.an_hour)
            raise Refusal(429, "too many tokens", wait_s)
        self._lent.count(speaker, now)
        try:
            minted = await self._minter.mint(
                model, uses=terms.uses, life_s=terms.life_s, sessions_s=terms.sessions_s
            )
        except MintError as error:
            # Or an hour without Google would be followed by one without tokens.
            self._lent.give_back(speaker, time.monotonic())
            kind = error.failure.kind
            _log.error("lent %s nothing (%s): %s", speaker, kind, error)
            if kind is FailureKind.MODEL:
                raise Refusal(410, f"Google does not have {model}") from error
            status = 503 if kind in _AWAY else 502
            raise Refusal(status, f"Google makes no token for its key now ({kind})") from error
        self._audit.lent(speaker, address, minted)
        return JSONResponse(
            {
                "name": minted.name,
                "expire_time": minted.expire_time.isoformat(),
                "new_session_expire_time": minted.new_session_expire_time.isoformat(),
                "uses": minted.uses,
                "models": [minted.model],
            },
            headers=_LAST | {"Cache-Control": "no-store"},
        )

    async def serve(self, listening: Listening, ready: Callable[[int], None]) -> None:
        """Serve until SIGTERM or SIGINT; ``ready`` is told the port once it listens.

        Raises ParleyError where it cannot listen there.
        """
        listening.check()
        server = _Server(_settings(self.app, listening), ready)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        try:
            await server.serve()
        except SystemExit as error:  # what uvicorn does about an address that is taken
            raise ParleyError(
                f"cannot listen on {listening.host}:{listening.port}: is it this machine's "
                "address, and is the port free (and above 1023)?"
            ) from error
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    """Ends when told, with 0: uvicorn would raise the signal again at its end."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._ready = ready

    def stop(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready(self.servers[0].sockets[0].getsockname()[1])


class _Patient(H11Protocol):
    """Hangs up on who opens a connection and brings no request in time, or has too many of them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if _takes_too_many(self):
            transport.abort()
            return
        self.loop.call_later(READ_S, self._look)

    def _look(self) -> None:
        # uvicorn has no other sign that a request began.
        if vars(self)["cycle"] is None and not self.transport.is_closing():
            self.transport.abort()


def _takes_too_many(connection: _Patient) -> bool:
    address = _address(connection)
    if address is None or is_loopback(address):  # a proxy's are of many
        return False
    return sum(_address(each) == address for each in connection.connections) > CONNECTIONS_EACH


def _address(connection: object) -> str | None:
    client = vars(connection)["client"]
    return client[0] if client else None


def _settings(app: Starlette, listening: Listening) -> uvicorn.Config:
    # What goes wrong with a single connection is nobody's business; its own words are ours to say.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        app,
        host=listening.host,
        port=listening.port,
        http=_Patient,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=int(READ_S),
        timeout_graceful_shutdown=GOODBYE_S,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        ssl_certfile=listening.certificate,
        ssl_keyfile=str(listening.private_key) if listening.private_key else None,
    )


async def _model_in(request: Request) -> str | None:
    """Return the model that is asked for; None where none is named. Raises Refusal."""
    body = b""
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LONGEST_BODY:
                    raise Refusal(413, f"a request has at most {LONGEST_BODY} bytes")
    except (TimeoutError, ClientDisconnect):
        raise Refusal(408, "the request did not come to its end") from None
    if not body.strip():
        return None
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, 'write JSON such as {"model": "gemini-3.8-live"}') from None
    model = asked.get("model") if isinstance(asked, dict) else 0
    if model is None or (isinstance(model, str) and re.fullmatch(r"[\w./-]{1,100}", model)):
        return model
    raise Refusal(400, 'write JSON such as {"model": "gemini-3.8-live"}')


def _error(status: int, message: str, headers: dict[str, str]) -> JSONResponse:
    about = {"error": {"code": status, "message": message}}
    return JSONResponse(about, status, _LAST | headers)


def _plain(status: int, message: str) -> Callable[..., JSONResponse]:
    def answer(*_asked: object) -> JSONResponse:
        return _error(status, message, {})

    return answer
