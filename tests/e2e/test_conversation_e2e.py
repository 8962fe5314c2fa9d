"""The real daemon talks: spoken to over a sound server, judged by what arrives and is heard."""

from __future__ import annotations

import pytest

from device.simulator.script import Event, GoAway, Script, Turn
from device.simulator.voices import load
from tests.rig.no_answers import NOTHING
from tests.rig.room import CALL_OVER_S, loud, open_room, similarity

ANSWER = Turn(heard="weather", says="sunny", audio="answer_weather", delay_s=0.2)
LONG = Turn(heard="story", says="once upon a time", audio=8000, pace="burst", delay_s=0.2)
SHORT = Turn(heard="more", says="yes", audio=700)


def test_one_breath_command_with_a_slow_setup_arrives_sample_for_sample() -> None:
    """What is said in one breath with the wake word reaches the server, although it takes 2 s."""
    with open_room(Script(turns=(ANSWER,), setup_delay_s=2.0)) as room:
        with room.sound.recorder() as recorder:
            fed = room.wake_and_ask()
            drained = room.daemon.event("reply", what="drained")
            room.daemon.state("idle", after=room.daemon.events.index(drained))
            similar = similarity(recorder, *load("answer_weather"))
        uplink = room.server.audio
        wake = room.daemon.event("wake")
        opened = room.daemon.event("session", what="opened")
    assert opened["latency_ms"] > 2000
    spoken_part = uplink.strip(b"\0")
    # Even addresses: a stripped zero byte may be half a sample.
    begin = fed.find(spoken_part)
    assert begin >= 0, "the uplink is not one whole stretch of what the microphone delivered"
    assert fed.rstrip(b"\0").endswith(spoken_part.rstrip(b"\0")), (
        "the end of the sentence is missing"
    )
    assert begin < len(fed) / 8, "it begins too late"
    assert wake["score"] > 0.5
    assert similar > 0.95


def test_the_pre_roll_reaches_a_second_back() -> None:
    """The first sample at the server is from at least a second before the detection."""
    with open_room(Script(turns=(ANSWER,))) as room:
        fed = room.wake_and_ask("hey jarvis", before_ms=2500)
        room.daemon.event("uplink", what="started")
        room.server.wait_for(lambda server: len(server.audio) > 3 * 32_000)
        uplink = room.server.audio
        wake, opened = room.daemon.event("wake"), room.daemon.event("session", what="opened")
        held_s = room.daemon.took_s(wake["time"], opened["time"])
    first = fed.find(uplink.strip(b"\0")[:3200])
    assert first > 0, "the pre-roll is not what the microphone delivered"
    # The sentence is over at most 1.2 s after the wake word: what came before is the pre-roll.
    end_of_word = len(fed) - 2 * 16 * 1200
    assert (end_of_word - first) / 32_000 >= 1.0
    assert held_s < 5


def test_two_turns_without_a_second_wake_word() -> None:
    """After a reply it listens on; the second question needs no wake word and no new session."""
    with open_room(Script(turns=(ANSWER, SHORT))) as room:
        room.wake_and_ask()
        first = room.daemon.event("reply", what="drained")
        after = room.daemon.events.index(first)
        room.say("and what about tomorrow")
        second = room.daemon.event("reply", after=after + 1, what="drained")
        room.daemon.state("idle", after=after)
        assert second["turn"] != first["turn"]
        assert len(room.daemon.seen("wake")) == 1
        assert len(room.server.connections) == 1
        assert room.daemon.status()["session"]["open_s"] is not None


def test_after_silence_it_stops_sending_and_the_next_wake_uses_the_kept_session() -> None:
    """Nobody goes on: the uplink ends, the session is kept, and the next wake word is quick."""
    with open_room(Script(turns=(SHORT,))) as room:
        room.wake_and_ask()
        stopped = room.daemon.event("uplink", what="stopped", timeout=30)
        room.server.wait_for(lambda server: len(server.audio) >= stopped["bytes"])
        assert stopped["bytes"] == len(room.server.audio)
        assert stopped["frames"] * 640 == stopped["bytes"]
        room.server.wait_for(lambda server: server.connections[0].audio_stream_ends)
        after = room.daemon.here
        room.wake_and_ask()
        room.daemon.event("reply", after=after, what="drained")
        assert len(room.server.connections) == 1


def test_barge_in_silences_the_reply_at_once_and_the_rest_never_plays() -> None:
    """The user speaks during a reply: the server says so, and it is quiet within 150 ms."""
    with open_room(Script(turns=(LONG, SHORT))) as room, room.sound.recorder() as recorder:
        room.wake_and_ask()
        room.daemon.event("reply", what="first_sound")
        room.say("no stop, that is enough now")
        cut = room.daemon.event("reply", what="interrupted")
        second = room.daemon.event("reply", what="drained")
        assert 0 < cut["played_ms"] < 8000
        assert second["turn"] > cut["turn"]
        heard = loud(recorder, since=cut["time"])
        went_on_s = room.daemon.took_s(cut["time"], heard[0][1])
        assert went_on_s < 0.15, "the reply went on after the interruption"
        assert sum(end - begin for begin, end in heard[1:]) == pytest.approx(0.7, abs=0.15)


@pytest.mark.parametrize("duplex", ["full", "half"])
def test_the_wake_word_during_a_reply_silences_it(duplex: str) -> None:
    """Also where the reply keeps the uplink silent, the wake word is heard and acted on here."""
    deaf = Turn(heard="story", says="once", audio=24_000, pace="burst", interruptible=False)
    config = {"audio": {"duplex": duplex}}
    with open_room(Script(turns=(deaf, SHORT)), config) as room, room.sound.recorder() as recorder:
        room.wake_and_ask()
        room.daemon.event("reply", what="first_sound")
        after = room.daemon.here
        room.wake_and_ask("hey jarvis", before_ms=1500, patience_s=CALL_OVER_S)
        wake = room.daemon.event("wake", after=after)
        cut = room.daemon.event("reply", after=after, what="interrupted")
        assert room.daemon.state("listening", after=after)["from"] == "speaking"
        assert room.daemon.took_s(wake["time"], cut["time"]) < 0.2
        room.daemon.event("activity", after=after, what="ended")
        assert loud(recorder, since=cut["time"] + 0.15) == []


def test_a_reply_goes_on_where_it_was_when_nobody_speaks_after_the_wake_word() -> None:
    """A word that nobody said, or only to hear it stop: not a sample of the answer is lost."""
    deaf = Turn(heard="story", says="once", audio=16_000, pace="burst", interruptible=False)
    config = {"audio": {"duplex": "half"}}
    with (
        open_room(Script(turns=(deaf, NOTHING)), config) as room,
        room.sound.recorder() as recorder,
    ):
        room.wake_and_ask()
        room.daemon.event("reply", what="first_sound")
        after = room.daemon.here
        room.wake_and_ask("hey jarvis", before_ms=1500, patience_s=CALL_OVER_S)
        cut = room.daemon.event("reply", after=after, what="interrupted")
        resumed = room.daemon.event("reply", after=after, what="resumed")
        drained = room.daemon.event("reply", after=after, what="drained")
        assert loud(recorder, since=cut["time"] + 0.15)[0][0] >= resumed["time"] - 0.1
        assert drained["turn"] == cut["turn"] == resumed["turn"]
        assert drained["played_ms"] == 16_000
        assert resumed["played_ms"] == pytest.approx(cut["played_ms"], abs=100)
        assert room.daemon.state("listening", after=room.daemon.events.index(drained))
        assert room.daemon.seen("stall") == []


def test_half_duplex_sends_silence_while_the_reply_is_audible() -> None:
    """The cadence goes on, but nothing of the reply's time is heard by the server."""
    config = {"audio": {"duplex": "half"}}
    with open_room(Script(turns=(LONG,), silence_ms=600), config) as room:
        room.wake_and_ask()
        room.daemon.event("reply", what="first_sound")
        sent_before = len(room.server.audio)
        room.say("no stop, that is enough now")
        room.server.wait_for(lambda server: len(server.audio) > sent_before + 32_000)
        during = room.server.audio[sent_before:]
        assert not room.daemon.seen("reply", what="interrupted")
    assert not any(during), "the microphone went up while the reply was audible"


def test_chatter_without_the_wake_word_reaches_nobody() -> None:
    """Twenty seconds of talk that never says the word: no connection is even tried."""
    text = "did you see the news this morning, there was a long story about the harbour in spring"
    with open_room() as room:
        for _ in range(4):
            room.say(text)
        assert room.server.attempts == 0
        assert room.daemon.seen("uplink") == []
        assert room.daemon.status()["counters"]["wake"]["hops"] > 200


def test_a_typed_question_is_answered_aloud_and_in_writing() -> None:
    """`parley ask` prints the transcript, the answer is spoken, and no microphone audio is sent."""
    with open_room(Script(turns=(ANSWER,))) as room, room.sound.recorder() as recorder:
        done = room.daemon.cli("ask", "what", "is", "the", "weather")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "sunny\n"
        assert similarity(recorder, *load("answer_weather")) > 0.95
        assert room.server.connections[0].texts == ["what is the weather"]
        assert room.server.audio == b""
        assert room.daemon.status()["state"] == "idle"
        assert [e["to"] for e in room.daemon.seen("state")][-4:] == [
            *("connecting", "thinking", "speaking", "idle")
        ]


def test_stop_silences_a_reply_and_ends_the_conversation() -> None:
    """`parley stop` during a reply: silence, and at rest."""
    with open_room(Script(turns=(LONG,))) as room, room.sound.recorder() as recorder:
        room.wake_and_ask()
        room.daemon.event("reply", what="first_sound")
        assert room.daemon.cli("stop").returncode == 0
        cut = room.daemon.event("reply", what="interrupted")
        room.daemon.state("idle")
        room.server.wait_for(lambda server: server.connections[0].audio_stream_ends)
        assert loud(recorder, since=cut["time"] + 0.15) == []


def test_mute_closes_the_microphone_and_unmute_opens_it() -> None:
    """Muted, the sound server has no recording stream of ours, and the wake word does nothing."""
    with open_room(Script(turns=(SHORT,))) as room:
        assert room.sound.recording_streams() == 1
        assert room.daemon.cli("mute").returncode == 0
        assert room.sound.recording_streams() == 0
        assert room.daemon.status()["muted"] is True
        room.say("hey jarvis, are you there")
        assert room.daemon.seen("wake") == []
        assert room.server.attempts == 0
        assert room.daemon.cli("unmute").returncode == 0
        room.daemon.state("idle", after=room.daemon.here - 1)
        room.wake_and_ask()
        room.daemon.event("reply", what="drained")


def test_go_away_in_the_middle_costs_no_word() -> None:
    """The server ends the connection after the first answer; the talk goes on over a second."""
    script = Script(turns=(SHORT, ANSWER), events=(Event("turn", GoAway(4.0), turn=1),), loop=False)
    with open_room(script) as room:
        room.wake_and_ask()
        room.daemon.event("go_away")
        room.daemon.event("session", what="resumed")
        fed = room.say("and what about tomorrow")
        after = room.daemon.here
        room.daemon.event("reply", after=after - 3, what="drained", turn=2)
        room.daemon.event("uplink", what="stopped", timeout=30)
        uplink = room.server.audio
        first, second = room.server.connections
    assert second.handle in first.handles_sent
    assert fed.strip(b"\0") in uplink
