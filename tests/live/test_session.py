"""A session against the stand-in server: what goes up, what comes down, how it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from device.live.session import warm_up
from device.news import (
    FailureKind,
    GenerationComplete,
    Reconnecting,
    ReplyAudio,
    SessionClosed,
    SessionOpened,
    ToolNews,
    Transcript,
    TurnComplete,
    UplinkChanged,
    Usage,
)
from device.simulator.certificate import make_certificate
from device.simulator.script import Deaf, Event, Resumable, Script, Send, Silence, ToolCall, Turn
from tests.live.talk import KEY, PATIENCE_S, Ear, Settings, Vad, frame, session_of, talking

ANSWER = Turn(heard="what time is it", says="It is noon.", audio=200, plays_out=False)


# --- up ------------------------------------------------------------------------------------------


async def test_audio_from_before_the_session_is_open_arrives_whole_and_in_order(
    tmp_path: Path,
) -> None:
    """What was said while a slow server set up goes up first, equal byte for byte."""
    async with talking(tmp_path, Script(setup_delay_s=0.4), start=False) as talk:
        talk.speak(75)
        talk.start()
        await talk.server.wait_for(
            lambda server: server.connections and server.connections[0].setup, PATIENCE_S
        )
        talk.speak(25)
        assert not talk.ear.news
        await talk.ear.until(SessionOpened)
        talk.speak(10)
        await talk.heard()
        talk.speak(1)
        await talk.heard()
        await talk.close()
        record = await talk.record()
        assert bytes(record.audio) == bytes(talk.said)
        lengths = [length for _, length in record.audio_chunks]
        assert max(lengths) == 3200
        assert lengths[-1] == 640
        assert record.audio_rates_hz == {16_000}
        counters = talk.session.counters
        assert (counters["frames_sent"], counters["bytes_sent"]) == (111, len(talk.said))
        assert (counters["held"], counters["dropped"], counters["repeated"]) == (0, 0, 0)
        assert counters["held_max"] >= 100


async def test_uplink_news_follow_bytes_and_not_intent(tmp_path: Path) -> None:
    """Flowing begins with the first bytes sent and ends with the stream, stretch by stretch."""
    async with talking(tmp_path) as talk:
        await talk.ear.until(SessionOpened)
        talk.session.end_audio()
        talk.speak(3)
        await talk.ear.until(UplinkChanged)
        await talk.heard()
        talk.session.end_audio()
        talk.session.end_audio()
        await talk.ear.until(UplinkChanged, 2)
        talk.speak(2)
        talk.session.end_audio()
        await talk.ear.until(UplinkChanged, 4)
        await talk.close()
        changes = talk.ear.all(UplinkChanged)
        assert [change.flowing for change in changes] == [True, False, True, False]
        assert changes[1].frames == 3
        assert changes[3].frames == 5
        assert changes[3].bytes == 5 * 640
        record = await talk.record()
        assert [audio_bytes for _, audio_bytes in record.audio_stream_ends] == [1920, 3200]


async def test_frames_that_were_not_held_are_timed(tmp_path: Path) -> None:
    """From their recording until the socket has them; what waited for the session is not."""
    async with talking(tmp_path, start=False) as talk:
        talk.session.send_frame(frame(0), time.monotonic())
        talk.start()
        await talk.ear.until(SessionOpened)
        talk.session.send_frame(frame(1))
        captured = [time.monotonic()]
        talk.session.send_frame(frame(2), captured[0])
        await talk.server.wait_for(lambda server: len(server.audio) == 3 * 640, PATIENCE_S)
        captured.append(time.monotonic())
        talk.session.send_frame(frame(3), captured[1])
        await talk.server.wait_for(lambda server: len(server.audio) == 4 * 640, PATIENCE_S)
        await talk.close()
    assert [at for at, _ in talk.ear.sent] == captured
    assert all(0 < sent_at - at < PATIENCE_S for at, sent_at in talk.ear.sent)


async def test_frames_held_while_the_connection_was_away_are_not_timed(tmp_path: Path) -> None:
    """Nor what is said again; those that come after it are."""
    async with talking(tmp_path) as talk:
        await talk.handle()
        talk.session.user_speaks(speaking=True)
        talk.session.send_frame(frame(1), 1.0)
        await talk.server.wait_for(lambda server: len(server.audio) == 640, PATIENCE_S)
        await talk.server.kill_listener()
        await talk.server.drop()
        await talk.ear.until(Reconnecting)
        talk.session.send_frame(frame(2), 2.0)
        await talk.server.listen()
        await talk.ear.until(SessionOpened, 2)
        talk.session.send_frame(frame(3), 3.0)
        await talk.server.wait_for(lambda server: len(server.audio) == 4 * 640, PATIENCE_S)
        await talk.close()
    assert [at for at, _ in talk.ear.sent] == [1.0, 3.0]


async def test_text_keeps_its_place_behind_the_audio(tmp_path: Path) -> None:
    """A typed question goes up as user input and is answered."""
    async with talking(tmp_path, Script(turns=(ANSWER,)), start=False) as talk:
        talk.speak(5)
        talk.session.send_text("what time is it")
        talk.start()
        await talk.ear.until(TurnComplete)
        await talk.close()
        record = await talk.record()
        assert record.texts == ["what time is it"]
        assert bytes(record.audio) == bytes(talk.said)


async def test_stalled_network_holds_audio_and_stops_nothing_else(tmp_path: Path) -> None:
    """A server that reads nothing fills the queue; news still come, and closing still works."""
    script = Script(turns=(ANSWER,), events=(Event("ready", Deaf()),))
    async with talking(tmp_path, script) as talk:
        await talk.ear.until(SessionOpened)
        big = bytes(640 * 200)
        while not talk.session.counters["held"] > 100:
            talk.session.send_frame(big)
            await asyncio.sleep(0)
        await talk.server.say(Turn(audio=100, plays_out=False))
        await talk.ear.until(TurnComplete)
        began = asyncio.get_running_loop().time()
        await talk.close()
        assert asyncio.get_running_loop().time() - began < 2
        assert talk.session.counters["held"] > 0


@pytest.mark.parametrize(
    ("model", "level", "sent"),
    [
        ("gemini-3.1-flash-live-preview", "minimal", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.1-flash-live-preview", "high", {"thinkingLevel": "HIGH"}),
        ("gemini-3.8-live", "high", None),
        ("gemini-3.8-live-extended-thinking", "minimal", {"thinkingLevel": "LOW"}),
        ("gemini-3.8-live-extended-thinking", "high", {"thinkingLevel": "HIGH"}),
        ("gemini-2.5-flash-native-audio-latest", "low", None),
    ],
)
async def test_each_model_gets_the_seed_as_it_takes_it(
    tmp_path: Path, model: str, level: str, sent: dict[str, str] | None
) -> None:
    """Thinking level, VAD and transcripts both ways: taken by the strict server, and answered."""
    vad = Vad(start="low", end="high", prefix_ms=100, silence_ms=300)
    script = Script(turns=(ANSWER,))
    async with talking(tmp_path, script, model=model, thinking_level=level, vad=vad) as talk:
        talk.session.send_text("what time is it")
        await talk.ear.until(TurnComplete)
        await talk.close()
        record = await talk.record()
        assert talk.server.attempts == 1, "nothing had to be left out"
        assert record.setup is not None
        assert record.setup["generationConfig"].get("thinkingConfig") == sent
        assert record.setup["realtimeInputConfig"]["automaticActivityDetection"] == {
            "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
            "endOfSpeechSensitivity": "END_SENSITIVITY_HIGH",
            "prefixPaddingMs": 100,
            "silenceDurationMs": 300,
        }
        finals = {(text.who, text.text) for text in talk.ear.all(Transcript) if text.final}
        assert finals == {("user", "what time is it"), ("model", "It is noon.")}


async def test_server_sees_the_setup_of_the_configuration(tmp_path: Path) -> None:
    """The strict server takes what is sent to the model that is the default."""
    async with talking(tmp_path, voice="Kore", language="de-DE", google_search=True) as talk:
        await talk.ear.until(SessionOpened)
        record = await talk.record(closed=False)
        assert record.setup is not None
        assert record.setup["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "MINIMAL"}
        assert record.setup["generationConfig"]["speechConfig"]["languageCode"] == "de-DE"
        assert record.setup["tools"] == [{"googleSearch": {}}]
        assert record.setup["sessionResumption"] == {}
        assert record.path.startswith("/ws/google.ai.generativelanguage.v1beta.")


# --- down ----------------------------------------------------------------------------------------


async def test_turn_arrives_whole(tmp_path: Path) -> None:
    """Speech, both transcripts, both ends and the bill of a turn."""
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        talk.session.send_text("what time is it")
        usage = await talk.ear.until(Usage)
        await talk.close()
        ear = talk.ear
        pcm = b"".join(chunk.pcm for chunk in ear.all(ReplyAudio))
        assert len(pcm) == 24_000 * 2 // 5
        finals = [(text.who, text.text) for text in ear.all(Transcript) if text.final]
        assert finals == [("user", "what time is it"), ("model", "It is noon.")]
        assert ear.news.index(ear.all(GenerationComplete)[0]) < ear.news.index(
            ear.all(TurnComplete)[0]
        )
        assert usage.turn == 1
        assert usage.tokens["total"] > 0


async def test_bill_that_comes_after_its_turn_is_told_at_once(tmp_path: Path) -> None:
    """It does not wait for the next turn; what comes with the next turn's speech is that one's."""
    usage = {"usageMetadata": {"promptTokenCount": 20_000}}
    speech = {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}}]}}
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        talk.session.send_text("what time is it")
        await talk.ear.until(Usage)
        await talk.server.do(Send(usage))
        assert (await talk.ear.until(Usage, 2)).turn == 1
        await talk.server.do(Send({"serverContent": speech} | usage))
        await talk.server.do(Send({"serverContent": {"turnComplete": True}}))
        assert (await talk.ear.until(Usage, 3)).turn == 2
        told = [bill.tokens["prompt"] for bill in talk.ear.all(Usage)]
        assert told[1:] == [20_000, 20_000]


async def test_reading_goes_on_from_turn_to_turn(tmp_path: Path) -> None:
    """Live API: the SDK's stream ends with each turn; the session does not."""
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        for count in (1, 2, 3):
            talk.session.send_text("again")
            await talk.ear.until(TurnComplete, count)
        assert [turn.turn for turn in talk.ear.all(TurnComplete)] == [1, 2, 3]
        assert talk.session.counters["connections"] == 1


async def test_function_call_is_answered_at_once_as_not_available(tmp_path: Path) -> None:
    """A model that waits for an answer gets one that says what to do, and then speaks."""
    turn = Turn(calls=(ToolCall("lamp"), ToolCall("door")), audio=100, plays_out=False)
    async with talking(tmp_path, Script(turns=(turn,))) as talk:
        talk.session.send_text("light, please")
        await talk.ear.until(TurnComplete)
        await talk.close()
        told = [(tool.what, tool.name) for tool in talk.ear.all(ToolNews)]
        assert sorted(told) == [
            ("called", "door"),
            ("called", "lamp"),
            ("failed", "door"),
            ("failed", "lamp"),
        ]
        record = await talk.record()
        assert {response["name"] for response in record.tool_responses} == {"lamp", "door"}
        assert all("not available" in r["response"]["error"] for r in record.tool_responses)


async def test_cancelled_call_is_not_answered(tmp_path: Path) -> None:
    """The server took it back before."""
    message = {
        "toolCall": {"functionCalls": [{"id": "c1", "name": "lamp"}]},
        "toolCallCancellation": {"ids": ["c1", "unknown"]},
    }
    async with talking(tmp_path, Script(events=(Event("ready", Send(message)),))) as talk:
        await talk.ear.until(ToolNews, 2)
        told = [(tool.what, tool.name) for tool in talk.ear.all(ToolNews)]
        assert told == [("called", "lamp"), ("cancelled", "lamp")]
        await talk.close()
        assert not (await talk.record()).tool_responses


async def test_odd_messages_are_counted_and_survived(tmp_path: Path) -> None:
    """New message types, errors as messages and garbage do not end a conversation."""
    odd: list[dict[str, Any] | str] = [
        {"newThing": {"a": 1}},
        {"error": {"code": 500}},
        "not json",
        {},
    ]
    script = Script(turns=(ANSWER,), events=tuple(Event("ready", Send(each)) for each in odd))
    async with talking(tmp_path, script) as talk:
        await talk.ear.until(SessionOpened)
        talk.session.send_text("still there?")
        await talk.ear.until(TurnComplete)
        assert talk.session.counters["odd_messages"] == 3
        assert talk.session.counters["connections"] == 1


async def test_message_over_a_mebibyte_is_taken(tmp_path: Path) -> None:
    """The library's own limit would drop the connection."""
    content = {"serverContent": {"outputTranscription": {"text": "long"}}}
    script = Script(events=(Event("ready", Send(content, padding_bytes=2_000_000)),))
    async with talking(tmp_path, script) as talk:
        assert (await talk.ear.until(Transcript)).text == "long"


async def test_handle_is_the_newest_that_can_be_resumed(tmp_path: Path) -> None:
    """An update without a handle never replaces one that is good."""
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        talk.session.send_text("hello")
        await talk.ear.until(TurnComplete)
        record = await talk.record(closed=False)
        await talk.server.wait_for(lambda _: len(record.handles_sent) == 2, PATIENCE_S)
        await talk.server.do(Resumable(now=False))
        assert await talk.handle() == record.handles_sent[-1]
        await talk.close()
        assert talk.session.handle == record.handles_sent[-1]


# --- ends ----------------------------------------------------------------------------------------


async def test_close_says_goodbye_in_order(tmp_path: Path) -> None:
    """What waits still goes up, the WebSocket ends with 1000, and it takes about a second."""
    async with talking(tmp_path) as talk:
        await talk.ear.until(SessionOpened)
        talk.speak(50)
        began = asyncio.get_running_loop().time()
        end = await talk.close()
        assert asyncio.get_running_loop().time() - began < 1.5
        assert end.reason == "done"
        record = await talk.record()
        assert (record.closed_by, record.close_code) == ("client", 1000)
        assert bytes(record.audio) == bytes(talk.said)
        assert not talk.ear.all(UplinkChanged)[-1].flowing
        await talk.session.close("again")
        assert len(talk.ear.all(SessionClosed)) == 1


async def test_close_while_connecting_does_not_wait_for_the_server(tmp_path: Path) -> None:
    """A server that never answers cannot hold a closing session up, and is told no error."""
    async with talking(tmp_path, Script(events=(Event("setup", Silence()),))) as talk:
        await talk.server.wait_for(
            lambda server: server.connections and server.connections[0].setup, PATIENCE_S
        )
        began = asyncio.get_running_loop().time()
        assert (await talk.close()).reason == "done"
        assert asyncio.get_running_loop().time() - began < 2
        assert not talk.ear.all(SessionOpened)
        assert (await talk.record()).close_code == 1000


async def test_close_while_connecting_is_short_when_the_network_froze(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes the goodbye; a second later the connection is cut."""
    frozen, over = asyncio.Event(), asyncio.Event()

    async def freeze(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.pause_reading()
        frozen.set()
        await over.wait()
        connection.transport.abort()

    made = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    async with serve(freeze, "localhost", 0, ssl=made.server_context()) as server:
        port = server.sockets[0].getsockname()[1]
        session = session_of(Settings(endpoint=f"https://localhost:{port}"), Ear())
        running = asyncio.create_task(session.run())
        async with asyncio.timeout(PATIENCE_S):
            await frozen.wait()
            began = asyncio.get_running_loop().time()
            await session.close("done")
            assert 0.5 < asyncio.get_running_loop().time() - began < 2
            await running
        over.set()


async def test_close_before_the_start_opens_nothing(tmp_path: Path) -> None:
    """A session that is closed before it ran makes no connection."""
    async with talking(tmp_path, start=False) as talk:
        await talk.session.close("never mind")
        talk.start()
        end = await talk.ended()
        assert isinstance(end, SessionClosed)
        assert end.reason == "never mind"
        assert talk.server.attempts == 0


async def test_server_that_closes_an_idle_session_is_no_failure(tmp_path: Path) -> None:
    """Live API: 1000 without a reason ends an idle session; there is nothing to tell."""
    async with talking(tmp_path, resumption=False) as talk:
        await talk.ear.until(SessionOpened)
        await talk.server.drop(1000, "")
        end = await talk.ended()
        assert isinstance(end, SessionClosed)
        assert end.reason == "the server closed it"


@pytest.mark.parametrize("point", ["import", "setup", "open"])
async def test_cancelling_leaves_no_task_and_no_connection(tmp_path: Path, point: str) -> None:
    """Wherever a session is cancelled, everything it began is over when it ends."""
    script = Script(events=(Event("setup", Silence()),)) if point == "setup" else Script()
    async with talking(tmp_path, script, start=False) as talk:
        before = asyncio.all_tasks()
        talk.start()
        assert talk.task is not None
        if point == "import":
            await asyncio.sleep(0)
        elif point == "setup":
            await talk.server.wait_for(
                lambda server: server.connections and server.connections[0].setup, PATIENCE_S
            )
        else:
            await talk.ear.until(SessionOpened)
            talk.speak(5)
        talk.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talk.task
        assert isinstance(talk.ear.news[-1], SessionClosed)
        if talk.server.connections:
            assert (await talk.record()).close_code == 1000
        ours = {task for task in asyncio.all_tasks() - before if "session" in task.get_name()}
        assert not ours


async def test_unusable_key_is_told_without_a_connection() -> None:
    """An empty key must not make the SDK look for another one."""
    ear = Ear()
    session = session_of(Settings(endpoint="https://localhost:1"), ear, key="")
    await session.run()
    assert ear.news[0].failure.kind is FailureKind.KEY  # type: ignore[union-attr]
    assert session.counters["attempts"] == 0


async def test_key_is_nowhere_but_in_the_handshake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a log at its finest, not in a repr, not in a message; the hub tells the story."""
    caplog.set_level(logging.DEBUG)
    async with talking(tmp_path, Script(turns=(ANSWER,))) as talk:
        logging.getLogger("websockets.server").setLevel(logging.INFO)
        talk.session.send_text("hello")
        await talk.ear.until(TurnComplete)
        await talk.close()
        assert (await talk.record()).api_key == KEY
        assert KEY not in caplog.text
        assert KEY not in repr(talk.session) + repr(talk.ear.news)
        assert "session 1 opened: gemini-3.1-flash-live-preview" in caplog.text
        ours = [each for each in caplog.records if each.name.startswith("device.live")]
        assert {each.levelno for each in ours} == {logging.DEBUG}
    logging.getLogger("websockets.server").setLevel(logging.NOTSET)


async def test_warm_up_is_harmless_when_warm() -> None:
    """The hub may call it at any time."""
    await warm_up()
    await warm_up()
