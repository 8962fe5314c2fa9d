"""Function calls as each model has them, over TLS; and which answer is for which call."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from google.genai import types
from google.genai.live import AsyncSession

from device.simulator.calls import Call, Calls, strongest
from device.simulator.script import CancelCalls, Close, Event, Filler, Script, ToolCall, Turn
from device.simulator.voices import tone
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
EXTENDED = "gemini-3.8-live-extended-thinking"
LAMP = Turn(says="it is on", audio=60, calls=(ToolCall("lamp", {"on": True}),), plays_out=False)
NEXT = Turn(says="next", audio=20, plays_out=False)
LONG = Turn(says="a long one", audio=20_000, pace="realtime", chunk_ms=(20,))


def declared(behavior: str) -> dict[str, Any]:
    return {"tools": [{"functionDeclarations": [{"name": "lamp", "behavior": behavior}]}]}


def response(call: dict[str, Any], **fields: Any) -> dict[str, Any]:
    content = {"id": call.get("id"), "name": call["name"], "response": {"output": 1}} | fields
    return {key: value for key, value in content.items() if value is not None}


def answer(*calls: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"toolResponse": {"functionResponses": [response(call, **fields) for call in calls]}}


async def called(client: RawClient) -> list[dict[str, Any]]:
    """Ask, and return the calls that come of it."""
    await client.send(TEXT)
    calls: list[dict[str, Any]] = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
    return calls


# --- 3.1 -----------------------------------------------------------------------------------------


async def test_3_1_answers_in_the_same_turn(serve: Serve) -> None:
    """It is silent until the call is answered, and not resumable; one turnComplete in all."""
    server = await serve(turns=(LAMP,))
    async with dial(server) as client:
        await client.begin()
        await client.until_handle()
        calls = await called(client)
        assert calls[0] == {"id": calls[0]["id"], "name": "lamp", "args": {"on": True}}
        assert await client.silent_for(0.2)
        await client.send(answer(*calls))
        messages = await client.until("turnComplete")
        assert text_of(messages, "outputTranscription") == "it is on"
        await client.until_handle()


async def test_blocking_calls_ignore_what_is_for_others(serve: Serve) -> None:
    """Neither scheduling nor willContinue keeps the answer back."""
    server = await serve(turns=(LAMP,))
    async with dial(server) as client:
        await client.begin()
        calls = await called(client)
        await client.send(answer(*calls, scheduling="SILENT", willContinue=True))
        assert reply_audio(await client.until("turnComplete")) == tone(60)


async def test_the_reply_may_be_told_that_calls_are_cancelled(serve: Serve) -> None:
    """By the script alone: the reply comes without the answer, and a late one is ignored."""
    server = await serve(turns=(LAMP,), events=(Event("call", CancelCalls(), after_s=0.1),))
    async with dial(server) as client:
        await client.begin()
        calls = await called(client)
        cancelled = (await client.until("toolCallCancellation"))[-1]
        assert cancelled == {"toolCallCancellation": {"ids": [calls[0]["id"]]}}
        await client.until("turnComplete")
        await client.send(answer(*calls), TEXT)
        await client.until("toolCall")
    assert server.connections[0].tool_responses == []


async def test_2_5_talks_on_beside_a_call_that_does_not_block(serve: Serve) -> None:
    """The whole reply comes before the answer, and the next handle only after it."""
    server = await serve(turns=(LAMP,))
    async with dial(server) as client:
        model = "gemini-2.5-flash-native-audio-latest"
        await client.begin(model=model, **declared("NON_BLOCKING"))
        await client.until_handle()
        calls = await called(client)
        assert reply_audio(await client.until("turnComplete")) == tone(60)
        update = (await client.until("sessionResumptionUpdate"))[-1]["sessionResumptionUpdate"]
        assert not update["resumable"]
        await client.send(answer(*calls))
        await client.until_handle()


# --- 3.8 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("behavior", ["UNSPECIFIED", "BLOCKING", "NON_BLOCKING"])
async def test_3_8_ends_its_turn_before_the_answer(serve: Serve, behavior: str) -> None:
    """The call is followed by generationComplete and turnComplete; the answer opens a new turn."""
    server = await serve(turns=(LAMP, NEXT))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live", **declared(behavior))
        calls = await called(client)
        ended = await client.until("turnComplete")
        assert [has(message, "generationComplete") for message in ended].count(True) == 1
        assert reply_audio(ended) == b""
        assert "usageMetadata" in str(ended)
        update = (await client.until("sessionResumptionUpdate"))[-1]["sessionResumptionUpdate"]
        assert update == {"newHandle": "", "resumable": False}
        assert await client.silent_for(0.2)
        await client.send(answer(*calls))
        messages = await client.until("turnComplete")
        assert text_of(messages, "outputTranscription") == "it is on"
        assert not any(has(message, "inputTranscription") for message in messages)
        await client.until_handle()
        await client.send(TEXT)
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "next"


async def test_a_silent_answer_says_nothing_but_ends_the_call(serve: Serve) -> None:
    """The session can be resumed again, and the next question is the next turn."""
    server = await serve(turns=(LAMP, NEXT))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live")
        calls = await called(client)
        await client.until("turnComplete")
        await client.send(answer(*calls, scheduling="SILENT"))
        messages = await client.until_handle()
        assert not any(has(message, "modelTurn") for message in messages)
        await client.send(TEXT)
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "next"


@pytest.mark.parametrize(
    ("scheduling", "interrupted"), [({"scheduling": "INTERRUPT"}, True), ({}, False)]
)
async def test_an_answer_waits_for_the_model_or_interrupts_it(
    serve: Serve, scheduling: dict[str, str], interrupted: bool
) -> None:
    """WHEN_IDLE is the default; the schedule may also stand inside the response."""
    other = Turn(says="other", audio=20_000 if interrupted else 400, pace="realtime")
    server = await serve(turns=(LAMP, other))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live")
        calls = await called(client)
        await client.until("turnComplete")
        await client.send(TEXT)
        await client.until("modelTurn")
        await client.send(answer(*calls, response={"output": 1} | scheduling))
        messages = await client.until("turnComplete")
        assert any(has(message, "interrupted") for message in messages) is interrupted
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "it is on"


async def test_an_answer_waits_until_the_user_has_finished(serve: Serve) -> None:
    """Polite interruption: what the user asks is answered first."""
    manual = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
    server = await serve(turns=(LAMP, NEXT, replace(NEXT, says="last")))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live", **manual)
        calls = await called(client)
        await client.until("turnComplete")
        await client.until("sessionResumptionUpdate")
        await client.send({"realtimeInput": {"activityStart": {}}}, audio(bytes(640)))
        await client.send(answer(*calls, scheduling="INTERRUPT"))
        await server.wait_for(lambda s: s.connections[0].tool_responses, 5)
        assert await client.silent_for(0.2)
        # What is typed meanwhile is answered, and does not end the user's speech.
        await client.send(TEXT)
        assert text_of(await client.until("turnComplete"), "outputTranscription") == "next"
        await client.until("sessionResumptionUpdate")
        assert await client.silent_for(0.2)
        await client.send({"realtimeInput": {"activityEnd": {}}})
        said = [text_of(await client.until("turnComplete"), "outputTranscription") for _ in "12"]
    assert said == ["last", "it is on"]


@pytest.mark.parametrize(("behavior", "cancelled"), [("BLOCKING", True), ("NON_BLOCKING", False)])
async def test_new_input_cancels_the_calls_that_block(
    serve: Serve, behavior: str, cancelled: bool
) -> None:
    """A call that does not block goes on, and its answer is spoken later."""
    server = await serve(turns=(LAMP, NEXT))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live", **declared(behavior))
        calls = await called(client)
        await client.until("turnComplete")
        await client.speak()
        messages = await client.until("turnComplete")
        assert text_of(messages, "outputTranscription") == "next"
        assert any(has(message, "toolCallCancellation") for message in messages) is cancelled
        await client.send(answer(*calls))
        if cancelled:
            await client.until_handle()
            assert await client.silent_for(0.2)
        else:
            assert text_of(await client.until("turnComplete"), "outputTranscription") == "it is on"


async def test_an_interruption_cancels_every_call(serve: Serve) -> None:
    """Live API: pending function calls are cancelled when the model is interrupted."""
    server = await serve(turns=(LAMP, LONG, NEXT))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live")
        calls = await called(client)
        await client.until("turnComplete")
        await client.send(TEXT)
        await client.until("modelTurn")
        await client.send(TEXT)
        cancelled = (await client.until("toolCallCancellation"))[-1]["toolCallCancellation"]
        assert cancelled == {"ids": [calls[0]["id"]]}
        await client.until("interrupted")


async def test_an_answer_may_come_in_pieces(serve: Serve) -> None:
    """The call is open until one says that it does not go on."""
    server = await serve(turns=(LAMP,))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live")
        calls = await called(client)
        await client.until("turnComplete")
        await client.until("sessionResumptionUpdate")
        await client.send(answer(*calls, willContinue=True))
        assert await client.silent_for(0.2)
        await client.send(answer(*calls, willContinue=False))
        await client.until("turnComplete")


# --- extended thinking ---------------------------------------------------------------------------


async def test_extended_thinking_is_idle_only_after_the_answer(serve: Serve) -> None:
    """A filler and the call end turns in progress; the answer ends the interaction."""
    turn = Turn(
        says="it is on",
        audio=40,
        calls=LAMP.calls,
        fillers=(Filler("one moment", 60, pause_s=0.1),),
        plays_out=False,
    )
    server = await serve(turns=(turn,))
    async with dial(server) as client:
        await client.begin(model=EXTENDED)
        await client.send(TEXT)
        filled = await client.until("turnComplete")
        (call,) = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
        ended = await client.until("turnComplete")
        await client.send(answer(call))
        answered = await client.until("turnComplete")
    assert reply_audio(filled) == tone(60)
    assert text_of(filled, "outputTranscription") == "one moment"
    assert text_of(answered, "outputTranscription") == "it is on"
    ends = [messages[-1]["serverContent"] for messages in (filled, ended, answered)]
    assert [end["interactionStatus"] for end in ends] == ["IN_PROGRESS", "IN_PROGRESS", "IDLE"]


async def test_a_filler_begins_the_turn_of_the_others(serve: Serve) -> None:
    """On 3.1 it is spoken before the call, in the same turn."""
    turn = Turn(says=" on", audio=40, calls=LAMP.calls, fillers=(Filler("moment", 60),))
    server = await serve(turns=(turn,))
    async with dial(server) as client:
        await client.begin()
        await client.send(TEXT)
        filled = await client.until("toolCall")
        assert reply_audio(filled) == tone(60)
        assert not any(has(message, "generationComplete") for message in filled)
        await client.send(answer(*filled[-1]["toolCall"]["functionCalls"]))
        assert reply_audio(await client.until("turnComplete")) == tone(40)


# --- every model ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["gemini-3.1-flash-live-preview", "gemini-3.8-live", EXTENDED])
async def test_several_calls_come_in_one_message(serve: Serve, model: str) -> None:
    """The answer comes when the last of them is answered, in whatever order and message."""
    turn = Turn(says="done", audio=20, calls=(ToolCall("a"), ToolCall("b")), plays_out=False)
    server = await serve(turns=(turn,))
    async with dial(server) as client:
        await client.begin(model=model)
        first, second = await called(client)
        await client.send(answer(second))
        await server.wait_for(lambda s: s.connections[0].tool_responses, 5)
        assert "modelTurn" not in [kind for _, kind in server.connections[0].sent]
        await client.send(answer(first))
        assert has((await client.until("modelTurn"))[-1], "modelTurn")


@pytest.mark.parametrize("made_up", [None, "made up"])
async def test_a_call_may_come_without_an_id(serve: Serve, made_up: str | None) -> None:
    """It is answered by its name."""
    turn = Turn(audio=20, calls=(ToolCall("lamp", id=""),), plays_out=False)
    server = await serve(turns=(turn,))
    async with dial(server) as client:
        await client.begin()
        (call,) = await called(client)
        assert call == {"name": "lamp", "args": {}}
        await client.send(answer(call, id=made_up))
        await client.until("turnComplete")


@pytest.mark.parametrize("fields", [{"name": "another"}, {"id": "another"}, {"response": "text"}])
async def test_an_answer_must_fit_its_call(serve: Serve, fields: dict[str, Any]) -> None:
    """Name, id and a response that is an object."""
    server = await serve(turns=(LAMP,))
    async with dial(server) as client:
        await client.begin(model="gemini-3.8-live")
        (call,) = await called(client)
        await client.send(answer(call, **fields))
        assert (await client.closed())[0] == 1007


async def test_the_points_of_a_call_take_events(serve: Serve) -> None:
    """A server that falls over the answer, as some did."""
    gone = Event("answer", Close(1011, "Internal error occurred."), turn=1)
    server = await serve(turns=(LAMP,), events=(gone,))
    async with dial(server) as client:
        await client.begin()
        await client.send(answer(*await called(client)))
        assert await client.closed() == (1011, "Internal error occurred.")


async def lamp(session: AsyncSession) -> tuple[list[str], str]:
    """Talk with the real client until the answer; return what ended or came, in order."""
    came: list[str] = []
    said = ""
    async with asyncio.timeout(20):
        while not said:
            async for message in session.receive():
                content = message.server_content
                if message.tool_call and message.tool_call.function_calls:
                    came.append("call")
                    call = message.tool_call.function_calls[0]
                if content and content.output_transcription:
                    said += content.output_transcription.text or ""
                if content and content.turn_complete:
                    came.append(str(content.interaction_status and content.interaction_status.name))
                    if not said:
                        await session.send_tool_response(
                            function_responses=types.FunctionResponse(
                                id=call.id,
                                name=call.name,
                                response={"output": "on"},
                                will_continue=False,
                            )
                        )
    return came, said


@pytest.mark.parametrize(
    ("model", "came"),
    [("gemini-3.8-live", ["call", "None", "None"]), (EXTENDED, ["call", "IN_PROGRESS", "IDLE"])],
)
async def test_the_sdk_hears_the_answer_in_a_turn_of_its_own(
    serve: Serve, model: str, came: list[str]
) -> None:
    """Its receive() ends between the two on 3.8, and not before IDLE in extended thinking."""
    server = await serve(Script(turns=(LAMP,)))
    extended = model == EXTENDED
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        output_audio_transcription=types.AudioTranscriptionConfig(),
        thinking_config=(
            types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW) if extended else None
        ),
        tools=[
            types.Tool(
                function_declarations=[
                    types.FunctionDeclaration(
                        name="lamp",
                        parameters_json_schema={
                            "type": "object",
                            "properties": {"on": {"type": "boolean"}},
                            "required": ["on"],
                        },
                        behavior=types.Behavior.NON_BLOCKING,
                    )
                ]
            )
        ],
    )
    async with client_of(server).aio.live.connect(model=model, config=config) as session:
        await session.send_realtime_input(text="turn it on")
        assert await lamp(session) == (came, "it is on")


# --- the book of calls ---------------------------------------------------------------------------


def test_an_answer_finds_its_call() -> None:
    """By its id, whatever became of the call; without one by its name, while it is open."""
    calls = Calls()
    known, nameless = Call("1", "f", False, 0.0), Call("", "g", False, 0.0)
    calls.add(known)
    calls.add(nameless)
    assert calls.find({"id": "1", "name": "?"}) is known
    assert calls.find({"name": "g"}) is calls.find({"id": "x", "name": "g"}) is nameless
    assert calls.find({"name": "f"}) is None
    calls.answer(nameless, {"response": {}})
    assert calls.find({"name": "g"}) is None
    assert calls.cancel() == ["1"]
    assert (known.state, nameless.state, calls.open) == ("cancelled", "answered", [])


def test_the_strongest_schedule_of_several_answers_counts() -> None:
    """One that may be spoken of is enough; a blocking one always is spoken of."""
    one, two = Call("1", "f", False, 0.0), Call("2", "f", True, 0.0)
    calls = Calls()
    for call in (one, two):
        calls.answer(call, {"response": {}, "scheduling": "SILENT"})
    assert strongest([one]) == "SILENT"
    assert strongest([one, two]) == "WHEN_IDLE"
