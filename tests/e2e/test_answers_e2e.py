"""An answer is what was heard: the real daemon beside a server on its bad days."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from device.simulator.refusals import Refusal
from device.simulator.script import Script
from device.simulator.turns import Turn
from tests.e2e.test_lifecycle_e2e import PI, PiDaemon
from tests.rig.no_answers import DEAD_LINE, EMPTY, ENDLESS, LATE_SOUND, NOTHING, REJECTED
from tests.rig.room import Room, loud, open_room

GOOD = Turn(heard="weather", says="It is sunny.", audio=1500)
CHIMES: dict[str, Any] = {"audio": {"chimes": True}}
WAYS = ("voice", "held", "typed")


def at_first(*turns: Turn) -> Script:
    """The question is answered with these, and properly when it is asked once more."""
    return Script(turns=(replace(GOOD, first=turns, first_over="all"),))


def ask(room: Room, way: str) -> None:
    daemon = room.daemon
    assert isinstance(daemon, PiDaemon)
    match way:
        case "voice":
            room.wake_and_ask()
        case "typed":
            daemon.request("ask", text="What is the weather?")
        case _:
            daemon.button("low")
            daemon.event("button", gesture="hold")
            room.say("what is the weather in Berlin")
            daemon.event("activity", what="ended")
            daemon.button("high")


def told(room: Room) -> list[tuple[str, str]]:
    return [(event["why"], event["what"]) for event in room.daemon.seen("unheard")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", ["gemini-3.1-flash-live-preview", "gemini-3.8-live"])
def test_a_turn_without_a_sound_is_asked_again_and_the_answer_is_heard(
    way: str, model: str
) -> None:
    """By itself, in the time it takes to say it again."""
    with open_room(at_first(EMPTY), {**PI, "live": {"model": model}}, daemon=PiDaemon) as room:
        ask(room, way)
        asked = room.daemon.event("unheard")
        heard = room.daemon.event("reply", what="drained")
        assert heard["played_ms"] > 1000
        assert told(room) == [("empty", "asked_again")]
        assert room.server.times_asked(1) == 2
        assert room.daemon.seen("fault") == []
        first_sound = room.daemon.event("reply", what="first_sound")
        print(f"{way}, {model}: heard {first_sound['time'] - asked['time']:.2f} s after the empty")


def test_what_stays_empty_is_asked_over_a_fresh_session_that_knows_the_talk() -> None:
    """Then it is told aloud; nothing ever says that the talk is over, and it works again after."""
    later = replace(GOOD, first=(replace(EMPTY, times=3),), first_over="all")
    with open_room(Script(turns=(GOOD, later), fresh="next"), CHIMES) as room:
        room.wake_and_ask()
        room.daemon.event("reply", what="drained")
        after = room.daemon.here
        with room.sound.recorder() as recorder:
            room.say("and what about tomorrow", before_ms=600)
            gave_up = room.daemon.event("unheard", after=after, what="told")
            fault = room.daemon.event("fault", after=after, kind="timeout", cleared=False)
            assert "cannot be heard" in fault["message"]
            room.daemon.wait(lambda: loud(recorder, since=gave_up["time"]), "the spoken fault")
        assert told(room) == [
            ("empty", "asked_again"),
            ("empty", "fresh_session"),
            ("empty", "told"),
        ]
        fresh = room.server.connections[-1]
        assert not fresh.handle
        assert "It is sunny." in str(fresh.setup)
        assert len(room.server.questions) == 4
        assert room.daemon.status()["faults"][0]["kind"] == "timeout"
        after = room.daemon.here
        room.wake_and_ask()
        room.daemon.event("reply", after=after, what="drained")
        room.daemon.event("fault", after=after, kind="timeout", cleared=True)


def test_what_is_rejected_twice_is_asked_of_a_session_that_knows_nothing() -> None:
    """Whatever in the talk is to blame is gone; an unknown reason is no trouble."""
    odd = replace(EMPTY, reason="A_REASON_OF_TOMORROW")
    script = Script(
        turns=(GOOD, replace(GOOD, first=(REJECTED, odd), first_over="all")), fresh="next"
    )
    rejecting = replace(
        script, turns=(GOOD, replace(GOOD, first=(REJECTED, REJECTED), first_over="all"))
    )
    for each, whys in ((rejecting, ["rejected"] * 2), (script, ["rejected", "empty"])):
        with open_room(each) as room:
            room.wake_and_ask()
            room.daemon.event("reply", what="drained")
            after = room.daemon.here
            room.say("and what about tomorrow", before_ms=600)
            room.daemon.event("reply", after=after, what="drained")
            assert told(room) == [(whys[0], "asked_again"), (whys[1], "fresh_session")]
            fresh = room.server.connections[-1]
            assert not fresh.handle
            assert ("It is sunny." in str(fresh.setup)) is (whys[1] == "empty")
            status = room.daemon.status()["session"]
            assert status["odd_messages"] == 0
            assert sum(status["unheard"].values()) == 2
            assert room.daemon.seen("fault") == []


def test_a_reply_at_the_level_of_a_dead_line_is_stopped_and_asked_again() -> None:
    """After two seconds of it, though its transcript looks fine."""
    with open_room(at_first(DEAD_LINE)) as room, room.sound.recorder() as recorder:
        room.wake_and_ask()
        started = room.daemon.event("reply", what="started")
        asked = room.daemon.event("unheard", why="silent", what="asked_again")
        assert asked["time"] - started["time"] > 1.5
        assert room.daemon.took_s(started["time"], asked["time"]) < 4
        room.daemon.event("reply", what="drained")
        (answer,) = [b - a for a, b in loud(recorder, since=asked["time"]) if b - a > 0.5][:1]
        assert answer > 0.5
        assert told(room) == [("silent", "asked_again")]
        assert room.daemon.seen("fault") == []


def test_a_reply_that_begins_with_a_silence_is_heard_to_its_end() -> None:
    """A second and a half of it is no dead line."""
    with open_room(Script(turns=(replace(LATE_SOUND, heard="weather"),))) as room:
        room.wake_and_ask()
        drained = room.daemon.event("reply", what="drained")
        assert drained["played_ms"] > 2_500
        assert told(room) == []
        assert room.server.times_asked(1) == 1


@pytest.mark.parametrize("model", ["gemini-3.1-flash-live-preview", "gemini-3.8-live"])
def test_a_typed_question_that_nothing_answers_is_put_again_itself(model: str) -> None:
    """Within ten seconds, and in the owner's words."""
    with open_room(at_first(NOTHING), {"live": {"model": model}}) as room:
        room.daemon.request("ask", text="What is the weather?")
        room.daemon.event("reply", what="drained")
        assert told(room) == [("nothing", "asked_again")]
        first, second = room.server.questions
        assert first.text == second.text == "What is the weather?"
        assert room.daemon.took_s(first.at, second.at) < 10
        assert room.daemon.seen("fault") == []


def test_a_turn_that_the_server_forgets_to_end_ends_with_its_last_sample() -> None:
    """The follow-up window opens as after any reply, and the next question is answered."""
    with open_room(Script(turns=(replace(ENDLESS, heard="weather"), GOOD))) as room:
        room.wake_and_ask()
        drained = room.daemon.event("reply", what="drained")
        listening = room.daemon.state("listening", after=room.daemon.events.index(drained))
        assert room.daemon.took_s(drained["time"], listening["time"]) < 0.2
        after = room.daemon.here
        room.say("and what about tomorrow", before_ms=600)
        assert room.daemon.event("reply", after=after, what="drained")["played_ms"] > 1000
        assert len(room.daemon.seen("wake")) == 1


def test_a_field_that_a_model_refuses_costs_no_answer_is_found_and_remembered() -> None:
    """Told once by name; the next process leaves it out from the start."""
    script = Script(turns=(GOOD,), refusals=(Refusal(field="voice"),))
    config = {"live": {"voice": "Kore"}, "conversation": {"session_keep_s": 0, "follow_up_s": 0.2}}
    with open_room(script, config) as room:
        daemon = room.daemon
        for _ in range(8):
            after = daemon.here
            daemon.request("ask", text="What is the weather?")
            daemon.event("reply", after=after, what="drained")
            daemon.event("session", after=after, what="closed")
            if daemon.seen("setting_refused"):
                break
        (refused,) = daemon.seen("setting_refused")
        assert refused["setting"] == "live.voice"
        assert daemon.seen("fault") == []
        assert "refuses live.voice" in daemon.log()
        assert daemon.status()["session"]["refused_settings"] == ["live.voice"]
        attempts = room.server.attempts
        daemon.restart()
        daemon.event("state", to="idle")
        daemon.request("ask", text="What is the weather?")
        daemon.event("reply", what="drained")
        assert room.server.attempts == attempts + 1
        assert daemon.seen("setting_refused") == []
