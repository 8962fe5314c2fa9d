"""A speaker that keeps clips of wakes, lived with as its owner does: from a soft call to advice."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from typing import Any

from device.simulator.script import Script, Turn
from device.state.wake_clips import ClipFolder
from tests.rig.replay import scored_again
from tests.rig.room import CALLS, Room, open_room, similarity
from tests.rig.sound import espeak

SHORT = Turn(heard="weather", says="It is sunny.", audio=700)
LONG = Turn(heard="story", says="once upon a time", audio=20_000, delay_s=0.2)
NEARLY: dict[str, Any] = {
    "wake": {"keep": "near", "words": [{"model": "hey_jarvis", "threshold": 0.999}]}
}


def listed(room: Room) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(room.daemon.cli("wakes", "--json").stdout)["clips"]
    return told


def say_until_kept(room: Room, kept: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Call, again where a machine that stood still has lost it; return the clip of it."""
    for _ in range(CALLS):
        room.say("hey jarvis", after_ms=2500)
        if found := [each for each in listed(room) if kept(each)]:
            return found[0]
    raise AssertionError(f"no clip was kept: {listed(room)}")


def change(room: Room, **settings: Any) -> None:
    """Write other settings, and have them in force."""
    text = room.daemon.config_file.read_text()
    for before, after in settings.items():
        assert before in text
        text = text.replace(before, after)
    room.daemon.config_file.write_text(text)
    assert room.daemon.cli("reload").returncode == 0


def test_from_a_call_that_was_missed_to_a_clip_that_teaches() -> None:
    """Kept, listed, played, labelled, on the disk after the goodbye, and gone when cleared."""
    with open_room(Script(turns=(SHORT,)), NEARLY) as room:
        daemon = room.daemon
        missed = say_until_kept(room, lambda each: each["kept"] == "near_miss")
        assert daemon.seen("wake") == []
        assert room.server.attempts == 0, "nothing of it leaves the device"
        assert missed["word"] == "hey_jarvis"
        assert 0.2 < missed["score"] < missed["threshold"] == 0.999
        assert missed["exact"]
        assert "clips of near misses are kept on this device" in daemon.log()
        assert daemon.status()["wake_clips"]["keep"] == "near"
        assert "kept on this device (parley wakes)" in daemon.cli("status").stdout
        assert "Clips of near misses are kept on this device" in daemon.cli("audit").stdout
        assert not (daemon.path / "wakes").exists(), "ten minutes have not passed"

        with room.sound.recorder() as recorder:
            assert daemon.cli("wakes", "play", missed["id"]).stdout.startswith("plays ")
            said = espeak("hey jarvis")
            daemon.wait(lambda: similarity(recorder, said, 16_000) > 0.9, "the clip aloud")
        assert daemon.cli("wakes", "label", missed["id"], "yes").returncode == 0
        assert "Too few labels" in daemon.cli("wakes", "advise").stdout

        assert daemon.stop()[0] == 0
        folder = daemon.path / "wakes"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        kept = ClipFolder(daemon.path).clip(missed["id"])
        assert kept.said is True
        assert stat.S_IMODE((folder / f"{kept.id}.wav").stat().st_mode) == 0o600
        assert scored_again(kept.clip, ["hey_jarvis"]) == kept.clip.scores, "in another process"

        offline = daemon.cli("wakes")
        assert "No speaker runs here" in offline.stdout
        assert missed["id"] in offline.stdout
        assert "clip" in daemon.cli("wakes", "clear").stdout
        assert list(folder.iterdir()) == []


def test_what_is_kept_is_in_force_at_once_and_no_clip_is_played_into_a_talk() -> None:
    """From none to all, while it runs; muted there are none."""
    config = {"wake": {"keep": "none", "words": [{"model": "hey_jarvis", "threshold": 0.5}]}}
    with open_room(Script(turns=(LONG, LONG)), config) as room:
        daemon = room.daemon
        room.wake_and_ask()
        daemon.state("speaking")
        after = daemon.here
        daemon.cli("stop")
        daemon.state("idle", after=after)
        assert listed(room) == []
        change(room, **{"keep: none": "keep: all"})
        assert "clips of wakes and near misses are kept" in daemon.log()
        after = daemon.here
        room.wake_and_ask()
        daemon.state("speaking", after=after)
        daemon.wait(lambda: listed(room), "the clip of what woke it")
        hit = next(each for each in listed(room) if each["kept"] == "hit")
        assert hit["score"] >= 0.5
        refused = daemon.cli("wakes", "play", hit["id"])
        assert refused.returncode == 1
        assert f"the clip {hit['id']} is not played in a talk" in refused.stderr
        assert daemon.status()["state"] == "speaking"
        daemon.cli("stop")
        daemon.cli("mute")
        before = len(listed(room))
        room.say("hey jarvis", after_ms=1500)
        assert len(listed(room)) == before
        assert daemon.cli("wakes", "clear").stdout == (
            "1 clip deleted\n" if before == 1 else f"{before} clips deleted\n"
        )
        assert listed(room) == []


def test_a_folder_that_cannot_be_used_keeps_no_talk_from_going_on() -> None:
    """A link in its place: told to who asks, and at the goodbye; the answer is heard."""
    with open_room(Script(turns=(SHORT,)), {"wake": {"keep": "all"}}) as room:
        (room.daemon.path / "wakes").symlink_to("/etc")
        room.wake_and_ask()
        room.daemon.event("reply", what="drained")
        refused = room.daemon.cli("wakes")
        assert refused.returncode == 1
        assert "wakes: it is no folder" in refused.stderr
        assert room.daemon.stop()[0] == 0
        assert "clips of wakes cannot be kept or read" in room.daemon.log()
