"""The service that lends tokens, over its own TLS: who gets one, and who gets what instead."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from device.errors import ParleyError
from device.live.token import token_of
from device.news import Failure, FailureKind
from device.simulator.live_server import LiveServer
from device.simulator.script import Script
from device.tokens import server as serving
from device.tokens.audit import Audit
from device.tokens.mint import Minter, MintError
from device.tokens.server import Listening, Terms, TokenService
from device.tokens.speakers import Speakers
from tests.live.talk import Settings

KEY = "AIzaTheKeyOfThisTestIsNobodysBusiness01"
MODEL = "gemini-3.8-live"
TERMS = Terms((MODEL, "gemini-3.1-flash-live-preview"), 1, 1_800.0, 120.0, 120)


@dataclass
class House:
    """A token server, who may ask it, and Google."""

    google: LiveServer
    service: TokenService
    port: int
    bearer: str
    speakers: Path
    audit: Path
    client: httpx2.AsyncClient
    task: asyncio.Task[None]

    async def ask(self, bearer: str | None = None, **how: Any) -> httpx2.Response:
        # As a speaker does, which keeps no connection.
        headers = {"Connection": "close"}
        headers["Authorization"] = f"Bearer {self.bearer if bearer is None else bearer}"
        how = {"json": {"model": MODEL}} | how
        method, path = how.pop("method", "POST"), how.pop("path", "/token")
        url = f"https://localhost:{self.port}{path}"
        headers |= how.pop("headers", {})
        return await self.client.request(method, url, headers=headers, **how)


@asynccontextmanager
async def house(tmp_path: Path, *, key: str = KEY, terms: Terms = TERMS) -> AsyncIterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        async with LiveServer(Script(api_keys=(KEY,)), directory=tmp_path) as google:
            patch.setenv("SSL_CERT_FILE", os.fspath(google.certificate))
            bearer = Speakers(tmp_path / "speakers").add("kitchen")
            async with Minter(Settings(endpoint=google.url), key) as minter:
                audit = tmp_path / "tokens.jsonl"
                speakers = tmp_path / "speakers"
                service = TokenService(minter, Speakers(speakers), Audit(audit), terms)
                tls = google.tls
                listening = Listening("127.0.0.1", 0, tls.certificate, tls.key)
                ports: asyncio.Queue[int] = asyncio.Queue()
                task = asyncio.create_task(service.serve(listening, ports.put_nowait))
                context = ssl.create_default_context(cafile=os.fspath(google.certificate))
                async with httpx2.AsyncClient(verify=context, trust_env=False) as client:
                    async with asyncio.timeout(10):
                        port = await ports.get()
                    try:
                        yield House(google, service, port, bearer, speakers, audit, client, task)
                    finally:
                        signal.raise_signal(signal.SIGTERM)
                        async with asyncio.timeout(10):
                            await task


async def test_a_speaker_is_lent_a_token(tmp_path: Path) -> None:
    """With all that it needs to know of it; it is on record, and nothing keeps a copy."""
    async with house(tmp_path) as home:
        answer = await home.ask()
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        token = token_of(answer.content, 0.0, answer.headers["date"])
        assert token.name in home.google.mint.tokens
        assert (token.uses, token.models) == (1, (MODEL,))
        assert 1_700 < token.expires_at <= 1_801
        assert 20 < token.sessions_until <= 121
        [line] = home.audit.read_text().splitlines()
        assert json.loads(line)["speaker"] == "kitchen"
        assert token.name not in line
        unnamed = await home.ask(json={})
        assert unnamed.json()["models"] == [MODEL]
        empty = await home.ask(json=None, content=b"")
        assert empty.status_code == 200


async def test_everything_else_is_refused_in_its_own_way(tmp_path: Path) -> None:
    """And says nothing of bearers, the key or what else there is."""
    async with house(tmp_path) as home:
        cases: list[tuple[dict[str, Any], int]] = [
            ({"bearer": "wrong"}, 401),
            ({"headers": {"Authorization": "Basic a2l0Y2hlbg=="}}, 401),
            ({"headers": {"Authorization": ""}}, 401),
            ({"method": "GET", "json": None}, 405),
            ({"path": "/"}, 404),
            ({"path": "/token/../speakers"}, 404),
            ({"json": {"model": "gemini-9"}}, 422),
            ({"json": {"model": 7}}, 400),
            ({"json": []}, 400),
            ({"json": None, "content": b"{"}, 400),
            ({"json": None, "content": b"x" * 5_000}, 413),
        ]
        for how, status in cases:
            answer = await home.ask(**how)
            assert answer.status_code == status, how
            told = answer.json()["error"]
            assert told["code"] == status
            assert told["message"]
            assert home.bearer not in answer.text
            assert KEY not in answer.text
        assert home.google.mint.tokens == {}
        assert not home.audit.exists()


async def test_a_speaker_that_is_deleted_gets_nothing_more(tmp_path: Path) -> None:
    """The file is looked at each time; where it is broken nobody gets anything."""
    async with house(tmp_path) as home:
        home.speakers.write_text("")
        assert (await home.ask()).status_code == 401
        home.speakers.chmod(0o644)
        answer = await home.ask()
        assert answer.status_code == 500
        assert str(home.speakers) not in answer.text


async def test_each_speaker_has_its_limit_and_so_have_wrong_bearers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says when to come again; who guesses is not listened to for a while."""
    monkeypatch.setattr(serving, "AT_ONCE", 2)
    monkeypatch.setattr(serving, "FAILURES_AT_ONCE", 3)
    async with house(tmp_path) as home:
        bath = Speakers(home.speakers).add("bath")
        for _ in range(2):
            assert (await home.ask()).status_code == 200
        limited = await home.ask()
        assert limited.status_code == 429
        assert 1 <= int(limited.headers["retry-after"]) <= 30
        assert (await home.ask(bath)).status_code == 200
        for _ in range(3):
            assert (await home.ask("guess")).status_code == 401
        assert (await home.ask("guess")).status_code == 429
        assert (await home.ask(bath)).status_code == 200, "it comes from the same address"


async def test_google_that_refuses_is_told_from_google_that_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """502 for a wrong key, 503 where trying again helps; the log says more, and never the key."""
    wrong = "AIzaAWrongKeyThatNobodyMaySee-0123456789"
    async with house(tmp_path, key=wrong) as home:
        refused = await home.ask()
        assert refused.status_code == 502
        await home.google.kill_listener()
        away = await home.ask()
        assert away.status_code == 503
        assert wrong not in refused.text + away.text + caplog.text
        assert "the server refused the key" in caplog.text
        await home.google.listen()


async def test_what_google_did_not_make_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is back, each speaker has as many tokens as before."""
    monkeypatch.setattr(serving, "AT_ONCE", 2)
    async with house(tmp_path) as home:
        await home.google.kill_listener()
        assert [(await home.ask()).status_code for _ in range(4)] == [503] * 4
        await home.google.listen()
        assert [(await home.ask()).status_code for _ in range(3)] == [200, 200, 429]


async def test_a_model_that_google_does_not_have_is_no_wrong_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The speaker goes on to the next one that it knows."""
    gone = Failure(FailureKind.MODEL, "the model is gone", retryable=False)

    async def mint(_: Minter, model: str, **_terms: float) -> None:
        raise MintError(replace(gone, message=f"{model} is gone"))

    monkeypatch.setattr(Minter, "mint", mint)
    async with house(tmp_path) as home:
        answer = await home.ask()
        assert answer.status_code == 410
        assert MODEL in answer.json()["error"]["message"]


async def test_who_says_nothing_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection without a request takes nobody's place for long."""
    monkeypatch.setattr(serving, "READ_S", 2.0)
    async with house(tmp_path) as home:
        context = ssl.create_default_context(cafile=os.fspath(home.google.certificate))
        silent = await asyncio.open_connection("localhost", home.port, ssl=context)
        slow = await asyncio.open_connection("localhost", home.port, ssl=context)
        slow[1].write(
            f"POST /token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {home.bearer}\r\n"
            "Content-Length: 9\r\n\r\n{".encode()
        )
        async with asyncio.timeout(10):
            assert await silent[0].read() == b""
            assert (await slow[0].readline()).startswith(b"HTTP/1.1 408")
        assert (await home.ask()).status_code == 200
        for _, writer in (silent, slow):
            writer.close()


async def test_a_second_request_that_never_ends_takes_nobodys_place(tmp_path: Path) -> None:
    """A connection is good for one, also for whoever may ask for nothing."""
    async with house(tmp_path) as home:
        context = ssl.create_default_context(cafile=os.fspath(home.google.certificate))
        for first in (b"GET /", b"POST /token", b"POST /else"):
            reader, writer = await asyncio.open_connection("localhost", home.port, ssl=context)
            writer.write(first + b" HTTP/1.1\r\nHost: x\r\n\r\nP")
            async with asyncio.timeout(10):
                assert (await reader.read()).startswith(b"HTTP/1.1 4")
            writer.close()


async def test_one_address_cannot_take_all_the_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens one connection after the other keeps no speaker out."""
    monkeypatch.setattr(serving, "is_loopback", lambda _: False)
    monkeypatch.setattr(serving, "CONNECTIONS_EACH", 3)
    async with house(tmp_path) as home:
        context = ssl.create_default_context(cafile=os.fspath(home.google.certificate))
        opened = [
            await asyncio.open_connection("localhost", home.port, ssl=context) for _ in range(3)
        ]
        reader, writer = await asyncio.open_connection("localhost", home.port, ssl=context)
        async with asyncio.timeout(8):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        for _, each in (*opened, (reader, writer)):
            each.close()


async def test_it_ends_in_good_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At SIGTERM, with what is being answered answered; the port is free again."""
    with caplog.at_level(logging.INFO):
        async with house(tmp_path) as home:
            port = home.port
            assert (await home.ask()).status_code == 200
    assert home.task.exception() is None
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


async def test_where_it_cannot_listen(tmp_path: Path) -> None:
    """Without a certificate only on this machine; a certificate that is none; a port in use."""
    plain = Listening("192.168.1.2", 8790, None, None)
    with pytest.raises(ParleyError, match=r"on this machine only, and 192\.168\.1\.2 is more"):
        plain.check()
    for host in ("127.0.0.1", "::1", "localhost"):
        Listening(host, 8790, None, None).check()
    with pytest.raises(ParleyError, match="go together"):
        Listening("127.0.0.1", 8790, Path("x"), None).check()
    none = tmp_path / "none.pem"
    with pytest.raises(ParleyError, match="no such file"):
        Listening("127.0.0.1", 8790, none, none).check()
    none.write_text("nothing")
    with pytest.raises(ParleyError, match="both must be PEM files that belong together"):
        Listening("127.0.0.1", 8790, none, none).check()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with Minter(Settings(), KEY) as minter:
            service = TokenService(minter, Speakers(none), Audit(None), TERMS)
            with pytest.raises(ParleyError, match=f"cannot listen on 127.0.0.1:{port}"):
                await service.serve(Listening("127.0.0.1", port, None, None), print)
