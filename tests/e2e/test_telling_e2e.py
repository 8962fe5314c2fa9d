"""The person is told what is wrong: in the room by sound and light, and in writing."""

from __future__ import annotations

import sys

import pytest

from device.announcements.clips import Clips
from device.simulator.refusals import PROJECT_CAP
from device.simulator.script import Close, Event, Reject, Script, Turn
from tests.rig.daemon import Daemon
from tests.rig.room import CALL_OVER_S, Room, loud, open_room, similarity

SHORT = Turn(heard="weather", says="It is sunny.", audio=700)
CREDITS = "Your prepayment credits are depleted. Please go to AI Studio"
QUOTA = "You exceeded your current quota, please check your plan and billing details"


def clip(room: Room, kind: str, language: str) -> bytes:
    """Wait until the speaker has made its sentences; return one."""
    clips = Clips(room.daemon.path / "clips")
    room.daemon.wait(lambda: not clips.missing(language), "the spoken sentences")
    pcm = clips.get(kind, language)
    assert pcm is not None
    return pcm


@pytest.mark.parametrize(
    ("script", "kind", "language"),
    [
        (Script(api_keys=("another",)), "key", "en-US"),
        (Script(models=()), "model", "de-DE"),
        (Script(events=(Event("setup", Close(1011, CREDITS)),)), "billing", "fr-FR"),
        (Script(events=(Event("setup", Close(1008, PROJECT_CAP[:123])),)), "cap", "sv-SE"),
        (Script(events=(Event("setup", Close(1011, QUOTA)),)), "quota", "nl"),
        (Script(events=(Event("upgrade", Reject(302)),)), "portal", "pl-PL"),
        (Script(events=(Event("upgrade", Reject(503)),)), "server", "ja-JP"),
    ],
)
def test_what_is_wrong_is_said_aloud_in_the_language_of_the_talk(
    script: Script, kind: str, language: str
) -> None:
    """Chime and sentence come out of the loudspeaker, the fault is an event and a status line."""
    config = {"live": {"language": language}, "audio": {"chimes": True}}
    with open_room(script, config) as room:
        sentence = clip(room, kind, language)
        with room.sound.recorder() as recorder:
            room.wake_and_ask()
            fault = room.daemon.event("fault", kind=kind, cleared=False)
            room.daemon.state("fault")
            assert kind in room.daemon.cli("status").stdout
            room.daemon.state("idle", after=room.daemon.events.index(fault), timeout=30)
            assert similarity(recorder, sentence, 24_000) > 0.9
            # The chime, a pause, and then a sentence of seconds.
            heard = loud(recorder, since=fault["time"])
            assert sum(end - begin for begin, end in heard) > 1.5
        assert room.daemon.status()["last_fault"]["kind"] == kind


def test_the_wake_word_breaks_the_sentence_off() -> None:
    """It stops when told, and what is said is heard: the next try works."""
    script = Script(
        turns=(SHORT,), events=(Event("setup", Close(1011, CREDITS), connections=(1,)),)
    )
    with open_room(script) as room:
        clip(room, "billing", "en")
        with room.sound.recorder() as recorder:
            room.wake_and_ask()
            fault = room.daemon.state("fault")
            after = room.daemon.here
            room.wake_and_ask(before_ms=100, patience_s=CALL_OVER_S)
            wake = room.daemon.event("wake", after=after)
            room.daemon.event("reply", after=after, what="drained")
            cut_s = wake["time"] - fault["time"]
            spoken = [stretch for stretch in loud(recorder) if stretch[0] < wake["time"]]
            assert room.daemon.took_s(wake["time"], spoken[-1][1]) < 0.15, "it went on speaking"
            assert cut_s > 0
        assert room.daemon.event("fault", after=after, kind="billing", cleared=True)


class ClocklessDaemon(Daemon):
    """The daemon where it is 1970 until somebody puts the clock right."""

    def _parley(self, *arguments: str) -> list[str]:
        plain = super()._parley(*arguments)
        if arguments[0] != "run":
            return plain
        return [sys.executable, "-m", "tests.rig.wrong_clock", str(self.path / "ntp"), *plain[3:]]

    def put_right(self) -> None:
        (self.path / "ntp").write_text("")


def test_before_the_time_has_come_nothing_is_dialled_and_then_it_works_by_itself() -> None:
    """A Raspberry Pi begins in 1970: told as such, and no server is asked in vain."""
    with open_room(Script(turns=(SHORT,)), daemon=ClocklessDaemon) as room:
        daemon = room.daemon
        assert isinstance(daemon, ClocklessDaemon)
        (fault,) = daemon.status()["faults"]
        assert fault["kind"] == "clock"
        assert "1970-01-02" in fault["message"]
        room.wake_and_ask()
        told = daemon.state("fault", timeout=30)
        assert room.server.attempts == 0
        daemon.put_right()
        daemon.event("fault", kind="clock", cleared=True)
        daemon.state("idle", after=daemon.events.index(told), timeout=30)
        after = daemon.here
        room.wake_and_ask(before_ms=2500)
        daemon.event("reply", after=after, what="drained")


def test_who_wants_no_sentences_hears_none() -> None:
    """The light, the event and the status tell all the same."""
    config = {"audio": {"announcements": False}}
    with open_room(Script(api_keys=("another",)), config) as room:
        with room.sound.recorder() as recorder:
            room.wake_and_ask()
            fault = room.daemon.event("fault", kind="key", cleared=False)
            room.daemon.state("idle", after=room.daemon.events.index(fault), timeout=30)
            assert loud(recorder, since=fault["time"]) == []
        assert not (room.daemon.path / "clips").exists()
