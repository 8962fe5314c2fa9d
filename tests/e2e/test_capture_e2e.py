"""The audit of a real speaker agrees with a packet capture, to the byte and the frame."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from device.simulator.certificate import make_certificate
from device.simulator.script import Script, Turn
from tests.rig.capture import (
    Capture,
    KeyLogged,
    Sent,
    messages_of,
    secrets_of,
    sent_by_client,
    sent_in,
)
from tests.rig.pictures import jpeg
from tests.rig.room import Room, open_room
from tests.rig.sound import wait_until

SHORT = Turn(heard="question", says="yes", audio=700, delay_s=0.2)
MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live")


def may_capture() -> bool:
    try:
        Capture(1)._socket.close()
    except PermissionError:
        return False
    return True


pytestmark = pytest.mark.skipif(not may_capture(), reason="only root may capture packets")


class Watched:
    """A room whose wire is watched."""

    def __init__(self, room: Room, capture: Capture, log: Path) -> None:
        self.room = room
        self._capture = capture
        self._log = log

    def wire(self) -> list[Sent]:
        """What each connection had, the oldest first; those that had nothing are left out."""
        secrets = secrets_of(self._log)
        found = []
        for conversation in self._capture.conversations():
            sent = sent_in(messages_of(*sent_by_client(conversation, secrets)))
            if sent.sound or sent.pictures or sent.texts:
                found.append(sent)
        return found

    def audit(self) -> list[dict[str, Any]]:
        """What `parley audit --json` says of everything that left."""
        done = self.room.daemon.cli("audit", "--since", "all", "--json")
        assert done.returncode == 0, done.stderr
        entries: list[dict[str, Any]] = json.loads(done.stdout)["entries"]
        return [each for each in entries if each["kind"] != "call"]

    def agrees(self, *, lost_frames: int = 0) -> list[dict[str, Any]]:
        """Compare them by connection; ``lost_frames``: of a line that was cut.

        Returns the audit.
        """
        audit, wire = self.audit(), self.wire()
        lines = dict.fromkeys((each["session"], each["connection"]) for each in audit)
        assert len(lines) == len(wire), (audit, [len(each.sound) for each in wire])
        for line, sent in zip(lines, wire, strict=True):
            mine = [each for each in audit if (each["session"], each["connection"]) == line]
            sound = [each for each in mine if each["kind"] == "sound"]
            counted = sum(each["bytes"] for each in sound)
            assert counted == 640 * sum(each["frames"] for each in sound)
            assert 0 <= counted - len(sent.sound) <= 640 * lost_frames, line
            pictures = [each["bytes"] for each in mine if each["kind"] == "picture"]
            assert pictures == [len(each) for each in sent.pictures]
            texts = [each["characters"] for each in mine if each["kind"] == "text"]
            assert texts == [len(each) for each in sent.texts]
        return audit


@contextmanager
def watched(
    tmp_path: Path, script: Script, config: Mapping[str, Any] | None = None
) -> Iterator[Watched]:
    """A room whose speaker's connections are captured from the first on."""
    made = make_certificate(tmp_path / "certificate")
    log = tmp_path / "secrets"
    log.touch()
    certificate = KeyLogged(made.certificate, made.key, log)
    with open_room(script, config, certificate=certificate) as room:
        port = int(room.server.url.rsplit(":", 1)[1])
        with Capture(port) as capture:
            yield Watched(room, capture, log)


def rests(room: Room, after: int) -> None:
    """Wait until nothing leaves any more."""
    room.daemon.event("uplink", after=after, what="stopped")


@pytest.mark.parametrize("model", MODELS)
def test_a_talk_is_on_record_as_it_went_over_the_wire(tmp_path: Path, model: str) -> None:
    """By wake word with a follow-up, typed, with a picture."""
    cup = tmp_path / "cup.jpg"
    cup.write_bytes(jpeg(800, 600))
    with watched(tmp_path, Script(turns=(SHORT,)), {"live": {"model": model}}) as seen:
        room = seen.room
        before = room.daemon.here
        room.wake_and_ask()
        room.daemon.event("reply", after=before, what="drained")
        room.say("and tomorrow")
        rests(room, before)
        assert room.daemon.cli("ask", "how", "are", "you").returncode == 0
        shown = room.daemon.cli("ask", "--image", str(cup), "what is this?")
        assert shown.returncode == 0, shown.stderr
        audit = seen.agrees()
        sound = [each for each in audit if each["kind"] == "sound"]
        assert sound[0]["why"] == "wake_word"
        assert sound[0]["word"] == "hey_jarvis"
        assert sound[0]["words"]
        assert sound[0]["model"] == model
        assert sound[0]["host"].startswith("localhost")
        assert not any(each["open"] or each["at_least"] for each in sound)
        assert [each["kind"] for each in audit if each["kind"] != "sound"] == [
            "text",
            "picture",
            "text",
        ]
        # The end of the stretch on record is the uplink event's, which counts by session.
        (told,) = {each["session"] for each in sound}
        stopped = room.daemon.seen("uplink", what="stopped")[-1]
        of_session = sum(each["bytes"] for each in sound if each["session"] == told)
        assert stopped["bytes"] == of_session


def test_a_rotation_in_mid_sentence_hides_nothing(tmp_path: Path) -> None:
    """goAway: what went over each connection is counted for that one."""
    with watched(tmp_path, Script(turns=(SHORT,))) as seen:
        room = seen.room
        room.wake_and_ask()
        room.daemon.event("uplink", what="started")
        room.server.call(lambda server: server.go_away(5))
        room.daemon.event("session", what="resumed")
        room.daemon.event("reply", what="drained")
        rests(room, 0)
        audit = seen.agrees()
    lines = {each["connection"] for each in audit}
    assert lines >= {1, 2}


def test_what_is_said_again_over_another_connection_counts_twice(tmp_path: Path) -> None:
    """It left twice; of the line that was cut, what was handed over counts though it is lost."""
    slow = Turn(heard="question", says="yes", audio=700, delay_s=3)
    with watched(tmp_path, Script(turns=(slow,))) as seen:
        room = seen.room
        room.wake_and_ask()
        wait_until(lambda: len(room.server.audio) > 64_000, "two seconds of sound", 30)
        room.server.call(lambda server: server.drop())
        repeated = room.daemon.event("repeated")
        room.daemon.event("reply", what="drained")
        rests(room, 0)
        audit = seen.agrees(lost_frames=50)
    again = [each["again_frames"] for each in audit if each["connection"] > 1]
    assert sum(again) == repeated["frames"]


def test_a_speaker_that_is_killed_has_hidden_two_seconds_at_most(tmp_path: Path) -> None:
    """What it had sent is on record when it starts again, and said to be at least so much."""
    slow = Turn(heard="question", says="yes", audio=700, delay_s=30)
    with watched(tmp_path, Script(turns=(slow,))) as seen:
        room = seen.room
        room.wake_and_ask()
        wait_until(lambda: len(room.server.audio) > 96_000, "three seconds of sound", 30)
        room.daemon.stop(signal.SIGKILL)
        (wire,) = seen.wire()
        (stretch,) = [each for each in seen.audit() if each["kind"] == "sound"]
        assert stretch["at_least"]
        assert not stretch["open"]
        assert 0 <= len(wire.sound) - stretch["bytes"] <= 2.1 * 32_000
        room.daemon.restart()
        (again,) = [each for each in seen.audit() if each["kind"] == "sound"]
        assert again["bytes"] == stretch["bytes"]
