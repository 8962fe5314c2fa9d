"""Pictures go up before what speaks of them, and never in the way of sound: over TLS."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from device.live.messages import Picture, of_owner
from device.live.models import profile
from device.live.refusals import Field
from device.live.setup import Surroundings, connect_config, optional_fields
from device.news import Enclosed, PictureSent, SessionOpened, ToolNews, Transcript, Usage
from device.ports import PICTURE, Declaration
from device.simulator.script import Drop, Event, Script, ToolCall, Turn
from tests.live.talk import Settings, Talk, talking
from tests.rig.jpeg_headers import jpeg, picture

MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live", "gemini-3.8-live-extended-thinking")
BLIND = "gemini-2.5-flash-native-audio-latest"
LOOK = ToolCall("look", {"question": "what is this?"})
ANSWER = Turn(says="I see {picture}.", audio=300, pace="burst", plays_out=False, calls=(LOOK,))
GIVEN = Enclosed(jpeg(300, 200, seed=9), 300, 200)


class Eye:
    """A function that looks; the picture is another one each time."""

    declared: Sequence[Declaration] = (
        Declaration("look", "Look.", {"type": "object"}, shows=True, ability="look"),
        Declaration("lamp", "Switch.", {"type": "object"}, ability="switch the lamp"),
    )
    abilities: Sequence[str] = ("look", "switch the lamp")
    facts: str = ""

    def __init__(self) -> None:
        self.looked = 0

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.looked += 1
        return {"output": {"seen": "640 x 480"}, PICTURE: picture(seed=self.looked)}

    def undo(self, name: str, answer: Mapping[str, Any]) -> None:
        raise AssertionError("what was seen was seen")


def sent(talk: Talk) -> list[PictureSent]:
    return talk.ear.all(PictureSent)


async def said(talk: Talk, text: str) -> None:
    """Wait until the model has said this."""
    await talk.ear.when(
        lambda: text in "".join(each.text for each in talk.ear.all(Transcript) if not each.final)
    )


@pytest.mark.parametrize("model", MODELS)
async def test_a_look_goes_up_right_before_its_answer(tmp_path: Path, model: str) -> None:
    """It is told when it has gone, and counted; the answer has no bytes of it."""
    eye = Eye()
    async with talking(tmp_path, Script(turns=(ANSWER,)), model=model, functions=eye) as talk:
        talk.session.send_text("what is this?")
        await said(talk, "640 by 480 pixels")
        (record,) = talk.server.connections
        (shown,) = record.pictures
        assert (shown.seen, shown.after_answers) == (True, 0)
        assert shown.jpeg == picture(seed=1).jpeg
        kinds = [next(iter(message)) for _, message in record.messages]
        assert kinds == ["setup", "realtimeInput", "realtimeInput", "toolResponse"]
        assert record.tool_responses[0]["response"] == {"output": {"seen": "640 x 480"}}
        (told,) = sent(talk)
        assert (told.reason, told.bytes, told.width) == ("asked", len(shown.jpeg), 640)
        assert talk.session.counters["pictures_sent"] == 1
        order = [type(news) for news in talk.ear.news]
        answered = [type(news) is ToolNews and news.what == "answered" for news in talk.ear.news]
        assert order.index(PictureSent) < answered.index(True)
        await talk.ear.when(lambda: any("prompt_video" in u.tokens for u in talk.ear.all(Usage)))
        await talk.close()


async def test_a_picture_whose_connection_is_lost_goes_up_again_with_the_answer(
    tmp_path: Path,
) -> None:
    """The model calls again over the next one; no second picture is taken."""
    eye = Eye()
    script = Script(turns=(ANSWER,), events=(Event("answer", Drop(), connections=(1,)),))
    async with talking(tmp_path, script, functions=eye) as talk:
        talk.session.send_text("what is this?")
        await said(talk, "640 by 480 pixels")
        first, second = talk.server.connections
        assert [len(first.pictures), len(second.pictures)] == [1, 1]
        assert second.pictures[0].jpeg == first.pictures[0].jpeg
        assert (second.pictures[0].after_answers, eye.looked) == (0, 1)
        assert [news.reason for news in sent(talk)] == ["asked", "asked"]
        await talk.close()


async def test_a_model_that_takes_no_picture_during_a_call_has_no_such_function(
    tmp_path: Path,
) -> None:
    """It would end the connection (1008). Called all the same, it is told so."""
    eye = Eye()
    async with talking(tmp_path, Script(turns=(ANSWER,)), model=BLIND, functions=eye) as talk:
        talk.session.send_text("what is this?")
        await said(talk, "nothing")
        (record,) = talk.server.connections
        assert record.setup is not None
        (tools,) = record.setup["tools"]
        assert [each["name"] for each in tools["functionDeclarations"]] == ["lamp"]
        assert "say that you cannot look" in record.tool_responses[0]["response"]["error"]
        assert record.pictures == []
        assert sent(talk) == []
        await talk.close()


@pytest.mark.parametrize("model", [*MODELS, BLIND])
async def test_a_typed_question_goes_up_behind_its_picture(tmp_path: Path, model: str) -> None:
    """In the same turn, whatever camera there is."""
    script = Script(turns=(Turn(says="I see {picture}.", audio=300, pace="burst"),))
    async with talking(tmp_path, script, model=model) as talk:
        talk.session.send_text("what is this?", GIVEN)
        await talk.server.wait_for(
            lambda server: server.connections and server.connections[0].texts, 20.0
        )
        (record,) = talk.server.connections
        inputs = [message["realtimeInput"] for _, message in record.messages[1:]]
        assert [next(iter(each)) for each in inputs] == ["video", "text"]
        assert record.pictures[0].jpeg == GIVEN.jpeg
        assert sent(talk)[0].reason == "typed"
        await talk.close()


async def test_a_typed_question_is_asked_again_with_its_picture(tmp_path: Path) -> None:
    """The connection that took them was lost before the answer."""
    script = Script(
        turns=(Turn(says="I see {picture}.", audio=300, pace="burst", delay_s=0.2),),
        events=(Event("reply", Drop(), connections=(1,)),),
    )
    async with talking(tmp_path, script) as talk:
        talk.session.send_text("what is this?", GIVEN)
        await said(talk, "300 by 200 pixels")
        first, second = talk.server.connections
        assert [each.texts for each in (first, second)] == [["what is this?"]] * 2
        assert first.pictures[0].jpeg == second.pictures[0].jpeg == GIVEN.jpeg
        await talk.close()


async def test_a_fresh_session_is_told_nothing_of_pictures(tmp_path: Path) -> None:
    """What was said is told in words; what was seen cannot be."""
    script = Script(turns=(Turn(says="A cup.", audio=100, pace="burst", plays_out=False),))
    async with talking(tmp_path, script) as talk:
        talk.session.send_text("what is this?", GIVEN)
        await said(talk, "A cup.")
        await talk.handle()
        talk.session.ask_again(fresh=True, forget=False)
        await talk.ear.until(SessionOpened, 2)
        second = talk.server.connections[1]
        assert second.setup is not None
        told = json.dumps(second.setup["systemInstruction"])
        assert "picture" not in told
        assert (second.pictures, second.handle) == ([], "")
        await talk.close()


async def test_of_a_stream_the_newest_picture_goes_up_when_nothing_else_waits(
    tmp_path: Path,
) -> None:
    """Before the connection stands they replace each other, and sound goes first."""
    async with talking(tmp_path, Script(setup_delay_s=0.2), start=False) as talk:
        for seed in range(1, 6):
            talk.session.send_picture(picture(seed=seed))
        talk.speak(50)
        talk.start()
        await talk.ear.until(PictureSent)
        (record,) = talk.server.connections
        await talk.server.wait_for(lambda server: server.connections[0].pictures, 20.0)
        assert len(record.audio) == 50 * 640
        assert [each.jpeg for each in record.pictures] == [picture(seed=5).jpeg]
        assert [news.reason for news in sent(talk)] == ["stream"]
        await talk.close()


async def test_a_picture_that_waits_when_the_microphone_pauses_never_goes(tmp_path: Path) -> None:
    """Nobody talks any more: nobody is looked at."""
    async with talking(tmp_path, start=False) as talk:
        talk.session.send_picture(picture())
        talk.session.end_audio()
        talk.start()
        await talk.handle()
        await talk.close()
        record = await talk.record()
        assert record.pictures == []


# --- the setup -----------------------------------------------------------------------------------


def resolution(model: str, *, wanted: str = "auto", **around: Any) -> str | None:
    settings = Settings(media_resolution=wanted)
    asked = connect_config(settings, profile(model), None, around=Surroundings(**around))
    return asked.media_resolution.value if asked.media_resolution is not None else None


def test_how_closely_pictures_are_looked_at_is_said_only_where_a_camera_is_on() -> None:
    """One that was asked for is to be read; a stream is to be paid for."""
    one, eye = MODELS[0], Eye.declared
    assert resolution(one) is None
    assert resolution(one, declared=eye[1:]) is None
    assert resolution(one, declared=eye) == "MEDIA_RESOLUTION_MEDIUM"
    assert resolution(one, declared=eye, streams=True) == "MEDIA_RESOLUTION_LOW"
    for wanted in ("low", "medium", "high"):
        told = resolution(one, wanted=wanted, declared=eye, streams=True)
        assert told == f"MEDIA_RESOLUTION_{wanted.upper()}"
    assert resolution(BLIND, declared=eye) is None
    assert resolution(BLIND, streams=True) == "MEDIA_RESOLUTION_LOW"
    assert resolution("another-model", streams=True) is None


def test_it_can_be_left_out_of_a_setup_that_is_refused() -> None:
    """Under the name of its key."""
    around = Surroundings(declared=Eye.declared)
    fields = optional_fields(Settings(), profile(MODELS[0]), around)
    assert Field("live.media_resolution") in fields
    without = connect_config(
        Settings(), profile(MODELS[0]), None, around=around, without=frozenset(fields)
    )
    assert without.media_resolution is None


def test_a_model_that_cannot_look_is_not_told_that_it_can() -> None:
    """Of what several functions can do, what is left is still told."""
    around = Surroundings(declared=Eye.declared, abilities=Eye.abilities)
    assert around.for_model(profile(MODELS[0])) is around
    assert around.for_model(profile(BLIND)).abilities == ["switch the lamp"]


# --- what goes over the wire ---------------------------------------------------------------------


BEHAVIOR = {MODELS[0]: "", MODELS[1]: ', "behavior": "BLOCKING"'}
"""Live API: 3.1 knows no other, and 3.8 does what takes it longest to answer if not told."""


@pytest.mark.parametrize("model", MODELS[:2])
async def test_what_goes_over_the_wire_for_a_look(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the letter, as the SDK writes it: the picture, then the answer, and nothing between."""
    wire: list[str] = []
    sends = ClientConnection.send

    async def send(self: ClientConnection, message: str) -> None:
        wire.append(re.sub(r'"data": "([^"]{8})[^"]*"', r'"data": "\1..."', message))
        await sends(self, message)

    monkeypatch.setattr(ClientConnection, "send", send)
    eye = Eye()
    async with talking(tmp_path, Script(turns=(ANSWER,)), model=model, functions=eye) as talk:
        talk.session.send_text("what is this?")
        await said(talk, "640 by 480 pixels")
        (record,) = talk.server.connections
        call = record.tool_responses[0]["id"]
        await talk.close()
    print(model, *wire, sep="\n")
    setup, _, seen, answer = wire
    assert '"mediaResolution": "MEDIA_RESOLUTION_MEDIUM"' in setup
    declared = (
        '{"description": "Look.", "name": "look", "parameters_json_schema": {"type": "object"}'
    )
    assert declared + BEHAVIOR[model] + "}" in setup
    assert (
        seen == '{"realtime_input": {"video": {"data": "_9j_4AAQ...", "mime_type": "image/jpeg"}}}'
    )
    response = '"name": "look", "response": {"output": {"seen": "640 x 480"}}'
    assert (
        answer == f'{{"tool_response": {{"functionResponses": [{{"id": "{call}", {response}}}]}}}}'
    )


def test_a_picture_of_the_owners_is_one_like_any_other() -> None:
    """None is none."""
    assert of_owner(None) is None
    assert of_owner(GIVEN) == Picture(GIVEN.jpeg, 300, 200, "typed")
    assert "xff" not in repr(of_owner(GIVEN)), "nothing prints what it shows"
