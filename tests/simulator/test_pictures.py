"""The stand-in takes pictures as the real server does: JPEG, one a second, counted and billed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from device.simulator.calls import Call
from device.simulator.pictures import BURST, Pace, Shape, described, shape_of
from device.simulator.protocol import IN_FLIGHT_S, Picture, Protocol
from device.simulator.schema import RefusedError
from device.simulator.script import Script, ToolCall, Turn
from tests.rig.jpeg_headers import jpeg, video
from tests.simulator.raw_client import Serve, dial, has, setup, text_of

TEXT = {"realtimeInput": {"text": "what is this?"}}
SEES_ALL = {"realtimeInputConfig": {"turnCoverage": "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"}}
ONLY_SPEECH = {"realtimeInputConfig": {"turnCoverage": "TURN_INCLUDES_ONLY_ACTIVITY"}}


def test_the_size_is_read_from_the_header() -> None:
    """Fill bytes before a marker and what stands before the frame are passed over."""
    whole = jpeg(768, 432)
    assert shape_of(whole) == Shape(768, 432)
    filled = whole[:2] + b"\xff\xff\x01" + whole[2:]
    assert shape_of(filled) == Shape(768, 432)
    assert shape_of(whole + b"\x00\x00") == Shape(768, 432), "cameras pad their pictures"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"YQ",
        b"\x89PNG\r\n",
        jpeg()[:-2],
        jpeg()[2:],
        jpeg(0, 480),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xc0\x00\x03\x00\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x00\xff\xd9",
    ],
)
def test_what_is_no_whole_jpeg_is_refused(data: bytes) -> None:
    """Half of one, another kind, one without a size."""
    with pytest.raises(RefusedError) as refused:
        shape_of(data)
    assert refused.value.code == 1007


def test_one_a_second_is_looked_at_and_a_few_at_once_after_a_pause() -> None:
    """Over an hour of two a second half are looked at."""
    pace = Pace()
    assert [pace.allows(100.0) for _ in range(BURST + 1)] == [True] * BURST + [False]
    looked = sum(pace.allows(101.0 + place / 2) for place in range(7_200))
    assert 3_600 <= looked <= 3_600 + BURST


def test_a_turn_can_say_what_was_seen() -> None:
    """The size is all that a stand-in knows of a picture."""
    assert described("I see {picture}.", Shape(640, 480)) == "I see 640 by 480 pixels."
    assert described("I see {picture}.", None) == "I see nothing."
    assert described("I see a cup.", None) == "I see a cup."


@pytest.mark.parametrize(
    ("resolution", "tokens"),
    [("LOW", 64), ("MEDIUM", 256), ("HIGH", 256), (None, 258)],
)
async def test_a_picture_is_billed_by_its_resolution_with_every_turn(
    serve: Serve, resolution: str | None, tokens: int
) -> None:
    """In the prompt's details, under a name of its own."""
    server = await serve(turns=(Turn(says="I see {picture}.", audio=100, pace="burst"),))
    generation: dict[str, Any] = {"responseModalities": ["AUDIO"]}
    if resolution is not None:
        generation |= {"mediaResolution": f"MEDIA_RESOLUTION_{resolution}"}
    asked: dict[str, Any] = {**SEES_ALL, "generationConfig": generation}
    async with dial(server) as client:
        await client.begin(**asked)
        await client.send(video(jpeg(768, 432)))
        for _ in range(2):
            await client.send(TEXT)
            told = await client.until("turnComplete")
            assert details(told)["VIDEO"] == tokens
            assert "768 by 432 pixels" in text_of(told, "outputTranscription")
    (picture,) = server.connections[0].pictures
    assert (picture.width, picture.height, picture.seen) == (768, 432, True)
    assert picture.jpeg == jpeg(768, 432)


async def test_more_than_one_a_second_is_taken_and_not_looked_at(serve: Serve) -> None:
    """Nobody reports a refusal; they are kept on record, and cost nothing."""
    server = await serve(turns=(Turn(audio=100, pace="burst"),))
    async with dial(server) as client:
        await client.begin(**SEES_ALL)
        for seed in range(10):
            await client.send(video(jpeg(seed=seed)))
        await client.send(TEXT)
        told = await client.until("turnComplete")
    seen = [picture.seen for picture in server.connections[0].pictures]
    assert seen[:BURST] == [True] * BURST
    assert sum(seen) < 10
    assert details(told)["VIDEO"] == 258 * sum(seen)


async def test_what_a_turn_does_not_cover_is_not_looked_at(serve: Serve) -> None:
    """With only activity in it, a picture while nobody speaks is lost on the model."""
    server = await serve(turns=(Turn(audio=100, pace="burst"),))
    async with dial(server) as client:
        await client.begin(**ONLY_SPEECH)
        await client.send(video(jpeg()))
        await client.send(TEXT)
        told = await client.until("turnComplete")
    (picture,) = server.connections[0].pictures
    assert not picture.seen
    assert "VIDEO" not in details(told)


@pytest.mark.parametrize(
    ("model", "taken"),
    [
        ("gemini-3.1-flash-live-preview", True),
        ("gemini-3.8-live", True),
        ("gemini-2.5-flash-native-audio-latest", False),
    ],
)
def test_only_2_5_refuses_a_picture_while_a_call_is_open(model: str, *, taken: bool) -> None:
    """As it refuses sound (1008), once the client can know of the call."""
    rules = Protocol([model], ["v1beta"], "v1beta")
    rules.judge(*rules.read(json.dumps(setup(model))), 0.0)
    rules.ready = True
    rules.calls.add(Call("1", "look", blocking=True, sent_at=0.0))
    on_its_way = rules.judge(*rules.read(json.dumps(video(jpeg()))), IN_FLIGHT_S / 2)
    assert isinstance(on_its_way, Picture)
    kind, content = rules.read(json.dumps(video(jpeg())))
    if taken:
        assert isinstance(rules.judge(kind, content, 2 * IN_FLIGHT_S), Picture)
        return
    with pytest.raises(RefusedError) as refused:
        rules.judge(kind, content, 2 * IN_FLIGHT_S)
    assert refused.value.code == 1008


async def test_a_model_calls_and_speaks_of_what_it_is_shown_before_the_answer(
    serve: Serve,
) -> None:
    """The record tells what came first."""
    script = Script(
        turns=(Turn(calls=(ToolCall("look"),), says="I see {picture}.", audio=100, pace="burst"),)
    )
    server = await serve(script)
    async with dial(server) as client:
        await client.begin(**SEES_ALL)
        await client.send(TEXT)
        call = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"][0]
        answer = {"id": call["id"], "name": "look", "response": {"output": {}}}
        await client.send(
            video(jpeg()), {"toolResponse": {"functionResponses": [answer]}}, video(jpeg(seed=2))
        )
        assert "640 by 480" in text_of(await client.until("turnComplete"), "outputTranscription")
    assert [each.after_answers for each in server.connections[0].pictures] == [0, 1]


def details(messages: list[dict[str, Any]]) -> dict[str, int]:
    used = next(each["usageMetadata"] for each in reversed(messages) if has(each, "usageMetadata"))
    return {each["modality"]: each["tokenCount"] for each in used["promptTokensDetails"]}
