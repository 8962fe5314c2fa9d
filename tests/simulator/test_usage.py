"""Counts of tokens: what they are made of, and when they come over the wire, by model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types

from device.simulator.live_server import LiveServer
from device.simulator.script import (
    Drop,
    Event,
    Filler,
    Interrupt,
    Script,
    TellUsage,
    ToolCall,
    Turn,
)
from device.simulator.turns import Told
from device.simulator.usage import (
    NO_MODALITY,
    THOUGHTS,
    Context,
    Count,
    json_tokens,
    piece,
    text_tokens,
)
from tests.rig.jpeg_headers import jpeg, video
from tests.simulator.raw_client import RawClient, Serve, audio, dial, has
from tests.simulator.test_live_server_sdk import client_of
from tests.simulator.test_live_server_sdk import config as sdk_config

THREE_ONE, THREE_EIGHT = "gemini-3.1-flash-live-preview", "gemini-3.8-live"
EXTENDED = "gemini-3.8-live-extended-thinking"
TWO_FIVE = "gemini-2.5-flash-native-audio-latest"
MODELS = (TWO_FIVE, THREE_ONE, THREE_EIGHT, EXTENDED)
SAID_MS = 2_000
"""50 tokens of sound."""
ANSWER = Turn(says="it is sunny", audio=SAID_MS, pace="burst", plays_out=False)
TEXT = {"realtimeInput": {"text": "what is it?"}}
TEXT_TOKENS = 3
RESULT = {"output": "the lamp is on now"}


# --- what is counted (pure) ----------------------------------------------------------------------


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("four", 1), ("fiver", 2)])
def test_four_characters_are_a_token(text: str, tokens: int) -> None:
    """Begun ones count whole."""
    assert text_tokens(text) == tokens


def test_what_goes_to_functions_and_back_is_counted_as_json() -> None:
    """In letters as they are, not escaped."""
    assert json_tokens({"a": "ü"}) == text_tokens('{"a": "ü"}') == 3


def test_each_turn_reads_all_that_was_before_it() -> None:
    """Also what was said and what functions gave back, once that was read beside the prompt."""
    context = Context(text=10.0, video=256.0, results=7)
    context.hear(2.0)
    first = context.prompt(setup=100)
    assert (first.text, first.audio, first.video, first.results) == (110, 50, 256, 7)
    assert first.total == 110 + 50 + 256 + first.no_modality
    context.results += 5
    context.take(Count(first, audio_s=4.0, text=3, thoughts=99))
    second = context.prompt(setup=100)
    assert (second.text, second.audio, second.video, second.results) == (120, 150, 256, 5)


def test_a_prompt_exceeds_its_modalities_by_25_to_51() -> None:
    """All of these come, the smallest first."""
    context = Context()
    excess = []
    for _ in NO_MODALITY:
        excess.append(context.prompt(0).no_modality)
        context.take(Count())
    assert excess[0] == 25
    assert sorted(excess) == list(range(25, 52))


def test_a_context_that_is_cut_keeps_its_shares() -> None:
    """What is short enough stays; a target below nothing leaves nothing."""
    context = Context(text=100.0, audio=200.0, video=100.0)
    context.cut(400)
    assert context.total == 400
    context.cut(200)
    assert (context.text, context.audio, context.video) == (50, 100, 50)
    context.cut(-3)
    assert context.total == 0


def test_a_count_is_written_as_the_server_does() -> None:
    """The total leaves thoughts out; what has no tokens is not named."""
    context = Context(text=5.0, audio=165.0, results=4)
    written = Count(context.prompt(327), audio_s=1.68, thoughts=136).message()["usageMetadata"]
    assert written == {
        "promptTokenCount": 522,
        "responseTokenCount": 42,
        "toolUsePromptTokenCount": 4,
        "thoughtsTokenCount": 136,
        "totalTokenCount": 568,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 332},
            {"modality": "AUDIO", "tokenCount": 165},
        ],
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 42}],
        "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
    }
    for counts in (written, piece(3)["usageMetadata"]):
        types.UsageMetadata.model_validate(counts)


# --- over the wire -------------------------------------------------------------------------------


def usages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message["usageMetadata"] for message in messages if "usageMetadata" in message]


def whole(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The counts of whole turns."""
    return [count for count in usages(messages) if "promptTokenCount" in count]


def of(count: dict[str, Any], side: str) -> dict[str, int]:
    return {each["modality"]: each["tokenCount"] for each in count.get(f"{side}TokensDetails", [])}


def thinking(model: str) -> dict[str, Any]:
    return {"thinkingLevel": "LOW"} if model == EXTENDED else {}


async def asked(client: RawClient) -> list[dict[str, Any]]:
    await client.send(TEXT)
    return await client.until("turnComplete")


async def answer(client: RawClient, call: dict[str, Any]) -> None:
    response = {"id": call["id"], "name": call["name"], "response": RESULT}
    await client.send({"toolResponse": {"functionResponses": [response]}})


@pytest.mark.parametrize("model", MODELS)
async def test_the_whole_context_is_billed_again_in_each_turn(serve: Serve, model: str) -> None:
    """Instruction, declarations, sound, pictures, typed text, client content, and answers."""
    instruction = {"parts": [{"text": "Be brief, and be kind."}, {"text": "Never lie."}]}
    declared = {"name": "lamp", "description": "Switches a lamp."}
    server = await serve(turns=(ANSWER,))
    async with dial(server) as client:
        await client.begin(
            model=model,
            systemInstruction=instruction,
            tools=[{"functionDeclarations": [declared]}],
            generationConfig={
                "mediaResolution": "MEDIA_RESOLUTION_LOW",
                **({"thinkingConfig": thinking(model)} if model == EXTENDED else {}),
            },
            realtimeInputConfig={"turnCoverage": "TURN_INCLUDES_ALL_INPUT"},
        )
        setup = 6 + 3 + json_tokens(declared)
        await client.send(*[audio(bytes(640))] * 100, video(jpeg()))
        (first,) = whole(await asked(client))
        (second,) = whole(await asked(client))
    assert of(first, "prompt") == {"TEXT": setup + TEXT_TOKENS, "AUDIO": 50, "VIDEO": 64}
    assert of(second, "prompt") == {"TEXT": setup + 2 * TEXT_TOKENS, "AUDIO": 100, "VIDEO": 64}
    for count in (first, second):
        excess = count["promptTokenCount"] - sum(of(count, "prompt").values())
        assert excess in NO_MODALITY
        assert of(count, "response") == {"AUDIO": 50}
        assert count["totalTokenCount"] == count["promptTokenCount"] + 50
        thoughts = THOUGHTS if model in (THREE_EIGHT, EXTENDED) else None
        assert count.get("thoughtsTokenCount") == thoughts
    assert server.connections[0].counts == [first, second]


@pytest.mark.parametrize(
    ("config", "model", "thoughts"),
    [
        ({"thinkingLevel": "MINIMAL"}, THREE_ONE, None),
        ({"thinkingLevel": "HIGH"}, THREE_ONE, THOUGHTS),
        ({"thinkingBudget": 0}, TWO_FIVE, None),
        ({"thinkingBudget": 512}, TWO_FIVE, THOUGHTS),
    ],
)
async def test_earlier_models_think_when_they_are_asked_to(
    serve: Serve, config: dict[str, Any], model: str, thoughts: int | None
) -> None:
    """Thoughts that are shown are counted by their length."""
    server = await serve(turns=(ANSWER, Turn(thought="so long", audio=20, plays_out=False)))
    async with dial(server) as client:
        await client.begin(model=model, generationConfig={"thinkingConfig": config})
        (count,) = whole(await asked(client))
        (shown,) = whole(await asked(client))
    assert count.get("thoughtsTokenCount") == thoughts
    assert shown["thoughtsTokenCount"] == 2


async def test_client_content_is_part_of_the_context(serve: Serve) -> None:
    """All its turns, whether they ask for an answer or not."""
    said = [{"role": "user", "parts": [{"text": "one"}, {"text": "two"}]}]
    quiet, loud = ({"clientContent": {"turns": said, "turnComplete": at}} for at in (False, True))
    server = await serve(turns=(ANSWER,))
    async with dial(server) as client:
        await client.begin(model=THREE_EIGHT)
        await client.send(quiet, loud)
        (count,) = whole(await client.until("turnComplete"))
    assert of(count, "prompt") == {"TEXT": 4}


@pytest.mark.parametrize("model", MODELS)
async def test_counts_come_when_the_model_tells_them(serve: Serve, model: str) -> None:
    """3.8 once, beside the turn's end. Earlier ones some small ones before, then the whole."""
    server = await serve(turns=(ANSWER,))
    alone, small = [], []
    async with dial(server) as client:
        await client.begin(model=model)
        for _ in range(3):
            messages = await asked(client)
            (count,) = whole(messages)
            place = next(at for at, each in enumerate(messages) if count in usages([each]))
            assert place >= len(messages) - 2
            alone.append(not has(messages[place], "turnComplete"))
            small.append([c["responseTokenCount"] for c in usages(messages) if c is not count])
    if model in (THREE_EIGHT, EXTENDED):
        assert (alone, small) == ([False] * 3, [[], [], []])
    else:
        assert alone == [True, False, False]
        assert all(len(each) == 10 and sum(each) <= 50 for each in small)


@pytest.mark.parametrize("model", [THREE_ONE, THREE_EIGHT])
@pytest.mark.parametrize(
    ("usage", "where"),
    [
        ("late", ["after"]),
        ("never", []),
        ("repeated", ["before", "with", "after"]),
        ("chunks", ["with"]),
    ],
)
async def test_a_script_chooses_when_counts_come(
    serve: Serve, model: str, usage: Told, where: list[str]
) -> None:
    """Whatever the model; how much is the script's too, where it is to be summed by hand."""
    counts = {"promptTokenCount": 1_000, "responseTokenCount": 20}
    plain = Turn(audio=SAID_MS, pace="burst", plays_out=False)
    turn = Turn(audio=SAID_MS, pace="burst", plays_out=False, usage=usage, counts=counts)
    server = await serve(turns=(plain, turn, Turn(answers=False, transcribed=False)))
    async with dial(server) as client:
        await client.begin(model=model)
        await asked(client)
        await client.until_handle()
        messages = await asked(client)
        messages += await client.until_handle()
    found = []
    end = next(at for at, each in enumerate(messages) if has(each, "turnComplete"))
    for at, message in enumerate(messages):
        if message.get("usageMetadata") == counts:
            found.append("before" if at < end else "with" if at == end else "after")
            assert at == end or list(message) == ["usageMetadata"]
    assert found == where
    small = [count for count in usages(messages) if "promptTokenCount" not in count]
    told_early = usage == "chunks" or (model == THREE_ONE and usage != "never")
    assert bool(small) is told_early
    assert server.connections[0].counts[1] == counts, "billed, told or not"


async def test_a_count_may_come_before_the_first_turn(serve: Serve) -> None:
    """Of what the setup holds, or what the script says, at any point."""
    events = (
        Event("ready", TellUsage()),
        Event("turn", TellUsage({"totalTokenCount": 9})),
    )
    server = await serve(Script(turns=(ANSWER,), events=events))
    async with dial(server) as client:
        await client.begin(systemInstruction={"parts": [{"text": "Be brief."}]})
        (count,) = whole(await client.until("usageMetadata"))
        assert (of(count, "prompt"), count["responseTokenCount"]) == ({"TEXT": 3}, 0)
        await asked(client)
        assert usages(await client.until("usageMetadata")) == [{"totalTokenCount": 9}]


@pytest.mark.parametrize("model", [TWO_FIVE, THREE_ONE, THREE_EIGHT])
async def test_a_call_has_two_turns_on_3_8_and_so_two_counts(serve: Serve, model: str) -> None:
    """The call is text that the model said, and its result stands beside one prompt only."""
    call = ToolCall("lamp", {"on": True})
    asks = Turn(calls=(call,), says="it is on", audio=SAID_MS, pace="burst", plays_out=False)
    server = await serve(turns=(asks, ANSWER))
    calls, results = json_tokens(["lamp", {"on": True}]), json_tokens(RESULT)
    declared = {"name": "lamp", "description": "A lamp."}
    async with dial(server) as client:
        await client.begin(model=model, tools=[{"functionDeclarations": [declared]}])
        setup = json_tokens(declared)
        await client.send(TEXT)
        called = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"][0]
        counts = whole(await client.until("turnComplete")) if model == THREE_EIGHT else []
        await answer(client, called)
        counts += whole(await client.until("turnComplete"))
        await client.until_handle()
        (after,) = whole(await asked(client))
    spoken = counts[-1]
    assert spoken["toolUsePromptTokenCount"] == results
    assert of(spoken, "toolUsePrompt") == {"TEXT": results}
    if model == THREE_EIGHT:
        assert len(counts) == 2
        assert "toolUsePromptTokenCount" not in counts[0]
        assert of(counts[0], "response") == {"TEXT": calls}
        assert of(counts[0], "prompt") == {"TEXT": setup + TEXT_TOKENS}
        assert of(spoken, "response") == {"AUDIO": 50}
        assert of(spoken, "prompt") == {"TEXT": setup + TEXT_TOKENS + calls}
    else:
        assert len(counts) == 1
        assert of(spoken, "response") == {"AUDIO": 50, "TEXT": calls}
        assert of(spoken, "prompt") == {"TEXT": setup + TEXT_TOKENS}
    everything = spoken["promptTokenCount"] + results + spoken["responseTokenCount"]
    assert spoken["totalTokenCount"] == everything
    assert "toolUsePromptTokenCount" not in after
    text = setup + 2 * TEXT_TOKENS + calls + results
    assert of(after, "prompt") == {"TEXT": text, "AUDIO": 50}


async def test_each_filler_is_a_turn_that_is_counted(serve: Serve) -> None:
    """From extended thinking; for others it is part of the one turn."""
    turn = Turn(fillers=(Filler("hm", 400),), audio=SAID_MS, pace="burst", plays_out=False)
    server = await serve(turns=(turn,))
    for model, sounds in ((EXTENDED, [10, 50]), (THREE_EIGHT, [60])):
        async with dial(server) as client:
            await client.begin(model=model)
            await client.send(TEXT)
            counts = []
            for _ in sounds:
                counts += whole(await client.until("turnComplete"))
        assert [of(count, "response")["AUDIO"] for count in counts] == sounds
        assert of(counts[-1], "prompt").get("AUDIO", 0) == (10 if model == EXTENDED else 0)


@pytest.mark.parametrize("complete", [True, False])
async def test_of_an_interrupted_answer_what_was_sent_is_billed_and_remembered(
    serve: Serve, *, complete: bool
) -> None:
    """And nothing of what was not; whether the turn's end comes or not."""
    cut = Event("reply", Interrupt(complete), after_s=1.0, turn=1)
    long = Turn(audio=10_000, pace="realtime", usage="late")
    server = await serve(Script(turns=(long, ANSWER), events=(cut,)))
    async with dial(server) as client:
        await client.begin(model=THREE_EIGHT)
        await client.send(TEXT)
        messages = await client.until("interrupted")
        if complete:
            messages += await client.until("turnComplete")
            assert whole(await client.until("usageMetadata")) == server.connections[0].counts
        assert whole(messages) == []
        (after,) = whole(await asked(client))
    first, second = server.connections[0].counts
    heard = of(first, "response")["AUDIO"]
    assert 25 <= heard < 50
    assert abs(of(after, "prompt")["AUDIO"] - heard) <= 1
    assert second == after


async def test_who_resumes_is_billed_for_what_was_known_at_the_handle(serve: Serve) -> None:
    """What came later is lost to the session, and not read again."""
    drop = Event("reply", Drop(), after_s=0.5, turn=2, connections=(1,))
    server = await serve(Script(turns=(ANSWER, ANSWER), events=(drop,)))
    async with dial(server) as client:
        await client.begin()
        await asked(client)
        await client.until_handle()
        handle = client.handle
        await client.send(*[audio(bytes(640))] * 200, TEXT)
        assert await client.closed() == (1006, "")
    async with dial(server) as client:
        await client.begin(sessionResumption={"handle": handle})
        (count,) = whole(await asked(client))
    assert of(count, "prompt") == {"TEXT": 2 * TEXT_TOKENS, "AUDIO": 50}
    first, second = server.connections
    assert (len(first.counts), second.counts) == (1, [count])


async def test_a_search_is_told_only_where_the_setup_has_it(serve: Serve) -> None:
    """A model that cannot search says the same without."""
    turn = Turn(says="it is sunny in Berlin", searches=("weather berlin", "berlin"), audio=200)
    server = await serve(turns=(turn,))
    search: dict[str, Any] = {"googleSearch": {}}
    for tools, told in (([search], True), ([], False)):
        async with dial(server) as client:
            await client.begin(model=THREE_EIGHT, tools=tools)
            messages = await asked(client)
        found = [m["serverContent"]["groundingMetadata"] for m in messages if searched(m)]
        assert bool(found) is told
        if told:
            assert len(found) > 1
            assert {tuple(each["webSearchQueries"]) for each in found} == {turn.searches}


def searched(message: dict[str, Any]) -> bool:
    return has(message, "groundingMetadata")


# --- through the SDK -----------------------------------------------------------------------------


async def sdk_turn(server: LiveServer, model: str) -> list[types.LiveServerMessage]:
    """Ask once by text, and return all up to the end of the turn."""
    chosen = sdk_config()
    if model == THREE_EIGHT:
        chosen.thinking_config = None
    async with client_of(server).aio.live.connect(model=model, config=chosen) as session:
        await session.send_realtime_input(text="what is it?")
        return [message async for message in session.receive()]


@pytest.mark.parametrize("model", [THREE_ONE, THREE_EIGHT])
async def test_the_sdk_reads_counts_and_searches(serve: Serve, model: str) -> None:
    """Every field has its place in the SDK's types, and its value."""
    turn = Turn(says="it is sunny", audio=SAID_MS, searches=("weather berlin",), pace="burst")
    server = await serve(turns=(turn,))
    messages = await sdk_turn(server, model)
    counts = [message.usage_metadata for message in messages if message.usage_metadata]
    (total,) = [count for count in counts if count.prompt_token_count]
    assert total.response_token_count == 50
    assert total.thoughts_token_count == (THOUGHTS if model == THREE_EIGHT else None)
    assert total.prompt_tokens_details is not None
    (text,) = total.prompt_tokens_details
    assert text.modality is types.MediaModality.TEXT
    assert total.prompt_token_count is not None
    assert text.token_count == total.prompt_token_count - 25
    assert len(counts) == (11 if model == THREE_ONE else 1)
    found = [
        message.server_content.grounding_metadata
        for message in messages
        if message.server_content and message.server_content.grounding_metadata
    ]
    assert len(found) > 1
    assert {tuple(each.web_search_queries or ()) for each in found} == {("weather berlin",)}
    last = found[-1]
    assert last.grounding_supports is not None
    assert last.grounding_supports[0].segment is not None
    assert last.grounding_supports[0].segment.text == "it is sunny"
    assert last.search_entry_point is not None
    assert json.loads(last.model_dump_json())["grounding_chunks"][0]["web"]["title"]
