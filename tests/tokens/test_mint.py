"""Tokens are made by the real client, and the stand-in reads each word of the request."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.live.setup import GOOGLE
from device.news import FailureKind
from device.simulator.certificate import make_certificate
from device.simulator.live_server import LiveServer
from device.simulator.script import Script
from device.tokens.mint import Minter, MintError
from tests.live.talk import Settings
from tests.rig.lending import Answer, Asked, LendingServer

KEY = "AIzaTheKeyOfThisTestIsNobodysBusiness01"


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveServer]:
    async with LiveServer(Script(api_keys=(KEY,)), directory=tmp_path) as live:
        monkeypatch.setenv("SSL_CERT_FILE", os.fspath(live.certificate))
        yield live


async def test_a_token_is_locked_to_what_it_costs(server: LiveServer) -> None:
    """The model, and that it answers in sound; the rest of a setup is the speaker's."""
    async with Minter(Settings(endpoint=server.url), KEY) as minter:
        minted = await minter.mint("gemini-3.8-live", uses=3, life_s=600.0, sessions_s=90.0)
    made = server.mint.tokens[minted.name]
    assert made.setup == {
        "model": "models/gemini-3.8-live",
        "generationConfig": {"responseModalities": ["AUDIO"]},
    }
    assert made.mask == ("model", "generationConfig.responseModalities")
    assert (minted.model, minted.uses, made.uses) == ("gemini-3.8-live", 3, 3)
    assert 500 < (minted.expire_time - datetime.now(UTC)).total_seconds() <= 600
    life_s = (minted.expire_time - minted.new_session_expire_time).total_seconds()
    assert life_s == 510
    assert minted.name not in repr(minted)


async def failed(url: str, key: str = KEY, model: str = "gemini-3.8-live") -> MintError:
    with pytest.raises(MintError) as caught:
        async with Minter(Settings(endpoint=url), key) as minter:
            await minter.mint(model, uses=1, life_s=600.0, sessions_s=60.0)
    assert KEY not in str(caught.value)
    print(caught.value)
    return caught.value


async def test_what_google_says_is_told_apart(server: LiveServer, tmp_path: Path) -> None:
    """A wrong key, none, quota, no network, no name, a certificate, garbage, a redirect."""
    assert (await failed(server.url, "wrong-key")).failure.kind is FailureKind.KEY
    assert (await failed(server.url, "with space")).failure.kind is FailureKind.KEY
    assert (await failed("https://localhost:1")).failure.kind is FailureKind.NETWORK
    assert (await failed("https://nobody.invalid")).failure.kind is FailureKind.DNS
    said = b'{"error": {"code": 429, "message": "Resource has been exhausted (quota)."}}'
    answers = {
        "quota": Answer(429, said),
        "server": Answer(200, b'{"name": "tokens/other"}'),
        "redirect": Answer(302, headers={"Location": "https://localhost:1/"}),
        "unavailable": Answer(503, b'{"error": {"message": "The service is unavailable."}}'),
    }
    kinds = {
        "quota": {FailureKind.QUOTA},
        "server": {FailureKind.SERVER},
        "redirect": {FailureKind.SERVER, FailureKind.PORTAL},
        "unavailable": {FailureKind.SERVER},
    }
    for name, answer in answers.items():

        async def decide(_: Asked, answer: Answer = answer) -> Answer:
            return answer

        async with LendingServer(decide, server.tls) as google:
            error = await failed(google.url.removesuffix("/token"))
            assert error.failure.kind in kinds[name], name
            assert google.asked[0].path == "/v1alpha/auth_tokens"
            assert google.asked[0].headers["x-goog-api-key"] == KEY
            assert len(google.asked) == 1, name


async def test_certificates(
    server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not trusted is told as that; so is a file that is none."""
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(make_certificate(other).certificate))
    assert (await failed(server.url)).failure.kind is FailureKind.TLS
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    error = await failed(server.url)
    assert "SSL_CERT_FILE=/nonexistent" in str(error)
    assert GOOGLE.startswith("https://")
