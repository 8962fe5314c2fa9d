"""The handshake decides whether an HTTP request is taken as a WebSocket of the Live API.

Tested in tests/simulator/test_live_server.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Response

from device.simulator.record import ConnectionRecord
from device.simulator.script import Drop, Reject, Script, Silence

PATH = re.compile(
    r"/ws/google\.ai\.generativelanguage\.(v\d\w*)\.GenerativeService\.BidiGenerateContent"
)
KEY_MISSING = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)


def api_version(path: str) -> str | None:
    """Return the API version in the path of a request; None when it is not the Live API's."""
    found = PATH.fullmatch(path)
    return found and found[1]


async def judge(
    script: Script, client: ServerConnection, record: ConnectionRecord
) -> Response | None:
    """Return the HTTP answer that refuses a request, or None to open the WebSocket.

    A wrong key or API version is no reason: the real server closes over those after setup.
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
    return None if record.api_key else _refusal(403, KEY_MISSING)


async def _wait_gone(client: ServerConnection, timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s if math.isfinite(timeout_s) else None):
            await client.wait_closed()


def _refusal(status: int, body: str) -> Response:
    data = body.encode()
    headers = Headers(
        {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(data)),
            "Connection": "close",
        }
    )
    return Response(status, HTTPStatus(status).phrase, headers, data)
