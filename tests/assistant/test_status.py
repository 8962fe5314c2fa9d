"""The status never claims what is not so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from device.assistant.input import Input
from device.assistant.settings import Settings
from device.assistant.status import SignsOfLife, headline
from device.assistant.talk import Talk
from device.assistant.wake_word import WakeWord
from device.config import Config
from device.conversation.states import Conversation, State
from device.events import EventBus
from device.faults import Faults
from device.frames import Frame
from device.news import News
from tests.rig.fakes import FakeDetector, FakeMicrophone, frame
from tests.timers.test_alarm_clock import Speaker as Clock


@dataclass
class FakeTalk:
    """Stands where it is put."""

    now: Conversation


class Ear:
    """A microphone and a detector that nobody runs."""

    def __init__(self) -> None:
        self.microphone = FakeMicrophone()
        self.detector = FakeDetector("hey_test", "computer")
        self.input = Input(self.microphone, self._post, self._hear, self._pause)
        self.wake_word = WakeWord(self.detector, Settings(Config()), self._post)

    def _post(self, news: News) -> None:
        raise AssertionError(f"nobody runs here: {news}")

    def _hear(self, frame: Frame) -> None:
        raise AssertionError(f"nobody listens here: {frame}")

    async def _pause(self, _: float) -> bool:
        raise AssertionError("nothing is tried here")


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
            Conversation(State.ONE_SHOT_SPEAKING, State.FAULT),
            "speaking; hears nothing",
        ),
    ],
)
async def test_the_headline_never_claims_to_hear_when_it_does_not(
    talk: Conversation, expected: str
) -> None:
    """`systemctl status` says what it does, what it hears with and what is wrong."""
    ear = Ear()
    faults = Faults(EventBus(lambda _event: None))
    stands = cast("Talk", FakeTalk(talk))
    clock = Clock(None)
    assert headline(stands, ear.input, ear.wake_word, faults, clock.alarm_clock) == expected
    faults.begin("speaker", "no output device")
    faults.begin("lights", "no spi")
    state, hears = expected.split("; ")
    told = headline(stands, ear.input, ear.wake_word, faults, clock.alarm_clock)
    assert told == f"{state}; no output device; no spi; {hears}"
    await clock.alarm_clock.set_timer(60, "a secret")
    clock.clocks.go_on(60)
    clock.alarm_clock.look()
    told = headline(stands, ear.input, ear.wake_word, faults, clock.alarm_clock)
    assert told == f"{state}; timer 1 rings; no output device; no spi; {hears}"


@pytest.mark.parametrize("rest", [State.STARTING, State.IDLE, State.MUTED, State.FAULT])
async def test_only_a_muted_speaker_or_one_with_a_told_fault_may_be_deaf(rest: State) -> None:
    """Also while it answers a typed question; a new part's counters are looked at, not its name."""
    ear, talk = Ear(), FakeTalk(Conversation(State.ONE_SHOT_THINKING, rest))
    signs = SignsOfLife(ear.input, ear.wake_word, cast("Talk", talk))
    assert signs.excused is (rest in {State.MUTED, State.FAULT})
    ear.microphone.counters["frames"] = 7
    ear.detector.feed(frame(0))
    assert signs.counts == (7, 1)
    ear.input.replace(FakeMicrophone("microphone B"))
    ear.wake_word.replace(FakeDetector("other"))
    assert signs.counts == (0, 0)
