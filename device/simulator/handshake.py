"""The handshake decides whether an HTTP request is taken as a WebSocket of the Live API.

Tested in tests/simulator/test_live_server.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from device.simulator.record import ConnectionRecord
from device.simulator.script import Drop, Reject, Script, Silence
from device.simulator.tokens import KEY_NOT_VALID, UNAUTHENTICATED, VERSION, Mint, MintError
from device.simulator.tokens import PATH as TOKENS_PATH

PATH = re.compile(
    r"/ws/google\.ai\.generativelanguage\.(v\d\w*)\.GenerativeService\.BidiGenerateContent"
    r"(Constrained)?"
)
KEY_MISSING = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)


def api_version(path: str) -> str | None:
    """Return the API version in the path of a request; None when it is not the Live API's."""
    found = PATH.fullmatch(path)
    return found and found[1]


def takes_tokens(path: str) -> bool:
    """Tell whether a path is that of the endpoint for ephemeral tokens, and for nothing else."""
    found = PATH.fullmatch(path)
    return found is not None and found[2] is not None


def token_in(headers: Headers, query: str) -> str:
    """Return the ephemeral token of a request: in its header or in its address."""
    scheme, _, name = headers.get("Authorization", "").partition(" ")
    if scheme == "Token":
        return name
    return parse_qs(query).get("access_token", [""])[0]


async def judge(
    script: Script, client: ServerConnection, record: ConnectionRecord, mint: Mint
) -> Response | None:
    """Return the HTTP answer that refuses a request, or None to open the WebSocket.

    A wrong key or API version is no reason: the real server closes over those after setup. A token
    is: see `device.simulator.tokens`.
    """
    for event in script.events:
        if event.concerns("upgrade", record.number, 0):
            await asyncio.sleep(event.after_s)
            match event.do:
                case Reject(status, body):
                    return _refusal(status, body)
                case Silence(for_s):
                    await _wait_gone(client, for_s)
                case Drop():
                    client.transport.abort()
    if client.transport.is_closing():
        return _refusal(503, "")
    if api_version(record.path) is None:
        return _refusal(404, "Not Found")
    if takes_tokens(record.path):
        # Live API: a WebSocket of another version with a token was not opened, it is not said how.
        if api_version(record.path) != VERSION:
            return _refusal(404, "Not Found")
        admitted = mint.admit(record.token, time.monotonic())
        return None if admitted else _refusal(401, UNAUTHENTICATED)
    # Live API: so it answers also where a token came to this endpoint.
    return None if record.api_key else _refusal(403, KEY_MISSING)


def make_token(mint: Mint, request: Request, body: bytes, keys: Sequence[str] | None) -> Response:
    """Answer a POST: with a new ephemeral token, or with what is wrong, in Google's JSON."""
    try:
        _check_key(request, keys)
        token = mint.make(body, datetime.now(UTC), time.monotonic())
    except MintError as error:
        return _answer(error.status, error.body, "application/json")
    return _answer(200, json.dumps({"name": token.name}), "application/json")


def _check_key(request: Request, keys: Sequence[str] | None) -> None:
    key = request.headers.get("x-goog-api-key", "")
    if urlsplit(request.path).path != TOKENS_PATH:
        # Live API: so it was where a token was asked of another version.
        raise MintError(404, "NOT_FOUND", "")
    if not key:
        raise MintError(403, "PERMISSION_DENIED", KEY_MISSING)
    if key.startswith("auth_tokens/") or (keys is not None and key not in keys):
        raise MintError(400, "INVALID_ARGUMENT", KEY_NOT_VALID)


async def _wait_gone(client: ServerConnection, timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s if math.isfinite(timeout_s) else None):
            await client.wait_closed()


def _refusal(status: int, body: str) -> Response:
    return _answer(status, body, "text/plain")


def _answer(status: int, body: str, kind: str) -> Response:
    data = body.encode()
    headers = Headers(
        {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(data)),
            "Connection": "close",
        }
    )
    return Response(status, HTTPStatus(status).phrase, headers, data)
