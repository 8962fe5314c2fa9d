"""A session over ephemeral tokens: the real client, the stand-in, and a token server over TLS."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from device.live.token_server import TokenServer
from device.live.tokens import Tokens
from device.news import (
    FailureKind,
    ModelReplaced,
    Reconnecting,
    SessionOpened,
    SettingRefused,
    Transcript,
    TurnComplete,
)
from device.simulator.live_server import LiveServer
from device.simulator.script import Refusal, Script, TokenRules, Turn
from tests.live.talk import PATIENCE_S, Ear, Settings, Talk, session_of
from tests.rig.lending import Answer, Asked, LendingServer, lends

ANSWER = Turn(heard="what time is it", says="It is noon.", audio=200, plays_out=False)
SECRET = "bearer-of-the-kitchen-0123456789"


class Lent(Talk):
    """A talk whose session has no key, and the server that lends it tokens."""

    lending: LendingServer
    tokens: Tokens

    async def ask(self) -> None:
        """Ask something and hear the answer to its end."""
        answered = len(self.ear.all(TurnComplete))
        self.session.send_text("what time is it")
        await self.ear.until(TurnComplete, answered + 1)

    async def rotate(self) -> None:
        """Have the connection give way to the next one."""
        opened = len(self.ear.all(SessionOpened))
        await self.server.go_away(20.0)
        assert (await self.ear.until(SessionOpened, opened + 1)).resumed
        await self.handle()

    def names(self) -> list[str]:
        """Return the token of each connection, by the number it was made as."""
        order = [f"token {place}" for place, _ in enumerate(self.server.mint.tokens, 1)]
        known = dict(zip(self.server.mint.tokens, order, strict=True))
        return [known[record.token] for record in self.server.connections]


@asynccontextmanager
async def lent_talk(
    directory: Path,
    script: Script | None = None,
    *,
    terms: dict[str, Any] | None = None,
    start: bool = True,
    **settings: object,
) -> AsyncIterator[Lent]:
    ear = Ear()
    async with LiveServer(script or Script(turns=(ANSWER,)), directory=directory) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", os.fspath(server.certificate))
            decide = lends(server, **(terms or {}))
            async with LendingServer(decide, server.tls) as lending:
                tokens = Tokens(TokenServer(lending.url, SECRET))
                chosen = Settings(**({"endpoint": server.url} | settings))  # type: ignore[arg-type]
                session = session_of(chosen, ear, key="", tokens=tokens)
                talk = Lent(server, session, ear)
                talk.lending, talk.tokens = lending, tokens
                if start:
                    talk.start()
                try:
                    yield talk
                finally:
                    if talk.task is not None and not talk.task.done():
                        talk.task.cancel()
                        await asyncio.wait([talk.task])


async def test_a_talk_without_a_key(tmp_path: Path) -> None:
    """It is let in by a token, on the endpoint and in the version that take one."""
    async with lent_talk(tmp_path) as talk:
        await talk.ask()
        await talk.close()
        record = await talk.record()
        assert record.path.endswith("v1alpha.GenerativeService.BidiGenerateContentConstrained")
        assert record.token in talk.server.mint.tokens
        assert talk.lending.asked[0].headers["authorization"] == f"Bearer {SECRET}"
        assert record.token not in repr(talk.ear.news) + repr(vars(talk.session))


async def test_a_model_that_is_gone_where_tokens_are_made_gives_way_to_the_next(
    tmp_path: Path,
) -> None:
    """As where the speaker has the key."""
    gone, there = "gemini-3.1-flash-live-preview", "gemini-3.8-live"
    models: dict[str, Any] = {"model": gone, "fallback_models": [there]}
    async with lent_talk(tmp_path, start=False, **models) as talk:
        lend = talk.lending.decide

        async def decide(asked: Asked) -> Answer:
            return await lend(asked) if there.encode() in asked.body else Answer(410)

        talk.lending.decide = decide
        talk.start()
        await talk.ask()
        await talk.close()
        assert len(talk.lending.asked) == 2
        [replaced] = talk.ear.all(ModelReplaced)
        assert (replaced.gone, replaced.successor) == (gone, there)


async def test_rotations_go_on_with_the_same_token(tmp_path: Path) -> None:
    """Where resuming does not count one use is enough for the whole talk."""
    async with lent_talk(tmp_path) as talk:
        await talk.handle()
        for _ in range(3):
            await talk.rotate()
            await talk.ask()
        await talk.close()
        assert talk.names() == ["token 1"] * 4
        assert talk.server.mint.refused == []
        assert talk.tokens.fetched == 1


@pytest.mark.parametrize("way", ["close", "status", "unavailable"])
async def test_resuming_that_counts_takes_a_new_token_unnoticed(tmp_path: Path, way: str) -> None:
    """One refusal teaches it; nobody is told, nothing is forgotten, and none follows."""
    rules = TokenRules(resumes_count=True, refused_by=way)  # type: ignore[arg-type]
    script = Script(turns=(ANSWER,), tokens=rules)
    async with lent_talk(tmp_path, script) as talk:
        handle = await talk.handle()
        for _ in range(3):
            await talk.rotate()
            await talk.ask()
        await talk.close()
        assert talk.names() == [f"token {number}" for number in (1, 1, 2, 3, 4)]
        assert talk.server.connections[2].handle == handle
        assert talk.server.mint.refused == ["used up"]
        assert talk.ear.all(Reconnecting) == []
        assert talk.session.counters["recoveries"] == 0
        assert all(record.conversation in {0, 1} for record in talk.server.connections)


async def test_a_token_server_that_is_away_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    """As for a network: it is told after a moment, and the question is answered all the same."""
    async with lent_talk(tmp_path, start=False) as talk:
        await talk.lending.stop()
        talk.session.send_text("what time is it")
        talk.start()
        told = await talk.ear.until(Reconnecting)
        assert told.failure.kind is FailureKind.NETWORK
        assert "the token server localhost:" in told.failure.message
        await talk.lending.listen()
        await talk.ear.until(TurnComplete)
        await talk.close()


REFUSALS: dict[int, tuple[FailureKind, str]] = {
    401: (FailureKind.TOKEN, "refused this speaker"),
    404: (FailureKind.TOKEN, "check live.token_url"),
    422: (FailureKind.TOKEN, "lends no token for gemini-3.1-flash-live-preview"),
    502: (FailureKind.TOKEN, "Google refused it"),
}


@pytest.mark.parametrize("status", sorted(REFUSALS))
async def test_what_no_waiting_helps_against_ends_the_session_at_once(
    tmp_path: Path, status: int
) -> None:
    """One question to the token server, none to Google, and words that say what to do."""
    kind, words = REFUSALS[status]

    async def decide(_: Asked) -> Answer:
        return Answer(status, f"no, {SECRET}".encode())

    async with lent_talk(tmp_path, start=False) as talk:
        talk.lending.decide = decide
        talk.start()
        end = await talk.failed()
        assert end.failure.kind is kind
        assert words in end.failure.message
        assert SECRET not in end.failure.message
        assert len(talk.lending.asked) == 1
        assert talk.server.connections == []


async def test_a_fresh_token_that_is_refused_is_told_as_such(tmp_path: Path) -> None:
    """Not as a wrong key, which this speaker does not have; and no storm of tokens follows."""

    async def decide(_: Asked) -> Answer:
        return Answer(body=b'{"name": "auth_tokens/of-somebody-else"}')

    async with lent_talk(tmp_path, start=False) as talk:
        talk.lending.decide = decide
        talk.start()
        end = await talk.failed()
        assert end.failure.kind is FailureKind.TOKEN
        assert "refused the ephemeral token" in end.failure.message
        assert "of-somebody-else" not in repr(talk.ear.news)
        assert len(talk.lending.asked) == 1


async def test_a_token_that_is_locked_to_other_settings_is_told_as_that(tmp_path: Path) -> None:
    """It says that it is for this model, and is not."""
    async with lent_talk(tmp_path, start=False) as talk:
        honest = lends(talk.server, locked="gemini-3.8-live")

        async def decide(asked: Asked) -> Answer:
            answer = await honest(asked)
            return Answer(body=answer.body.replace(b'["gemini-3.8-live"]', b"[]"))

        talk.lending.decide = decide
        talk.start()
        end = await talk.failed()
        assert end.failure.kind is FailureKind.SETTINGS
        assert "the token is locked to other settings" in end.failure.message


async def test_a_setup_that_is_refused_is_tried_with_less_and_a_token_of_its_own(
    tmp_path: Path,
) -> None:
    """A field that the model does not take ends no talk, whoever let it in."""
    refusal = Refusal(field="voice")
    async with lent_talk(
        tmp_path, Script(turns=(ANSWER,), refusals=(refusal,)), voice="Kore"
    ) as talk:
        await talk.ask()
        await talk.close()
        assert [record.refused is None for record in talk.server.connections] == [False, True]
        assert talk.names() == ["token 1", "token 2"]
        assert talk.ear.all(SettingRefused) == []


async def test_closing_while_it_waits_for_a_token(tmp_path: Path) -> None:
    """It ends at once, as in every other moment."""
    never = asyncio.Event()

    async def decide(_: Asked) -> Answer:
        await never.wait()
        return Answer()

    async with lent_talk(tmp_path, start=False) as talk:
        talk.lending.decide = decide
        talk.start()
        async with asyncio.timeout(PATIENCE_S):
            while not talk.lending.asked:  # noqa: ASYNC110 - the rig has no event for it
                await asyncio.sleep(0.01)
        assert (await talk.close()).reason == "done"
        never.set()


async def test_a_model_that_is_gone_is_followed_by_one_with_a_token_of_its_own(
    tmp_path: Path,
) -> None:
    """A token is locked to its model; the next model's is asked for."""
    script = Script(turns=(ANSWER,), models=("gemini-3.8-live",))
    async with lent_talk(tmp_path, script, fallback_models=("gemini-3.8-live",)) as talk:
        await talk.ask()
        await talk.close()
        models = [asked.body for asked in talk.lending.asked]
        assert models == [
            b'{"model":"gemini-3.1-flash-live-preview"}',
            b'{"model":"gemini-3.8-live"}',
        ]


async def test_the_talk_is_told_what_it_hears(tmp_path: Path) -> None:
    """Transcripts both ways come over a token's connection as over any."""
    async with lent_talk(tmp_path) as talk:
        await talk.ask()
        await talk.close()
        said = {news.who: news.text for news in talk.ear.all(Transcript) if news.final}
        assert said["model"] == "It is noon."


async def test_certificates_that_cannot_be_used_end_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they do with a key: nobody is asked for anything."""
    async with lent_talk(tmp_path, start=False) as talk:
        monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
        talk.start()
        end = await talk.failed()
        assert end.failure.kind is FailureKind.TLS
        assert "SSL_CERT_FILE=/nonexistent" in end.failure.message
        assert talk.lending.asked == []


async def test_a_token_server_that_never_answers_is_given_up_in_time(tmp_path: Path) -> None:
    """Each try takes no longer than a connection may take."""
    never = asyncio.Event()

    async def decide(_: Asked) -> Answer:
        await never.wait()
        return Answer()

    async with lent_talk(tmp_path, start=False, connect_timeout_s=0.3) as talk:
        talk.lending.decide = decide
        talk.start()
        told = await talk.ear.until(Reconnecting)
        assert told.failure.kind is FailureKind.NETWORK
        assert "did not answer in time" in told.failure.message
        never.set()
        await talk.close()
