"""Calls of functions, by each kind of model, on good days and bad ones: over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device.news import (
    ReplyAudio,
    SessionClosed,
    SessionOpened,
    Stalled,
    ToolNews,
    TurnComplete,
    Unheard,
)
from device.ports import Declaration
from device.simulator.protocol import IN_FLIGHT_S
from device.simulator.script import CancelCalls, Drop, Event, GoAway, Script, ToolCall, Turn
from tests.live.talk import Talk, talking

MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live", "gemini-3.8-live-extended-thinking")
ANY = {"type": "object", "properties": {"on": {"type": "boolean"}}}
CALL = ToolCall("lamp", {"on": True})
ANSWER = Turn(says="It is on.", audio=300, pace="burst", plays_out=False, calls=(CALL,))


class Lamp:
    """A function whose answer waits until the test says so."""

    declared: Sequence[Declaration] = (Declaration("lamp", "Switch the lamp.", ANY),)
    abilities: Sequence[str] = ("switch the lamp",)
    facts: str = ""

    def __init__(self, *, waits: bool = False, fails: bool = False) -> None:
        self.done: list[Mapping[str, Any]] = []
        self.undone: list[Mapping[str, Any]] = []
        self.called = asyncio.Event()
        self.go = asyncio.Event()
        self._fails = fails
        if not waits:
            self.go.set()

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.done.append(arguments)
        self.called.set()
        await self.go.wait()
        return {"error": "no power: say so"} if self._fails else {"output": {"lamp": "on"}}

    def undo(self, name: str, answer: Mapping[str, Any]) -> None:
        self.undone.append(answer)


def told(talk: Talk) -> list[str]:
    return [news.what for news in talk.ear.all(ToolNews)]


async def heard(talk: Talk) -> None:
    """Wait until an answer is whole that can be heard."""
    await talk.ear.when(
        lambda: (
            talk.ear.all(ReplyAudio)
            and any(
                end.turn == talk.ear.all(ReplyAudio)[-1].turn for end in talk.ear.all(TurnComplete)
            )
        )
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fails", [False, True])
async def test_a_call_is_answered_and_spoken_of(tmp_path: Path, model: str, *, fails: bool) -> None:
    """In the same turn or in one of its own; what failed is told to the model as it is."""
    lamp = Lamp(fails=fails)
    async with talking(tmp_path, Script(turns=(ANSWER,)), model=model, functions=lamp) as talk:
        talk.session.send_text("light, please")
        await heard(talk)
        assert lamp.done == [{"on": True}]
        (answer,) = talk.server.connections[-1].tool_responses
        assert answer["response"] == (
            {"error": "no power: say so"} if fails else {"output": {"lamp": "on"}}
        )
        assert told(talk) == ["called", "failed" if fails else "answered"]
        ends = talk.ear.all(TurnComplete)
        same_turn = model == MODELS[0]
        assert [end.more for end in ends] == ([False] if same_turn else [True, False])
        assert talk.ear.all(Unheard) == []
        await talk.close()


@pytest.mark.parametrize("model", MODELS)
async def test_while_a_function_runs_nobody_is_nudged_and_nothing_rotates(
    tmp_path: Path, model: str
) -> None:
    """Then the answer is owed as ever."""
    lamp = Lamp(waits=True)
    async with talking(
        tmp_path,
        Script(turns=(ANSWER,)),
        model=model,
        functions=lamp,
        patience_s=0.3,
        rotate_after_s=0.2,
    ) as talk:
        talk.session.send_text("light, please")
        await lamp.called.wait()
        await asyncio.sleep(1.0)
        assert talk.ear.all(Stalled) == []
        assert talk.ear.all(Unheard) == []
        assert talk.session.counters["rotations"] == 0
        lamp.go.set()
        await heard(talk)
        assert lamp.done == [{"on": True}]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("ending", [Drop(), GoAway(0.1)])
async def test_a_call_that_a_connection_took_with_it_is_not_done_twice(
    tmp_path: Path, model: str, ending: Drop | GoAway
) -> None:
    """The question goes up again, the model calls again, and gets the first one's answer."""
    lamp = Lamp(waits=True)
    events = (Event("call", ending, connections=(1,)),)
    script = Script(turns=(ANSWER,), events=events)
    async with talking(tmp_path, script, model=model, functions=lamp) as talk:
        talk.session.send_text("light, please")
        await lamp.called.wait()
        await talk.ear.until(SessionOpened, 2)
        await talk.ear.when(lambda: told(talk).count("called") == 2)
        lamp.go.set()
        await heard(talk)
        assert lamp.done == [{"on": True}]
        assert told(talk) == ["called", "cancelled", "called", "answered"]


@pytest.mark.parametrize("model", MODELS)
async def test_a_call_that_the_server_cancels_is_not_answered(tmp_path: Path, model: str) -> None:
    """Where the turn goes on after a call, the reply comes without it."""
    lamp = Lamp(waits=True)
    script = Script(turns=(ANSWER,), events=(Event("call", CancelCalls(), after_s=0.1),))
    async with talking(tmp_path, script, model=model, functions=lamp) as talk:
        talk.session.send_text("light, please")
        await talk.ear.until(ToolNews, 2)
        if model == MODELS[0]:
            await heard(talk)
        assert told(talk) == ["called", "cancelled"]
        assert talk.server.connections[-1].tool_responses == []


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", ["dismissed", "stopped", "pressed", "speaking"])
async def test_who_is_sent_away_while_a_function_runs_wedges_nothing(
    tmp_path: Path, model: str, way: str
) -> None:
    """The call is answered all the same, and the next question too."""
    lamp = Lamp(waits=True)
    after = Turn(says="Hello.", audio=300, pace="burst", plays_out=False)
    async with talking(
        tmp_path, Script(turns=(ANSWER, after)), model=model, functions=lamp
    ) as talk:
        talk.session.send_text("light, please")
        await lamp.called.wait()
        match way:
            case "dismissed":
                talk.session.dismiss()
            case "stopped":
                talk.session.end_audio()
                talk.session.dismiss()
            case "pressed":
                talk.session.push_to_talk.press()
                talk.session.push_to_talk.let_go()
            case "speaking":
                talk.session.user_speaks(True)
                talk.session.user_speaks(False, 0.3)
        lamp.go.set()
        await heard(talk)
        turns = len(talk.ear.all(TurnComplete))
        talk.session.send_text("hello")
        await talk.ear.until(TurnComplete, turns + 1)
        assert told(talk) == ["called", "answered"]
        assert len(talk.ear.all(SessionOpened)) == 1


@pytest.mark.parametrize("model", MODELS)
async def test_a_talk_that_is_ended_while_a_function_runs_ends_at_once(
    tmp_path: Path, model: str
) -> None:
    """As muting and hanging up do: the function is given up, and nobody waits for it."""
    lamp = Lamp(waits=True)
    async with talking(tmp_path, Script(turns=(ANSWER,)), model=model, functions=lamp) as talk:
        talk.session.send_text("light, please")
        await lamp.called.wait()
        async with asyncio.timeout(10):
            await talk.session.close("muted")
        await talk.ear.until(SessionClosed)
        assert talk.server.connections[-1].tool_responses == []


async def test_a_call_whose_answer_cannot_be_heard_is_asked_again_and_not_done_again(
    tmp_path: Path,
) -> None:
    """The turn of a blocking model that stays silent after the answer."""
    silent = Turn(audio=None, ends="turn", calls=(CALL,))
    lamp = Lamp()
    script = Script(turns=(replace(ANSWER, first=(silent,)),))
    async with talking(tmp_path, script, functions=lamp) as talk:
        talk.session.send_text("light, please")
        assert (await talk.ear.until(Unheard)).why == "empty"
        talk.session.ask_again(fresh=False, forget=False)
        await heard(talk)
        assert lamp.done == [{"on": True}]
        assert told(talk) == ["called", "answered"] * 2


async def test_sound_waits_for_the_answer_where_a_model_cannot_take_it_before(
    tmp_path: Path,
) -> None:
    """It would end the connection; all of it goes up after the answer."""
    lamp = Lamp(waits=True)
    model = "gemini-2.5-flash-native-audio-latest"
    async with talking(tmp_path, Script(turns=(ANSWER,)), model=model, functions=lamp) as talk:
        talk.session.send_text("light, please")
        await lamp.called.wait()
        # What was on its way when the call came is forgiven; this is later.
        await asyncio.sleep(2 * IN_FLIGHT_S)
        for _ in range(25):
            talk.session.send_frame(bytes(640))
        await asyncio.sleep(0.1)
        lamp.go.set()
        await heard(talk)
        (connection,) = talk.server.connections
        await talk.ear.when(lambda: len(connection.audio) == 25 * 640)
        assert len(connection.tool_responses) == 1
        await talk.close()
