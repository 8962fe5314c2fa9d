"""Logging: where it goes, and what is never in it."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from systemd.journal import JournalHandler

from device.events import EventName, PublicEvent, reply, session
from device.service import journal
from device.service import journal as story
from device.service.last_warnings import LastWarnings


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Leave logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("device")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


def handler() -> logging.Handler:
    (only,) = logging.getLogger().handlers
    return only


def test_in_the_foreground_lines_go_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With time and level; no more of libraries than their warnings."""
    journal.set_up({})
    logging.getLogger("device.service.journal").info("heard %s", "hey_jarvis")
    logging.getLogger("device.live.session").debug("details")
    logging.getLogger("httpx").info("x-goog-api-key: secret")
    logging.getLogger("websockets.client").warning("something is odd")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(" INFO    heard hey_jarvis")
    assert second.endswith(" WARNING something is odd")


def test_verbose_tells_ours_and_still_not_the_libraries_headers() -> None:
    """Debug output of websockets and httpx would print the key."""
    journal.set_up({}, verbose=True)
    assert logging.getLogger("device.audio").isEnabledFor(logging.DEBUG)
    for library in ("websockets.client", "httpx", "httpcore", "google_genai", "urllib3"):
        assert not logging.getLogger(library).isEnabledFor(logging.INFO)


def test_as_a_service_warnings_are_kept_in_the_state_directory(tmp_path: Path) -> None:
    """The journal of a Raspberry Pi is gone with its power; without that folder nothing is kept."""
    about = os.fstat(sys.stderr.fileno())
    stream = f"{about.st_dev}:{about.st_ino}"
    journal.set_up({"JOURNAL_STREAM": stream, "STATE_DIRECTORY": f"{tmp_path}:/other"})
    _, keeps = logging.getLogger().handlers
    assert isinstance(keeps, LastWarnings)
    journal.set_up({"STATE_DIRECTORY": str(tmp_path)})
    assert not isinstance(handler(), LastWarnings)


def test_set_up_twice_does_not_tell_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """One handler, however often."""
    journal.set_up({})
    journal.set_up({})
    logging.getLogger("device").info("once")
    assert capsys.readouterr().err.count("once") == 1


def test_as_a_service_records_go_to_the_journal_with_their_fields() -> None:
    """JOURNAL_STREAM names the file that our standard error is: systemd.exec(5)."""
    about = os.fstat(sys.stderr.fileno())
    journal.set_up({"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"})
    chosen = handler()
    assert isinstance(chosen, JournalHandler)
    sent: dict[str, object] = {}
    chosen.send = lambda text, /, **fields: sent.update(fields, MESSAGE=text)
    logging.getLogger("device.faults").error("no card", extra={"FAULT": "microphone"})
    assert sent["MESSAGE"] == "no card"
    assert sent["FAULT"] == "microphone"
    assert sent["SYSLOG_IDENTIFIER"] == "parley"


@pytest.mark.parametrize("stream", ["1:2", ""])
def test_a_redirected_standard_error_is_not_the_journal(stream: str) -> None:
    """`parley run 2>file` under systemd: JOURNAL_STREAM is inherited and wrong."""
    journal.set_up({"JOURNAL_STREAM": stream})
    assert not isinstance(handler(), JournalHandler)


def test_a_standard_error_without_a_file_is_not_the_journal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where standard error was replaced by something that is no file."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    journal.set_up({"JOURNAL_STREAM": "1:2"})
    assert not isinstance(handler(), JournalHandler)


SECRET = "my doctor said"

CONVERSATION = [
    PublicEvent(EventName.WAKE, 1.0, {"word": "hey_jarvis", "score": 0.983}),
    PublicEvent(EventName.STATE, 1.0, {"from": "idle", "to": "connecting", "reason": "wake word"}),
    session("opening", 1.0, model="m"),
    PublicEvent(EventName.ACTIVITY, 1.1, {"what": "started"}),
    PublicEvent(EventName.UPLINK, 1.8, {"what": "started", "frames": 0, "bytes": 0}),
    session("opened", 1.8, latency_ms=812.3, model="m"),
    PublicEvent(
        EventName.STATE, 1.8, {"from": "connecting", "to": "listening", "reason": "session opened"}
    ),
    PublicEvent(EventName.TRANSCRIPT, 2.0, {"who": "user", "text": SECRET, "final": False}),
    PublicEvent(
        EventName.STATE, 2.5, {"from": "listening", "to": "thinking", "reason": "speech ended"}
    ),
    PublicEvent(EventName.TOOL, 2.6, {"what": "called", "name": "light_on"}),
    PublicEvent(EventName.TRANSCRIPT, 2.8, {"who": "user", "text": SECRET, "final": True}),
    reply("started", 1, 0, 3.0),
    reply("first_sound", 1, 0, 3.1),
    PublicEvent(
        EventName.STATE, 3.0, {"from": "thinking", "to": "speaking", "reason": "reply started"}
    ),
    PublicEvent(EventName.TRANSCRIPT, 4.0, {"who": "model", "text": "see a doctor", "final": True}),
    PublicEvent(EventName.USAGE, 4.0, {"turn": 1, "total": 40}),
    reply("drained", 1, 3240, 6.3),
    PublicEvent(
        EventName.STATE, 6.3, {"from": "speaking", "to": "listening", "reason": "reply heard"}
    ),
    PublicEvent(
        EventName.STATE, 12.3, {"from": "listening", "to": "idle", "reason": "nothing more came"}
    ),
    PublicEvent(EventName.FAULT, 13.0, {"kind": "lights", "message": "x", "fatal": False}),
    session("closed", 132.3, reason="idle"),
]


def told(
    caplog: pytest.LogCaptureFixture, *events: PublicEvent, transcripts: bool = False
) -> list[str]:
    with caplog.at_level(logging.INFO, "device.service.journal"):
        for event in events:
            story.tell(event, transcripts=transcripts)
    return [record.getMessage() for record in caplog.records]


def test_a_conversation_is_about_eight_lines(caplog: pytest.LogCaptureFixture) -> None:
    """They read as what happened."""
    assert told(caplog, *CONVERSATION) == [
        "heard hey_jarvis (0.98)",
        "session opened in 812 ms (m)",
        "tool light_on called",
        "answered for 3.2 s",
        "listening (reply heard)",
        "idle (nothing more came)",
        "session closed: idle",
    ]


def test_what_was_said_is_in_no_line_and_in_no_field(caplog: pytest.LogCaptureFixture) -> None:
    """Unless the owner asked for it."""
    told(caplog, *CONVERSATION)
    assert "doctor" not in repr([record.__dict__ for record in caplog.records])


def test_with_permission_whole_transcripts_are_written(caplog: pytest.LogCaptureFixture) -> None:
    """Whole ones, not the fragments; in the line, not in the fields."""
    lines = told(caplog, *CONVERSATION, transcripts=True)
    assert [line for line in lines if "doctor" in line] == [
        f"user: {SECRET}",
        "model: see a doctor",
    ]
    fields = [
        value
        for record in caplog.records
        for name, value in record.__dict__.items()
        if name.startswith("PARLEY_")
    ]
    assert "doctor" not in repr(fields)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (PublicEvent(EventName.BUTTON, 0, {"gesture": "long_hold"}), "button: long hold"),
        (PublicEvent(EventName.BUTTON, 0, {"gesture": "tap"}), "button: tap"),
        (session("resumed", 0, latency_ms=90.0, model="m"), "session resumed in 90 ms (m)"),
        (session("failed", 0, reason="no quota", model="m"), "session failed: no quota"),
        (
            PublicEvent(EventName.WAKE, 0, {"word": "alexa", "score": 0.9, "persona": "puck"}),
            "heard alexa (0.90): puck answers",
        ),
        (
            session("opened", 0, latency_ms=90.0, model="m", persona="puck"),
            "session of puck opened in 90 ms (m)",
        ),
        (session("closed", 0, reason="idle", persona="puck"), "session of puck closed: idle"),
        (
            PublicEvent(EventName.GO_AWAY, 0, {"time_left_s": 4.5}),
            "the server ends this connection in 4.5 s",
        ),
        (
            session("opening", 0, reason="no network"),
            "connection lost, trying again: no network",
        ),
        (
            PublicEvent(EventName.REPEATED, 0, {"frames": 60, "bytes": 38_400}),
            "1.2 s without an answer go up again",
        ),
        (
            PublicEvent(EventName.DROPPED, 0, {"frames": 150, "bytes": 96_000}),
            "3.0 s found no room and are lost",
        ),
        (
            PublicEvent(EventName.STALL, 0, {"what": "nudged", "reason": "no answer"}),
            "the server keeps silent (no answer): nudged",
        ),
        (reply("interrupted", 2, 340, 0), "interrupted after 0.3 s"),
        (
            PublicEvent(EventName.STATE, 0, {"from": "idle", "to": "muted", "reason": "mute"}),
            "muted (mute)",
        ),
    ],
)
def test_the_other_lines(caplog: pytest.LogCaptureFixture, event: PublicEvent, line: str) -> None:
    """What does not happen in every conversation."""
    assert told(caplog, event) == [line]


def test_lines_can_be_searched_by_fields(caplog: pytest.LogCaptureFixture) -> None:
    """`journalctl EVENT=session PARLEY_WHAT=opened`; what is null is left out."""
    told(caplog, session("opened", 0, latency_ms=812.3, model="m"))
    (record,) = caplog.records
    fields = {name: value for name, value in record.__dict__.items() if name.isupper()}
    assert fields == {
        "EVENT": "session",
        "PARLEY_WHAT": "opened",
        "PARLEY_LATENCY_MS": "812.3",
        "PARLEY_MODEL": "m",
    }


@pytest.mark.parametrize("gesture", ["press", "release"])
def test_the_ends_of_a_gesture_are_no_line_of_their_own(
    caplog: pytest.LogCaptureFixture, gesture: str
) -> None:
    """Eight lines a conversation."""
    caplog.set_level(logging.INFO)
    story.tell(PublicEvent(EventName.BUTTON, 0, {"gesture": gesture}), transcripts=False)
    assert caplog.records == []
