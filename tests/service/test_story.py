"""The journal: one conversation is about eight lines, and never what was said."""

from __future__ import annotations

import logging

import pytest

from device.events import PublicEvent, reply, session
from device.service import story

SECRET = "my doctor said"

CONVERSATION = [
    PublicEvent("wake", 1.0, {"word": "hey_jarvis", "score": 0.983}),
    PublicEvent("state", 1.0, {"from": "idle", "to": "connecting", "reason": "wake word"}),
    session("opening", 1.0, model="m"),
    PublicEvent("activity", 1.1, {"what": "started"}),
    PublicEvent("uplink", 1.8, {"what": "started", "frames": 0, "bytes": 0}),
    session("opened", 1.8, latency_ms=812.3, model="m"),
    PublicEvent(
        "state", 1.8, {"from": "connecting", "to": "listening", "reason": "session opened"}
    ),
    PublicEvent("transcript", 2.0, {"who": "user", "text": SECRET, "final": False}),
    PublicEvent("state", 2.5, {"from": "listening", "to": "thinking", "reason": "speech ended"}),
    PublicEvent("tool", 2.6, {"what": "called", "name": "light_on"}),
    PublicEvent("transcript", 2.8, {"who": "user", "text": SECRET, "final": True}),
    reply("started", 1, 0, 3.0),
    reply("first_sound", 1, 0, 3.1),
    PublicEvent("state", 3.0, {"from": "thinking", "to": "speaking", "reason": "reply started"}),
    PublicEvent("transcript", 4.0, {"who": "model", "text": "see a doctor", "final": True}),
    PublicEvent("usage", 4.0, {"turn": 1, "total": 40}),
    reply("drained", 1, 3240, 6.3),
    PublicEvent("state", 6.3, {"from": "speaking", "to": "listening", "reason": "reply heard"}),
    PublicEvent("state", 12.3, {"from": "listening", "to": "idle", "reason": "nothing more came"}),
    PublicEvent("fault", 13.0, {"kind": "lights", "message": "x", "fatal": False}),
    session("closed", 132.3, reason="idle"),
]


def told(
    caplog: pytest.LogCaptureFixture, *events: PublicEvent, transcripts: bool = False
) -> list[str]:
    with caplog.at_level(logging.INFO, "device.service.story"):
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
        (PublicEvent("button", 0, {"gesture": "long_hold"}), "button: long hold"),
        (PublicEvent("button", 0, {"gesture": "tap"}), "button: tap"),
        (session("resumed", 0, latency_ms=90.0, model="m"), "session resumed in 90 ms (m)"),
        (session("failed", 0, reason="no quota", model="m"), "session failed: no quota"),
        (
            PublicEvent("go_away", 0, {"time_left_s": 4.5}),
            "the server ends this connection in 4.5 s",
        ),
        (
            session("opening", 0, reason="no network"),
            "connection lost, trying again: no network",
        ),
        (
            PublicEvent("repeated", 0, {"frames": 60, "bytes": 38_400}),
            "1.2 s without an answer go up again",
        ),
        (
            PublicEvent("dropped", 0, {"frames": 150, "bytes": 96_000}),
            "3.0 s found no room and are lost",
        ),
        (
            PublicEvent("stall", 0, {"what": "nudged", "reason": "no answer"}),
            "the server keeps silent (no answer): nudged",
        ),
        (reply("interrupted", 2, 340, 0), "interrupted after 0.3 s"),
        (
            PublicEvent("state", 0, {"from": "idle", "to": "muted", "reason": "mute"}),
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
    story.tell(PublicEvent("button", 0, {"gesture": gesture}), transcripts=False)
    assert caplog.records == []
