"""The records of the real daemon, when it is told to end in mid-talk, and when they are damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from device.records.database import FOLDER, NAME, damaged
from device.records.pending import NAME as PENDING
from device.simulator.script import Script, Turn
from tests.rig.room import Room, open_room
from tests.rig.sound import wait_until

SLOW = Turn(heard="question", says="yes", audio=700, delay_s=30)
SHORT = Turn(heard="question", says="yes", audio=700, delay_s=0.2)


def stretches(room: Room) -> list[dict[str, Any]]:
    """The sound on record, as `parley audit` tells it, whether the speaker runs or not."""
    done = room.daemon.cli("audit", "--since", "all", "--json")
    assert done.returncode == 0, done.stderr
    entries: list[dict[str, Any]] = json.loads(done.stdout)["entries"]
    return [each for each in entries if each["kind"] == "sound"]


def test_a_speaker_that_is_ended_in_mid_talk_keeps_all_of_it() -> None:
    """On the disk: a power cut right after that costs nothing."""
    with open_room(Script(turns=(SLOW,))) as room:
        room.wake_and_ask()
        wait_until(lambda: len(room.server.audio) > 64_000, "two seconds of sound", 30)
        code, _ = room.daemon.stop()
        assert code == 0
        folder = room.daemon.path
        assert (folder / PENDING).stat().st_size == 0
        assert [each.name for each in (folder / FOLDER).iterdir()] == [NAME]
        found = stretches(room)
        assert found
        assert not any(each["open"] or each["at_least"] for each in found)
        stopped = room.daemon.seen("uplink", what="stopped")[-1]
        assert sum(each["bytes"] for each in found) == stopped["bytes"] > 64_000
        (folder / PENDING).unlink()
        assert stretches(room) == found


def test_damaged_records_are_told_and_cost_no_talk() -> None:
    """By event, light, status and doctor; the new ones are complete, the old ones kept."""
    with open_room(Script(turns=(SHORT,))) as room:
        daemon = room.daemon
        daemon.stop()
        path: Path = daemon.path / FOLDER / NAME
        path.write_bytes(b"no database at all, " * 1_000)
        daemon.restart()

        def told() -> list[dict[str, Any]]:
            return [each for each in daemon.status()["faults"] if each["kind"] == "records"]

        wait_until(lambda: bool(told()), "the fault", 30)
        (fault,) = told()
        assert fault["message"].startswith("the records were damaged (file is not a database)")
        assert not fault["fatal"]
        assert daemon.status()["lights_show"] == "mistake"
        room.wake_and_ask()
        daemon.event("reply", what="drained")
        wait_until(lambda: daemon.status()["state"] == "idle", "rest", 60)
        assert stretches(room)
        (aside,) = damaged(path.parent)
        assert aside.read_bytes() == b"no database at all, " * 1_000
        assert "the records were damaged" in daemon.log()
        daemon.stop()
        assert stretches(room)


def test_what_is_in_their_place_is_told_to_whoever_asks() -> None:
    """A pipe holds nobody up, running or not, and no talk; the lines wait for a file."""
    with open_room(Script(turns=(SHORT,))) as room:
        daemon = room.daemon
        daemon.stop()
        path: Path = daemon.path / FOLDER / NAME
        path.unlink()
        os.mkfifo(path)
        for command in ("audit", "stats"):
            done = daemon.cli(command)
            assert done.returncode == 1
            assert f"the records {path} cannot be read: it is no file" in done.stderr
            assert "Traceback" not in done.stderr
        daemon.restart()
        room.wake_and_ask()
        daemon.event("reply", what="drained")
        for command in ("audit", "stats"):
            done = daemon.cli(command)
            assert done.returncode == 1
            assert f"the records cannot be written ({path}: it is no file)" in done.stderr
        path.unlink()
        assert daemon.stop()[0] == 0
        assert stretches(room)
