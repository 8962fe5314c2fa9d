"""A token is fetched within bounds; what goes wrong is told apart, and tells no secret."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from device.live.failures import Diagnosis, Remedy, diagnose
from device.live.link import LinkError
from device.live.symptoms import Family, Place
from device.live.token import Token
from device.live.token_server import LONGEST_BYTES, TokenServer, pause_s
from device.news import FailureKind
from device.simulator.certificate import Certificate, make_certificate
from tests.rig.lending import Answer, Asked, LendingServer

NAME = "auth_tokens/4969d96da97639001864b5be08549d58"
SECRET = "bearer-of-the-kitchen-0123456789"
MODEL = "gemini-3.8-live"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def server(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LendingServer]:
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate.certificate))

    async def decide(_: Asked) -> Answer:
        return Answer(body=json.dumps({"name": NAME}).encode())

    async with LendingServer(decide, certificate) as lending:
        yield lending


async def fetch(url: str, within_s: float = 10.0) -> Token:
    async with asyncio.timeout(within_s):
        return await TokenServer(url, SECRET).fetch(MODEL)


async def failed(url: str) -> tuple[LinkError, Diagnosis]:
    with pytest.raises(LinkError) as caught:
        await fetch(url)
    symptom = caught.value.symptom
    assert symptom.place is Place.TOKEN
    diagnosis = diagnose(symptom)
    told = f"{caught.value} {caught.value!r} {diagnosis}"
    assert SECRET not in told
    assert "4969d96da976" not in told
    print(diagnosis.failure.message)
    return caught.value, diagnosis


async def test_one_post_with_the_credential_and_the_model(server: LendingServer) -> None:
    """That is all a token server is told."""
    before = time.monotonic()
    token = await fetch(server.url)
    assert token.name == NAME
    assert before <= token.fetched_at <= time.monotonic()
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert asked.headers["accept-encoding"] == "identity"
    assert json.loads(asked.body) == {"model": MODEL}
    await TokenServer(server.url).fetch(MODEL)
    assert "authorization" not in server.asked[1].headers
    assert SECRET not in repr(TokenServer(server.url, SECRET))


async def test_what_asks_is_made_in_a_thread(
    server: LendingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one takes its time, and the loop has sound to carry."""
    threads = []

    class Client(httpx2.AsyncClient):
        def __init__(self, **how: Any) -> None:
            threads.append(threading.current_thread())
            super().__init__(**how)

    monkeypatch.setattr(httpx2, "AsyncClient", Client)
    await fetch(server.url)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


STATUSES: dict[int, tuple[Remedy, str]] = {
    401: (Remedy.STOP, "live.token_credential"),
    403: (Remedy.STOP, "refused this speaker"),
    404: (Remedy.STOP, "gives out no tokens at this address (HTTP 404): check live.token_url"),
    405: (Remedy.STOP, "gives out no tokens at this address"),
    410: (Remedy.NEXT_MODEL, "no token for the model gemini-3.8-live, which Google does not have"),
    422: (Remedy.STOP, "lends no token for gemini-3.8-live"),
    400: (Remedy.STOP, "refused what this speaker asked for (HTTP 400)"),
    302: (Remedy.STOP, "something else than a token (HTTP 302)"),
    204: (Remedy.STOP, "something else than a token (HTTP 204)"),
    500: (Remedy.WAIT, "answered HTTP 500"),
    502: (Remedy.LATER, "Google refused"),
    503: (Remedy.WAIT, "gets no token from Google"),
    429: (Remedy.LATER, "lends no more tokens for now"),
}


@pytest.mark.parametrize("status", sorted(STATUSES))
async def test_each_refusal_says_what_to_do(server: LendingServer, status: int) -> None:
    """A wrong credential is not a wrong address, nor a server that is busy."""
    remedy, words = STATUSES[status]
    said = json.dumps({"error": {"message": f"no: {SECRET} and {NAME}"}}).encode()

    async def decide(_: Asked) -> Answer:
        headers = {"Location": "https://localhost:1/elsewhere", "Content-Type": "application/json"}
        return Answer(status, said if status != 204 else b"", headers)

    server.decide = decide
    _, diagnosis = await failed(server.url)
    kind = FailureKind.MODEL if status == 410 else FailureKind.TOKEN
    assert diagnosis.failure.kind is kind
    assert diagnosis.remedy is remedy
    assert words in diagnosis.failure.message
    assert len(server.asked) == 1, "no redirect is followed"


async def test_a_server_that_wants_a_pause_is_heard(server: LendingServer) -> None:
    """How long it says is in the words, and bounded where it is waited for."""
    told: dict[str, str] = {}

    async def decide(_: Asked) -> Answer:
        return Answer(429, headers=told)

    server.decide = decide
    told["Retry-After"] = "40"
    error, diagnosis = await failed(server.url)
    assert "again in 40 s" in diagnosis.failure.message
    assert pause_s(error.symptom) == 40.0
    odd = ("Mon, 30 Nov 2026", "-1", "\u00b2", "9" * 5_000)
    for header, pause in (("999999", 300.0), *((each, 0.0) for each in odd)):
        told["Retry-After"] = header
        error, _ = await failed(server.url)
        assert pause_s(error.symptom) == pause


@pytest.mark.parametrize("words", ["again in nan s", "again in a while", "again in"])
async def test_a_pause_is_never_read_out_of_words(server: LendingServer, words: str) -> None:
    """They are the server's own."""

    async def decide(_: Asked) -> Answer:
        return Answer(429, body=json.dumps({"error": {"message": words}}).encode())

    server.decide = decide
    error, _ = await failed(server.url)
    assert pause_s(error.symptom) == 0.0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>" + NAME.encode(), "it is no JSON"),
        (b"x" * (LONGEST_BYTES + 1), f"more than {LONGEST_BYTES} bytes"),
        (b'{"token": "auth_tokens/4969d96da976"}', 'no "name"'),
        (b'{"name": "AIzaSyA_4969d96da97639001864b5be08"}', 'no "name"'),
    ],
)
async def test_what_is_no_token_is_not_shown(
    server: LendingServer, body: bytes, words: str
) -> None:
    """Also a key, which somebody's own server might hand out."""

    async def decide(_: Asked) -> Answer:
        return Answer(body=body)

    server.decide = decide
    _, diagnosis = await failed(server.url)
    assert diagnosis.failure.kind is FailureKind.TOKEN
    assert diagnosis.remedy is Remedy.STOP
    assert words in diagnosis.failure.message


async def test_a_token_for_another_model_is_not_used(server: LendingServer) -> None:
    """It would be refused later, in words that nobody understands."""

    async def decide(_: Asked) -> Answer:
        return Answer(body=json.dumps({"name": NAME, "models": ["gemini-3.1"]}).encode())

    server.decide = decide
    _, diagnosis = await failed(server.url)
    assert "lends no token for gemini-3.8-live" in diagnosis.failure.message
    assert "locked to gemini-3.1" in diagnosis.failure.message


async def test_nobody_there_is_a_matter_of_the_network(server: LendingServer) -> None:
    """It is tried again like a server that cannot be reached."""
    await server.stop()
    error, diagnosis = await failed(server.url)
    assert error.symptom.family is Family.NETWORK
    assert diagnosis.failure.kind is FailureKind.NETWORK
    assert diagnosis.remedy is Remedy.WAIT
    assert "the token server localhost:" in diagnosis.failure.message
    _, diagnosis = await failed("https://nobody.invalid/token")
    assert diagnosis.failure.kind is FailureKind.DNS
    assert "live.token_url" in diagnosis.failure.message


async def test_a_server_that_hangs_up_or_talks_otherwise(server: LendingServer) -> None:
    """Half an answer, no HTTP, no TLS: never anything but a told failure."""

    async def hang_up(_: Asked) -> Answer:
        raise ConnectionError

    server.decide = hang_up
    _, diagnosis = await failed(server.url)
    assert diagnosis.failure.kind is FailureKind.NETWORK
    plain = socket.create_server(("127.0.0.1", 0))

    def chatter() -> None:
        while True:
            try:
                client, _ = plain.accept()
            except OSError:
                return
            client.sendall(b"220 mail.example.com ESMTP\r\n")
            client.close()

    chatting = asyncio.create_task(asyncio.to_thread(chatter))
    port = plain.getsockname()[1]
    try:
        for scheme in ("https", "http"):
            _, diagnosis = await failed(f"{scheme}://localhost:{port}/token")
            assert diagnosis.failure.kind in {FailureKind.NETWORK, FailureKind.TLS}
    finally:
        plain.shutdown(socket.SHUT_RDWR)
        plain.close()
        await chatting


async def test_a_certificate_that_is_not_trusted(
    server: LendingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No request is sent; the words say where a certificate is added."""
    other = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(other.certificate))
    _, diagnosis = await failed(server.url)
    assert diagnosis.failure.kind is FailureKind.TLS
    assert diagnosis.remedy is Remedy.STOP
    assert "update-ca-certificates" in diagnosis.failure.message
    assert server.asked == []


async def test_a_server_that_never_answers_is_left_by_the_caller(server: LendingServer) -> None:
    """Nothing of it is left behind."""
    never = asyncio.Event()

    async def decide(_: Asked) -> Answer:
        await never.wait()
        return Answer()

    server.decide = decide
    with pytest.raises(TimeoutError):
        await fetch(server.url, within_s=0.5)
    never.set()


async def test_a_proxy_of_the_environment_is_for_servers_elsewhere(
    server: LendingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the Live API; what NO_PROXY names is asked straight."""
    monkeypatch.setenv("HTTPS_PROXY", "http://owner:Passw0rd-of-proxy@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost")
    await fetch(server.url)
    monkeypatch.setenv("NO_PROXY", "")
    error, _ = await failed(server.url)
    assert "Passw0rd" not in str(error)
    for odd in ("socks5h://owner:Passw0rd@localhost:9", "ftp://localhost:9"):
        monkeypatch.setenv("HTTPS_PROXY", odd)
        error, diagnosis = await failed(server.url)
        assert "HTTPS_PROXY" in diagnosis.failure.message, odd
        assert "Passw0rd" not in str(error)


async def test_certificates_that_cannot_be_read(
    server: LendingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller tells it as of every connection."""
    for path in ("/nonexistent", "/etc/hostname"):
        monkeypatch.setenv("SSL_CERT_FILE", path)
        with pytest.raises((OSError, ValueError)):
            await fetch(server.url)


def test_the_shape_of_what_is_asked() -> None:
    """The host shows without what else is in the URL."""
    of: dict[str, Any] = {"url": "https://tokens.home.arpa:8790/token?for=kitchen"}
    assert TokenServer(**of).host == "tokens.home.arpa:8790"
