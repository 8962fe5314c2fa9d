"""The stand-in makes tokens as the reference says, and takes them for what they are good for."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from device.simulator.certificate import Certificate
from device.simulator.live_server import LiveServer
from device.simulator.post import LONGEST_BYTES
from device.simulator.schema import RefusedError
from device.simulator.script import Script
from device.simulator.tokens import (
    EXPIRED,
    KEY_NOT_VALID,
    LOCKED,
    NO_NEW_SESSIONS,
    UNAVAILABLE,
    USED_UP,
    Mint,
    MintError,
    TokenRules,
)
from tests.simulator.raw_client import PATIENCE_S, RawClient, Serve, setup

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MODEL = "gemini-3.1-flash-live-preview"
LOCK = {
    "bidiGenerateContentSetup": {
        "model": f"models/{MODEL}",
        "generationConfig": {"responseModalities": ["AUDIO"]},
    },
    "fieldMask": "model,generationConfig.responseModalities",
}


def at(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat()


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


SETUP = setup(MODEL)["setup"]
RESUMING = SETUP | {"sessionResumption": {"handle": "H"}}


def test_a_token_has_the_defaults_of_the_reference() -> None:
    """30 minutes, 60 seconds for new sessions, one use, locked to nothing."""
    token = Mint(TokenRules()).make(b"", NOW, 100.0)
    assert (token.expires_at, token.sessions_until, token.uses) == (1_900.0, 160.0, 1)
    assert token.setup is None
    assert token.name.startswith("auth_tokens/")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (b"{", "Syntax error"),
        (b"[]", "Invalid JSON payload"),
        (body(use=1), 'Unknown name "use"'),
        (body(uses=-1), "auth_token.uses"),
        (body(uses="1"), "auth_token.uses"),
        (body(expireTime="tomorrow"), "auth_token.expire_time"),
        (body(expireTime=at(-1)), "expire_time must be in the future"),
        (body(expireTime=at(72_000)), "less than 20 hours"),
        (body(newSessionExpireTime=at(72_001)), "new_session_expire_time must be"),
        (body(fieldMask="model"), "without bidi_generate_content_setup"),
        (body(**(LOCK | {"fieldMask": "model,voice"})), "Invalid field mask path: voice"),
        (body(**(LOCK | {"fieldMask": ["model"]})), "field_mask"),
        (body(bidiGenerateContentSetup={"models": "x"}), 'Unknown name "models"'),
    ],
)
def test_a_token_is_not_made_of_what_the_reference_does_not_know(asked: bytes, words: str) -> None:
    """Google's JSON reading refuses unknown fields, wrong types and times out of range."""
    with pytest.raises(MintError) as caught:
        Mint(TokenRules()).make(asked, NOW, 0.0)
    assert words in str(caught.value)
    assert json.loads(caught.value.body)["error"]["code"] == caught.value.status == 400


def test_uses_are_counted_by_sessions_and_not_by_resuming() -> None:
    """As the SDK says; the same token resumes as often as one likes."""
    mint = Mint(TokenRules())
    name = mint.make(body(uses=2), NOW, 0.0).name
    for _ in range(2):
        mint.begin(name, SETUP, 1.0)
    for _ in range(3):
        mint.begin(name, RESUMING, 100.0)
    with pytest.raises(RefusedError) as caught:
        mint.begin(name, SETUP, 1.0)
    assert (caught.value.code, caught.value.reason) == (1008, USED_UP)
    assert mint.refused == ["used up"]


def test_resuming_counts_where_the_script_says_so() -> None:
    """As others have met it; in each of the ways it was refused."""
    for way, refusal in {"close": (1008, USED_UP), "unavailable": (1011, UNAVAILABLE)}.items():
        mint = Mint(TokenRules(resumes_count=True, refused_by=way))  # type: ignore[arg-type]
        name = mint.make(body(), NOW, 0.0).name
        mint.begin(name, SETUP, 1.0)
        assert mint.admit(name, 2.0)
        with pytest.raises(RefusedError) as caught:
            mint.begin(name, RESUMING, 2.0)
        assert (caught.value.code, caught.value.reason) == refusal
    mint = Mint(TokenRules(resumes_count=True, refused_by="status"))
    name = mint.make(body(), NOW, 0.0).name
    mint.begin(name, SETUP, 1.0)
    assert not mint.admit(name, 2.0)
    unlimited = mint.make(body(uses=0), NOW, 0.0).name
    for _ in range(5):
        mint.begin(unlimited, RESUMING, 1.0)


def test_a_token_ends_for_new_sessions_first_and_then_for_everything() -> None:
    """A session that goes on is not a new one; after the end no message is taken."""
    mint = Mint(TokenRules())
    asked = body(uses=0, expireTime=at(100), newSessionExpireTime=at(50))
    name = mint.make(asked, NOW, 0.0).name
    mint.begin(name, SETUP, 49.0)
    mint.begin(name, RESUMING, 60.0)
    with pytest.raises(RefusedError) as new:
        mint.begin(name, SETUP, 50.0)
    assert new.value.reason == NO_NEW_SESSIONS
    mint.check(name, 99.0)
    with pytest.raises(RefusedError) as over:
        mint.check(name, 100.0)
    assert over.value.reason == EXPIRED
    assert not mint.admit(name, 100.0)
    assert not mint.admit("auth_tokens/another", 0.0)
    assert mint.refused == ["no new sessions", "expired", "expired", "unknown"]


def test_locked_fields_are_the_tokens_own() -> None:
    """Refused where they differ, or replaced where the script follows the SDK's words."""
    other = SETUP | {"model": "models/gemini-3.8-live"}
    strict, lenient = Mint(TokenRules()), Mint(TokenRules(locked="ignored"))
    name = strict.make(body(**LOCK), NOW, 0.0).name
    assert strict.begin(name, SETUP, 1.0) == SETUP
    with pytest.raises(RefusedError) as caught:
        strict.begin(strict.make(body(**LOCK), NOW, 0.0).name, other, 1.0)
    assert caught.value.reason == LOCKED
    assert lenient.begin(lenient.make(body(**LOCK), NOW, 0.0).name, other, 1.0) == SETUP
    whole = {"bidiGenerateContentSetup": LOCK["bidiGenerateContentSetup"]}
    counted = lenient.begin(lenient.make(body(**whole), NOW, 0.0).name, RESUMING, 1.0)
    assert counted == whole["bidiGenerateContentSetup"], "without a mask all of it is locked"
    unset = LOCK | {"fieldMask": "model,generationConfig.temperature"}
    hot = SETUP | {"generationConfig": {"responseModalities": ["AUDIO"], "temperature": 1}}
    counted = lenient.begin(lenient.make(body(**unset), NOW, 0.0).name, hot, 1.0)
    assert "temperature" not in counted["generationConfig"]


# --- over the wire -------------------------------------------------------------------------------


async def post(
    server: LiveServer,
    certificate: Certificate,
    *,
    path: str = "/v1alpha/auth_tokens",
    key: str = "k",
    content: bytes = b"",
) -> tuple[int, Any]:
    """Ask for a token in two pieces, as a network may bring them."""
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection(
        "localhost", port, ssl=certificate.client_context()
    )
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nx-goog-api-key: {key}\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode())
    await writer.drain()
    writer.write(content)
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()
    first, _, told = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]), json.loads(told)


async def connect(
    server: LiveServer,
    certificate: Certificate,
    token: str,
    *,
    version: str = "v1alpha",
    method: str = "BidiGenerateContentConstrained",
    by: str = "header",
) -> RawClient:
    from websockets.asyncio.client import connect as dial

    context: ssl.SSLContext = certificate.client_context()
    base = server.url.replace("https", "wss")
    url = f"{base}/ws/google.ai.generativelanguage.{version}.GenerativeService.{method}"
    if by == "address":
        return RawClient(await dial(f"{url}?access_token={token}", ssl=context))
    headers = {"Authorization": f"Token {token}"}
    return RawClient(await dial(url, ssl=context, additional_headers=headers))


async def test_minting_takes_the_key_and_one_version(
    serve: Serve, certificate: Certificate
) -> None:
    """A wrong key, none, a token for a key, and another version are told apart."""
    server = await serve(Script(api_keys=("k",)))
    status, told = await post(server, certificate, content=body(uses=0, **LOCK))
    assert status == 200
    assert list(told) == ["name"]
    assert server.mint.tokens[told["name"]].uses == 0
    for fields, expected, words in (
        ({"key": "wrong"}, 400, KEY_NOT_VALID),
        ({"key": ""}, 403, "unregistered callers"),
        ({"key": told["name"]}, 400, KEY_NOT_VALID),
        ({"path": "/v1beta/auth_tokens"}, 404, ""),
        ({"content": b"{"}, 400, "Syntax error"),
    ):
        status, error = await post(server, certificate, **fields)
        assert status == expected
        assert words in error["error"]["message"]
    assert server.connections == []


async def test_a_request_without_end_is_refused(serve: Serve, certificate: Certificate) -> None:
    """The library of WebSockets says so, as it does of every body."""
    server = await serve()
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection(
        "localhost", port, ssl=certificate.client_context()
    )
    head = f"POST /v1alpha/auth_tokens HTTP/1.1\r\nContent-Length: {2 * LONGEST_BYTES}\r\n\r\n"
    writer.write(head.encode() + b"x" * LONGEST_BYTES)
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")) or not answer
    assert server.mint.tokens == {}


async def test_each_endpoint_takes_what_is_its_own(serve: Serve, certificate: Certificate) -> None:
    """The constrained one takes tokens in v1alpha, the plain one takes keys; nothing else."""
    server = await serve()
    _, told = await post(server, certificate, content=body(uses=0))
    token = told["name"]
    for by in ("header", "address"):
        client = await connect(server, certificate, token, by=by)
        await client.begin()
        await client.socket.close()
    for fields, status in (
        ({"token": "auth_tokens/unknown"}, 401),
        ({"token": "k"}, 401),
        ({"version": "v1beta"}, 404),
        ({"method": "BidiGenerateContent"}, 403),
    ):
        with pytest.raises(InvalidStatus) as caught:
            await connect(server, certificate, **({"token": token} | fields))
        assert caught.value.response.status_code == status


async def test_a_connection_ends_with_its_token(serve: Serve, certificate: Certificate) -> None:
    """The first message after the end closes it; a setup that is locked otherwise does too."""
    server = await serve()
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    _, told = await post(server, certificate, content=body(uses=0, expireTime=soon, **LOCK))
    client = await connect(server, certificate, told["name"])
    await client.begin()
    server.mint.tokens[told["name"]].expires_at = 0.0
    await client.send({"realtimeInput": {"text": "hello"}})
    with pytest.raises(ConnectionClosed) as caught:
        await client.until("turnComplete")
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.reason == EXPIRED
    _, told = await post(server, certificate, content=body(**LOCK))
    client = await connect(server, certificate, told["name"])
    with pytest.raises(ConnectionClosed) as locked:
        await client.begin(model="gemini-3.8-live")
    assert locked.value.rcvd is not None
    assert locked.value.rcvd.code == 1007
    assert server.mint.refused == ["expired", "locked"]


async def test_a_token_is_no_key(serve: Serve, certificate: Certificate) -> None:
    """As a key on the plain endpoint it is what a wrong key is."""
    server = await serve()
    _, told = await post(server, certificate)
    from websockets.asyncio.client import connect as dial

    base = server.url.replace("https", "wss")
    path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    headers = {"x-goog-api-key": told["name"]}
    context = certificate.client_context()
    async with dial(base + path, ssl=context, additional_headers=headers) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await RawClient(socket).begin()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.reason == KEY_NOT_VALID
