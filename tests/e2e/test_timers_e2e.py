"""A timer that is confirmed rings: the real process, heard at its sound card."""

from __future__ import annotations

import numpy as np
import pytest

from device.simulator.script import Script, ToolCall, Turn
from tests.rig.room import Room, alarms, loud, open_room
from tests.rig.sound import Recorder, wait_until

MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live")
LATE_S = 0.4
"""From when it is due to when it is heard, without waits for a core; 0.04 s on an idle machine."""


def setting(seconds: float, name: str = "pasta") -> Script:
    """The model sets a timer when it is asked to, and says so."""
    call = ToolCall("set_timer", {"duration_s": seconds, "name": name})
    return Script(turns=(Turn(heard="set a timer", says="Done.", audio=900, calls=(call,)),))


def first_alarm(recorder: Recorder) -> float:
    wait_until(lambda: bool(alarms(recorder)), "the alarm at the card")
    return alarms(recorder)[0]


def due(room: Room, seconds: float) -> tuple[float, float]:
    """When a timer of so many seconds is due, at the earliest and at the latest.

    It was set between the call and the event of it, which a busy machine takes apart.
    """
    called = room.daemon.event("tool", what="called")["time"]
    return called + seconds, room.daemon.event("timer", what="set")["time"] + seconds


def on_time(room: Room, due: tuple[float, float], heard: float) -> None:
    """It is heard when it is due, not before, and not later than the machine explains."""
    earliest, latest = due
    assert heard > earliest - 0.05
    assert room.daemon.took_s(latest, heard) < LATE_S


def stops(room: Room, recorder: Recorder, *, answers: bool = False) -> None:
    """It stops within a moment, and no alarm comes after that; at most an answer does."""
    over = room.daemon.event("timer", what="stopped")["time"]
    wait_until(lambda: recorder.time_of(len(recorder.samples())) > over + 3, "three seconds")
    took_s = room.daemon.took_s
    assert all(took_s(over, at) < LATE_S for at in alarms(recorder))
    assert answers or all(took_s(over, end) < LATE_S for _, end in loud(recorder))
    assert room.daemon.status()["timers"]["ringing"] == []


@pytest.mark.parametrize("model", MODELS)
def test_a_timer_that_was_set_by_voice_rings_on_time_until_somebody_says_stop(model: str) -> None:
    """Without the wake word; nobody is listened to for that but the speaker itself."""
    with open_room(setting(5), {"live": {"model": model}}) as room:
        room.wake_and_ask("hey jarvis, set a timer for five seconds and call it pasta")
        told = room.daemon.event("timer", what="set")
        assert (told["name"], told["kind"]) == ("pasta", "timer")
        room.daemon.event("reply", what="drained")
        with room.sound.recorder() as recorder:
            room.daemon.state("idle")
            room.daemon.event("timer", what="ringing")
            on_time(room, due(room, 5), first_alarm(recorder))
            assert room.daemon.status()["lights_show"] == "ringing"
            sent, after = room.daemon.seen("uplink"), room.daemon.here
            wait_until(lambda: len(alarms(recorder)) >= 2, "the second alarm")
            room.say("stop")
            stops(room, recorder)
        assert room.daemon.seen("uplink") == sent
        assert not any(e["event"] in {"wake", "state"} for e in room.daemon.events[after:])
        (answer,) = room.server.connections[-1].tool_responses
        assert answer["response"]["output"]["set"]["name"] == "pasta"
        assert "pasta" not in room.daemon.log()
        assert room.daemon.seen("fault") == []


def test_a_killed_speaker_rings_on_time_after_its_restart() -> None:
    """As after a power cut; killed while it rings, it rings on, until the wake word."""
    with open_room(setting(20)) as room:
        room.wake_and_ask("hey jarvis, set a timer for twenty seconds and call it pasta")
        rings_at = due(room, 20)
        room.daemon.event("reply", what="drained")
        room.daemon.restart()
        assert room.daemon.status()["timers"]["set"] == 1
        with room.sound.recorder() as recorder:
            room.daemon.event("timer", what="ringing")
            on_time(room, rings_at, first_alarm(recorder))
        room.daemon.restart()
        with room.sound.recorder() as recorder:
            assert room.daemon.status()["timers"]["ringing"] == [1]
            first_alarm(recorder)
            room.wake_and_ask("hey jarvis")
            room.daemon.state("listening")
            stops(room, recorder, answers=True)


def test_a_timer_rings_over_a_long_reply_which_goes_on() -> None:
    """More softly; stopped by command, the reply is as loud as before. And it rings while muted."""
    story = Turn(heard="a story", says="Once upon a time.", audio=14_000)
    with open_room(Script(turns=(story,))) as room:
        daemon = room.daemon
        daemon.request("timers", action="set", duration_s=4)
        with room.sound.recorder() as recorder:
            room.wake_and_ask("hey jarvis, tell me a long story")
            daemon.event("reply", what="first_sound")
            daemon.event("timer", what="ringing")
            wait_until(lambda: len(loud(recorder)) > 0, "the reply")
            time_of_ring = daemon.seen("timer", what="ringing")[0]["time"]
            at = time_of_ring + 2
            wait_until(lambda: recorder.time_of(len(recorder.samples())) > at, "two seconds")
            daemon.request("timers", action="stop")
            over = daemon.event("timer", what="stopped")["time"]
            drained = daemon.event("reply", what="drained")
            assert drained["played_ms"] == 14_000
            before, under, after = (
                peak(recorder, begin, begin + 0.4)
                for begin in (time_of_ring - 0.6, time_of_ring + 1.2, over + 0.6)
            )
        assert under == pytest.approx(before / 4, rel=0.05)
        assert after == pytest.approx(before, rel=0.05)
        assert daemon.seen("reply", what="interrupted") == []


def peak(recorder: Recorder, begin: float, end: float) -> int:
    """Loudest sample between two times."""
    samples = recorder.samples()[:, 0].astype(int)
    times = [recorder.time_of(place) for place in (0, len(samples))]
    rate = len(samples) / (times[1] - times[0])
    first, last = (round((at - times[0]) * rate) for at in (begin, end))
    return int(np.max(np.abs(samples[first:last])))


def test_a_muted_speaker_rings_and_is_stopped_by_command() -> None:
    """Its microphone stays closed."""
    with open_room() as room:
        assert room.daemon.cli("mute").returncode == 0
        room.daemon.state("muted")
        with room.sound.recorder() as recorder:
            room.daemon.request("timers", action="set", duration_s=1)
            room.daemon.event("timer", what="ringing")
            first_alarm(recorder)
            status = room.daemon.status()
            assert (status["muted"], status["lights_show"]) == (True, "ringing")
            assert room.daemon.cli("stop").returncode == 0
            stops(room, recorder)
        assert room.daemon.status()["lights_show"] == "muted"
