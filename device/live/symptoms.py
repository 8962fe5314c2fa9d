"""A symptom is a failed connection in plain values, whichever library raised it. Pure."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from device.credentials.credential import LENT_LOOK
from device.live.token import PREFIX
from device.text import printable


class Place(StrEnum):
    """How far a connection had come."""

    TOKEN = "token"  # noqa: S105 - the place, not one
    """Asking the token server; its answers are HTTP's."""
    DIAL = "dial"
    """Name, TCP, TLS, HTTP upgrade."""
    SETUP = "setup"
    """The WebSocket stands, the setup is not confirmed."""
    OPEN = "open"
    """The setup was confirmed."""


class Family(StrEnum):
    """What kind of exception it was."""

    CLOSED = "closed"
    """The WebSocket was closed; ``code`` is the close code."""
    REFUSED = "refused"
    """The HTTP upgrade was refused; ``code`` is the HTTP status."""
    ERROR = "error"
    """The server sent an error as a message; ``code`` is its own."""
    CLOCK = "clock"
    """Nothing was tried: the time of day cannot be right."""
    OFFLINE = "offline"
    """Nothing was tried: there is no way out of this device."""
    NAME = "name"
    """The host's name could not be resolved."""
    NETWORK = "network"
    CERTIFICATE = "certificate"
    TLS = "tls"
    PROXY = "proxy"
    TIMEOUT = "timeout"
    ODD = "odd"
    """An answer that cannot be read."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """A failure in plain values."""

    place: Place
    family: Family
    code: int = 0
    text: str = ""
    resuming: bool = False
    """Whether the connection was made with a handle."""
    model: str = ""
    host: str = ""
    token: bool = False
    """Whether it was made with an ephemeral token, and not with the key."""
    pause_s: float = 0.0
    """For how long the server asks to be left alone; 0: it does not."""


_BEFORE_SETUP = frozenset(
    {
        Family.REFUSED,
        Family.NAME,
        Family.NETWORK,
        Family.CERTIFICATE,
        Family.TLS,
        Family.PROXY,
    }
)
_TEXT_CHARACTERS = 200
_READ_CHARACTERS = 4_000
"""Of a text from elsewhere this much is looked at: a body of a megabyte of ``://`` would keep the
expression below busy for hours."""
_CODES = 100_000
"""Close codes, HTTP statuses and the server's own codes are all below."""
_OUR_REFUSALS = {
    1002: "frames that are no WebSocket's",
    1007: "text that is not UTF-8",
    1009: "a message that is too long",
}
"""RFC 6455: the codes with which our own library closes, because of what has come."""
_CREDENTIALS = re.compile(r"://\S*@")
"""User and password in a URL; greedy, since either may have a slash or an @ of its own."""
_TELLING_CHARACTERS = 8
"""The shortest beginning of a secret that is taken for a part of it."""


def symptom_of(  # noqa: PLR0913 - what a symptom is made of
    error: BaseException,
    *,
    opened: bool,
    resuming: bool = False,
    model: str = "",
    host: str = "",
    secret: str = "",
    token: bool = False,
) -> Symptom:
    """Translate what the SDK, websockets, ssl or the system raised; ``secret`` is blotted out.

    The SDK raises four families: APIError when receiving and at setup, ConnectionClosed when
    sending, InvalidStatus or an OSError when dialling, and anything for JSON that it did not
    expect. The symptom's text only shows, on one line (see `device.text`).
    """
    family, code, text = _plain(error)
    if opened:
        place = Place.OPEN
    elif family in _BEFORE_SETUP or (family is Family.TIMEOUT and str(error)):
        # websockets and the system name their timeouts; the one over the whole connect is bare.
        place = Place.DIAL
    else:
        place = Place.SETUP
    text = _blotted(" ".join(printable(text, _READ_CHARACTERS).split()), secret)[:_TEXT_CHARACTERS]
    return Symptom(place, family, code, text, resuming, model, host, token)


def _blotted(text: str, secret: str) -> str:
    """Return the text without passwords in URLs, and without the secret (or a cut piece of it)."""
    # websockets names a proxy's whole URL, user and password too, where it cannot be used.
    text = _CREDENTIALS.sub("://[user]@", text)
    text = re.sub(LENT_LOOK, "[token]", text)
    if secret:
        text = text.replace(secret, "[key]")
        # What stands behind the slash of a token is the secret in it.
        text = text.replace(secret.removeprefix(PREFIX), "[key]")
    # Live API: reasons are cut at 123 bytes, through the middle of whatever they echo.
    for length in range(len(secret) - 1, _TELLING_CHARACTERS - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + "[key]"
    return text


def _plain(error: BaseException) -> tuple[Family, int, str]:
    """Return family, code and text. The SDK's types go by name: importing it takes seconds."""
    names = {base.__name__ for base in type(error).__mro__}
    if "APIError" in names:
        return _api_error(error)
    if "ConnectionClosed" in names:
        return _closed_connection(error)
    if "InvalidStatus" in names:
        response: Any = vars(error)["response"]
        return Family.REFUSED, response.status_code, body_text(response.body)
    if isinstance(error, OSError):
        return _os_error(error)
    if "InvalidMessage" in names:
        return Family.NETWORK, 0, str(error)
    if names & {"ProxyError", "InvalidProxy", "ImportError"}:
        # websockets imports what a SOCKS proxy needs when the environment names one.
        return Family.PROXY, 0, str(error)
    if isinstance(error, ValueError) or "WebSocketException" in names:
        return Family.ODD, 0, str(error)
    # The SDK trips over JSON of another shape; its own words say nothing.
    return Family.ODD, 0, "a message of an unknown kind"


def _api_error(error: Any) -> tuple[Family, int, str]:
    if isinstance(error.details, str) and error.code >= 1000:
        if error.code == 1006:
            # The SDK hides that our own library closed, and why, in the exception's context.
            return _closed_connection(error.__context__)
        return Family.CLOSED, error.code, error.details
    return Family.ERROR, _number(error.code), _error_text(error.details)


def _closed_connection(error: Any) -> tuple[Family, int, str]:
    received, sent = getattr(error, "rcvd", None), getattr(error, "sent", None)
    if received is not None:
        return Family.CLOSED, received.code, received.reason
    if sent is None:
        return Family.CLOSED, 1006, ""
    if sent.code in _OUR_REFUSALS:
        return Family.ODD, 0, _OUR_REFUSALS[sent.code]
    return Family.CLOSED, 1006, sent.reason


def _number(code: object) -> int:
    """Return a code of the server, which may be anything that JSON holds."""
    return code if type(code) is int and 0 <= code < _CODES else 0


def _error_text(answer: object) -> str:
    """Return what an error in Google's JSON says: ``message``, at the top or under ``error``."""
    if not isinstance(answer, dict):
        return ""
    inner = answer.get("error")
    told = answer.get("message") or (inner.get("message") if isinstance(inner, dict) else None)
    return told if isinstance(told, str) else ""


def body_text(body: bytes | None) -> str:
    """Return what an HTTP error says, in Google's JSON or plainly; a page of HTML says nothing."""
    text = (body or b"").decode(errors="replace").strip()
    try:
        return _error_text(json.loads(text))
    except (ValueError, RecursionError):
        return "" if text.startswith("<") else text


def _os_error(error: OSError) -> tuple[Family, int, str]:
    match error:
        case socket.gaierror():
            return Family.NAME, 0, str(error.strerror)
        case ssl.SSLCertVerificationError():
            return Family.CERTIFICATE, 0, str(error.verify_message)
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return Family.NETWORK, 0, "the other end hung up"
        case ssl.SSLError():
            return Family.TLS, 0, str(error.reason)
        case TimeoutError():
            return Family.TIMEOUT, 0, str(error)
        case _:
            # asyncio puts its own words into strerror, and joins those of several addresses.
            text = os.strerror(error.errno) if error.errno else str(error)
            return Family.NETWORK, 0, text
