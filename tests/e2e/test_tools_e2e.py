"""It does what it says: the real process, and a model that calls functions."""

from __future__ import annotations

import json
import time

import pytest

from device.simulator.script import Script, ToolCall, Turn
from tests.rig.room import open_room

MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live")


def turn(says: str, *calls: ToolCall) -> Turn:
    return Turn(heard="please", says=says, audio=900, pace="burst", calls=calls)


@pytest.mark.parametrize("model", MODELS)
def test_louder_makes_it_louder_and_the_answer_says_what_it_is(model: str) -> None:
    """Before the model speaks of it; with a wrong call it is told what is wrong."""
    louder = turn("Louder.", ToolCall("set_volume", {"change": 15}))
    wrong = turn("No.", ToolCall("set_volume", {"percent": 300}))
    config = {"live": {"model": model}, "audio": {"volume": 40}}
    with open_room(Script(turns=(louder, wrong)), config) as room:
        room.wake_and_ask("hey jarvis, a little louder please")
        room.daemon.event("tool", what="answered")
        drained = room.daemon.event("reply", what="drained")
        assert room.daemon.status()["volume"] == 55
        after = room.daemon.events.index(drained)
        assert room.daemon.state("listening", after=after)["reason"] == "reply heard"
        after = room.daemon.here
        room.daemon.request("ask", text="as loud as you can")
        room.daemon.event("tool", after=after, what="failed")
        assert room.daemon.status()["volume"] == 55
        answers = [each["response"] for each in room.server.connections[-1].tool_responses]
        assert answers[0] == {"output": {"volume_percent": 55, "before": 40}}
        assert "less than or equal to 100" in answers[1]["error"]
        assert room.daemon.seen("fault") == []
        assert "tool set_volume called" in room.daemon.log()
        assert "change" not in room.daemon.log()


@pytest.mark.parametrize("model", MODELS)
def test_a_goodbye_is_heard_and_then_it_listens_no_more(model: str) -> None:
    """The next wake word begins again."""
    bye = turn("Goodbye.", ToolCall("end_conversation"))
    config = {"live": {"model": model}, "conversation": {"follow_up_s": 30}}
    with open_room(Script(turns=(bye, turn("Hello."))), config) as room:
        room.wake_and_ask("hey jarvis, that is all, goodbye")
        drained = room.daemon.event("reply", what="drained")
        assert drained["played_ms"] == 900
        idle = room.daemon.state("idle", after=room.daemon.events.index(drained))
        assert room.daemon.took_s(drained["time"], idle["time"]) < 0.5
        room.daemon.event("uplink", what="stopped")
        after = room.daemon.here
        room.wake_and_ask()
        room.daemon.event("reply", after=after, what="drained")


@pytest.mark.parametrize("model", MODELS)
def test_asked_what_it_has_sent_today_it_tells_this_question_too(model: str) -> None:
    """As the first one of the day; what it tells is no more than the server has heard."""
    sent = turn("A few seconds.", ToolCall("get_status"))
    with open_room(Script(turns=(sent,)), {"live": {"model": model}}) as room:
        room.wake_and_ask("hey jarvis, what have you sent today")
        room.daemon.event("tool", what="answered")
        room.daemon.event("reply", what="drained")
        (response,) = (each["response"] for each in room.server.connections[-1].tool_responses)
        today = response["output"]["sent_today"]
        assert 1.0 < today["sound_s"] == round(today["sound_bytes"] / 32_000, 1)
        assert today["sound_bytes"] <= len(room.server.audio)
        assert (today["function_calls"], today["pictures"], today["texts"]) == (1, 0, 0)
        told = room.daemon.cli("audit")
        assert told.returncode == 0, told.stderr
        assert "sound, words" in told.stdout
        assert "get_status" in told.stdout
        assert "hey_jarvis (" in told.stdout


def test_asked_not_to_listen_it_says_so_and_closes_the_microphone() -> None:
    """As `parley mute` does; it stays so over a crash."""
    mute = turn("I do not listen now.", ToolCall("mute_microphone"))
    with open_room(Script(turns=(mute,))) as room:
        room.wake_and_ask("hey jarvis, do not listen any more")
        drained = room.daemon.event("reply", what="drained")
        assert drained["played_ms"] == 900
        room.daemon.state("muted")
        state = room.daemon.path / "mute.json"
        room.daemon.wait(lambda: json.loads(state.read_text())["muted"], "it is written down")
        assert room.daemon.status()["muted_by"] == "owner"
        assert room.daemon.cli("unmute").returncode == 0
        room.daemon.event("state", to="idle", reason="microphone delivers")


def test_a_setup_says_what_day_it_is_where_it_stands_and_what_it_can_do() -> None:
    """Of a speaker that is only told its place."""
    with open_room(Script(turns=(turn("Hello."),)), {"place": "Berlin, Germany"}) as room:
        room.daemon.request("ask", text="hello")
        room.daemon.event("reply", what="drained")
        setup = room.server.connections[0].setup
    assert setup is not None
    instruction = setup["systemInstruction"]["parts"][0]["text"]
    print(instruction)
    assert time.strftime("%d %B %Y").lstrip("0") in instruction
    assert "in Berlin, Germany" in instruction
    assert "look things up on the web; change its own volume" in instruction
    search, functions = setup["tools"]
    assert search == {"googleSearch": {}}
    print(json.dumps(functions, indent=1))
    assert [each["name"] for each in functions["functionDeclarations"]] == [
        *("set_volume", "mute_microphone", "end_conversation", "get_time", "get_status"),
        *("set_timer", "set_alarm", "list_timers", "cancel_timer", "change_timer"),
    ]
