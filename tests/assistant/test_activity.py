"""Whether the user speaks, how long they did, and what of it the session is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from device.assistant.activity import Activity
from device.assistant.sessions import Sessions
from device.assistant.talk import Talk
from device.assistant.uplink import Uplink
from device.conversation.effects import Entered
from device.conversation.states import TRACK_SPEECH, UPLINK_OPEN, State
from device.events import EventBus, PublicEvent
from device.news import SpeechChanged


@dataclass
class FakeTalk:
    """Stands where it is put."""

    state: State = State.LISTENING

    @property
    def uplink_open(self) -> bool:
        return self.state in UPLINK_OPEN


class FakeSession:
    """Remembers what it was told of the user's speech."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, float]] = []

    def user_speaks(self, speaking: bool, lasted_s: float = 0.0) -> None:
        self.told.append((speaking, lasted_s))


@dataclass
class FakeSessions:
    """Has one session, or none."""

    session: FakeSession | None


@dataclass
class FakeUplink:
    """Sends silence in the microphone's place when it is told so."""

    silenced: bool = False


class User:
    """Somebody who speaks, and what becomes known of it."""

    def __init__(self, state: State = State.LISTENING) -> None:
        self.events: list[PublicEvent] = []
        self.talk = FakeTalk(state)
        self.session = FakeSession()
        self.sessions = FakeSessions(self.session)
        self.uplink = FakeUplink()
        self.activity = Activity(
            EventBus(self.events.append),
            cast("Sessions", self.sessions),
            cast("Talk", self.talk),
            cast("Uplink", self.uplink),
        )

    def speaks(self, speaking: bool, sample: int = 0) -> None:
        self.activity.take(SpeechChanged(speaking, sample, 1.0))

    def goes_to(self, state: State) -> bool:
        """The conversation enters a state; returns whether speech is followed there."""
        before, self.talk.state = self.talk.state, state
        return self.activity.follow(Entered(before, state, "for a test"))


@pytest.fixture
def user() -> User:
    return User()


def test_at_first_nobody_speaks(user: User) -> None:
    """Until speech is detected."""
    assert not user.activity.speaking
    assert user.session.told == []


def test_each_edge_tells_how_long_ago_the_last_one_was(user: User) -> None:
    """In seconds of microphone, so the end tells how long the speech was."""
    told = []
    for speaking, sample in ((True, 48_000), (False, 56_000), (True, 64_000)):
        user.speaks(speaking, sample)
        told.append(user.activity.speaking)
    assert told == [True, False, True]
    assert user.session.told == [(True, 3.0), (False, 0.5), (True, 0.5)]


def test_where_nobody_listens_for_speech_nobody_speaks(user: User) -> None:
    """Whoever was told that it began is told that it ended, once."""
    user.speaks(True, 320)
    assert not user.goes_to(State.IDLE)
    assert not user.activity.speaking
    told = [(event.event, event.fields) for event in user.events]
    assert told == [("activity", {"what": "ended"})]
    user.goes_to(State.LISTENING)
    assert len(user.events) == 1


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("state", State)
def test_speech_is_followed_where_the_table_says(before: State, state: State) -> None:
    """And what was heard of it is forgotten only where that begins or ends."""
    user = User(before)
    user.speaks(True)
    assert user.goes_to(state) is (state in TRACK_SPEECH)
    assert user.activity.speaking is ((state in TRACK_SPEECH) is (before in TRACK_SPEECH))


@pytest.mark.parametrize("state", [each for each in State if each not in UPLINK_OPEN])
def test_nothing_of_it_is_the_sessions_where_the_microphone_does_not_go_up(state: State) -> None:
    """It may silence a reply all the same."""
    user = User(state)
    user.speaks(True)
    user.activity.barged_in()
    assert user.activity.speaking
    assert user.session.told == []


@pytest.mark.parametrize("state", [State.HOLDING_CONNECTING, State.HOLDING])
def test_while_the_button_is_held_that_says_who_speaks(state: State) -> None:
    """Nobody's breath ends the turn."""
    user = User(state)
    user.speaks(True)
    user.activity.addressed()
    user.activity.barged_in()
    assert user.session.told == []


def test_what_is_said_while_silence_goes_up_is_not_the_users_until_they_are_known(
    user: User,
) -> None:
    """It may be our own echo; who says the wake word, or speaks on over the reply, is a person."""
    user.talk.state = State.SPEAKING
    user.uplink.silenced = True
    user.speaks(True, 16_000)
    assert user.session.told.pop() == (False, 1.0)
    user.activity.addressed()
    assert user.session.told.pop() == (True, 0.0)
    user.activity.barged_in()
    assert user.session.told == [(True, 0.0)]


def test_a_wake_word_of_somebody_who_is_silent_again_begins_no_speech(user: User) -> None:
    """It is told a little after its end."""
    user.activity.addressed()
    assert user.session.told == []


def test_a_session_learns_who_speaks_when_the_microphone_opens_and_closes(user: User) -> None:
    """From a typed question's answer, which somebody talks over, to the end of the talk."""
    user.talk.state = State.ONE_SHOT_SPEAKING
    user.speaks(True)
    user.goes_to(State.LISTENING)
    user.goes_to(State.SPEAKING)
    user.goes_to(State.IDLE)
    assert user.session.told == [(True, 0.0), (False, 0.0)]


def test_after_a_held_button_the_session_is_told_by_the_button_alone(user: User) -> None:
    """Its release has ended the turn."""
    user.talk.state = State.HOLDING
    user.speaks(True)
    user.goes_to(State.ONE_SHOT_THINKING)
    assert user.session.told == []


def test_without_a_session_nobody_is_told(user: User) -> None:
    """It has failed; the speech is known all the same."""
    user.sessions.session = None
    user.speaks(True)
    assert user.activity.speaking
