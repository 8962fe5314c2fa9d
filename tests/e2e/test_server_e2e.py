"""Nobody notices the server: the real daemon over connections that end, break and fall silent."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from device.live.repeat import LEAD_S
from device.simulator.script import (
    Close,
    Drop,
    Event,
    GoAway,
    Poison,
    Script,
    Silence,
    Turn,
)
from tests.rig.daemon import Daemon
from tests.rig.room import CONFIG, Room, merged, open_room
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer

SHORT = Turn(heard="weather", says="It is sunny.", audio=700)
LATE = Turn(heard="weather", says="It is sunny.", audio=700, delay_s=3.0)
PACED = Turn(heard="story", says="once upon a time", audio=6000, pace="realtime")
LEAD_FRAMES = round(LEAD_S * 50)
SENTENCE = "hey jarvis, please tell me now what the weather in Berlin is going to be like tomorrow"


def sent_once(room: Room, fed: bytes) -> tuple[int, int]:
    """Check that the uplink is one stretch of the microphone but for what was said again.

    Returns how many bytes were, and how many of them had arrived before: a connection that is cut
    takes with it what was on its way.
    """
    first, second, *_ = (bytes(record.audio) for record in room.server.connections)
    (repeated,) = room.daemon.seen("repeated")
    again = repeated["bytes"]
    place = first.find(second[:6400])
    assert place >= 0, "it does not begin with what was said before"
    known = len(first) - place
    assert known <= again
    assert first[place:] == second[:known], "it is not said again as it was"
    whole = first + second[known:]
    assert fed.find(whole.strip(b"\0")) >= 0, "samples were lost, doubled or reordered"
    return again, known


def test_a_sentence_that_a_second_of_notice_cuts_in_two_is_answered_whole() -> None:
    """The sentence so far goes up again, what is said meanwhile follows: not a sample is lost."""
    script = Script(
        turns=(SHORT,), events=(Event("audio", GoAway(1.0), after_s=2.4, connections=(1,)),)
    )
    with open_room(script) as room:
        fed = room.wake_and_ask(SENTENCE)
        room.daemon.event("session", what="resumed")
        room.daemon.event("reply", what="drained")
        room.daemon.event("uplink", what="stopped", timeout=30)
        again, known = sent_once(room, fed)
        assert again == known >= 640 * 50
        assert room.server.connections[0].close_code == 1000
        assert room.daemon.seen("fault") == []
        assert room.daemon.status()["session"]["repeated_frames"] > 0


def test_a_cut_in_the_middle_of_the_sentence_costs_no_word() -> None:
    """TCP is gone while the user speaks: resumed, and the sentence is whole at the other end."""
    script = Script(turns=(SHORT,), events=(Event("audio", Drop(), after_s=2.4, connections=(1,)),))
    with open_room(script) as room:
        fed = room.wake_and_ask(SENTENCE)
        room.daemon.event("session", what="resumed")
        room.daemon.event("reply", what="drained")
        room.daemon.event("uplink", what="stopped", timeout=30)
        again, known = sent_once(room, fed)
        assert again - known < 640 * 50
        assert room.daemon.seen("fault") == []


def test_a_question_whose_connection_breaks_before_the_answer_is_answered_all_the_same() -> None:
    """The user has finished and waits; the new connection is told the question again."""
    with open_room(Script(turns=(LATE,))) as room:
        room.wake_and_ask()
        room.daemon.state("thinking")
        room.daemon.event("transcript", who="user")
        room.server.call(lambda server: server.drop())
        room.daemon.event("session", what="resumed")
        room.daemon.event("repeated")
        room.daemon.event("reply", what="drained")
        assert len(room.daemon.seen("wake")) == 1


def test_what_is_buffered_plays_on_when_the_server_goes_and_the_talk_goes_on_after_it() -> None:
    """The server is away for seconds in the middle of a reply: told, and over when it is back."""
    story = Turn(heard="story", says="once", audio=5000, pace="burst", plays_out=True)
    with open_room(Script(turns=(story, SHORT))) as room:
        room.wake_and_ask()
        room.daemon.event("reply", what="first_sound")
        room.server.call(lambda server: server.kill_listener())
        room.server.call(lambda server: server.drop())
        fault = room.daemon.event("fault", kind="network", cleared=False)
        assert room.daemon.status()["faults"][0]["kind"] == "network"
        room.server.call(lambda server: server.listen())
        room.daemon.event("session", what="resumed")
        room.daemon.event("fault", kind="network", cleared=True)
        drained = room.daemon.event("reply", what="drained")
        assert drained["played_ms"] == 5000
        assert drained["time"] > fault["time"]
        after = room.daemon.here
        room.say("and what about tomorrow", before_ms=600)
        room.daemon.event("reply", after=after, what="drained")
        assert len(room.daemon.seen("wake")) == 1


def test_a_server_that_hears_and_never_answers_is_left_for_one_that_does() -> None:
    """Poisoned on resumption: a fresh session is told what was said, and answers."""
    config = {"conversation": {"reply_timeout_s": 9, "follow_up_s": 10}}
    with open_room(Script(turns=(SHORT,)), config) as room:
        room.wake_and_ask()
        drained = room.daemon.event("reply", what="drained")
        room.server.call(lambda server: server.do(Poison()))
        room.server.call(lambda server: server.drop())
        room.daemon.event("session", what="resumed")
        after = room.daemon.here
        room.say("and what about tomorrow")
        room.daemon.event("stall", what="nudged")
        room.daemon.event("stall", what="restarted")
        room.daemon.event("session", after=after, what="opened")
        room.daemon.event("reply", after=after, what="drained")
        assert drained["turn"] == 1
        assert room.daemon.seen("fault") == []
        assert "It is sunny." in json.dumps(room.server.connections[-1].setup)
        assert room.daemon.status()["session"]["stalls"] == 1


def test_a_silent_server_is_nudged_left_and_in_the_end_apologised_for() -> None:
    """Each step is told; the session is let go, and the next wake word begins a fresh one."""
    config = {"conversation": {"reply_timeout_s": 6}}
    events = (Event("ready", Silence()),)
    with open_room(Script(turns=(SHORT,), events=events), config) as room:
        room.wake_and_ask()
        room.daemon.event("stall", what="nudged")
        room.daemon.event("stall", what="resumed")
        room.daemon.event("stall", what="apologised")
        fault = room.daemon.event("fault", kind="timeout", cleared=False)
        assert fault["fatal"] is False
        room.daemon.state("fault")
        assert room.daemon.status()["session"]["apologies"] == 1


def test_a_model_that_is_gone_is_told_once_and_the_next_one_answers() -> None:
    """The answer comes; `parley status` says what to change; nobody asks the dead model again."""
    script = Script(turns=(SHORT,), models=("gemini-3.8-live",))
    config = {"conversation": {"session_keep_s": 0}}
    with open_room(script, config) as room:
        for what in ("opened", "resumed"):
            after = room.daemon.here
            room.wake_and_ask(before_ms=2500)
            opened = room.daemon.event("session", after=after, what=what)
            assert opened["model"] == "gemini-3.8-live"
            room.daemon.event("reply", after=after, what="drained")
            room.daemon.event("session", after=after, what="closed", timeout=30)
        (fault,) = room.daemon.seen("fault")
        assert (fault["kind"], fault["fatal"]) == ("model_replaced", False)
        assert "gemini-3.1-flash-live-preview" in room.daemon.cli("status").stdout
        refused = [r for r in room.server.connections if r.model != "gemini-3.8-live"]
        assert len(refused) == 1


@pytest.mark.parametrize(("search", "attempts"), [("auto", 2), (False, 1)])
def test_the_quota_is_tried_once_and_told(search: object, attempts: int) -> None:
    """One attempt for one wake word; and one without search, which the plan may not include."""
    events = (Event("setup", Close(1011, "You exceeded your current quota, please check")),)
    with open_room(Script(events=events), {"live": {"google_search": search}}) as room:
        room.wake_and_ask()
        fault = room.daemon.event("fault", kind="quota", cleared=False)
        assert fault["fatal"] is False
        room.daemon.state("fault")
        room.daemon.state("idle", after=room.daemon.events.index(fault))
        sent = ["search" in record.fields for record in room.server.connections]
        assert sent == [True, False][-attempts:]


def test_the_talk_goes_on_after_a_crash_and_a_restart(tmp_path: Path) -> None:
    """Kill -9 in the middle, another process: the next wake word resumes the same conversation."""
    with ExitStack() as stack:
        sound = stack.enter_context(SoundServer())
        server = stack.enter_context(ServerThread(Script(turns=(SHORT,))))
        config = merged(CONFIG, {"live": {"endpoint": server.url}})
        environment = {
            **sound.environment,
            "SSL_CERT_FILE": str(server.certificate),
            "STATE_DIRECTORY": str(tmp_path),
        }
        with Daemon(config, environment) as first:
            room = Room(sound, server, first)
            room.wake_and_ask()
            first.event("reply", what="drained")
            server.wait_for(lambda it: len(it.connections[0].handles_sent) > 1)
            first.wait((tmp_path / "talk.json").exists, "the file of the talk")
            kept = server.connections[0].handles_sent
            first.wait(
                lambda: json.loads((tmp_path / "talk.json").read_text())["handle"] == kept[-1],
                "the newest handle in it",
            )
            first.process.send_signal(signal.SIGKILL)
            first.ended()
        with Daemon(config, environment) as second:
            assert second.status()["session"]["resumable_s"] < 60
            room = Room(sound, server, second)
            room.wake_and_ask()
            second.event("session", what="resumed")
            second.event("reply", what="drained")
            assert server.connections[1].handle == kept[-1]
            assert server.connections[1].conversation == 1


def test_a_handle_that_was_forgotten_costs_one_connect_and_no_word() -> None:
    """After the kept session is gone and the server has forgotten it: fresh, and answered."""
    config = {"conversation": {"session_keep_s": 0}}
    with open_room(Script(turns=(SHORT,)), config) as room:
        room.wake_and_ask()
        room.daemon.event("session", what="closed", timeout=30)
        room.server.call(_forget)
        after = room.daemon.here
        room.wake_and_ask(before_ms=2500)
        room.daemon.event("session", after=after, what="opened")
        room.daemon.event("reply", after=after, what="drained")
        assert [bool(record.handle) for record in room.server.connections] == [False, True, False]
        assert "It is sunny." in json.dumps(room.server.connections[-1].setup)
        assert room.daemon.seen("fault") == []


async def _forget(server: object) -> None:
    server._stage.memory.forget()  # type: ignore[attr-defined]  # no connection is open to do it


def test_a_dozen_connections_carry_one_talk() -> None:
    """GoAway upon goAway while the user asks and is answered: one wake word, nothing lost."""
    script = Script(
        turns=(SHORT,),
        events=(Event("ready", GoAway(12.0), after_s=1.0),),
    )
    config = {"conversation": {"follow_up_s": 6.0}}
    with open_room(script, config) as room:
        fed = room.wake_and_ask()
        room.daemon.event("reply", what="drained")
        for number in range(2, 5):
            after = room.daemon.here
            fed += room.say("and what about tomorrow", before_ms=600)
            room.daemon.event("reply", after=after, what="drained", turn=number)
        room.daemon.event("uplink", what="stopped", timeout=30)
        status = room.daemon.status()["session"]
        assert status["rotations"] >= 6
        assert status["dropped"] == 0
        # A sentence may begin in the very moment of a rotation: then its first syllable goes up
        # again, told as such.
        told = sum(event["frames"] for event in room.daemon.seen("repeated"))
        assert status["repeated_frames"] == told <= 3 * LEAD_FRAMES
        assert status["frames_sent"] * 640 == len(room.server.audio)
        assert len(room.daemon.seen("wake")) == 1
        assert room.daemon.seen("fault") == []
        assert {record.conversation for record in room.server.connections} == {1}
        states = [event["to"] for event in room.daemon.seen("state")]
        assert states.count("connecting") == 1
