"""An hour of talk on ephemeral tokens: none is refused that should not be, and nobody notices."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.live.resumption import Past
from device.live.token_server import TokenServer
from device.live.tokens import Tokens
from device.news import AudioDropped, Reconnecting, SessionOpened, TurnComplete
from device.simulator.live_server import LiveServer
from device.simulator.script import Event, GoAway, Script, TokenRules, Turn
from tests.live.talk import Ear, Settings, session_of
from tests.rig.lending import LendingServer, lends
from tests.rig.skipped_time import skipping

ANSWER = Turn(heard="what time is it", says="It is noon.", audio=400, plays_out=False)
SESSIONS = 3
SESSION_S = 1_200.0
QUESTION_S = 45.0
LIFE_S = 600.0
"""Live API: how long a connection lasts; its end is announced a minute before."""


@dataclass(frozen=True)
class Case:
    minutes: float
    uses: int
    counts: bool
    refused: int
    """How many connections may be refused: with resuming that counts, the one it is learned by."""
    tokens: tuple[int, int]
    """How few and how many are fetched."""

    def __str__(self) -> str:
        counts = "counts" if self.counts else "is free"
        return f"{self.minutes:g} min, uses={self.uses}, resuming {counts}"


CASES = (
    Case(5, 1, counts=False, refused=0, tokens=(15, 21)),
    Case(10, 1, counts=False, refused=0, tokens=(6, 9)),
    Case(30, 1, counts=False, refused=0, tokens=(3, 3)),
    # Each connection outlives half of its token, so each has one of its own anyway.
    Case(5, 1, counts=True, refused=0, tokens=(15, 24)),
    Case(30, 1, counts=True, refused=1, tokens=(8, 10)),
    Case(5, 0, counts=False, refused=0, tokens=(15, 21)),
    Case(30, 0, counts=False, refused=0, tokens=(3, 3)),
    # Any number of sessions, but each within two minutes: the same is learned by the first refusal.
    Case(30, 0, counts=True, refused=1, tokens=(8, 10)),
    Case(90, 0, counts=True, refused=0, tokens=(1, 1)),
)


@dataclass(frozen=True)
class Hour:
    asked: int
    answered: int
    opened: int
    tokens: int
    refused: list[str]
    told: int
    dropped: int
    seconds: float


async def an_hour(directory: Path, case: Case) -> Hour:
    """Hold three conversations of twenty minutes; each goes on with the one before it."""
    loop = asyncio.get_running_loop()
    announced = Event("ready", GoAway(60.0), after_s=LIFE_S - 60.0)
    rules = TokenRules(resumes_count=case.counts, refused_by="unavailable")
    script = Script(turns=(ANSWER,), events=(announced,), tokens=rules)
    ear, past, began = Ear(), Past(), loop.time()
    async with LiveServer(script, directory=directory) as server:
        os.environ["SSL_CERT_FILE"] = os.fspath(server.certificate)
        sessions_s = 7_200.0 if case.uses == 0 and case.minutes > 60 else 120.0
        decide = lends(server, life_s=case.minutes * 60, uses=case.uses, sessions_s=sessions_s)
        async with LendingServer(decide, server.tls) as lending:
            tokens = Tokens(TokenServer(lending.url, "bearer"))
            asked = 0
            for _ in range(SESSIONS):
                session = session_of(
                    Settings(endpoint=server.url), ear, key="", tokens=tokens, past=past
                )
                running = asyncio.create_task(session.run())
                ends = loop.time() + SESSION_S
                while loop.time() < ends:
                    session.send_text("what time is it")
                    asked += 1
                    await ear.until(TurnComplete, asked)
                    await asyncio.sleep(QUESTION_S)
                await session.close("enough")
                await running
            opened = ear.all(SessionOpened)
            assert [news.resumed for news in opened] == [False] + [True] * (len(opened) - 1)
            return Hour(
                asked,
                len(ear.all(TurnComplete)),
                len(opened),
                tokens.fetched,
                server.mint.refused,
                len(ear.all(Reconnecting)),
                len(ear.all(AudioDropped)),
                loop.time() - began,
            )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_hour_of_talk(tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question is answered, the talk goes on over every connection, nobody is told a word."""
    monkeypatch.setenv("SSL_CERT_FILE", "")
    hour = skipping(lambda: an_hour(tmp_path, case))
    print(
        f"{case}: {hour.seconds / 60:.0f} minutes, {SESSIONS} sessions, {hour.asked} questions, "
        f"{hour.opened} connections, {hour.tokens} tokens, refused: {hour.refused or 'none'}"
    )
    assert hour.seconds >= SESSIONS * SESSION_S
    assert hour.answered == hour.asked
    assert len(hour.refused) == case.refused
    assert case.tokens[0] <= hour.tokens <= case.tokens[1]
    assert (hour.told, hour.dropped) == (0, 0)
