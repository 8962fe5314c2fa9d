"""What a real speaker did is told while it runs, after it was killed, and when it runs no more."""

from __future__ import annotations

import json
import stat
import tempfile
from pathlib import Path
from typing import Any

from device.records.pending import NAME as PENDING
from device.signals import PROMETHEUS
from device.simulator.script import Script, Turn
from tests.records.test_exposition import parsed
from tests.rig.room import Room, open_room
from tests.rig.sound import wait_until

SHORT = Turn(heard="question", says="yes", audio=700, delay_s=0.2)


def sums(room: Room, *, live: bool = True) -> dict[str, Any]:
    """What `parley stats --json` comes to; of two days, since midnight may pass meanwhile."""
    done = room.daemon.cli("stats", "--json", "--days", "2")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["live"] is live
    found: dict[str, Any] = told["sums"]
    return found


def talk(room: Room) -> None:
    """A question, its answer, and rest."""
    before = room.daemon.here
    room.wake_and_ask()
    room.daemon.event("reply", after=before, what="drained")
    room.daemon.event("state", after=before, to="idle")


def test_talks_are_told_live_after_a_kill_and_from_the_file() -> None:
    """An hour goes on where it was, and nothing counts twice."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parley.prom"
        config = {"records": {"prometheus": str(path)}}
        with open_room(Script(turns=(SHORT, SHORT)), config) as room:
            talk(room)
            wait_until(lambda: "parley_talks_total 1\n" in path.read_text(), "the file", 30)
            assert stat.S_IMODE(path.stat().st_mode) == 0o644
            families = parsed(path.read_text())
            sent_s = families["parley_sent_seconds_total"].samples["parley_sent_seconds_total", ""]
            first = sums(room)
            assert (first["talks"], first["wakes"], first["starts"]) == (1, 1, 1)
            assert first["words"] == {"hey_jarvis": 1}
            assert first["false_starts"] == first["unheard"] == 0
            assert first["connection_ms"]["count"] == 1
            assert first["answer_ms"]["count"] == 1
            assert first["down_s"] >= 0.7
            assert first["tokens"]["total"] > 0
            stopped = room.daemon.seen("uplink", what="stopped")[-1]
            assert first["up_s"] == stopped["frames"] / 50
            assert 0 < sent_s <= first["up_s"]
            assert first["memory_bytes"] > 20_000_000
            room.daemon.restart()
            talk(room)
            again = sums(room)
            assert (again["talks"], again["wakes"], again["starts"]) == (2, 2, 2)
            assert again["connection_ms"]["count"] == again["answer_ms"]["count"] == 2
            assert room.daemon.stop()[0] == 0
            assert not path.exists()
            (room.daemon.path / PENDING).unlink()
            kept = sums(room, live=False)
            assert (kept["talks"], kept["up_s"]) == (2, again["up_s"])
            shown = room.daemon.cli("stats")
            assert shown.returncode == 0
            assert "The last 7 days: 2 talks." in shown.stdout


def test_an_answer_that_somebody_speaks_over_is_counted() -> None:
    """Once, though nobody but the server has noticed, whose ears are better."""
    story = Turn(heard="story", says="once upon a time", audio=20_000, delay_s=0.2)
    with open_room(Script(turns=(story, SHORT))) as room:
        before = room.daemon.here
        room.wake_and_ask("hey jarvis, tell me a story")
        room.daemon.state("speaking", after=before)
        room.say("no thank you, tell me about the weather instead", after_ms=2_000)
        room.daemon.event("reply", what="interrupted")
        room.daemon.event("reply", what="drained")
        room.daemon.event("state", after=before, to="idle")
        found = sums(room)
        over = room.daemon.seen("state", **{"from": "speaking", "reason": "interrupted by speech"})
        assert found["barge_ins"] == len(over) == 1
        assert found["answers"] == 2
        assert "2 answers, 1 of them spoken over" in room.daemon.cli("stats").stdout


def test_a_file_that_cannot_be_written_costs_no_talk_and_is_told() -> None:
    """By event, light and status, until the owner has mended it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "misspelt" / "parley.prom"
        config = {"records": {"prometheus": str(path)}}
        with open_room(Script(turns=(SHORT,)), config) as room:
            told = room.daemon.event("fault", kind=PROMETHEUS)
            assert str(path) in told["message"]
            assert room.daemon.status()["lights_show"] == "mistake"
            talk(room)
            path.parent.mkdir()
            before = room.daemon.here
            assert room.daemon.cli("ask", "how", "are", "you").returncode == 0
            room.daemon.event("fault", after=before, kind=PROMETHEUS, cleared=True)
            assert path.exists()
