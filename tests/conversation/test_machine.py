"""The conversation machine: every state against every event, and random lives of a speaker."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from device.conversation import states as v
from device.conversation.machine import step
from device.conversation.states import HOLDING, PLAYING, RESTING, UPLINK_OPEN, Conversation, State

EVENTS: dict[str, v.Event] = {
    "Wake": v.Wake(1),
    "Tap": v.Tap(),
    "Hold": v.Hold(),
    "Release": v.Release(heard=True),
    "SilentRelease": v.Release(heard=False),
    "Ask": v.Ask("x"),
    "Stop": v.Stop(),
    "Mute": v.Mute(),
    "Unmute": v.Unmute(),
    "MicrophoneLost": v.MicrophoneLost(),
    "MicrophoneBack": v.MicrophoneBack(),
    "SpeechBegan": v.SpeechBegan(),
    "SpeechEnded": v.SpeechEnded(),
    "TalkedOver": v.TalkedOver(),
    "BargedIn": v.BargedIn(1),
    "FellSilent": v.FellSilent(),
    "Opened": v.Opened(1),
    "Away": v.Away(1),
    "Closed": v.Closed(1),
    "Failed": v.Failed(1),
    "Expired": v.Expired(1, "old"),
    "ReplyStarted": v.ReplyStarted(1, 4),
    "Interrupted": v.Interrupted(1, 3),
    "TurnEnded": v.TurnEnded(1, 3),
    "EmptyTurnEnded": v.TurnEnded(1, 4),
    "Sounding": v.Sounding(3),
    "Drained": v.Drained(3),
    "Starved": v.Starved(3),
    "NoAnswer": v.NoAnswer(5),
    "Timeout": v.Timeout(5),
}

# One line per state and event that changes anything: state, event, state then, effects in order.
# What is not listed must leave the conversation exactly as it is.
MATRIX = """
STARTING         Tap            STARTING   Alarm
STARTING         Ask            ASKED_CONNECTING OpenSession SendText
STARTING         Mute           MUTED      rest:MUTED CloseMicrophone
STARTING         MicrophoneLost FAULT      rest:FAULT
STARTING         MicrophoneBack IDLE       rest:IDLE
IDLE             Wake           LISTENING  chime:wake StartUplink timer:first_words
IDLE             Tap            LISTENING  chime:wake StartUplink timer:first_words
IDLE             Ask            ASKED_THINKING SendText timer:reply
IDLE             Mute           MUTED      rest:MUTED CloseMicrophone CloseSession
IDLE             MicrophoneLost FAULT      rest:FAULT timer:keep
IDLE             Closed         IDLE
IDLE             Failed         IDLE
IDLE             Expired        IDLE       CloseSession
IDLE             ReplyStarted   IDLE
IDLE             Interrupted    IDLE
IDLE             Timeout        IDLE       CloseSession
CONNECTING       Tap            IDLE       StopUplink chime:end CloseSession
CONNECTING       Ask            CONNECTING SendText
CONNECTING       Stop           IDLE       StopUplink chime:end CloseSession
CONNECTING       Mute           MUTED      rest:MUTED StopUplink CloseMicrophone CloseSession
CONNECTING       MicrophoneLost FAULT      rest:FAULT StopUplink Alarm CloseSession
CONNECTING       SpeechEnded    CONNECTING_HEARD
CONNECTING       Opened         LISTENING  timer:first_words
CONNECTING       Closed         IDLE       StopUplink chime:end
CONNECTING       Failed         FAULT      StopUplink Alarm timer:fault_shown
CONNECTING       Expired        IDLE       StopUplink chime:end CloseSession
CONNECTING       ReplyStarted   CONNECTING
CONNECTING       Interrupted    CONNECTING
CONNECTING_HEARD Tap            IDLE       StopUplink chime:end CloseSession
CONNECTING_HEARD Ask            CONNECTING_HEARD SendText
CONNECTING_HEARD Stop           IDLE       StopUplink chime:end CloseSession
CONNECTING_HEARD Mute           MUTED      rest:MUTED StopUplink CloseMicrophone CloseSession
CONNECTING_HEARD MicrophoneLost FAULT      rest:FAULT StopUplink Alarm CloseSession
CONNECTING_HEARD SpeechBegan    CONNECTING
CONNECTING_HEARD Opened         THINKING   timer:reply
CONNECTING_HEARD Closed         IDLE       StopUplink chime:end
CONNECTING_HEARD Failed         FAULT      StopUplink Alarm timer:fault_shown
CONNECTING_HEARD Expired        IDLE       StopUplink chime:end CloseSession
CONNECTING_HEARD ReplyStarted   CONNECTING_HEARD
CONNECTING_HEARD Interrupted    CONNECTING_HEARD
LISTENING        Tap            IDLE       StopUplink chime:end timer:keep
LISTENING        Ask            THINKING   SendText timer:reply
LISTENING        Stop           IDLE       StopUplink chime:end timer:keep
LISTENING        Mute           MUTED      rest:MUTED StopUplink CloseMicrophone CloseSession
LISTENING        MicrophoneLost FAULT      rest:FAULT StopUplink Alarm CloseSession
LISTENING        SpeechBegan    LISTENING  timer:max_listen
LISTENING        SpeechEnded    THINKING   timer:reply
LISTENING        Away           CONNECTING
LISTENING        Closed         IDLE       StopUplink chime:end
LISTENING        Failed         FAULT      StopUplink Alarm timer:fault_shown
LISTENING        Expired        IDLE       StopUplink chime:end CloseSession
LISTENING        ReplyStarted   SPEAKING   timer:stall
LISTENING        Interrupted    LISTENING
LISTENING        Timeout        IDLE       StopUplink chime:end timer:keep
THINKING         Wake           LISTENING  chime:wake timer:first_words
THINKING         Tap            IDLE       StopUplink chime:end timer:keep
THINKING         Ask            THINKING   SendText timer:reply
THINKING         Stop           IDLE       StopUplink chime:end timer:keep
THINKING         Mute           MUTED      rest:MUTED StopUplink CloseMicrophone CloseSession
THINKING         MicrophoneLost ASKED_THINKING rest:FAULT StopUplink timer:reply
THINKING         SpeechBegan    LISTENING  timer:max_listen
THINKING         Away           CONNECTING_HEARD
THINKING         Closed         IDLE       StopUplink chime:end
THINKING         Failed         FAULT      StopUplink Alarm timer:fault_shown
THINKING         Expired        IDLE       StopUplink chime:end CloseSession
THINKING         ReplyStarted   SPEAKING   timer:stall
THINKING         Interrupted    THINKING
THINKING         EmptyTurnEnded LISTENING  timer:follow_up
THINKING         NoAnswer       FAULT      StopUplink Alarm CloseSession timer:fault_shown
THINKING         Timeout        IDLE       StopUplink chime:end timer:keep
SPEAKING         Wake           LISTENING  ClearPlayback chime:wake CatchUp timer:first_words
SPEAKING         Tap            LISTENING  ClearPlayback chime:wake timer:first_words
SPEAKING         Ask            THINKING   ClearPlayback SendText timer:reply
SPEAKING         Stop           IDLE       StopUplink ClearPlayback timer:keep
SPEAKING Mute MUTED rest:MUTED StopUplink ClearPlayback CloseMicrophone CloseSession
SPEAKING         MicrophoneLost ASKED_SPEAKING rest:FAULT StopUplink GoOn
SPEAKING         Closed         ASKED_SPEAKING StopUplink EndTurn
SPEAKING         Failed         CUT_OFF    StopUplink EndTurn
SPEAKING         ReplyStarted   SPEAKING
SPEAKING         TalkedOver     SPEAKING   PauseReply
SPEAKING         BargedIn       LISTENING  ClearPlayback CatchUp timer:max_listen
SPEAKING         FellSilent     SPEAKING   GoOn
SPEAKING         Interrupted    LISTENING  ClearPlayback timer:max_listen
SPEAKING         TurnEnded      SPEAKING   EndTurn
SPEAKING         Sounding       SPEAKING
SPEAKING         Drained        LISTENING  timer:follow_up
SPEAKING         Starved        SPEAKING   timer:stall
SPEAKING NoAnswer FAULT StopUplink ClearPlayback Alarm CloseSession timer:fault_shown
SPEAKING         Timeout        IDLE       StopUplink ClearPlayback timer:keep
HOLDING_CONNECTING Release     ASKED_CONNECTING EndHeld
HOLDING_CONNECTING SilentRelease IDLE  StopUplink chime:end CloseSession
HOLDING_CONNECTING Ask         HOLDING_CONNECTING SendText
HOLDING_CONNECTING Stop        IDLE       StopUplink chime:end CloseSession
HOLDING_CONNECTING Mute MUTED rest:MUTED StopUplink CloseMicrophone CloseSession
HOLDING_CONNECTING MicrophoneLost FAULT rest:FAULT StopUplink Alarm CloseSession
HOLDING_CONNECTING Opened      HOLDING
HOLDING_CONNECTING Closed      IDLE       StopUplink chime:end
HOLDING_CONNECTING Failed      FAULT      StopUplink Alarm timer:fault_shown
HOLDING_CONNECTING Expired     IDLE       StopUplink chime:end CloseSession
HOLDING_CONNECTING ReplyStarted HOLDING_CONNECTING
HOLDING_CONNECTING Interrupted HOLDING_CONNECTING
HOLDING          Release        ASKED_THINKING EndHeld timer:reply
HOLDING          SilentRelease  IDLE       StopUplink chime:end timer:keep
HOLDING          Ask            HOLDING    SendText
HOLDING          Stop           IDLE       StopUplink chime:end CloseSession
HOLDING          Mute           MUTED      rest:MUTED StopUplink CloseMicrophone CloseSession
HOLDING          MicrophoneLost FAULT      rest:FAULT StopUplink Alarm CloseSession
HOLDING          Away           HOLDING_CONNECTING
HOLDING          Closed         IDLE       StopUplink chime:end
HOLDING          Failed         FAULT      StopUplink Alarm timer:fault_shown
HOLDING          Expired        IDLE       StopUplink chime:end CloseSession
HOLDING          ReplyStarted   HOLDING
HOLDING          Interrupted    HOLDING
IDLE             Hold           HOLDING    BeginHeld chime:wake StartUplink
CONNECTING       Hold           HOLDING_CONNECTING BeginHeld
CONNECTING_HEARD Hold           HOLDING_CONNECTING BeginHeld
LISTENING        Hold           HOLDING    BeginHeld
THINKING         Hold           HOLDING    BeginHeld
SPEAKING         Hold           HOLDING    ClearPlayback BeginHeld chime:wake
CUT_OFF Hold HOLDING_CONNECTING ClearPlayback OpenSession BeginHeld chime:wake StartUplink
ASKED_CONNECTING Hold           HOLDING_CONNECTING BeginHeld StartUplink
ASKED_THINKING   Hold           HOLDING    BeginHeld StartUplink
ASKED_SPEAKING   Hold           HOLDING    ClearPlayback BeginHeld chime:wake StartUplink
FAULT            Hold           HOLDING_CONNECTING OpenSession BeginHeld chime:wake StartUplink
MUTED            Release        MUTED      chime:error
MUTED            SilentRelease  MUTED      chime:error
STARTING         Release        STARTING   Alarm
STARTING         SilentRelease  STARTING   Alarm
CUT_OFF          Wake           CONNECTING ClearPlayback OpenSession chime:wake StartUplink
CUT_OFF          Tap            CONNECTING ClearPlayback OpenSession chime:wake StartUplink
CUT_OFF          Ask            ASKED_CONNECTING ClearPlayback OpenSession SendText
CUT_OFF          Stop           IDLE       ClearPlayback
CUT_OFF          Mute           MUTED      rest:MUTED ClearPlayback CloseMicrophone
CUT_OFF          MicrophoneLost CUT_OFF    rest:FAULT GoOn
CUT_OFF          TalkedOver     CUT_OFF    PauseReply
CUT_OFF          BargedIn       IDLE       ClearPlayback
CUT_OFF          FellSilent     CUT_OFF    GoOn
CUT_OFF          Drained        FAULT      Alarm timer:fault_shown
CUT_OFF          Timeout        IDLE       ClearPlayback
ASKED_CONNECTING Wake           CONNECTING chime:wake StartUplink
ASKED_CONNECTING Tap            CONNECTING chime:wake StartUplink
ASKED_CONNECTING Ask            ASKED_CONNECTING SendText
ASKED_CONNECTING Stop           IDLE       chime:end CloseSession
ASKED_CONNECTING Mute           MUTED      rest:MUTED CloseMicrophone CloseSession
ASKED_CONNECTING MicrophoneLost ASKED_CONNECTING rest:FAULT
ASKED_CONNECTING Opened         ASKED_THINKING timer:reply
ASKED_CONNECTING Closed         IDLE       chime:end
ASKED_CONNECTING Failed         FAULT      Alarm timer:fault_shown
ASKED_CONNECTING Expired        IDLE       chime:end CloseSession
ASKED_CONNECTING ReplyStarted   ASKED_CONNECTING
ASKED_CONNECTING Interrupted    ASKED_CONNECTING
ASKED_THINKING   Wake           LISTENING  chime:wake StartUplink timer:first_words
ASKED_THINKING   Tap            IDLE       timer:keep
ASKED_THINKING   Ask            ASKED_THINKING SendText timer:reply
ASKED_THINKING   Stop           IDLE       timer:keep
ASKED_THINKING   Mute           MUTED      rest:MUTED CloseMicrophone CloseSession
ASKED_THINKING   MicrophoneLost ASKED_THINKING rest:FAULT
ASKED_THINKING   Away           ASKED_CONNECTING
ASKED_THINKING   Closed         IDLE       chime:end
ASKED_THINKING   Failed         FAULT      Alarm timer:fault_shown
ASKED_THINKING   Expired        IDLE       chime:end CloseSession
ASKED_THINKING   ReplyStarted   ASKED_SPEAKING timer:stall
ASKED_THINKING   Interrupted    ASKED_THINKING
ASKED_THINKING   EmptyTurnEnded IDLE       timer:keep
ASKED_THINKING   NoAnswer       FAULT      Alarm CloseSession timer:fault_shown
ASKED_THINKING   Timeout        IDLE       timer:keep
ASKED_SPEAKING   Wake           LISTENING  ClearPlayback chime:wake StartUplink timer:first_words
ASKED_SPEAKING   Tap            LISTENING  ClearPlayback chime:wake StartUplink timer:first_words
ASKED_SPEAKING   Ask            ASKED_THINKING ClearPlayback SendText timer:reply
ASKED_SPEAKING   Stop           IDLE       ClearPlayback timer:keep
ASKED_SPEAKING   Mute           MUTED      rest:MUTED ClearPlayback CloseMicrophone CloseSession
ASKED_SPEAKING   MicrophoneLost ASKED_SPEAKING rest:FAULT GoOn
ASKED_SPEAKING   Closed         ASKED_SPEAKING EndTurn
ASKED_SPEAKING   Failed         CUT_OFF    EndTurn
ASKED_SPEAKING   ReplyStarted   ASKED_SPEAKING
ASKED_SPEAKING   TalkedOver     ASKED_SPEAKING PauseReply
ASKED_SPEAKING   BargedIn       IDLE       ClearPlayback timer:keep
ASKED_SPEAKING   FellSilent     ASKED_SPEAKING GoOn
ASKED_SPEAKING   Interrupted    ASKED_THINKING ClearPlayback timer:reply
ASKED_SPEAKING   TurnEnded      ASKED_SPEAKING EndTurn
ASKED_SPEAKING   Sounding       ASKED_SPEAKING
ASKED_SPEAKING   Drained        IDLE       timer:keep
ASKED_SPEAKING   Starved        ASKED_SPEAKING timer:stall
ASKED_SPEAKING   NoAnswer       FAULT      ClearPlayback Alarm CloseSession timer:fault_shown
ASKED_SPEAKING   Timeout        IDLE       ClearPlayback timer:keep
MUTED            Tap            MUTED      chime:error
MUTED            Ask            ASKED_THINKING SendText timer:reply
MUTED            Unmute         STARTING   rest:STARTING OpenMicrophone timer:keep
MUTED            Closed         MUTED
MUTED            Failed         MUTED
MUTED            Expired        MUTED      CloseSession
MUTED            ReplyStarted   MUTED
MUTED            Interrupted    MUTED
MUTED            Timeout        MUTED      CloseSession
FAULT            Wake           CONNECTING OpenSession chime:wake StartUplink
FAULT            Tap            CONNECTING OpenSession chime:wake StartUplink
FAULT            Ask            ASKED_CONNECTING OpenSession SendText
FAULT            Stop           IDLE
FAULT            Mute           MUTED      rest:MUTED CloseMicrophone
FAULT            MicrophoneLost FAULT      rest:FAULT
FAULT            Timeout        IDLE
"""


def conversation_in(state: State) -> Conversation:
    """A conversation that got to `state` with session 1, playing turn 3, its timer number 5."""
    rests = {State.MUTED: State.MUTED, State.STARTING: State.STARTING}
    without_session = {State.CUT_OFF, State.FAULT, State.STARTING}
    session = 0 if state in without_session else 1
    return Conversation(state, rests.get(state, State.IDLE), session, 1, 3, 2, 5)


def shown(effect: v.Effect) -> str:
    match effect:
        case v.Chime(name):
            return f"chime:{name}"
        case v.StartTimer(timer):
            return f"timer:{timer}"
    return type(effect).__name__


def cells() -> dict[tuple[State, str], tuple[State, list[str]]]:
    lines = [line.split() for line in MATRIX.strip().splitlines()]
    return {(State[a], event): (State[b], effects) for a, event, b, *effects in lines}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", State)
def test_matrix(state: State, event: str) -> None:
    """Every event in every state leads where the table says, with just those effects, in order."""
    before = conversation_in(state)
    after, effects = step(before, EVENTS[event])
    expected_state, expected = cells().get((state, event), (state, []))
    rest = [] if after.rest is before.rest else [f"rest:{after.rest.name}"]
    assert after.state is expected_state
    assert [*rest, *map(shown, effects)] == expected
    if (state, event) not in cells():
        assert after == before


STALE: list[v.Event] = [
    v.Opened(9),
    v.Away(9),
    v.Closed(9),
    v.Failed(9),
    v.Expired(9, "old"),
    v.ReplyStarted(9, 4),
    v.ReplyStarted(1, 2),
    v.Interrupted(9, 3),
    v.Interrupted(1, 2),
    v.TurnEnded(9, 3),
    v.TurnEnded(1, 2),
    v.Drained(2),
    v.Starved(2),
    v.Sounding(2),
    v.NoAnswer(4),
    v.Timeout(4),
]


@pytest.mark.parametrize("event", STALE, ids=str)
@pytest.mark.parametrize("state", State)
def test_stale_news_changes_nothing(state: State, event: v.Event) -> None:
    """News of another session, a turn that was cut or an older timer is dropped by its number."""
    before = conversation_in(state)
    assert step(before, event) == (before, ())


def test_the_wake_word_says_where_its_pre_roll_ends() -> None:
    """The uplink begins before the wake word; for a button it begins before now."""
    _, by_word = step(conversation_in(State.IDLE), v.Wake(48_000))
    _, by_button = step(conversation_in(State.IDLE), v.Tap())
    assert v.StartUplink(48_000) in by_word
    assert v.StartUplink(None) in by_button


def test_a_new_session_exists_before_audio_is_sent_to_it() -> None:
    """Without a kept session the wake word opens one first, under the next number."""
    idle = replace(conversation_in(State.IDLE), session=0)
    after, effects = step(idle, v.Wake(48_000))
    assert after.state is State.CONNECTING
    assert after.session == 2
    kinds = [type(effect) for effect in effects]
    assert kinds.index(v.OpenSession) < kinds.index(v.StartUplink)


@pytest.mark.parametrize("rest", [State.MUTED, State.FAULT, State.STARTING])
def test_a_typed_question_is_answered_without_a_microphone(rest: State) -> None:
    """Muted or deaf, the speaker answers a typed question and returns to where it was."""
    c = replace(conversation_in(State.MUTED), state=rest, rest=rest, session=0)
    for event in (
        v.Ask("x"),
        v.Opened(2),
        v.ReplyStarted(2, 4),
        v.TurnEnded(2, 4),
        v.Drained(4),
    ):
        c, effects = step(c, event)
        assert not any(isinstance(effect, v.StartUplink) for effect in effects)
    assert c.state is rest


@pytest.mark.parametrize("state", [State.ASKED_CONNECTING, State.ASKED_SPEAKING, State.CUT_OFF])
def test_a_muted_speaker_does_not_begin_to_listen_at_a_tap(state: State) -> None:
    """A tap during a typed question's answer dismisses it when there is nothing to listen with."""
    c = replace(conversation_in(state), rest=State.MUTED)
    after, effects = step(c, v.Tap())
    assert after.state is State.MUTED
    assert not any(isinstance(effect, v.StartUplink) for effect in effects)


@pytest.mark.parametrize("rest", [State.MUTED, State.FAULT, State.STARTING])
def test_a_deaf_speaker_does_not_listen_to_who_holds_the_button(rest: State) -> None:
    """It says so when the button is released, as it does at a tap."""
    deaf = replace(conversation_in(State.IDLE), state=rest, rest=rest)
    held, effects = step(deaf, v.Hold())
    assert (held, effects) == (deaf, ())
    _, told = step(held, v.Release(heard=False))
    assert told == ((v.Chime("error"),) if rest is State.MUTED else (v.Alarm(),))


def test_a_lost_microphone_is_no_news_to_a_muted_speaker() -> None:
    """Muted stays muted, whatever the microphone does."""
    c = conversation_in(State.MUTED)
    assert step(c, v.MicrophoneLost()) == (c, ())


def test_a_fault_without_microphone_stays_until_it_is_back() -> None:
    """Time does not heal a missing microphone; its kept session is let go."""
    deaf = replace(conversation_in(State.FAULT), rest=State.FAULT, session=1)
    after, effects = step(deaf, v.Timeout(5))
    assert (after.state, after.session) == (State.FAULT, 0)
    assert effects == (v.CloseSession(1, "idle"),)
    assert step(after, v.Tap()) == (after, (v.Alarm(),))
    assert step(after, v.MicrophoneBack())[0].state is State.IDLE


def test_a_question_typed_over_a_reply_without_session_opens_another() -> None:
    """The server closed in good order while its reply still plays: asking again needs a session."""
    c = replace(conversation_in(State.ASKED_SPEAKING), session=0)
    after, effects = step(c, v.Ask("x"))
    assert after.state is State.ASKED_CONNECTING
    assert effects == (v.ClearPlayback(3), v.OpenSession(2), v.SendText("x"))


def test_an_interruption_of_the_next_turn_silences_the_one_that_still_plays() -> None:
    """The server may already be a turn ahead of what the user hears."""
    after, effects = step(conversation_in(State.SPEAKING), v.Interrupted(1, 4))
    assert after.state is State.LISTENING
    assert after.cut == 4
    assert any(isinstance(effect, v.ClearPlayback) for effect in effects)


def test_labels_and_patterns_are_public_names() -> None:
    """Inner states show under the names of the event contract."""
    public = {"starting", "idle", "connecting", "listening", "thinking", "speaking", "muted"}
    assert {state.label for state in State} == public | {"fault"}
    assert set(v.PATTERNS) == set(State)
    assert set(v.REASONS) == {type(event) for event in EVENTS.values()}


class Life(RuleBasedStateMachine):
    """A random life: any event at any time, with numbers that are current or stale."""

    def __init__(self) -> None:
        super().__init__()
        self.c = Conversation()
        self.uplink = False
        self.held = False
        self.microphone = True
        self.sessions: set[int] = set()
        self.playing: int | None = None
        self.timer: int | None = None
        self.newest_turn = 0

    def happen(self, event: v.Event) -> None:
        self.c, effects = step(self.c, event)
        for effect in effects:
            self.carry_out(effect)
        for gone in (v.Closed, v.Failed):
            if isinstance(event, gone):
                self.sessions.discard(event.session)

    def carry_out(self, effect: v.Effect) -> None:
        match effect:
            case v.OpenSession(number):
                assert not self.sessions, "two sessions at once"
                self.sessions.add(number)
            case v.CloseSession(number):
                assert number in self.sessions
                self.sessions.remove(number)
            case v.StartUplink():
                assert not self.uplink
                assert self.sessions, "audio without a session"
                assert self.microphone, "audio without a microphone"
                self.uplink = True
            case v.CatchUp():
                assert self.uplink
            case v.StopUplink() | v.EndHeld():
                assert self.uplink
                self.uplink = self.held = False
            case v.BeginHeld():
                assert not self.held, "held twice"
                assert self.sessions, "held without a session"
                self.held = True
            case v.SendText():
                assert self.sessions, "text without a session"
            case v.OpenMicrophone():
                assert not self.microphone
                self.microphone = True
            case v.CloseMicrophone():
                assert self.microphone
                self.microphone = False
            case v.StartTimer(_, clock):
                assert clock == self.c.clock
                self.timer = clock

    @rule(event=st.sampled_from([v.Wake(100), v.Tap(), v.Ask("x"), v.Stop(), v.Mute(), v.Unmute()]))
    def person(self, event: v.Event) -> None:
        if not (isinstance(event, v.Wake) and not self.microphone):
            self.happen(event)

    @rule(event=st.sampled_from([v.Hold(), v.Release(heard=True), v.Release(heard=False)]))
    def finger(self, event: v.Event) -> None:
        self.happen(event)

    @rule(event=st.sampled_from([v.MicrophoneLost(), v.MicrophoneBack(), v.SpeechBegan()]))
    def microphone_news(self, event: v.Event) -> None:
        self.happen(event)

    @rule()
    def speech_ended(self) -> None:
        self.happen(v.SpeechEnded())

    @precondition(lambda self: self.sessions)
    @rule(kind=st.sampled_from([v.Opened, v.Away, v.Closed, v.Failed]))
    def session_news(self, kind: type[v.Opened | v.Away | v.Closed | v.Failed]) -> None:
        self.happen(kind(max(self.sessions)))

    @precondition(lambda self: self.sessions)
    @rule()
    def expired(self) -> None:
        self.happen(v.Expired(max(self.sessions), "old"))

    @precondition(lambda self: self.sessions)
    @rule(
        kind=st.sampled_from([v.ReplyStarted, v.Interrupted, v.TurnEnded]),
        ahead=st.integers(-1, 1),
    )
    def reply_news(
        self, kind: type[v.ReplyStarted | v.Interrupted | v.TurnEnded], ahead: int
    ) -> None:
        turn = max(1, self.newest_turn + ahead)
        self.newest_turn = max(turn, self.newest_turn)
        self.happen(kind(max(self.sessions), turn))

    @rule(kind=st.sampled_from([v.Drained, v.Starved, v.Sounding]))
    def speaker_news(self, kind: type[v.Drained | v.Starved | v.Sounding]) -> None:
        self.happen(kind(self.c.turn))

    @precondition(lambda self: self.timer is not None)
    @rule(kind=st.sampled_from([v.Timeout, v.NoAnswer]))
    def timeout(self, kind: type[v.Timeout | v.NoAnswer]) -> None:
        assert self.timer is not None
        clock, self.timer = self.timer, None
        self.happen(kind(clock))
        if self.c.clock == clock and self.timer is None:
            # News that did not apply leaves the timer to its other meaning.
            self.happen(v.Timeout(clock))

    @invariant()
    def uplink_follows_the_state(self) -> None:
        assert self.uplink == (self.c.state in UPLINK_OPEN)

    @invariant()
    def every_hold_ends(self) -> None:
        assert self.held == (self.c.state in HOLDING)

    @invariant()
    def session_is_the_one_that_is_open(self) -> None:
        assert self.sessions == ({self.c.session} if self.c.session else set())

    @invariant()
    def muted_means_deaf(self) -> None:
        assert self.microphone == (self.c.rest is not State.MUTED)
        if self.c.rest is not State.IDLE:
            assert self.c.state not in UPLINK_OPEN

    @invariant()
    def what_was_cut_never_plays(self) -> None:
        if self.c.state in PLAYING:
            assert self.c.turn > self.c.cut

    @invariant()
    def nothing_waits_for_ever(self) -> None:
        waiting = {State.LISTENING, State.THINKING, State.ASKED_THINKING}
        if self.c.state in waiting or (self.c.state in RESTING and self.c.session):
            assert self.timer == self.c.clock

    @invariant()
    def rest_is_a_resting_state(self) -> None:
        assert self.c.rest in RESTING


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestLife = Life.TestCase
