"""The status never claims what is not so."""

from __future__ import annotations

import pytest

from device.assistant.input import Ears, Listener
from device.assistant.status import headline
from device.conversation.states import Conversation, State
from device.echo.canceller import Heard
from device.events import EventBus
from device.faults import Faults
from tests.rig.fakes import FakeDetector, FakeMicrophone


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        (
            Conversation(State.IDLE, State.IDLE),
            "idle; hears with microphone A for hey_test or computer",
        ),
        (
            Conversation(State.SPEAKING, State.IDLE),
            "speaking; hears with microphone A for hey_test or computer",
        ),
        (
            Conversation(State.MUTED, State.MUTED),
            "muted; microphone closed",
        ),
        (
            Conversation(State.STARTING, State.STARTING),
            "starting; hears nothing",
        ),
        (
            Conversation(State.ASKED_SPEAKING, State.FAULT),
            "speaking; hears nothing",
        ),
    ],
)
async def test_the_headline_never_claims_to_hear_when_it_does_not(
    talk: Conversation, expected: str
) -> None:
    """`systemctl status` says what it does, what it hears with and what is wrong."""
    listener = Listener(lambda _frame: None, lambda _error: None, lambda: None, lambda: None)
    detector = FakeDetector("hey_test", "computer")
    ears = Ears(FakeMicrophone(), detector, listener, lambda frame: Heard(frame, None, near=False))
    faults = Faults(EventBus(lambda _event: None))
    assert headline(talk, ears, faults) == expected
    faults.begin("speaker", "no output device")
    faults.begin("lights", "no spi")
    state, hears = expected.split("; ")
    assert headline(talk, ears, faults) == f"{state}; no output device; no spi; {hears}"
