"""What a session tells becomes events, faults, and a reply: only the turn that may play."""

from __future__ import annotations

from typing import cast

import pytest

from device.assistant.output import Mouth
from device.assistant.sessions import Answering, Calling
from device.config import parse
from device.conversation import states as v
from device.conversation.machine import step
from device.conversation.states import Conversation, Event, State
from device.errors import AudioDeviceError
from device.events import EventBus, PublicEvent
from device.faults import Faults, Troubles
from device.news import (
    Failure,
    FailureKind,
    HandleChanged,
    Interrupted,
    ModelReplaced,
    News,
    Pressed,
    Reconnecting,
    ReplyAudio,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    TurnComplete,
)
from tests.rig.fakes import FakeSpeaker

PCM = b"\1\0\2\0"
MODEL = "some-model"
BROKEN = Failure(FailureKind.NETWORK, "the server cannot be reached", retryable=True)


class FakeCalling:
    """Remembers what is to be remembered and what is to be forgotten."""

    def __init__(self) -> None:
        self.remembered = 0
        self.forgotten: list[int] = []

    def remember(self) -> None:
        self.remembered += 1

    def forget(self, number: int) -> None:
        self.forgotten.append(number)


class Talk:
    """A conversation that somebody has just asked something."""

    def __init__(self, state: State = State.THINKING) -> None:
        self.now = Conversation(state, rest=State.IDLE, session=1, sessions=1)
        self.happened: list[Event] = []
        self.events: list[PublicEvent] = []
        self.speaker = FakeSpeaker()
        self.calling = FakeCalling()
        bus = EventBus(self.events.append)
        self.faults = Faults(bus)
        config = parse(f"live: {{model: {MODEL}}}", "test.yaml")
        self.answering = Answering(
            bus,
            cast("Calling", self.calling),
            Troubles(self.faults, bus, lambda: None),
            Mouth(self.speaker, self._lost, lambda: None),
            lambda: config,
            lambda: self.now,
            self.happen,
        )

    def _lost(self, error: AudioDeviceError) -> None:
        raise error

    def happen(self, event: Event) -> None:
        self.happened.append(event)
        self.now, _ = step(self.now, event)

    def chunk(self, turn: int, pcm: bytes = PCM, session: int = 1) -> None:
        self.answering.take(ReplyAudio(session, turn, pcm, 12.5))

    @property
    def started(self) -> list[int]:
        """The turns whose beginning the owner was told of."""
        return [event.fields["turn"] for event in self.events if event.event == "reply"]

    @property
    def faulty(self) -> list[str]:
        return [fault.kind for fault in self.faults.active]


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_the_first_chunk_starts_the_reply_and_all_are_played(talk: Talk) -> None:
    """The conversation hears of the first only; the owner when it came."""
    for pcm in (b"\1\0", b"\2\0", b"\3\0"):
        talk.chunk(1, pcm)
    assert talk.happened == [v.ReplyStarted(1, 1)]
    assert talk.now.state is State.SPEAKING
    assert talk.speaker.played == [(1, b"\1\0"), (1, b"\2\0"), (1, b"\3\0")]
    [event] = talk.events
    assert (event.event, event.time) == ("reply", 12.5)
    assert event.fields["what"] == "started"


def test_the_next_turn_is_told_again(talk: Talk) -> None:
    """A reply may have several."""
    talk.chunk(1)
    talk.happen(v.TurnEnded(1, 1))
    talk.chunk(2)
    assert talk.started == [1, 2]
    assert talk.speaker.played == [(1, PCM), (2, PCM)]


def test_what_was_cut_short_does_not_play(talk: Talk) -> None:
    """What still arrives of it is dropped here, and nobody hears of it."""
    talk.chunk(1)
    talk.happen(v.Stop())
    talk.happened.clear()
    talk.chunk(1)
    assert talk.happened == []
    assert talk.speaker.played == [(1, PCM)]
    assert talk.started == [1]


def test_a_reply_nobody_waits_for_does_not_play() -> None:
    """The conversation is over: it takes no turn, and none is told."""
    talk = Talk(State.IDLE)
    talk.chunk(1)
    assert talk.speaker.played == []
    assert talk.started == []
    assert talk.now.turn == 0


def test_a_reply_of_another_session_does_not_play(talk: Talk) -> None:
    """It was closed, and its last words are still on their way."""
    talk.chunk(1, session=7)
    assert talk.speaker.played == []
    assert talk.started == []


def test_after_it_ran_dry_the_next_chunk_is_told_like_the_first(talk: Talk) -> None:
    """To the conversation, which waits for it; to the owner the turn began only once."""
    talk.chunk(1)
    talk.answering.starved(1)
    assert talk.happened[-1] == v.Starved(1)
    talk.chunk(1)
    talk.chunk(1)
    assert talk.happened == [v.ReplyStarted(1, 1), v.Starved(1), v.ReplyStarted(1, 1)]
    assert talk.started == [1]
    assert talk.speaker.played == [(1, PCM)] * 3


# --- what else a session tells --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("news", "event"),
    [
        (SessionOpened(1, 800.0, MODEL, False, 12.5), v.Opened(1)),
        (Reconnecting(1, BROKEN, 12.5), v.Away(1)),
        (SessionClosed(1, "", 12.5), v.Closed(1)),
        (SessionFailed(1, BROKEN, MODEL, 12.5), v.Failed(1)),
        (Interrupted(1, 3, 12.5), v.Interrupted(1, 3)),
        (TurnComplete(1, 3, 12.5), v.TurnEnded(1, 3)),
    ],
)
def test_news_become_events_of_the_conversation(talk: Talk, news: News, event: Event) -> None:
    """One for each, in its own words."""
    talk.answering.take(news)
    assert talk.happened == [event]


def test_other_news_is_none_of_its_business(talk: Talk) -> None:
    """A press is not of a session."""
    talk.answering.take(Pressed("tap", 12.5))
    assert talk.happened == []
    assert talk.events == []


def test_a_handle_that_changed_is_kept(talk: Talk) -> None:
    """Beyond the process; the conversation need not know."""
    talk.answering.take(HandleChanged(1, "some-handle", MODEL, 12.5))
    assert talk.calling.remembered == 1
    assert talk.happened == []


@pytest.mark.parametrize(
    "news", [SessionClosed(1, "", 12.5), SessionFailed(1, BROKEN, MODEL, 12.5)]
)
def test_a_session_that_is_over_is_forgotten(talk: Talk, news: News) -> None:
    """Before the conversation decides what comes next."""
    talk.answering.take(news)
    assert talk.calling.forgotten == [1]


@pytest.mark.parametrize(
    "news", [Reconnecting(1, BROKEN, 12.5), SessionFailed(1, BROKEN, MODEL, 12.5)]
)
def test_a_failure_is_a_fault_while_somebody_talks(talk: Talk, news: News) -> None:
    """Until a session works again."""
    talk.answering.take(news)
    assert talk.faulty == [FailureKind.NETWORK]
    talk.answering.take(SessionOpened(1, 800.0, MODEL, True, 12.5))
    assert talk.faulty == []


@pytest.mark.parametrize(("state", "session"), [(State.IDLE, 1), (State.THINKING, 7)])
def test_a_failure_nobody_notices_is_none(state: State, session: int) -> None:
    """A session that was kept, or one of long ago: the next wake word opens another."""
    talk = Talk(state)
    talk.answering.take(SessionFailed(session, BROKEN, MODEL, 12.5))
    assert talk.faulty == []


def test_a_model_that_was_replaced_is_told_until_the_configured_one_answers(talk: Talk) -> None:
    """It does answer, so it is no reason to stop."""
    talk.answering.take(ModelReplaced(1, MODEL, "another-model", 12.5))
    told = []
    for model in ("another-model", MODEL):
        talk.answering.take(SessionOpened(1, 800.0, model, False, 12.5))
        told.append(len(talk.faulty))
    assert told == [1, 0]
