"""A server may send what it likes: no message ends the speaker, fills it up or commands a terminal.

What arrives is read by the real SDK, becomes news as in a session, goes through a whole hub, and is
shown as every reader of the events shows it. How many examples are tried may be raised from outside
(``PARLEY_EXAMPLES=20``: twenty times as many); ``pytest -s`` prints how many there were.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.genai.live import AsyncSession
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import Close

from device.cli import presentation
from device.events import PublicEvent
from device.live.downlink import TURN_CHARACTERS
from device.live.failures import diagnose
from device.live.link import Link, LinkError
from device.live.models import profile
from device.live.reconnect import Recovery
from device.live.rotation import HANDLE_CHARACTERS, Rotation
from device.live.setup import client_of
from device.live.traffic import Care, Traffic
from device.live.uplink import HELD_WORDS
from device.live.websocket import MOST_VALUES, Dialler, values
from device.news import GoAway, Reconnecting, SessionFailed, SessionOpened
from device.simulator.script import Script, Send
from tests.live.talk import KEY, Settings, talking
from tests.rig.fakes import Hub
from tests.rig.hostile_server import MESSAGES, OUT_OF_BOUNDS, TERMINAL

EXAMPLES = int(os.environ.get("PARLEY_EXAMPLES", "1"))
ABOUT = {"host": "server.test", "model": "m", "secret": KEY}

tried: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    yield
    print(f"\nhostile server: {dict(tried)}; none ended the speaker")


class Wire:
    """A WebSocket on which these messages come, and then the end of the connection."""

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = list(messages)

    takes = True

    async def recv(self, decode: bool | None = None) -> bytes:
        message = await self.ahead()
        if message is None:
            raise ConnectionClosedError(
                Close(1011, TERMINAL.encode(errors="ignore").decode()), None
            )
        self.skip()
        return message

    def unacknowledged(self) -> int:
        return 0

    async def ahead(self) -> bytes | None:
        # As the connection does it; see tests/live/test_websocket.py.
        if self.messages and values(self.messages[0]) > MOST_VALUES:
            self.skip()
            raise ValueError("too many")
        return self.messages[0] if self.messages else None

    def skip(self) -> None:
        del self.messages[0]

    async def send(self, message: str) -> None:
        raise AssertionError("nothing is said here")


@pytest.fixture(scope="module")
def api_client() -> Any:
    client = client_of(Settings(), KEY, Dialler())
    yield client._api_client
    asyncio.run(client.aio.aclose())


def is_harmless(text: str) -> bool:
    return text.replace("\u200c", "").replace("\u200d", "").isprintable()


def check_event(event: PublicEvent) -> None:
    """Every exit shows it on one line, and commands nothing."""
    line = json.dumps(event.as_record(), ensure_ascii=False, allow_nan=False)
    assert is_harmless(line), line
    assert len(line) < 2 * TURN_CHARACTERS
    assert is_harmless(presentation.event(event.as_record()))


class Lines(logging.Handler):
    """What the journal is told."""

    def emit(self, record: logging.LogRecord) -> None:
        assert is_harmless(record.getMessage()), record.getMessage()
        assert not record.exc_info


async def hear(hub: Hub, messages: list[bytes], api_client: Any) -> Traffic:
    """Have a session of this hub hear the messages, and then lose its connection."""
    fake = await hub.wake()
    post = hub.assistant.post
    recovery = Recovery(["m"], chance=lambda: 0.5)
    care = Care(True, 15.0, 25_600, 10.0)
    traffic = Traffic(fake.number, hub.past.turns, post, recovery, care, lambda _departure: None)
    wire = Wire(messages)
    failure = None
    while wire.messages or failure is None:
        traffic.opened(Rotation(time.monotonic()), profile("m"), resumed=False, manual=False)
        session = AsyncSession(api_client=api_client, websocket=wire)  # type: ignore[arg-type]
        link = Link(session, wire, ABOUT)
        with pytest.raises(LinkError) as lost:
            await traffic.read(link)
        traffic.cut_off()
        failure = diagnose(lost.value.symptom).failure
        tried["told failures"] += 1
    traffic.dry()
    fake.end(SessionFailed(fake.number, failure, "m", time.monotonic()))
    await asyncio.sleep(0)
    tried["odd"] += traffic.counts["odd_messages"]
    return traffic


async def talk(messages: list[bytes], api_client: Any) -> Traffic:
    hub, lines = Hub("privacy: {log_transcripts: true}\n"), Lines()
    logging.getLogger("device").addHandler(lines)
    try:
        async with hub.running():
            traffic = await hear(hub, messages, api_client)
            # It lives: what is said to it next is heard.
            await hub.hear(3)
    finally:
        logging.getLogger("device").removeHandler(lines)
    for event in hub.events:
        check_event(event)
    for message in hub.notified:
        assert is_harmless(message.removeprefix("STOPPING=1\n")), message
    assert len(traffic.uplink._first_of_all) <= HELD_WORDS
    assert len(traffic._recovery.handle or "") <= HANDLE_CHARACTERS
    tried["messages through the hub"] += len(messages)
    return traffic


@settings(deadline=None, max_examples=150 * EXAMPLES)
@given(st.lists(MESSAGES, min_size=10, max_size=40))
def test_no_message_ends_the_speaker_or_commands_a_terminal(
    api_client: Any, messages: list[bytes]
) -> None:
    """Whatever comes is taken, counted as odd or a told failure; nothing of it is raw anywhere."""
    logging.getLogger("device").setLevel(logging.DEBUG)
    asyncio.run(talk(messages, api_client))


@pytest.mark.parametrize("message", OUT_OF_BOUNDS, ids=lambda message: str(message[:40]))
def test_what_is_out_of_bounds_is_survived(api_client: Any, message: bytes) -> None:
    """Each by itself, and often enough that the connection is given up for it."""
    asyncio.run(talk([message] * 25, api_client))


MARK = {"goAway": {"timeLeft": "3333s"}}


async def over_tls(folder: Path, messages: list[bytes]) -> None:
    """Until all are sent, or the connection is lost over one of them."""
    async with talking(folder, Script(turns=())) as talk:
        await talk.ear.until(SessionOpened)
        with contextlib.suppress(ConnectionError, ConnectionClosed):
            for message in messages:
                await talk.server.do(Send(message))
                tried["messages over TLS"] += 1
            await talk.server.do(Send(MARK))

        def taken() -> bool:
            marked = any(end.time_left_s == 3333 for end in talk.ear.all(GoAway))
            lost = len(talk.ear.all(SessionOpened)) > 1 or talk.ear.all(Reconnecting)
            return marked or bool(lost) or bool(talk.ear.all(SessionFailed))

        await talk.ear.when(taken)
        await talk.session.close("done")
        await talk.ended()
        tried["odd over TLS"] += talk.session.counters["odd_messages"]


@settings(deadline=None, max_examples=15 * EXAMPLES)
@given(st.lists(MESSAGES, min_size=20, max_size=60))
def test_no_message_ends_a_session_over_tls_but_by_a_told_failure(messages: list[bytes]) -> None:
    """The whole way: the stand-in's socket, TLS, websockets, the SDK, the session."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(over_tls(Path(folder), messages))
