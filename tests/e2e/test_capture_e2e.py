"""The audit of a real speaker agrees with a packet capture, to the byte and the frame."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from device.simulator.certificate import make_certificate
from device.simulator.script import Script, Turn
from tests.e2e.test_lifecycle_e2e import PiDaemon
from tests.rig.capture import (
    Capture,
    KeyLogged,
    Sent,
    messages_of,
    secrets_of,
    sent_by_client,
    sent_in,
)
from tests.rig.daemon import Daemon
from tests.rig.pictures import jpeg
from tests.rig.room import Room, open_room
from tests.rig.sound import wait_until

SHORT = Turn(heard="question", says="yes", audio=700, delay_s=0.2)
PROTOCOL = {"setup", "activityStart", "toolResponse"}
"""What a talk is made of beside what is on record; calls are, by their names."""
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
        """What each connection had, the oldest first; those that had nothing are left out.

        Nothing is in any of them but what is told here, and what the protocol is made of.
        """
        secrets = secrets_of(self._log)
        found = []
        for conversation in self._capture.conversations():
            sent = sent_in(messages_of(*sent_by_client(conversation, secrets)))
            assert sent.others <= PROTOCOL, sent.others
            if not sent.nothing:
                found.append(sent)
        return found

    def audit(self) -> list[dict[str, Any]]:
        """What `parley audit --json` says of everything that left."""
        done = self.room.daemon.cli("audit", "--since", "all", "--json")
        assert done.returncode == 0, done.stderr
        entries: list[dict[str, Any]] = json.loads(done.stdout)["entries"]
        return [each for each in entries if each["kind"] != "call"]

    def agrees(
        self, *, lost_frames: int = 0, earlier: tuple[int, int] = (0, 0)
    ) -> list[dict[str, Any]]:
        """Compare them by connection, and each stretch up to its pause; return the audit.

        ``lost_frames``: of a line that was cut; it is the first. ``earlier``: how many entries and
        connections an earlier process of the speaker had.
        """
        audit, wire = self.audit()[earlier[0] :], self.wire()[earlier[1] :]
        lines = dict.fromkeys((each["session"], each["connection"]) for each in audit)
        assert len(lines) == len(wire), (audit, [len(each.sound) for each in wire])
        for number, (line, sent) in enumerate(zip(lines, wire, strict=True)):
            mine = [each for each in audit if (each["session"], each["connection"]) == line]
            sound = [each for each in mine if each["kind"] == "sound"]
            assert all(each["bytes"] == 640 * each["frames"] for each in sound)
            ends = list(accumulate(each["bytes"] for each in sound))
            lost = (ends[-1] if ends else 0) - len(sent.sound)
            assert 0 <= lost <= 640 * (0 if number else lost_frames), line
            assert {0, *ends} >= set(sent.pauses), (line, ends, sent.pauses)
            pictures = [each["bytes"] for each in mine if each["kind"] == "picture"]
            assert pictures == [len(each) for each in sent.pictures]
            texts = [each["characters"] for each in mine if each["kind"] == "text"]
            assert texts == [len(each) for each in sent.texts]
        return audit


@contextmanager
def watched(
    tmp_path: Path,
    script: Script,
    config: Mapping[str, Any] | None = None,
    daemon: type[Daemon] = Daemon,
) -> Iterator[Watched]:
    """A room whose speaker's connections are captured from the first on."""
    made = make_certificate(tmp_path / "certificate")
    log = tmp_path / "secrets"
    log.touch()
    certificate = KeyLogged(made.certificate, made.key, log)
    with open_room(script, config, certificate=certificate, daemon=daemon) as room:
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
        assert [each["why"] for each in sound[:2]] == ["wake_word", "follow_up"]
        assert sound[1]["words"]
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


def test_what_is_said_by_the_button_is_on_record_as_such(tmp_path: Path) -> None:
    """A tap, and a hold, whose turn goes over a connection that is told when somebody speaks."""
    script = Script(turns=(SHORT,))
    with watched(tmp_path, script, {"board": "2mic-hat"}, PiDaemon) as seen:
        daemon = seen.room.daemon
        assert isinstance(daemon, PiDaemon)
        daemon.press()
        daemon.event("button", gesture="tap")
        seen.room.say("what is the weather in Berlin")
        drained = daemon.event("reply", what="drained")
        daemon.event("uplink", after=daemon.events.index(drained), what="stopped")
        after = daemon.here
        daemon.button("low")
        daemon.event("button", after=after, gesture="hold")
        seen.room.say("and what about tomorrow")
        daemon.event("activity", after=after, what="ended")
        daemon.button("high")
        daemon.event("reply", after=after, what="drained")
        audit = seen.agrees()
        reasons = [each["why"] for each in audit]
        assert reasons[0] == "tap"
        assert reasons[-1] == "hold"
        assert set(reasons) <= {"tap", "follow_up", "hold"}
        assert all(each["word"] is None for each in audit)


def test_a_rotation_in_mid_sentence_hides_nothing(tmp_path: Path) -> None:
    """goAway: what went over each connection is counted for that one."""
    with watched(tmp_path, Script(turns=(SHORT,))) as seen:
        room = seen.room
        room.wake_and_ask()
        room.daemon.event("uplink", what="started")
        room.server.call(lambda server: server.go_away(5))
        room.daemon.event("session", what="resumed")
        drained = room.daemon.event("reply", what="drained")
        rests(room, room.daemon.events.index(drained))
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
        drained = room.daemon.event("reply", what="drained")
        rests(room, room.daemon.events.index(drained))
        audit = seen.agrees(lost_frames=50)
    again = [each["again_frames"] for each in audit if each["connection"] > 1]
    assert sum(again) == repeated["frames"]


def test_a_speaker_that_is_killed_has_hidden_two_seconds_at_most(tmp_path: Path) -> None:
    """What it had sent is on record when it starts again, and said to be at least so much."""
    slow = Turn(heard="question", says="yes", audio=700, delay_s=3)
    with watched(tmp_path, Script(turns=(slow,))) as seen:
        room = seen.room
        room.wake_and_ask()
        wait_until(lambda: len(room.server.audio) > 96_000, "three seconds of sound", 30)
        room.daemon.stop(signal.SIGKILL)
        (wire,) = seen.wire()
        told = [each for each in seen.audit() if each["kind"] == "sound"]
        assert told[-1]["at_least"]
        assert not any(each["open"] for each in told)
        size = sum(each["bytes"] for each in told)
        assert 0 <= len(wire.sound) - size <= 2.1 * 32_000
        room.daemon.restart()
        assert [each for each in seen.audit() if each["kind"] == "sound"] == told
        assert room.daemon.cli("ask", "are you there?", timeout=90).returncode == 0
        (typed,) = seen.agrees(earlier=(len(told), 1))
        assert typed["characters"] == len("are you there?")
