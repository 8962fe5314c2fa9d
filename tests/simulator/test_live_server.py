"""Turns, handles and control of the stand-in server, over TLS, by a client that plays along."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from device.errors import ScriptError
from device.simulator.certificate import make_certificate
from device.simulator.live_server import HANDSHAKE_TIMEOUT_S, LiveServer
from device.simulator.script import Deaf, Interrupt, Script, ToolCall, Turn
from device.simulator.usage import NO_MODALITY
from device.simulator.voices import reply_pcm, tone
from tests.simulator.raw_client import (
    PAUSE,
    SPEECH,
    RawClient,
    Serve,
    audio,
    dial,
    has,
    reply_audio,
    setup,
    text_of,
)

TEXT = {"realtimeInput": {"text": "hi"}}
SAYS = "it is sunny and rather warm in Berlin today"
MANUAL = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
START: dict[str, Any] = {"realtimeInput": {"activityStart": {}}}
END: dict[str, Any] = {"realtimeInput": {"activityEnd": {}}}
STREAM_END = {"realtimeInput": {"audioStreamEnd": True}}
LONG = Turn(audio=20_000, pace="realtime")
QUICK = Turn(audio=20, plays_out=False)


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_turn_has_all_its_parts_whatever_their_order(serve: Serve, number: int) -> None:
    """Both transcriptions, the audio to the last bit, both ends, the usage and a new handle."""
    pcm = tone(450)
    turn = Turn(heard="what is the weather", says=SAYS, audio=pcm, pace="burst", plays_out=False)
    server = await serve(turns=(turn,))
    async with dial(server) as client:
        await client.begin()
        for _ in range(number):
            # Just as long as is heard before the turn: one second.
            await client.speak(speech=tone(400, 16_000), pause=bytes(16_000 * 2 * 6 // 10))
            messages = await client.until("turnComplete")
        assert text_of(messages, "inputTranscription") == "what is the weather"
        assert text_of(messages, "outputTranscription") == SAYS
        assert reply_audio(messages) == pcm
        assert sum(has(message, "generationComplete") for message in messages) == 1
        used = [m["usageMetadata"] for m in messages if "promptTokenCount" in str(m)]
        prompt = round(25 * number + 11.25 * (number - 1)) + NO_MODALITY[13 * (number - 1)]
        assert used[0]["promptTokenCount"] == prompt
        assert used[0]["totalTokenCount"] == prompt + 11
        old = client.handle
        await client.until_handle()
        assert client.handle != old
    assert server.connections[0].turns == number


async def test_the_order_changes_from_turn_to_turn(serve: Serve) -> None:
    """A client that relies on one order of transcription and audio fails in some turn."""
    server = await serve(turns=(Turn(says=SAYS, audio=300, plays_out=False),))
    orders = []
    async with dial(server) as client:
        await client.begin()
        for _ in range(3):
            await client.send(TEXT)
            messages = await client.until("turnComplete")
            place = {
                key: next(at for at, message in enumerate(messages) if has(message, key))
                for key in ("outputTranscription", "modelTurn")
            }
            orders.append(place["outputTranscription"] - place["modelTurn"])
    assert orders[0] < 0 < orders[1]
    assert orders[2] == 0


async def test_transcriptions_come_only_when_asked_for(serve: Serve) -> None:
    """Without the two fields in setup there is audio alone; no handle without resumption."""
    server = await serve(turns=(Turn(heard="a", says=SAYS, audio=100),))
    async with dial(server) as client:
        await client.send({"setup": {"model": "models/gemini-3.8-live"}})
        await client.until("setupComplete")
        await client.speak()
        messages = await client.until("turnComplete")
    assert reply_audio(messages) == tone(100)
    assert not any(has(m, "outputTranscription") or has(m, "inputTranscription") for m in messages)
    assert server.connections[0].handles_sent == []


async def test_speech_without_the_silence_after_it_is_not_answered(serve: Serve) -> None:
    """The turn stays open for ever when the stream stops, until audioStreamEnd."""
    server = await serve(turns=(QUICK,))
    async with dial(server) as client:
        await client.begin()
        await client.until_handle()
        await client.speak(pause=bytes(16_000))
        assert await client.silent_for(0.2)
        await client.send(STREAM_END)
        await client.until("turnComplete")
    record = server.connections[0]
    assert record.audio_stream_ends[0][1] == len(record.audio) == len(SPEECH) + 16_000


async def test_silence_alone_is_not_answered(serve: Serve) -> None:
    """Chatter of the microphone below the threshold starts nothing."""
    server = await serve(turns=(QUICK,))
    async with dial(server) as client:
        await client.begin()
        await client.until_handle()
        await client.speak(speech=b"\x05\x00" * 8000)
        await client.send(STREAM_END)
        assert await client.silent_for(0.2)


async def test_manual_activity_starts_the_turn(serve: Serve) -> None:
    """With automatic detection off only activityEnd ends the user's turn."""
    server = await serve(turns=(QUICK,))
    async with dial(server) as client:
        await client.begin(**MANUAL)
        await client.until_handle()
        await client.send(START)
        await client.speak()
        assert await client.silent_for(0.2)
        await client.send(END)
        await client.until("turnComplete")


async def test_turns_wait_for_their_own_trigger(serve: Serve) -> None:
    """A greeting by itself, then a text, then so much audio of any kind."""
    turns = (
        Turn(trigger=("open",), says="hello", audio=20, plays_out=False),
        Turn(trigger=("text",), says="text", audio=20, plays_out=False),
        Turn(trigger=("audio",), audio_ms=500, says="audio", audio=20, plays_out=False),
    )
    server = await serve(turns=turns, loop=False)
    async with dial(server) as client:
        await client.begin()
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "hello"
        await client.speak()
        await client.send(TEXT)
        messages = await client.until("turnComplete")
        assert text_of(messages, "outputTranscription") == "text"
        assert text_of(messages, "inputTranscription") == "hi"
        await client.send(*[audio(bytes(640))] * 24)
        await client.until_handle()
        assert await client.silent_for(0.1)
        await client.send(audio(bytes(640)))
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "audio"
        await client.until_handle()
        await client.send(TEXT)
        assert await client.silent_for(0.1), "the script is at its end"
    assert server.connections[0].texts == ["hi", "hi"]


@pytest.mark.parametrize(
    ("turn", "at_least_s", "at_most_s"),
    [
        (Turn(audio=600, pace="realtime", plays_out=False), 0.45, 5.0),
        (Turn(audio=3000, pace=6, plays_out=False), 0.45, 2.5),
        (Turn(audio=600, pace="burst"), 0.55, 5.0),
        (Turn(audio=5000, pace="burst", plays_out=False), 0.0, 3.0),
        (Turn(audio=20, delay_s=0.5), 0.5, 5.0),
    ],
)
async def test_pace_and_delay_are_kept(
    serve: Serve, turn: Turn, at_least_s: float, at_most_s: float
) -> None:
    """From the question to turnComplete, which by default waits until all would be played."""
    server = await serve(turns=(turn,))
    async with dial(server) as client:
        await client.begin()
        began = time.monotonic()
        await client.send(TEXT)
        await client.until("turnComplete")
        assert at_least_s <= time.monotonic() - began <= at_most_s


async def test_chunks_have_the_lengths_asked_for(serve: Serve) -> None:
    """Also odd ones, and the first event holds two parts in one of the orders."""
    server = await serve(turns=(Turn(audio=500, chunk_ms=(7, 300), pace="burst"),))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        messages = await client.until("turnComplete")
    lengths = [len(reply_audio([message])) for message in messages if has(message, "modelTurn")]
    assert lengths == [7 * 48, 300 * 48, 7 * 48, 186 * 48]


async def test_speech_interrupts_a_reply(serve: Serve) -> None:
    """It ends in interrupted and turnComplete, without generationComplete; then the next turn."""
    server = await serve(turns=(LONG, Turn(says="next", audio=20)))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        await client.until("modelTurn")
        await client.speak()
        messages = await client.until("turnComplete")
        ends = [m for m in messages if has(m, "interrupted") or has(m, "turnComplete")]
        assert has(ends[0], "interrupted")
        assert not has(ends[0], "turnComplete")
        assert not any(has(message, "generationComplete") for message in messages)
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "next"


@pytest.mark.parametrize(
    ("turn", "fields"),
    [
        (Turn(audio=400, interruptible=False), {}),
        (Turn(audio=400), {"realtimeInputConfig": {"activityHandling": "NO_INTERRUPTION"}}),
    ],
)
async def test_a_reply_that_is_not_to_be_interrupted_goes_on(
    serve: Serve, turn: Turn, fields: dict[str, Any]
) -> None:
    """What was asked meanwhile is answered after it."""
    server = await serve(turns=(turn, Turn(says="next", audio=20)))
    async with dial(server) as client:
        await client.begin(**fields)
        await client.send(TEXT)
        await client.until("modelTurn")
        await client.speak()
        messages = await client.until("turnComplete")
        assert not any(has(message, "interrupted") for message in messages)
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "next"


async def test_function_calls_are_cancelled_by_an_interruption(serve: Serve) -> None:
    """A late answer to a cancelled call harms nobody."""
    server = await serve(turns=(Turn(calls=(ToolCall("f"), ToolCall("g"))), QUICK))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        calls = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
        await client.speak()
        cancelled = (await client.until("toolCallCancellation"))[-1]
        assert cancelled["toolCallCancellation"]["ids"] == [call["id"] for call in calls]
        late = {"id": calls[0]["id"], "name": "f", "response": {}}
        await client.send({"toolResponse": {"functionResponses": [late]}})
        await client.until("interrupted")
        await client.until("turnComplete")
        await client.until("turnComplete")
    assert server.connections[0].tool_responses == []


async def test_a_call_that_does_not_block_lets_the_reply_come(serve: Serve) -> None:
    """Its answer may come later, in pieces."""
    turn = Turn(calls=(ToolCall("f", blocking=False),), audio=20)
    server = await serve(turns=(turn,))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live")
        await client.send(TEXT)
        call = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"][0]
        await client.until("turnComplete")
        for more in (True, False):
            answer = {"id": call["id"], "name": "f", "response": {}, "willContinue": more}
            await client.send({"toolResponse": {"functionResponses": [answer]}})
        await server.wait_for(lambda s: len(s.connections[0].tool_responses) == 2, 5)
        await client.send({"toolResponse": {"functionResponses": [answer]}})
        assert (await client.closed())[0] == 1007


async def test_a_turn_may_be_empty_or_not_answered_at_all(serve: Serve) -> None:
    """The first ends without a sound; of the second only the transcription comes."""
    server = await serve(turns=(Turn(audio=None), Turn(heard="not for you", answers=False)))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        messages = await client.until("turnComplete")
        assert reply_audio(messages) == b""
        await client.until_handle()
        await client.speak()
        messages = [await client.receive()]
        assert text_of(messages, "inputTranscription") == "not for you"
        assert await client.silent_for(0.2)
        await client.send(TEXT)
        await client.until("turnComplete")


async def test_thoughts_grounding_usage_and_status_come_along(serve: Serve) -> None:
    """Thought parts are marked; extended thinking ends with an interaction status."""
    counts = {"promptTokenCount": 7}
    turn = Turn(thought="hm", searches=("weather berlin",), counts=counts, audio=20)
    server = await serve(turns=(turn,))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live-extended-thinking", tools=[{"googleSearch": {}}])
        await client.send(TEXT)
        messages = await client.until("turnComplete")
    everything = str(messages)
    assert "{'text': 'hm', 'thought': True}" in everything
    assert "'webSearchQueries': ['weather berlin']" in everything
    assert "'promptTokenCount': 7" in everything
    assert messages[-1]["serverContent"]["interactionStatus"] == "IDLE"


async def test_a_handle_goes_on_where_it_was_issued(serve: Serve) -> None:
    """The turns count on over connections; an older handle has forgotten the newer turns."""
    turns = tuple(Turn(says=str(number), audio=None) for number in (1, 2, 3))
    server = await serve(turns=turns)
    handles: list[str] = []
    for place, said in [("", "1"), (0, "2"), (1, "3"), (0, "2"), ("", "1")]:
        handle = handles[place] if isinstance(place, int) else ""
        async with dial(server) as client:
            await client.begin(sessionResumption={"handle": handle} if handle else {})
            await client.until_handle()
            await client.send(TEXT)
            assert text_of(await client.until("turnComplete"), "outputTranscription") == said
            await client.until_handle()
            handles.append(client.handle)
    assert [record.conversation for record in server.connections] == [1, 1, 1, 1, 2]
    assert server.connections[1].handle == handles[0]
    assert server.connections[1].handles_sent[-1] == handles[1]


async def test_it_is_not_resumable_while_it_speaks(serve: Serve) -> None:
    """An empty handle comes before the reply and a new one after turnComplete."""
    server = await serve(turns=(QUICK,))
    async with dial(server) as client:
        await client.begin()
        await client.until_handle()
        await client.send(TEXT)
        messages = await client.until("modelTurn")
        assert messages[-2] == {"sessionResumptionUpdate": {"newHandle": "", "resumable": False}}


async def test_every_sample_is_recorded_in_order(serve: Serve) -> None:
    """Over all connections, with arrival times, whatever alphabet the base64 has."""
    server = await serve()
    sent = [bytes([place, 0xFB]) * 320 for place in range(200)]
    for half in (sent[:100], sent[100:]):
        async with dial(server) as client:
            await client.begin()
            for pcm in half:
                message = audio(pcm)
                blob = message["realtimeInput"]["audio"]
                blob["data"] = blob["data"].replace("+", "-").replace("/", "_").rstrip("=")
                await client.send(message)
    await server.wait_for(lambda s: len(s.audio) == 128_000, 5)
    assert server.audio == b"".join(sent)
    times = [at for record in server.connections for at, _ in record.audio_chunks]
    assert times == sorted(times)
    assert server.connections[0].audio_chunks[5][1] == 640


async def test_the_record_tells_who_closed_and_why(serve: Serve) -> None:
    """The client's code and reason, also its echo of ours; nobody's when TCP was cut."""
    server = await serve()
    async with dial(server) as polite:
        await polite.begin()
        await polite.socket.close(1000, "enough")
    async with dial(server) as gone:
        await gone.begin()
        gone.socket.transport.abort()
    async with dial(server) as thrown_out:
        await thrown_out.begin()
        await server.drop(1011, "é" * 100)
        assert await thrown_out.closed() == (1011, "é" * 61)
    await server.wait_for(lambda s: all(not r.open for r in s.connections), 5)
    ends = [(r.closed_by, r.close_code, r.close_reason) for r in server.connections]
    assert ends == [("client", 1000, "enough"), ("nobody", None, ""), ("server", 1011, "é" * 61)]
    assert server.connections[2].refused == (1011, "é" * 100)
    assert server.connections[1].copy() == server.connections[1]


async def test_attempts_count_what_never_gets_to_a_request(serve: Serve) -> None:
    """Plain TCP counts, and so does a client that does not trust the certificate."""
    server = await serve()
    port = urlsplit(server.url).port or 0
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    await server.wait_for(lambda s: s.attempts == 1, 5)
    writer.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("localhost", port, ssl=ssl.create_default_context())
    assert server.attempts == 2
    assert server.connections == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"names": ["example.org"]}, "Hostname mismatch"),
        ({"age_s": 10.0, "lifetime_s": 5.0}, "certificate has expired"),
    ],
)
async def test_a_bad_certificate_can_be_shown(
    tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    """Of another host, or expired: the client refuses it."""
    bad = make_certificate(tmp_path, **options)
    async with LiveServer(Script(), directory=tmp_path, certificate=bad) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            async with dial(server):
                pass


async def test_it_can_be_told_to_speak_and_to_end(serve: Serve) -> None:
    """From outside: say (also twice), go_away, drop; without a connection an error."""
    server = await serve(turns=())
    with pytest.raises(ConnectionError, match="no connection is open"):
        await server.go_away(1)
    async with dial(server) as client:
        await client.begin()
        await server.say(Turn(says="one", audio=20))
        await server.say(Turn(says="two", audio=20))
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "one"
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "two"
        await server.go_away(9.5)
        assert (await client.until("goAway"))[-1] == {"goAway": {"timeLeft": "9.500s"}}
        await server.drop()
        assert await client.closed() == (1006, "")


async def test_the_listener_can_be_killed_and_come_back(serve: Serve) -> None:
    """On the same port; open connections go on meanwhile."""
    server = await serve(turns=(QUICK,))
    address = server.url
    async with dial(server) as client:
        await client.begin()
        await server.kill_listener()
        with pytest.raises(OSError, match=r"111|refused"):
            async with dial(server):
                pass
        await client.send(TEXT)
        await client.until("turnComplete")
        await server.listen()
        assert server.url == address
        async with dial(server) as second:
            await second.begin()
    assert server.attempts == 2


async def test_waiting_wakes_on_a_change_or_tells_what_came(serve: Serve) -> None:
    """The value of the predicate is returned; the error names the connections."""
    server = await serve()
    waiting = asyncio.create_task(server.wait_for(lambda s: s.connections and "seen", 5))
    async with dial(server):
        assert await waiting == "seen"
        with pytest.raises(TimeoutError, match=r"1 attempts; connection 1: status 101, 0 bytes"):
            await server.wait_for(lambda s: s.audio, 0.01)


async def test_a_script_that_names_no_recording_does_not_start(tmp_path: Path) -> None:
    """The mistake shows at once, not in the middle of a conversation."""
    server = LiveServer(Script(turns=(Turn(audio="nothing"),)), directory=tmp_path)
    with pytest.raises(ScriptError, match="no recording 'nothing'"):
        await server.__aenter__()


async def stop_reading(client: RawClient) -> None:
    """Stop reading, and keep the socket open."""
    client.socket.transport.pause_reading()


async def test_leaving_waits_for_nobody(tmp_path: Path) -> None:
    """A client that reads nothing, one that never asks, one without TLS, one that is served."""
    before = asyncio.all_tasks()
    script = Script(turns=(Turn(audio=60_000, pace="burst", chunk_ms=(1000,)),))
    server = LiveServer(script, directory=tmp_path)
    async with server:
        address = ("127.0.0.1", urlsplit(server.url).port or 0)
        plain = socket.create_connection(address)
        context = ssl.create_default_context(cafile=server.certificate)
        _, mute = await asyncio.open_connection("localhost", address[1], ssl=context)
        async with dial(server) as stuck, dial(server) as served:
            await stuck.begin()
            await served.begin()
            await stop_reading(stuck)
            await stuck.send(TEXT)
            await served.send(TEXT)
            await served.until("modelTurn")
            await server.do(Deaf())
            began = time.monotonic()
            await server.__aexit__(None, None, None)
            # Python 3.12 and later wait for the client that never begins its TLS handshake.
            assert time.monotonic() - began < HANDSHAKE_TIMEOUT_S + 2
            assert await served.closed() == (1001, "")
            stuck.socket.transport.abort()
    plain.close()
    mute.close()
    if left := asyncio.all_tasks() - before:
        # asyncio's own, for the TLS handshake of the plain client that has just gone.
        assert not (await asyncio.wait(left, timeout=30))[1]


async def test_the_shipped_recordings_are_replies(serve: Serve) -> None:
    """A turn names a recording, and the client gets its samples."""
    server = await serve(turns=(Turn(audio="answer_stop", pace="burst", plays_out=False),))
    async with dial(server) as client:
        await client.begin()
        await client.speak(pause=PAUSE)
        assert reply_audio(await client.until("turnComplete")) == reply_pcm("answer_stop")


async def test_content_interrupts_a_reply_and_is_answered(serve: Serve) -> None:
    """Completed client content on 3.8 cuts the model off whatever was agreed."""
    server = await serve(turns=(LONG, Turn(says="next", audio=20)))
    fields = {"realtimeInputConfig": {"activityHandling": "NO_INTERRUPTION"}}
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live", **fields)
        await client.send(TEXT)
        await client.until("modelTurn")
        content = {"turns": [{"role": "user", "parts": [{"text": "x"}]}], "turnComplete": True}
        await client.send({"clientContent": content})
        await client.until("interrupted")
        await client.until("turnComplete")
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "next"


async def test_an_interruption_may_end_without_a_turn(serve: Serve) -> None:
    """A phantom: nobody spoke, and no turnComplete follows."""
    server = await serve(turns=(LONG, QUICK))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        await client.until("modelTurn")
        await server.do(Interrupt(complete=False))
        await client.until("interrupted")
        assert await client.silent_for(0.2)


async def test_setup_may_take_its_time(serve: Serve) -> None:
    """The answer comes after the delay, and the record has when."""
    server = await serve(setup_delay_s=0.3)
    async with dial(server) as client:
        began = time.monotonic()
        await client.send(setup())
        await client.until("setupComplete")
        assert time.monotonic() - began >= 0.3
    assert (server.connections[0].ready_at or 0) - began >= 0.3
