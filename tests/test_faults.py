"""Faults: told once when they begin, once when they are over."""

from __future__ import annotations

import logging

import pytest

from device.events import EventBus, PublicEvent
from device.faults import Faults, SessionFaults
from device.news import Failure, FailureKind


@pytest.fixture
def events() -> list[PublicEvent]:
    return []


@pytest.fixture
def faults(events: list[PublicEvent]) -> Faults:
    return Faults(EventBus(events.append))


def test_begin_and_clear_are_each_told_once(faults: Faults, events: list[PublicEvent]) -> None:
    """With exactly the fields of the contract."""
    faults.begin("microphone", "no input device", fatal=False)
    faults.begin("microphone", "no input device", fatal=False)
    assert faults.in_force("microphone", "lights")
    faults.clear("lights", "microphone")
    faults.clear("microphone")
    about = {"kind": "microphone", "message": "no input device", "fatal": False}
    assert [event.event for event in events] == ["fault", "fault"]
    assert [event.fields for event in events] == [
        {**about, "cleared": False},
        {**about, "cleared": True},
    ]
    assert events[0].time <= events[1].time
    assert not faults.in_force("microphone", "lights")


def test_another_message_is_another_fault(faults: Faults, events: list[PublicEvent]) -> None:
    """Of one kind the newest is in force; clearing ends it once."""
    faults.begin("microphone", "no input device")
    faults.begin("microphone", "it delivers nothing")
    faults.clear("microphone")
    assert [(event.fields["message"], event.fields["cleared"]) for event in events] == [
        ("no input device", False),
        ("it delivers nothing", False),
        ("it delivers nothing", True),
    ]


def test_the_status_shows_what_is_wrong_and_what_was_last(faults: Faults) -> None:
    """The last fault stays visible after it is over."""
    assert faults.as_dict() == {"active": [], "last": None}
    faults.begin("lights", "no spi")
    faults.begin("key", "no key", fatal=True)
    assert [fault.kind for fault in faults.active] == ["lights", "key"]
    faults.clear("key")
    shown = faults.as_dict()
    assert [fault["kind"] for fault in shown["active"]] == ["lights"]
    last = shown["last"]
    assert 0 <= last.pop("age_s") < 5
    assert last == {"kind": "key", "message": "no key", "fatal": True}


def test_the_journal_has_the_fault_as_a_field(
    faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    """An error when it begins, information when it is over; `FAULT=` to search by."""
    with caplog.at_level(logging.INFO, "device.faults"):
        faults.begin("speaker", "it was pulled out")
        faults.clear("speaker")
    begun, over = caplog.records
    assert (begun.levelno, begun.getMessage()) == (logging.ERROR, "speaker: it was pulled out")
    assert (over.levelno, over.getMessage()) == (logging.INFO, "speaker: fine again")
    assert begun.__dict__["FAULT"] == over.__dict__["FAULT"] == "speaker"


@pytest.mark.parametrize("then", ["met elsewhere", "connected in between", "nothing"])
def test_what_was_met_at_the_token_server_is_over_when_nobody_asks_it(
    faults: Faults, events: list[PublicEvent], then: str
) -> None:
    """The newest of a kind counts: met elsewhere since, it is no matter of the token server."""
    session_faults = SessionFaults(faults, EventBus(events.append), lambda: None)
    lent = Failure(FailureKind.DNS, "no such token server", retryable=True, at_token_server=True)
    elsewhere = Failure(FailureKind.DNS, "no such host", retryable=True)
    session_faults.met(lent)
    if then == "connected in between":
        session_faults.connected("m", "m", "live.model")
        faults.begin(FailureKind.DNS, "told by somebody else")
    elif then == "met elsewhere":
        session_faults.met(elsewhere)
    session_faults.asks_for_no_tokens()
    left = [fault.kind for fault in faults.active]
    assert left == ([] if then == "nothing" else [FailureKind.DNS])
