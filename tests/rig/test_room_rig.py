"""A person in a room calls again when nobody hears, and a wait that fails says why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from tests.rig.daemon import Daemon, NothingHappenedError
from tests.rig.room import CALLS, Room, open_room, spoken
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer


@dataclass
class Ears:
    """A speaker that hears the wake word at its so-many-eth saying, and has been woken before."""

    heard_at: int
    said: list[bytes] = field(default_factory=list)
    events: list[str] = field(default_factory=lambda: ["wake", "idle"])
    waited_s: list[float] = field(default_factory=list)

    @property
    def here(self) -> int:
        return len(self.events)

    def event(self, name: str, *, after: int, timeout: float = 30.0) -> str:
        if name not in self.events[after:]:
            self.waited_s.append(timeout)
            raise NothingHappenedError(name)
        return name

    def speak(self, pcm: bytes) -> None:
        self.said.append(pcm)
        if len(self.said) == self.heard_at:
            self.events.append("wake")


def room_of(ears: Ears) -> Room:
    """A room with nothing but these in it."""
    return Room(cast("SoundServer", ears), cast("ServerThread", None), cast("Daemon", ears))


@pytest.mark.parametrize("heard_at", range(1, CALLS + 1))
def test_who_is_not_heard_calls_again(heard_at: int) -> None:
    """No more often than it takes; that it woke earlier is not taken for it."""
    ears = Ears(heard_at)
    pcm = room_of(ears).wake_and_ask("hey jarvis", patience_s=4.0, before_ms=100)
    assert ears.said == [spoken("hey jarvis", before_ms=100)] * heard_at
    assert pcm == ears.said[-1]
    assert ears.waited_s == [4.0] * (heard_at - 1)


def test_a_speaker_that_never_hears_fails_the_test() -> None:
    """After a bounded number of calls, the last of which is waited for as for anything."""
    ears = Ears(heard_at=CALLS + 1)
    with pytest.raises(NothingHappenedError, match="wake"):
        room_of(ears).wake_and_ask("hey jarvis", patience_s=4.0)
    assert len(ears.said) == CALLS
    assert ears.waited_s == [4.0] * (CALLS - 1) + [30.0]


def test_a_wait_that_fails_tells_what_the_speaker_counts_and_how_late_the_machine_was() -> None:
    """Hops, gaps, what was dropped or overran, the last scores; and that it has ended, if so."""
    with open_room() as room:
        with pytest.raises(NothingHappenedError) as failed:
            room.daemon.event("wake", timeout=0.0)
        told = str(failed.value)
        assert "event wake {} did not come" in told
        for figure in ("hops", "gaps", "dropped", "overruns", "underruns", "scores"):
            assert f'"{figure}": ' in told, figure
        assert "late by" in told
        room.daemon.process.kill()
        assert room.daemon.ended() < 0
        with pytest.raises(NothingHappenedError, match="cannot come: the daemon has ended") as over:
            room.daemon.event("wake", after=room.daemon.here)
        assert "no status: " in str(over.value)


def test_what_it_waits_for_a_core_is_taken_off_what_it_takes() -> None:
    """Never more than that: a machine that has time is judged by the clock."""
    with open_room() as room:
        began = room.daemon.started
        ready = began + room.daemon.ready_s
        took_s = room.daemon.took_s(began, ready)
        print(f"ready after {room.daemon.ready_s:.2f} s, of which it took {took_s:.2f} s")
        assert took_s <= room.daemon.ready_s
        code, seconds = room.daemon.stop()
        assert code == 0
        assert seconds < 2.0
