"""The token server as the doctor sees it: one that lends tokens of the stand-in, over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from device.doctor import credentials, network, personas, service
from device.doctor import tokens as checks
from device.doctor.result import Verdict
from device.doctor.scene import Scene
from device.simulator.certificate import make_certificate
from device.simulator.live_server import LiveServer
from device.simulator.script import Script, Turn
from tests.rig.lending import Answer, Asked, LendingServer, lends
from tests.rig.scene import by_name, machine, only

BEARER = "bearer-of-the-kitchen-0123456789"
READY = Script(turns=(Turn(says="Ready.", audio=500),))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveServer]:
    async with LiveServer(READY, directory=tmp_path) as live:
        monkeypatch.setenv("SSL_CERT_FILE", os.fspath(live.certificate))
        yield live


@pytest.fixture
async def lending(server: LiveServer) -> AsyncIterator[LendingServer]:
    async with LendingServer(lends(server), server.tls) as made:
        yield made


def at(
    root: Path, url: str, endpoint: str = "https://localhost:1", *, bearer: bool = True
) -> Scene:
    config = f'live: {{endpoint: "{endpoint}", token_url: "{url}", token_credential: tokens}}'
    environ = {"PARLEY_CREDENTIAL_TOKENS": BEARER} if bearer else {"HOME": "/"}
    return machine(root / "machine", config=config, environ=environ)


async def test_a_speaker_without_a_key_is_whole(
    tmp_path: Path, server: LiveServer, lending: LendingServer
) -> None:
    """The way, a token and its life, the WebSocket and a sentence; no key is missed."""
    scene = at(tmp_path, lending.url, server.url)
    told = only(await checks.tokens(scene))
    assert told.verdict is Verdict.FINE
    for words in ("dns ", "tcp ", "tls ", "for one session", "lives 30 minutes"):
        assert words in told.figure
    assert re.search(r"opens sessions for 1\d\d s", told.figure)
    way = by_name(await network.way(scene))
    assert {each.verdict for each in way.values()} == {Verdict.FINE}
    assert server.connections[0].token in server.mint.tokens
    talk = only(await network.talk(scene))
    assert talk.verdict is Verdict.FINE, talk
    assert len(lending.asked) == 2, "the WebSocket may have used the first"
    key = only(service.key(scene))
    assert (key.verdict, key.figure) == (
        Verdict.SKIPPED,
        f"not needed: tokens come from {lending.url.split('/')[2]}",
    )
    assert "'tokens' from PARLEY_CREDENTIAL_TOKENS" in only(credentials.credentials(scene)).figure
    secrets = [BEARER, *server.mint.tokens]
    assert not any(secret in repr([told, way, talk, key]) for secret in secrets)


async def test_a_persona_is_tried_with_a_token_for_its_own_model(
    tmp_path: Path, server: LiveServer, lending: LendingServer
) -> None:
    """A token is locked to a model, and not every persona has that of all others."""
    config = (
        f'live: {{endpoint: "{server.url}", token_url: "{lending.url}", '
        "token_credential: tokens}\npersonas: {puck: {model: gemini-3.8-live}}"
    )
    environ = {"PARLEY_CREDENTIAL_TOKENS": BEARER}
    scene = machine(tmp_path / "machine", config=config, environ=environ)
    told = only(await personas.personas(scene))
    assert told.verdict is Verdict.FINE, told
    (connection,) = server.connections
    assert (connection.model, connection.token in server.mint.tokens) == ("gemini-3.8-live", True)


async def test_where_none_is_configured_or_nothing_may_be_sent(tmp_path: Path) -> None:
    """It is left out."""
    assert only(await checks.tokens(machine(tmp_path))).figure == checks.NOT_USED
    scene = replace(at(tmp_path, "https://localhost:1/token"), offline=True)
    assert only(await checks.tokens(scene)).figure == checks.OFFLINE


async def test_each_thing_that_is_wrong_has_its_own_words(
    tmp_path: Path, server: LiveServer, lending: LendingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No credential, a wrong one, garbage, no server, a certificate that is not trusted."""
    told = only(await checks.tokens(at(tmp_path, lending.url, bearer=False)))
    assert told.figure == "there is no credential to ask it with"
    assert "/etc/parley/credentials/tokens" in told.advice

    for answer, words in (
        (Answer(401), "live.token_credential"),
        (Answer(body=b"<html>"), "it is no JSON"),
    ):

        async def decide(_: Asked, answer: Answer = answer) -> Answer:
            return answer

        lending.decide = decide
        told = only(await checks.tokens(at(tmp_path, lending.url, server.url)))
        assert told.verdict is Verdict.BROKEN
        assert "gives no token (token)" in told.figure
        assert words in told.advice
    talk = only(await network.talk(at(tmp_path, lending.url, server.url)))
    assert (talk.verdict, talk.figure) == (Verdict.BROKEN, "token")
    way = by_name(await network.way(at(tmp_path, lending.url, server.url)))
    assert way["websocket"].figure == "there is no token"
    await lending.stop()
    told = only(await checks.tokens(at(tmp_path, lending.url, server.url)))
    assert "tcp failed" in told.figure
    assert "the token server localhost" in told.advice
    told = only(await checks.tokens(at(tmp_path, "https://nobody.invalid/token")))
    assert "dns failed" in told.figure
    await lending.listen()
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(make_certificate(other).certificate))
    told = only(await checks.tokens(at(tmp_path, lending.url, server.url)))
    assert "tls failed" in told.figure
    assert "update-ca-certificates" in told.advice


async def test_a_short_life_is_a_hint(
    tmp_path: Path, server: LiveServer, lending: LendingServer
) -> None:
    """It works, and asks more than it need."""
    lending.decide = lends(server, life_s=120.0, uses=0)
    told = only(await checks.tokens(at(tmp_path, lending.url, server.url)))
    assert (told.verdict, told.advice) == (Verdict.HINT, checks.SHORT)
    assert "any number of sessions" in told.figure


async def test_a_token_server_on_this_machine_needs_no_tls(
    tmp_path: Path, server: LiveServer
) -> None:
    """There is nobody in between."""
    async with LendingServer(lends(server), None) as plain:
        told = only(await checks.tokens(at(tmp_path, plain.url, server.url)))
        assert told.verdict is Verdict.FINE
        assert "tls" not in told.figure


async def test_behind_a_proxy_the_way_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The speaker asks through it, and a name that only the proxy knows is no fault."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # the way is taken first
            asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    asked: list[bytes] = []
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://localhost:{port}")
        told = only(await checks.tokens(at(tmp_path, "https://nobody.invalid/token")))
    assert asked == [b"CONNECT nobody.invalid:443 HTTP/1.1"]
    assert "it gives no token" in told.figure
    assert "the proxy on the way to the token server" in told.advice
