"""A limit of money is reached in the middle of a talk with the real speaker, and what follows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from device.announcements.clips import Clips
from device.signals import SPENDING, SPENDING_NEAR
from device.simulator.script import Script, ToolCall, Turn
from tests.rig.room import Room, open_room, similarity
from tests.rig.sound import wait_until

MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live")
ANSWER_MS = 2_000
ANSWER = Turn(heard="question", says="It is sunny.", audio=ANSWER_MS, delay_s=0.2)
FIFTY = {"promptTokenCount": 100, "responseTokenCount": 50}
DEAR: dict[str, float] = {"audio_out": 100_000.0}
"""A tenth of a dollar for each token: an answer of two seconds costs more than the limit."""


def limited(model: str, day: float = 2.0, **prices: float) -> dict[str, Any]:
    """A limit that the first answer reaches, by the price of what the model says."""
    own = {"text_in": 0.0, "audio_in": 0.0, "image_in": 0.0, "text_out": 0.0, **DEAR, **prices}
    return {
        "live": {"model": model, "language": "en-US"},
        "audio": {"chimes": True, "announcements": True},
        "spending": {"day": day, "prices": {model: own}},
    }


def sentence(room: Room, kind: str) -> bytes:
    """Wait until the speaker has made its sentences; return one."""
    clips = Clips(room.daemon.path / "clips")
    room.daemon.wait(lambda: not clips.missing("en"), "the spoken sentences")
    pcm = clips.get(kind, "en-US")
    assert pcm is not None
    return pcm


def spending(room: Room) -> dict[str, Any]:
    """What `parley spending --json` tells."""
    done = room.daemon.cli("spending", "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize(("model", "ends"), [(MODELS[0], False), (MODELS[1], True)])
def test_the_limit_is_reached_in_mid_talk(model: str, *, ends: bool) -> None:
    """The answer is heard whole, then why it was the last; more is opened when more is allowed.

    What was spent outlives a stop and a kill.
    """
    with open_room(Script(turns=(ANSWER, ANSWER)), limited(model)) as room:
        daemon = room.daemon
        why = sentence(room, SPENDING)
        with room.sound.recorder() as recorder:
            room.wake_and_ask()
            reached = daemon.event("spending", what="reached")
            assert (reached["period"], reached["limit"], reached["currency"]) == ("day", 2.0, "USD")
            drained = daemon.event("reply", what="drained")
            assert drained["played_ms"] == ANSWER_MS
            over = daemon.state("fault", after=daemon.events.index(drained))
            assert over["reason"] == "the spending limit is reached"
            daemon.event("session", what="closed")
            assert not daemon.seen("reply", what="interrupted")
            daemon.state("idle", after=daemon.events.index(over), timeout=30)
            assert similarity(recorder, why, 24_000) > 0.9
        usage = daemon.seen("usage")[-1]
        assert usage["currency"] == "USD"
        assert usage["cost"] == pytest.approx(reached["spent"])
        (fault,) = daemon.status()["faults"]
        assert fault["kind"] == SPENDING
        assert "parley spending allow" in fault["message"]
        _refuses(room)
        for end_it in (daemon.stop, daemon.process.kill) if ends else ():
            end_it()
            daemon.restart()
            assert [each["kind"] for each in daemon.status()["faults"]] == [SPENDING]
            assert spending(room)["day"]["spent"] == pytest.approx(reached["spent"])
        _allows(room)


def _refuses(room: Room) -> None:
    """Neither a wake word nor a typed question opens anything; a timer rings all the same."""
    daemon, before = room.daemon, room.server.attempts
    after = daemon.here
    room.wake_and_ask()
    daemon.event("fault", after=after, kind=SPENDING, cleared=False)
    daemon.state("fault", after=after)
    asked = daemon.cli("ask", "what is the weather")
    assert asked.returncode == 1
    assert "the spending limit of the day is reached" in asked.stderr
    assert daemon.cli("volume", "30").returncode == 0
    assert daemon.cli("timers", "set", "1s", "tea").returncode == 0
    daemon.event("timer", after=after, what="ringing")
    assert daemon.cli("stop").returncode == 0
    daemon.event("timer", after=after, what="stopped")
    daemon.wait(lambda: daemon.status()["state"] == "idle", "rest", 30)
    assert not [each for each in daemon.events[after:] if each["event"] == "session"]
    assert room.server.attempts == before


def _allows(room: Room) -> None:
    """After the owner has allowed more, there is just one connection, and an answer."""
    daemon, before = room.daemon, room.server.attempts
    after = daemon.here
    done = daemon.cli("spending", "allow", "200")
    assert done.returncode == 0, done.stderr
    assert "200.00 USD more for today" in done.stdout
    daemon.event("spending", after=after, what="cleared", period="day")
    daemon.event("fault", after=after, kind=SPENDING, cleared=True)
    room.wake_and_ask()
    drained = daemon.event("reply", after=after, what="drained")
    assert drained["played_ms"] == ANSWER_MS
    assert room.server.attempts == before + 1
    daemon.process.kill()
    daemon.restart()
    told = spending(room)["day"]
    assert (told["limit"], told["allowed"], told["level"]) == (2.0, 200.0, "")


def test_a_limit_that_is_near_is_said_once_after_an_answer() -> None:
    """By event and sentence; a light shows it until then. The talk goes on as ever."""
    model = MODELS[1]
    config = limited(model, day=6.0, audio_out=100_000.0)
    config["conversation"] = {"follow_up": "never"}
    with open_room(Script(turns=(replace(ANSWER, counts=FIFTY),)), config) as room:
        daemon = room.daemon
        said = sentence(room, SPENDING_NEAR)
        with room.sound.recorder() as recorder:
            room.wake_and_ask()
            near = daemon.event("spending", what="near")
            assert 4.8 <= near["spent"] < 6.0
            daemon.event("fault", kind=SPENDING_NEAR, cleared=False)
            daemon.event("fault", kind=SPENDING_NEAR, cleared=True)
            wait_until(lambda: similarity(recorder, said, 24_000) > 0.9, "the sentence", 30)
        assert daemon.status()["state"] == "idle"
        daemon.process.kill()
        daemon.restart()
        daemon.wait(lambda: spending(room)["day"]["level"] == "near", "the books", 30)
        # The fault of a limit that nobody was told of lasts until it is said.
        assert daemon.status()["faults"] == []


@pytest.mark.parametrize("model", MODELS)
def test_a_call_that_is_carried_out_at_the_limit_is_answered(model: str) -> None:
    """The turn that calls reaches it; what it was called for is said all the same."""
    call = ToolCall("get_time", {})
    script = Script(turns=(Turn(heard="time", says="It is noon.", audio=700, calls=(call,)),))
    config = limited(model, day=0.01, text_in=10_000.0)
    with open_room(script, config) as room:
        daemon = room.daemon
        room.wake_and_ask()
        daemon.event("tool", what="answered")
        daemon.event("spending", what="reached")
        drained = daemon.event("reply", what="drained")
        assert drained["played_ms"] >= 700
        daemon.state("fault", after=daemon.events.index(drained))
