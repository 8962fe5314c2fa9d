"""What arrives over a WebSocket stays within bounds, and the key stays with whom it was meant for.

The real SDK and websockets, over TLS on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from device.live.downlink import TURN_CHARACTERS
from device.live.websocket import LONGEST_BYTES, MOST_VALUES, _unacknowledged, values
from device.news import FailureKind, SessionOpened, Transcript, TurnComplete
from device.simulator.live_server import LiveServer
from device.simulator.script import Event, Script, Send
from tests.live.talk import KEY, Ear, Settings, session_of, talking
from tests.rig.server import ServerThread
from tests.rig.strangers import CaptivePortal

TEXT = {"serverContent": {"outputTranscription": {"text": "still here"}}}


@pytest.mark.parametrize(
    ("message", "most"),
    [(b"", 1), (b"7", 1), (b"{}", 2), (b"[1,2,3]", 4), (b'{"a":[{},{}]}', 6), (b'"a,b"', 2)],
)
def test_values_are_counted_without_reading_the_json(message: bytes, most: int) -> None:
    """Never less than there are: each but the first has a comma or a bracket before it."""
    assert values(message) == most


async def test_a_message_of_too_many_values_is_an_odd_one(tmp_path: Path) -> None:
    """It is not read at all, and the talk goes on over the same connection."""
    parts = ",".join(["{}"] * MOST_VALUES)
    message = '{"serverContent":{"modelTurn":{"parts":[' + parts + "]}}}"
    events = (Event("ready", Send(message)), Event("ready", Send(TEXT)))
    async with talking(tmp_path, Script(events=events)) as talk:
        assert (await talk.ear.until(Transcript)).text == "still here"
        assert talk.session.counters["odd_messages"] == 1
        assert talk.session.counters["connections"] == 1


async def test_a_message_that_is_too_long_ends_the_connection_and_is_told(tmp_path: Path) -> None:
    """It is not taken into memory; the server is told why, and the owner too."""
    events = (Event("ready", Send(TEXT, padding_bytes=LONGEST_BYTES)),)
    async with talking(tmp_path, Script(events=events), resumption=False) as talk:
        failure = (await talk.failed()).failure
        assert failure.kind is FailureKind.SERVER
        assert "keeps sending what cannot be read (a message that is too long)" in failure.message
        assert (await talk.record()).close_code == 1009


async def test_the_key_follows_no_redirect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends the speaker elsewhere is told; whoever is there is not even dialled."""
    async with LiveServer(Script(), directory=tmp_path) as elsewhere:
        monkeypatch.setenv("SSL_CERT_FILE", str(elsewhere.certificate))
        path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
        goal = elsewhere.url.replace("https", "wss") + path
        assert elsewhere._made is not None
        with CaptivePortal("localhost", elsewhere._made, sign_in=goal) as first:
            ear = Ear()
            await session_of(Settings(endpoint=f"https://localhost:{first.port}"), ear).run()
        assert len(first.requests) == 1
        assert elsewhere.attempts == 0
        failure = ear.news[-1].failure  # type: ignore[union-attr]
        assert failure.kind is FailureKind.PORTAL
        assert "HTTP 302" in failure.message
        assert KEY not in repr(ear.news)


async def test_a_word_that_the_sdk_does_not_know_is_told_nobody(tmp_path: Path) -> None:
    """It warns on standard error, in the server's characters, and remembers each of them."""
    reason = {"serverContent": {"turnComplete": True, "turnCompleteReason": "ODD\x1b[2J"}}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        async with talking(tmp_path, Script(events=(Event("ready", Send(reason)),))) as talk:
            await talk.ear.until(TurnComplete)
            assert talk.session.counters["odd_messages"] == 0
    assert [str(each.message) for each in warned if each.category is UserWarning] == []


async def test_a_server_that_never_pauses_leaves_the_loop_its_turn(tmp_path: Path) -> None:
    """Between any two messages whatever else is to be done is done: sound, above all."""
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with talking(tmp_path) as talk:
        await talk.ear.until(SessionOpened)
        for number in range(200):
            text = {"serverContent": {"outputTranscription": {"text": f"{number} "}}}
            await talk.server._newest()._wire._socket.send(json.dumps(text))
        # All are in the sockets or in the queue now; nothing has been waited for on our side.
        ticking = asyncio.create_task(tick())
        before, seen = turns, len(talk.ear.all(Transcript))
        await talk.ear.until(Transcript, 200)
        assert turns - before >= 200 - seen - 1
        ticking.cancel()


SESSION = """
import asyncio, re, sys
from device.news import GoAway, SessionOpened
from tests.live.talk import Ear, Settings, session_of

def peak():  # getrusage tells that of the process that started us too
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) // 1024

async def main(url):
    ear = Ear()
    session = session_of(Settings(endpoint=url), ear)
    running = asyncio.create_task(session.run())
    await ear.until(SessionOpened)
    session.send_text("begin")
    before = peak()
    await ear.until(GoAway)
    print(before, peak(), session.counters["odd_messages"], session.counters["cut_characters"])
    await session.close("done")
    await running

asyncio.run(main(sys.argv[1]))
"""


def parts(count: int) -> bytes:
    return b'{"serverContent":{"modelTurn":{"parts":[' + b",".join([b"{}"] * count) + b"]}}}"


def transcript(text: str) -> bytes:
    message = {"serverContent": {"outputTranscription": {"text": text}}}
    return json.dumps(message, ensure_ascii=False).encode()


def test_the_worst_messages_take_bounded_memory() -> None:
    """The widest (four bytes a character), the fullest, the longest: each five times in a row."""
    worst = (
        transcript("x" * (LONGEST_BYTES - 100) + "📣"),
        parts(MOST_VALUES // 2 - 10),
        parts(600_000),
        b"\0" * LONGEST_BYTES,
    )
    script = Script(turns=(), models=("m", Settings().model))
    with ServerThread(script) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", SESSION, server.url],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "SSL_CERT_FILE": str(server.certificate)},
            stdout=subprocess.PIPE,
            text=True,
        )
        server.wait_for(lambda it: it.connections and it.connections[0].texts, 60)
        for message in worst * 5:
            server.call(lambda it, message=message: it.do(Send(message)))  # type: ignore[misc]
        server.call(lambda it: it.do(Send({"goAway": {"timeLeft": "99s"}})))
        told, _ = child.communicate(timeout=60)
    before, peak, odd, cut = map(int, told.split())
    print(f"\nworst messages: peak RSS {before} -> {peak} MB")
    assert (child.returncode, odd) == (0, 10)
    assert cut >= 5 * (LONGEST_BYTES - 100 - TURN_CHARACTERS)
    assert peak - before < 40


def test_what_is_on_its_way_is_known() -> None:
    """As the system counts it; of what is closed, or no socket, nothing is."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        sender = socket.create_connection(listening.getsockname())
        assert _unacknowledged(sender) == 0
        sender.setblocking(False)
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while taken < 10**8:
                taken += sender.send(bytes(65_536))
        # Nobody reads: no more than the receiver's system could take has arrived.
        assert 0 < _unacknowledged(sender) <= taken
        sender.close()
        assert _unacknowledged(sender) == 0
    assert _unacknowledged(None) == 0
