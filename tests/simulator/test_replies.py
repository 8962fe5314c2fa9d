"""Replies on the server's bad days, over TLS: turns that are no answers, odd ends, odd orders."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from google.genai import types

from device.simulator.live_server import LiveServer
from device.simulator.script import (
    CancelCalls,
    Event,
    Filler,
    LoseContext,
    Script,
    ToolCall,
    Turn,
)
from device.simulator.turns import Order
from device.simulator.usage import text_tokens
from device.simulator.voices import reply_pcm, tone
from tests.rig import no_answers
from tests.rig.no_answers import (
    DEAD_LINE,
    EMPTY,
    ENDLESS,
    LATE_SOUND,
    NOT_ANSWERS,
    NOTHING,
    REJECTED,
    SAYS,
    STUCK,
    TEXT_ONLY,
)
from tests.simulator.raw_client import (
    RawClient,
    Serve,
    audio,
    dial,
    has,
    reply_audio,
    text_of,
)
from tests.simulator.test_live_server_sdk import client_of

TEXT = {"realtimeInput": {"text": "hi"}}
MANUAL = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
START: dict[str, Any] = {"realtimeInput": {"activityStart": {}}}
END: dict[str, Any] = {"realtimeInput": {"activityEnd": {}}}
GOOD = Turn(heard="what is the weather", says="sunny", audio=40, plays_out=False)
LONG = Turn(audio=20_000, pace="realtime")
THREE_ONE, THREE_EIGHT = "gemini-3.1-flash-live-preview", "gemini-3.8-live"
EXTENDED = "gemini-3.8-live-extended-thinking"


async def speak(client: RawClient) -> None:
    await client.speak()


async def hold(client: RawClient) -> None:
    await client.send(START, *[audio(bytes(640))] * 5, END)


async def type_in(client: RawClient) -> None:
    await client.send(TEXT)


WAYS: dict[str, Callable[[RawClient], Awaitable[None]]] = {
    "speech": speak,
    "held": hold,
    "text": type_in,
}


def quick(turn: Turn) -> Turn:
    """The same turn, as fast as it can be sent."""
    return replace(turn, pace="burst", plays_out=False)


def content(message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = message.get("serverContent", {})
    return found


def texts(messages: list[dict[str, Any]]) -> str:
    """Join the text parts that are no thoughts."""
    parts = [part for m in messages for part in content(m).get("modelTurn", {}).get("parts", [])]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


# --- turns that are no answers -------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", [THREE_ONE, THREE_EIGHT])
@pytest.mark.parametrize("name", NOT_ANSWERS)
async def test_a_question_may_have_no_answer_the_first_time(
    serve: Serve, name: str, model: str, way: str
) -> None:
    """However it is asked; asked again it is answered, and both are counted."""
    server = await serve(turns=(replace(GOOD, first=(quick(NOT_ANSWERS[name]),)),))
    async with dial(server) as client:
        await client.begin(model=model, **(MANUAL if way == "held" else {}))
        await client.until_handle()
        await WAYS[way](client)
        if NOT_ANSWERS[name].answers:
            messages = await client.until("turnComplete")
            await client.until_handle()
            asked = {"text": "hi"}.get(way, "what is the weather")
            assert text_of(messages, "inputTranscription") == asked
        await WAYS[way](client)
        assert reply_audio(await client.until("turnComplete"))[-1920:] == tone(40)
    questions = server.connections[0].questions
    assert [(q.by, q.turn, q.time, q.session) for q in questions] == [
        (way, 1, 1, 1),
        (way, 1, 2, 1),
    ]
    assert server.times_asked(1) == 2


async def answered_with(server: LiveServer, **fields: Any) -> list[dict[str, Any]]:
    """Ask by text in a new session, and return all up to turnComplete."""
    async with dial(server) as client:
        await client.begin(**fields)
        await client.send(TEXT)
        return await client.until("turnComplete")


async def test_an_empty_turn_counts_no_tokens(serve: Serve) -> None:
    """Nothing but the question's transcription and turnComplete, not even generationComplete."""
    messages = await answered_with(await serve(turns=(EMPTY,)))
    kinds = {kind for message in messages for kind in (*message, *content(message))}
    assert kinds == {
        *("serverContent", "inputTranscription", "turnComplete"),
        *("sessionResumptionUpdate", "usageMetadata"),
    }
    (used,) = [m["usageMetadata"] for m in messages if "usageMetadata" in m]
    assert used["responseTokenCount"] == 0


async def test_a_turn_may_be_of_text_alone(serve: Serve) -> None:
    """One part, no sound, no transcription, and its own tokens."""
    messages = await answered_with(await serve(turns=(TEXT_ONLY,)))
    assert (texts(messages), reply_audio(messages)) == (SAYS, b"")
    assert text_of(messages, "outputTranscription") == ""
    details = [m["usageMetadata"] for m in messages if "usageMetadata" in m][-1]
    assert details["responseTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": text_tokens(SAYS)}
    ]


@pytest.mark.parametrize("turn", [REJECTED, no_answers.REJECTED_ODDLY])
async def test_a_turn_may_tell_why_it_is_over(serve: Serve, turn: Turn) -> None:
    """In a word of the reference, or in one that nobody knows."""
    messages = await answered_with(await serve(turns=(turn,)))
    end = content(next(message for message in messages if has(message, "turnComplete")))
    assert end == {"turnComplete": True, "turnCompleteReason": turn.reason}


async def test_a_dead_line_is_as_long_as_an_answer(serve: Serve) -> None:
    """Five seconds, a transcription, and not a sample above -60 dBFS."""
    messages = await answered_with(await serve(turns=(quick(DEAD_LINE),)))
    samples = np.frombuffer(reply_audio(messages), "<i2")
    assert len(samples) == 5 * 24_000
    assert 0 < np.max(np.abs(samples)) < 32_768 * 10 ** (-60 / 20)
    assert text_of(messages, "outputTranscription") == SAYS


async def test_a_good_answer_may_begin_with_silence(serve: Serve) -> None:
    """A second and a half of it, sample for sample before the recording."""
    messages = await answered_with(await serve(turns=(quick(LATE_SOUND),)))
    assert reply_audio(messages) == bytes(72_000) + reply_pcm("answer_weather")


async def test_an_answer_may_turn_into_a_tone(serve: Serve) -> None:
    """Loud and steady; the whole transcription has come before it."""
    messages = await answered_with(await serve(turns=(quick(STUCK),)))
    speech = reply_pcm("answer_weather")
    last_text = max(at for at, m in enumerate(messages) if has(m, "outputTranscription"))
    before = len(reply_audio(messages[: last_text + 1]))
    assert 0 <= before - len(speech) < 100 * 48
    tail = np.frombuffer(reply_audio(messages)[len(speech) :], "<i2").astype(np.float64)
    assert len(tail) == 8 * 24_000
    levels = np.sqrt(np.mean(tail.reshape(-1, 2400)[1:-1] ** 2, axis=1))
    assert np.ptp(levels) < 0.01 * np.mean(levels)
    assert np.mean(levels) > 32_768 * 10 ** (-12 / 20)


async def test_the_times_may_be_counted_over_all_sessions(serve: Serve) -> None:
    """A fresh session answers then, and one that counts for itself is empty again."""
    for over, answers in (("all", True), ("session", False)):
        turn = replace(GOOD, first=(EMPTY,), first_over=over)  # type: ignore[arg-type]
        server = await serve(turns=(turn,))
        assert reply_audio(await answered_with(server)) == b""
        assert bool(reply_audio(await answered_with(server))) is answers
        assert server.times_asked(1) == 2
        assert [(q.session, q.time) for q in server.questions] == [(1, 1), (2, 1)]


async def test_one_session_may_never_answer(serve: Serve) -> None:
    """However often it is asked there, and resumed; a fresh one is well."""
    stuck = replace(REJECTED, times=99, sessions=(1,))
    server = await serve(turns=(replace(GOOD, first=(stuck,)),))
    async with dial(server) as client:
        await client.begin()
        for _ in range(3):
            await client.send(TEXT)
            assert reply_audio(await client.until("turnComplete")) == b""
        await client.until_handle()
        handle = client.handle
    async with dial(server) as client:
        await client.begin(sessionResumption={"handle": handle})
        await client.send(TEXT)
        assert reply_audio(await client.until("turnComplete")) == b""
    assert reply_audio(await answered_with(server)) == tone(40)
    assert [q.time for q in server.questions] == [1, 2, 3, 4, 1]


async def test_a_fresh_session_may_go_on_where_the_last_was(serve: Serve) -> None:
    """So the question that was not answered is asked again there, and not the first one."""
    turns = (GOOD, replace(GOOD, says="rain", first=(NOTHING,), first_over="all"))
    server = await serve(turns=turns, fresh="next")
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        await client.until("turnComplete")
        await client.until_handle()
        await client.send(TEXT)
        assert await client.silent_for(0.2)
    assert text_of(await answered_with(server), "outputTranscription") == "rain"
    assert [server.times_asked(turn) for turn in (1, 2)] == [1, 2]


async def test_what_is_not_taken_up_is_counted_too(serve: Serve) -> None:
    """A question beyond the script belongs to no turn."""
    server = await serve(turns=(), loop=False)
    async with dial(server) as client:
        await client.begin(model=THREE_EIGHT)
        turns = [{"role": "user", "parts": [{"text": "x"}]}]
        await client.send(TEXT, {"clientContent": {"turns": turns, "turnComplete": True}})
        await client.speak()
        await server.wait_for(lambda s: len(s.questions) == 3, 5)
    record = server.connections[0]
    assert [(q.by, q.text, q.turn) for q in record.questions] == [
        ("text", "hi", 0),
        ("content", "", 0),
        ("speech", "", 0),
    ]
    assert record.questions[2].audio_bytes > record.questions[0].audio_bytes == 0
    assert [edge for edge, _ in record.speech] == ["started", "ended"]


# --- ends ----------------------------------------------------------------------------------------


async def test_a_turn_may_never_be_complete(serve: Serve) -> None:
    """After generationComplete nothing comes, and the next question is the next turn."""
    server = await serve(turns=(quick(ENDLESS), GOOD))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        await client.until("generationComplete")
        assert await client.silent_for(0.2)
        await client.send(TEXT)
        messages = await client.until("turnComplete")
        assert text_of(messages, "outputTranscription") == "sunny"


async def test_a_turn_may_end_without_a_word(serve: Serve) -> None:
    """Neither generationComplete nor turnComplete."""
    server = await serve(turns=(replace(GOOD, ends="none"),))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        while len(reply_audio([await client.receive()])) == 0:
            pass
        await server.wait_for(lambda s: s.connections[0].turns == 1, 5)
    sent = {kind for _, kind in server.connections[0].sent}
    assert sent & {"generationComplete", "turnComplete"} == set()


@pytest.mark.parametrize("heard_at", ["after", "around"])
async def test_an_interrupted_turn_may_never_be_complete(serve: Serve, heard_at: Any) -> None:
    """And the sound of the next answer comes before its transcriptions, or in their middle."""
    bare = replace(LONG, interruption_completes=False)
    order: Order = "text_last" if heard_at == "after" else "text_around"
    words = "one two three four five six"
    turn = Turn(heard=words, says=words, heard_at=heard_at, order=order, audio=300, plays_out=False)
    server = await serve(turns=(bare, turn))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        await client.until("modelTurn")
        await client.speak()
        await client.until("interrupted")
        messages = await client.until("turnComplete")
    assert sum(has(message, "turnComplete") for message in messages) == 1
    sound = [at for at, message in enumerate(messages) if has(message, "modelTurn")]
    for key in ("inputTranscription", "outputTranscription"):
        assert text_of(messages, key) == words
        places = [at for at, message in enumerate(messages) if has(message, key)]
        early = [at for at in places if at < sound[0]]
        assert len(early) == (0 if heard_at == "after" else 1)
        assert places[-1] < sound[1] if heard_at == "around" else places[0] > sound[-1]


async def test_extended_thinking_may_stay_in_progress(serve: Serve) -> None:
    """Fillers end turns in progress; the status at the end is what the script says."""
    turn = replace(GOOD, fillers=(Filler("hm", 20),), status="IN_PROGRESS")
    server = await serve(turns=(turn, replace(GOOD, status="")))
    async with dial(server) as client:
        await client.begin(model=EXTENDED)
        await client.send(TEXT)
        ends = [content((await client.until("turnComplete"))[-1]) for _ in "12"]
        await client.until_handle()
        await client.send(TEXT)
        ends.append(content((await client.until("turnComplete"))[-1]))
    assert [end.get("interactionStatus") for end in ends] == ["IN_PROGRESS", "IN_PROGRESS", None]


# --- the context ---------------------------------------------------------------------------------


def prompt(messages: list[dict[str, Any]]) -> int:
    counts = [m["usageMetadata"].get("promptTokenCount") for m in messages if "usageMetadata" in m]
    (count,) = [count for count in counts if count is not None]
    return int(count)


COMPRESSION = {"triggerTokens": 25_600, "slidingWindow": {"targetTokens": 12_800}}


@pytest.mark.parametrize(
    ("compresses", "sizes"),
    [(True, [20_026, 12_838, 12_851]), (False, [20_026, 60_041, 120_056])],
)
async def test_a_context_is_cut_as_agreed_or_grows_for_ever(
    serve: Serve, compresses: bool, sizes: list[int]
) -> None:
    """Compression was accepted both times; a fresh session begins at nothing.

    Beside what the script has grow there are a token of each question, one of each answer before,
    and 25, 38 and 51 of no modality.
    """
    grown = [20_000, 40_000, 60_000]
    turns = tuple(replace(GOOD, adds_tokens=tokens) for tokens in grown)
    server = await serve(turns=turns, compresses=compresses)
    async with dial(server) as client:
        await client.begin(contextWindowCompression=COMPRESSION)
        for size in sizes:
            await client.send(TEXT)
            assert prompt(await client.until("turnComplete")) == size
    assert prompt(await answered_with(server)) == 20_026


async def test_a_resumed_session_may_have_lost_its_context(serve: Serve) -> None:
    """The handle is taken and the turns go on, but the prompt is small again."""
    turns = tuple(replace(GOOD, says=says, adds_tokens=9_000) for says in ("1", "2", "3"))
    lost = Event("setup", LoseContext(), connections=(2,))
    server = await serve(turns=turns, events=(lost,))
    prompts, said = [], []
    handle: dict[str, str] = {}
    for _ in range(3):
        async with dial(server) as client:
            await client.begin(sessionResumption=handle)
            await client.send(TEXT)
            messages = await client.until("turnComplete")
            await client.until_handle()
            handle = {"handle": client.handle}
            prompts.append(prompt(messages))
            said.append(text_of(messages, "outputTranscription"))
    assert (prompts, said) == ([9_026, 9_026, 18_041], ["1", "2", "3"])


async def test_the_end_of_the_stream_may_be_ignored(serve: Serve) -> None:
    """Only silence after the speech ends it then, however late it comes."""
    server = await serve(turns=(GOOD,), takes_stream_end=False)
    async with dial(server) as client:
        await client.begin(model=THREE_EIGHT)
        await client.until_handle()
        await client.speak(pause=b"")
        await client.send({"realtimeInput": {"audioStreamEnd": True}})
        assert await client.silent_for(0.2)
        await client.speak(speech=b"")
        await client.until("turnComplete")
    assert len(server.connections[0].audio_stream_ends) == 1


# --- noise ---------------------------------------------------------------------------------------


async def test_every_tenth_message_may_be_empty(serve: Serve) -> None:
    """From the first on, setupComplete, several in a row where that is asked for."""
    turn = replace(GOOD, audio=1000, chunk_ms=(20,), pace="burst")
    server = await serve(turns=(turn,), empty_every=10, empty_row=2)
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        rest = await client.until("turnComplete")
    empty = [not message for message in rest]
    # setupComplete has come before.
    assert [at for at, is_empty in enumerate(empty[:30]) if is_empty] == [8, 9, 19, 20]
    assert [kind for _, kind in server.connections[0].sent].count("empty") == sum(empty)


@pytest.mark.parametrize(
    ("repeats", "fragments"), [("fragments", "aabb"), ("whole", "abab"), ("none", "ab")]
)
async def test_a_transcription_may_come_twice(serve: Serve, repeats: Any, fragments: str) -> None:
    """Fragment by fragment, or once more as a whole; of the question and of the answer."""
    words = {"a": "one two three ", "b": "four"}
    turn = replace(GOOD, heard="".join(words.values()), says="".join(words.values()))
    server = await serve(turns=(replace(turn, repeats=repeats, order="text_first"),))
    async with dial(server) as client:
        await client.begin()
        await client.speak()
        messages = await client.until("turnComplete")
    for key in ("inputTranscription", "outputTranscription"):
        sent = [content(message)[key]["text"] for message in messages if has(message, key)]
        assert sent == [words[name] for name in fragments]


async def test_chunks_may_be_very_long_and_very_short(serve: Serve) -> None:
    """Three seconds, then five milliseconds, and not a sample is missing."""
    turn = Turn(audio=7000, chunk_ms=(3000, 5), pace="burst", plays_out=False, order="text_last")
    messages = await answered_with(await serve(turns=(turn,)))
    lengths = [len(reply_audio([message])) for message in messages if has(message, "modelTurn")]
    assert lengths == [144_000, 240, 144_000, 240, 47_520]
    assert reply_audio(messages) == tone(7000)


@pytest.mark.parametrize("number", range(3))
async def test_a_paced_transcription_goes_along_with_the_sound(serve: Serve, number: int) -> None:
    """Each fragment after its share, whatever the turn's number; all of it without a sound too."""
    says = "one two three four five six seven eight nine"
    turns = tuple(
        Turn(says=says, audio=length, order="paced", pace="burst", plays_out=False)
        for length in (900, (300, 600), None)
    )
    messages = await answered_with(await serve(turns=turns[number:]))
    assert text_of(messages, "outputTranscription") == says
    counts = [
        len(reply_audio(messages[:at])) // 48
        for at, message in enumerate(messages)
        if has(message, "outputTranscription")
    ]
    assert counts == ([0, 0, 0] if number == 2 else [300, 600, 900])


async def test_calls_may_be_cancelled_while_nothing_is_said(serve: Serve) -> None:
    """On 3.8: a handle comes, no answer does, and the talk goes on."""
    turn = replace(GOOD, calls=(ToolCall("f"),))
    server = await serve(turns=(turn, GOOD))
    async with dial(server) as client:
        await client.begin(model=THREE_EIGHT)
        await client.send(TEXT)
        await client.until("turnComplete")
        await client.until("sessionResumptionUpdate")
        await server.do(CancelCalls())
        await client.until("toolCallCancellation")
        await client.until_handle()
        await client.send(TEXT)
        assert reply_audio(await client.until("turnComplete")) == tone(40)


# --- the real client -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:SOMETHING_NEW is not a valid:UserWarning")
async def test_the_sdk_sees_what_is_no_answer(serve: Serve) -> None:
    """Its receive() ends with each such turn; reasons it does not know are passed on."""
    turns = (EMPTY, TEXT_ONLY, REJECTED, no_answers.REJECTED_ODDLY, GOOD)
    server = await serve(Script(turns=turns, empty_every=3))
    config = types.LiveConnectConfig(response_modalities=[types.Modality.AUDIO])
    seen = []
    async with client_of(server).aio.live.connect(model=THREE_EIGHT, config=config) as session:
        for _ in turns:
            await session.send_realtime_input(text="hi")
            sound, text, reason = 0, "", None
            async for message in session.receive():
                sound += len(message.data or b"")
                text += message.text or ""
                if message.server_content and message.server_content.turn_complete_reason:
                    reason = str(message.server_content.turn_complete_reason.value)
            seen.append((sound, text, reason))
    assert seen == [
        (0, "", None),
        (0, SAYS, None),
        (0, "", "RESPONSE_REJECTED"),
        (0, "", "SOMETHING_NEW"),
        (1920, "", None),
    ]


def test_no_two_of_them_are_the_same() -> None:
    """Each is a way of its own not to answer."""
    assert all(one != two for one, two in itertools.combinations(NOT_ANSWERS.values(), 2))
