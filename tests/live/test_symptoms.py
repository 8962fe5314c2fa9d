"""Exceptions of four libraries as plain values."""

from __future__ import annotations

import errno
import socket
import ssl
import time

import pytest
from google.genai.errors import APIError, ServerError
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxyMessage,
    InvalidStatus,
)
from websockets.frames import Close
from websockets.http11 import Response

from device.live.symptoms import Family, Place, symptom_of


def closed_under_the_sdk(error: ConnectionClosed) -> APIError:
    """The SDK's own way: the exception of websockets is left in the context."""
    try:
        try:
            raise error
        except ConnectionClosed:
            raise APIError(1006, "abnormal closure [internal]", None)  # noqa: B904 - as the SDK
    except APIError as wrapped:
        return wrapped


def http(status: int, body: bytes) -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers(), body))


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


def tls_error() -> ssl.SSLError:
    error = ssl.SSLError(1, "wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


@pytest.mark.parametrize(
    ("error", "family", "code", "text"),
    [
        (APIError(1008, "models/x is not found", None), Family.CLOSED, 1008, "models/x is not"),
        (
            closed_under_the_sdk(
                ConnectionClosedError(None, Close(1011, "keepalive ping timeout"))
            ),
            Family.CLOSED,
            1006,
            "keepalive ping timeout",
        ),
        (closed_under_the_sdk(ConnectionClosedError(None, None)), Family.CLOSED, 1006, ""),
        (ServerError(503, {"code": 503, "message": "busy"}, None), Family.ERROR, 503, "busy"),
        (ServerError(503, {"error": {"message": "busy"}}, None), Family.ERROR, 503, "busy"),
        (ServerError(503, {"code": 503}, None), Family.ERROR, 503, ""),
        (APIError(503, {"message": ["odd"]}, None), Family.ERROR, 503, ""),
        (APIError(503, [], None), Family.ERROR, 503, ""),
        (APIError(10**30, {"message": "m"}, None), Family.ERROR, 0, "m"),
        (APIError("503", {"message": "m"}, None), Family.ERROR, 0, "m"),  # type: ignore[arg-type]
        (
            closed_under_the_sdk(ConnectionClosedError(None, Close(1009, "over 4 MB"))),
            Family.ODD,
            0,
            "a message that is too long",
        ),
        (
            closed_under_the_sdk(ConnectionClosedError(None, Close(1002, "bad opcode"))),
            Family.ODD,
            0,
            "frames that are no WebSocket's",
        ),
        (ConnectionClosedError(Close(1007, "why"), None), Family.CLOSED, 1007, "why"),
        (ConnectionClosedError(None, None), Family.CLOSED, 1006, ""),
        (
            http(400, b'{"error": {"message": "API key not valid."}}'),
            Family.REFUSED,
            400,
            "API key not valid.",
        ),
        (http(502, b"<html>bad gateway</html>"), Family.REFUSED, 502, ""),
        (http(503, b"plainly busy"), Family.REFUSED, 503, "plainly busy"),
        (http(503, b'{"error": "odd"}'), Family.REFUSED, 503, ""),
        (http(503, b"[]"), Family.REFUSED, 503, ""),
        (http(503, b""), Family.REFUSED, 503, ""),
        (http(503, b"[" * 100_000), Family.REFUSED, 503, "[[[["),
        (http(503, b'{"error": {"message": ["odd"]}}'), Family.REFUSED, 503, ""),
        (socket.gaierror(-2, "Name or service not known"), Family.NAME, 0, "Name or service"),
        (certificate_error(), Family.CERTIFICATE, 0, "certificate has expired"),
        (tls_error(), Family.TLS, 0, "WRONG_VERSION_NUMBER"),
        (ssl.SSLEOFError(8, "eof"), Family.NETWORK, 0, "the other end hung up"),
        (ssl.SSLZeroReturnError(6, "eof"), Family.NETWORK, 0, "the other end hung up"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Family.NETWORK, 0, "Connection refused"),
        (OSError("Multiple exceptions: [Errno 111] a"), Family.NETWORK, 0, "Multiple exceptions"),
        (TimeoutError(), Family.TIMEOUT, 0, ""),
        (InvalidProxyMessage(), Family.PROXY, 0, ""),
        (ImportError("no python-socks"), Family.PROXY, 0, "no python-socks"),
        (InvalidMessage("no HTTP response"), Family.NETWORK, 0, "no HTTP response"),
        (InvalidHandshake("odd upgrade"), Family.ODD, 0, "odd upgrade"),
        (TypeError("'<=' not supported"), Family.ODD, 0, "a message of an unknown kind"),
        (AttributeError("'list' object has"), Family.ODD, 0, "a message of an unknown kind"),
        (RecursionError("maximum"), Family.ODD, 0, "a message of an unknown kind"),
        (MemoryError(), Family.ODD, 0, "a message of an unknown kind"),
        (ValueError("Failed to parse response: b'x'"), Family.ODD, 0, "Failed to parse"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_exception_becomes_family_code_and_text(
    error: Exception, family: Family, code: int, text: str
) -> None:
    """Whatever the library, the same three values come out, and the reason text is found."""
    symptom = symptom_of(error, opened=True)
    assert (symptom.family, symptom.code) == (family, code)
    assert symptom.text.startswith(text)
    assert symptom.place is Place.OPEN


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (http(401, b""), Place.DIAL),
        (socket.gaierror(-2, "x"), Place.DIAL),
        (TimeoutError("timed out during opening handshake"), Place.DIAL),
        (TimeoutError(), Place.SETUP),
        (APIError(1007, "no", None), Place.SETUP),
        (ValueError("not setupComplete"), Place.SETUP),
    ],
)
def test_place_of_a_failed_connect_follows_from_the_exception(
    error: Exception, place: Place
) -> None:
    """The SDK dials and sets up in one call; what was raised tells how far it came."""
    assert symptom_of(error, opened=False).place is place


def test_key_is_blotted_out_before_the_text_is_cut() -> None:
    """A server that echoes the key does not bring it into a message, not even a part of it."""
    error = APIError(1008, "x" * 195 + "SECRETKEY", None)
    symptom = symptom_of(error, opened=True, secret="SECRETKEY")
    assert "SEC" not in symptom.text
    assert len(symptom.text) == 200


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bad key SECRET12", "bad key [key]"),
        ("bad key SECRET12345", "bad key [key]"),
        ("SECRET123456 or SECRET12345", "[key] or [key]"),
        ("bad key SECRET1", "bad key SECRET1"),
        ("SECRET12 is bad", "SECRET12 is bad"),
    ],
)
def test_key_that_was_cut_with_the_reason_is_blotted_out(text: str, told: str) -> None:
    """Live API: reasons end after 123 bytes, with 8 or more characters of a key at times."""
    symptom = symptom_of(APIError(1008, text, None), opened=True, secret="SECRET123456")
    assert symptom.text == told


def test_text_is_one_line() -> None:
    """A reason of several lines is told in one."""
    assert symptom_of(APIError(1008, "a\n  b", None), opened=True).text == "a b"


def test_text_only_shows() -> None:
    """What a server says commands no terminal, and forges no line."""
    reason = "no\x1b[2J\x07\x9b1m\u202e\n  99.000  state"
    symptom = symptom_of(APIError(1008, reason, None), opened=True)
    assert symptom.text == "no�[2J��1m� 99.000 state"


def test_a_long_text_is_read_in_no_time() -> None:
    """A megabyte of what might each begin a password costs one short look."""
    error = http(503, b"://" * 350_000)
    began = time.process_time()
    assert len(symptom_of(error, opened=False).text) == 200
    assert time.process_time() - began < 1


def test_what_is_known_of_the_connection_is_kept() -> None:
    """Model, host and resuming come along for the message."""
    symptom = symptom_of(TimeoutError(), opened=False, resuming=True, model="m", host="h")
    assert (symptom.resuming, symptom.model, symptom.host) == (True, "m", "h")


@pytest.mark.parametrize(
    "url", ["http://owner:pass@proxy:3128/", "ftp://o:p/a@ss@proxy", "http://pass@:x/"]
)
def test_a_proxys_password_is_blotted_out(url: str) -> None:
    """Where a proxy cannot be used, the library names the whole of its address."""
    symptom = symptom_of(ValueError(f"{url} isn't a valid proxy"), opened=False)
    assert "pass" not in symptom.text
    assert "://[user]@" in symptom.text
