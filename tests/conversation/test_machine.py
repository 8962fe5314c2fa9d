"""The conversation machine: every state against every event, and random lives of a speaker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from device import news as n
from device.conversation import effects as e
from device.conversation.machine import EXPIRED, step
from device.conversation.reasons import NO_ANSWER, REASONS
from device.conversation.states import (
    BUFFERED,
    HOLDING,
    PATTERNS,
    PLAYING,
    RESTING,
    UPLINK_OPEN,
    Conversation,
    State,
)
from device.errors import DeviceTrouble
from device.news import Failure, FailureKind

FAILURE = Failure(FailureKind.NETWORK, "it broke", retryable=True)
EVENTS: dict[str, n.News] = {
    "Detection": n.Detection("hey", 0.9, 1, 1.0, "jarvis"),
    "Another": n.Detection("you", 0.9, 1, 1.0, "puck"),
    "Tap": n.Tap(),
    "Hold": n.Hold(),
    "Release": n.Release(heard=True),
    "SilentRelease": n.Release(heard=False),
    "Ask": n.Ask("x"),
    "AskAnother": n.Ask("x", persona="puck"),
    "Stop": n.Stop(),
    "Mute": n.Mute(),
    "Unmute": n.Unmute(),
    "MicrophoneLost": n.MicrophoneLost(DeviceTrouble.LOST, "gone", 1.0),
    "MicrophoneDelivers": n.MicrophoneDelivers(1.0),
    "SpeechBegan": n.SpeechChanged(True, 1, 1.0),
    "SpeechEnded": n.SpeechChanged(False, 1, 1.0),
    "TalkedOver": n.TalkedOver(1.0, 1.0),
    "BargedIn": n.BargedIn(1, 1.0),
    "FellSilent": n.FellSilent(1.0),
    "SessionOpened": n.SessionOpened(1, 800.0, "model", False, 1.0),
    "Reconnecting": n.Reconnecting(1, FAILURE, 1.0),
    "SessionClosed": n.SessionClosed(1, "asked", 1.0),
    "SessionFailed": n.SessionFailed(1, FAILURE, "model", 1.0),
    "SessionAged": n.SessionAged(1),
    "SettingsChanged": n.SettingsChanged(),
    "PersonasChanged": n.PersonasChanged("puck", frozenset({"jarvis", "puck"})),
    "PersonaGone": n.PersonasChanged("puck", frozenset({"puck"})),
    "FirstChunk": n.ReplyAudio(1, 4, b"44", 1.0),
    "NextChunk": n.ReplyAudio(1, 3, b"33", 1.0),
    "Interrupted": n.Interrupted(1, 3, 1.0),
    "GenerationComplete": n.GenerationComplete(1, 3, 1.0),
    "Unheard": n.Unheard(1, 4, "empty", False, 1.0),
    "StillWaiting": n.StillWaiting(5),
    "Called": n.ToolNews(1, "called", "f", 1.0),
    "Answered": n.ToolNews(1, "answered", "f", 1.0),
    "MoreToCome": n.TurnComplete(1, 4, 1.0, more=True),
    "Leaving": n.Leaving(mutes=False),
    "TurnComplete": n.TurnComplete(1, 3, 1.0),
    "EmptyTurnComplete": n.TurnComplete(1, 4, 1.0),
    "FirstSound": n.FirstSound(3, 1.0),
    "PlaybackDrained": n.PlaybackDrained(3, 900, 1.0),
    "PlaybackStarved": n.PlaybackStarved(3, 1.0),
    "SpendingLimit": n.SpendingLimit(True, 1.0),
    "Rings": n.TimerNews("ringing", 7, "tea", None, "timer", "", 1.0),
    "StopWord": n.StopWord(1, 1.0),
    "NearMiss": n.NearMiss("hey_jarvis", 0.3, 1.0),
    "WakeClip": n.WakeClip("w", 0.3, 0.5, False, False, b"", 0, False, True, {}, 1.0),
    "NoAnswer": n.TimedOut(5, n.Debt.UNDERSTOOD),
    "TimedOut": n.TimedOut(5, n.Debt.NONE),
}

# One line per state and event that changes anything: state, event, state then, effects in order.
# What is not listed must leave the conversation exactly as it is.
MATRIX = """
STARTING         Tap              STARTING      Alarm
STARTING         Ask              ONE_SHOT_CONNECTING OpenSession SendText
STARTING         Mute             MUTED         rest:MUTED CloseMicrophone
STARTING         MicrophoneLost   FAULT         rest:FAULT
STARTING         MicrophoneDelivers IDLE          rest:IDLE
IDLE             Detection        LISTENING     chime:wake StartUplink timer:first_words
IDLE             Tap              LISTENING     chime:wake StartUplink timer:first_words
IDLE             Ask              ONE_SHOT_THINKING SendText timer:reply
IDLE             Mute             MUTED         rest:MUTED CloseMicrophone CloseSession
IDLE             MicrophoneLost   FAULT         rest:FAULT timer:keep
IDLE             SessionClosed    IDLE
IDLE             SessionFailed    IDLE
IDLE             SpendingLimit    IDLE          CloseSession
MUTED            SpendingLimit    MUTED         CloseSession
LISTENING SpendingLimit FAULT MeetLimit StopUplink Alarm CloseSession timer:fault_shown
IDLE             SessionAged      IDLE          CloseSession
IDLE             FirstChunk       IDLE
IDLE             Interrupted      IDLE
IDLE             TimedOut         IDLE          CloseSession
IDLE             NoAnswer         IDLE          CloseSession
CONNECTING       Tap              IDLE          StopUplink chime:end CloseSession
CONNECTING       Ask              CONNECTING    SendText
CONNECTING       Stop             IDLE          StopUplink chime:end CloseSession
CONNECTING       Mute             MUTED         rest:MUTED StopUplink CloseMicrophone CloseSession
CONNECTING       MicrophoneLost   FAULT         rest:FAULT StopUplink Alarm CloseSession
CONNECTING       SpeechEnded      CONNECTING_HEARD
CONNECTING       SessionOpened    LISTENING     timer:first_words
CONNECTING       SessionClosed    IDLE          StopUplink chime:end
CONNECTING       SessionFailed    FAULT         MeetFailure StopUplink Alarm timer:fault_shown
CONNECTING       SessionAged      IDLE          StopUplink chime:end CloseSession
CONNECTING       FirstChunk       CONNECTING
CONNECTING       Interrupted      CONNECTING
CONNECTING_HEARD Tap              IDLE          StopUplink chime:end CloseSession
CONNECTING_HEARD Ask              CONNECTING_HEARD SendText
CONNECTING_HEARD Stop             IDLE          StopUplink chime:end CloseSession
CONNECTING_HEARD Mute             MUTED         rest:MUTED StopUplink CloseMicrophone CloseSession
CONNECTING_HEARD MicrophoneLost   FAULT         rest:FAULT StopUplink Alarm CloseSession
CONNECTING_HEARD SpeechBegan      CONNECTING
CONNECTING_HEARD SessionOpened    THINKING      timer:reply
CONNECTING_HEARD SessionClosed    IDLE          StopUplink chime:end
CONNECTING_HEARD SessionFailed    FAULT         MeetFailure StopUplink Alarm timer:fault_shown
CONNECTING_HEARD SessionAged      IDLE          StopUplink chime:end CloseSession
CONNECTING_HEARD FirstChunk       CONNECTING_HEARD
CONNECTING_HEARD Interrupted      CONNECTING_HEARD
LISTENING        Tap              IDLE          StopUplink chime:end timer:keep
LISTENING        Ask              THINKING      SendText timer:reply
LISTENING        Stop             IDLE          StopUplink chime:end timer:keep
LISTENING        Mute             MUTED         rest:MUTED StopUplink CloseMicrophone CloseSession
LISTENING        MicrophoneLost   FAULT         rest:FAULT StopUplink Alarm CloseSession
LISTENING        SpeechBegan      LISTENING     timer:max_listen
LISTENING        SpeechEnded      THINKING      timer:reply
LISTENING        Reconnecting     CONNECTING    MeetFailure
LISTENING        SessionClosed    IDLE          StopUplink chime:end
LISTENING        SessionFailed    FAULT         MeetFailure StopUplink Alarm timer:fault_shown
LISTENING        SessionAged      IDLE          StopUplink chime:end CloseSession
LISTENING        FirstChunk       SPEAKING      BeginReply Play timer:stall
LISTENING        Interrupted      LISTENING
LISTENING        TimedOut         IDLE          StopUplink chime:end timer:keep
LISTENING        NoAnswer         IDLE          StopUplink chime:end timer:keep
THINKING         Detection        LISTENING     chime:wake timer:first_words
THINKING         Tap              IDLE          StopUplink chime:end timer:keep
THINKING         Ask              THINKING      SendText timer:reply
THINKING         Stop             IDLE          StopUplink chime:end timer:keep
THINKING         Mute             MUTED         rest:MUTED StopUplink CloseMicrophone CloseSession
THINKING         MicrophoneLost   ONE_SHOT_THINKING rest:FAULT EndUplink timer:reply
THINKING         SpeechBegan      LISTENING     timer:max_listen
THINKING         Reconnecting     CONNECTING_HEARD MeetFailure
THINKING         SessionClosed    IDLE          StopUplink chime:end
THINKING         SessionFailed    FAULT         MeetFailure StopUplink Alarm timer:fault_shown
THINKING         SessionAged      IDLE          StopUplink chime:end CloseSession
THINKING         FirstChunk       SPEAKING      BeginReply Play timer:stall
THINKING         Interrupted      THINKING
THINKING         EmptyTurnComplete LISTENING     timer:follow_up
THINKING NoAnswer FAULT Apologise StopUplink Alarm CloseSession timer:fault_shown
THINKING         TimedOut         IDLE          StopUplink chime:end timer:keep
SPEAKING         Detection        PAUSED        BreakOff chime:wake CatchUp timer:first_words
SPEAKING         Tap              LISTENING     ClearPlayback chime:wake timer:first_words
SPEAKING         Ask              THINKING      ClearPlayback SendText timer:reply
SPEAKING         Stop             IDLE          StopUplink ClearPlayback timer:keep
SPEAKING Mute MUTED rest:MUTED StopUplink ClearPlayback CloseMicrophone CloseSession
SPEAKING         MicrophoneLost   ONE_SHOT_SPEAKING rest:FAULT StopUplink GoOn
SPEAKING         SessionClosed    ONE_SHOT_SPEAKING StopUplink EndTurn
SPEAKING         SessionFailed    CUT_OFF       MeetFailure StopUplink EndTurn
SPEAKING         FirstChunk       SPEAKING      BeginReply Play
SPEAKING         TalkedOver       SPEAKING      PauseReply
SPEAKING         BargedIn         LISTENING     ClearPlayback CatchUp timer:max_listen
SPEAKING         FellSilent       SPEAKING      GoOn
SPEAKING         Interrupted      LISTENING     ClearPlayback timer:max_listen
SPEAKING         TurnComplete     SPEAKING      EndTurn
SPEAKING         GenerationComplete SPEAKING      EndTurn
SPEAKING         FirstSound       SPEAKING
SPEAKING         PlaybackDrained  LISTENING     timer:follow_up
SPEAKING         PlaybackStarved  SPEAKING      timer:stall
SPEAKING NoAnswer FAULT Apologise StopUplink ClearPlayback Alarm CloseSession timer:fault_shown
SPEAKING         TimedOut         IDLE          StopUplink ClearPlayback timer:keep
HOLDING_CONNECTING Release          ONE_SHOT_CONNECTING EndHeld
HOLDING_CONNECTING SilentRelease    IDLE          StopUplink chime:end CloseSession
HOLDING_CONNECTING Ask              HOLDING_CONNECTING SendText
HOLDING_CONNECTING Stop             IDLE          StopUplink chime:end CloseSession
HOLDING_CONNECTING Mute             MUTED         rest:MUTED StopUplink CloseMicrophone CloseSession
HOLDING_CONNECTING MicrophoneLost   FAULT         rest:FAULT StopUplink Alarm CloseSession
HOLDING_CONNECTING SessionOpened    HOLDING
HOLDING_CONNECTING SessionClosed    IDLE          StopUplink chime:end
HOLDING_CONNECTING SessionFailed    FAULT         MeetFailure StopUplink Alarm timer:fault_shown
HOLDING_CONNECTING SessionAged      HOLDING_CONNECTING
HOLDING_CONNECTING FirstChunk       HOLDING_CONNECTING
HOLDING_CONNECTING Interrupted      HOLDING_CONNECTING
HOLDING          Release          ONE_SHOT_THINKING EndHeld timer:reply
HOLDING          SilentRelease    IDLE          StopUplink chime:end timer:keep
HOLDING          Ask              HOLDING       SendText
HOLDING          Stop             IDLE          StopUplink chime:end CloseSession
HOLDING          Mute             MUTED         rest:MUTED StopUplink CloseMicrophone CloseSession
HOLDING          MicrophoneLost   FAULT         rest:FAULT StopUplink Alarm CloseSession
HOLDING          Reconnecting     HOLDING_CONNECTING MeetFailure
HOLDING          SessionClosed    IDLE          StopUplink chime:end
HOLDING          SessionFailed    FAULT         MeetFailure StopUplink Alarm timer:fault_shown
HOLDING          SessionAged      HOLDING
HOLDING          FirstChunk       HOLDING
HOLDING          Interrupted      HOLDING
IDLE             Hold             HOLDING       BeginHeld chime:wake StartUplink
CONNECTING       Hold             HOLDING_CONNECTING BeginHeld
CONNECTING_HEARD Hold             HOLDING_CONNECTING BeginHeld
LISTENING        Hold             HOLDING       BeginHeld
THINKING         Hold             HOLDING       BeginHeld
SPEAKING         Hold             HOLDING       ClearPlayback BeginHeld chime:wake
CUT_OFF Hold HOLDING_CONNECTING ClearPlayback OpenSession BeginHeld chime:wake StartUplink
ONE_SHOT_CONNECTING Hold             HOLDING_CONNECTING BeginHeld StartUplink
ONE_SHOT_THINKING Hold             HOLDING       BeginHeld StartUplink
ONE_SHOT_SPEAKING Hold             HOLDING       ClearPlayback BeginHeld chime:wake StartUplink
FAULT            Hold             HOLDING_CONNECTING OpenSession BeginHeld chime:wake StartUplink
MUTED            Release          MUTED         chime:error
MUTED            SilentRelease    MUTED         chime:error
STARTING         Release          STARTING      Alarm
STARTING         SilentRelease    STARTING      Alarm
CUT_OFF          Detection        CONNECTING    ClearPlayback OpenSession chime:wake StartUplink
CUT_OFF          Tap              CONNECTING    ClearPlayback OpenSession chime:wake StartUplink
CUT_OFF          Ask              ONE_SHOT_CONNECTING ClearPlayback OpenSession SendText
CUT_OFF          Stop             IDLE          ClearPlayback
CUT_OFF          Mute             MUTED         rest:MUTED ClearPlayback CloseMicrophone
CUT_OFF          MicrophoneLost   CUT_OFF       rest:FAULT GoOn
CUT_OFF          TalkedOver       CUT_OFF       PauseReply
CUT_OFF          BargedIn         IDLE          ClearPlayback
CUT_OFF          FellSilent       CUT_OFF       GoOn
CUT_OFF          PlaybackDrained  FAULT         Alarm timer:fault_shown
CUT_OFF          TimedOut         IDLE          ClearPlayback
CUT_OFF          NoAnswer         IDLE          ClearPlayback
ONE_SHOT_CONNECTING Detection        CONNECTING    chime:wake StartUplink
ONE_SHOT_CONNECTING Tap              CONNECTING    chime:wake StartUplink
ONE_SHOT_CONNECTING Ask              ONE_SHOT_CONNECTING SendText
ONE_SHOT_CONNECTING Stop             IDLE          chime:end CloseSession
ONE_SHOT_CONNECTING Mute             MUTED         rest:MUTED CloseMicrophone CloseSession
ONE_SHOT_CONNECTING MicrophoneLost   ONE_SHOT_CONNECTING rest:FAULT
ONE_SHOT_CONNECTING SessionOpened    ONE_SHOT_THINKING timer:reply
ONE_SHOT_CONNECTING SessionClosed    IDLE          chime:end
ONE_SHOT_CONNECTING SessionFailed    FAULT         MeetFailure Alarm timer:fault_shown
ONE_SHOT_CONNECTING SessionAged      IDLE          chime:end CloseSession
ONE_SHOT_CONNECTING FirstChunk       ONE_SHOT_CONNECTING
ONE_SHOT_CONNECTING Interrupted      ONE_SHOT_CONNECTING
ONE_SHOT_THINKING Detection        LISTENING     chime:wake StartUplink timer:first_words
ONE_SHOT_THINKING Tap              IDLE          timer:keep
ONE_SHOT_THINKING Ask              ONE_SHOT_THINKING SendText timer:reply
ONE_SHOT_THINKING Stop             IDLE          timer:keep
ONE_SHOT_THINKING Mute             MUTED         rest:MUTED CloseMicrophone CloseSession
ONE_SHOT_THINKING MicrophoneLost   ONE_SHOT_THINKING rest:FAULT
ONE_SHOT_THINKING Reconnecting     ONE_SHOT_CONNECTING MeetFailure
ONE_SHOT_THINKING SessionClosed    IDLE          chime:end
ONE_SHOT_THINKING SessionFailed    FAULT         MeetFailure Alarm timer:fault_shown
ONE_SHOT_THINKING SessionAged      IDLE          chime:end CloseSession
ONE_SHOT_THINKING FirstChunk       ONE_SHOT_SPEAKING BeginReply Play timer:stall
ONE_SHOT_THINKING Interrupted      ONE_SHOT_THINKING
ONE_SHOT_THINKING EmptyTurnComplete IDLE          timer:keep
ONE_SHOT_THINKING NoAnswer         FAULT         Apologise Alarm CloseSession timer:fault_shown
ONE_SHOT_THINKING TimedOut         IDLE          timer:keep
ONE_SHOT_SPEAKING Detection LISTENING ClearPlayback chime:wake StartUplink timer:first_words
ONE_SHOT_SPEAKING Tap LISTENING ClearPlayback chime:wake StartUplink timer:first_words
ONE_SHOT_SPEAKING Ask              ONE_SHOT_THINKING ClearPlayback SendText timer:reply
ONE_SHOT_SPEAKING Stop             IDLE          ClearPlayback timer:keep
ONE_SHOT_SPEAKING Mute MUTED rest:MUTED ClearPlayback CloseMicrophone CloseSession
ONE_SHOT_SPEAKING MicrophoneLost   ONE_SHOT_SPEAKING rest:FAULT GoOn
ONE_SHOT_SPEAKING SessionClosed    ONE_SHOT_SPEAKING EndTurn
ONE_SHOT_SPEAKING SessionFailed    CUT_OFF       MeetFailure EndTurn
ONE_SHOT_SPEAKING FirstChunk       ONE_SHOT_SPEAKING BeginReply Play
ONE_SHOT_SPEAKING TalkedOver       ONE_SHOT_SPEAKING PauseReply
ONE_SHOT_SPEAKING BargedIn         IDLE          ClearPlayback timer:keep
ONE_SHOT_SPEAKING FellSilent       ONE_SHOT_SPEAKING GoOn
ONE_SHOT_SPEAKING Interrupted      ONE_SHOT_THINKING ClearPlayback timer:reply
ONE_SHOT_SPEAKING TurnComplete     ONE_SHOT_SPEAKING EndTurn
ONE_SHOT_SPEAKING GenerationComplete ONE_SHOT_SPEAKING EndTurn
ONE_SHOT_SPEAKING FirstSound       ONE_SHOT_SPEAKING
ONE_SHOT_SPEAKING PlaybackDrained  IDLE          timer:keep
ONE_SHOT_SPEAKING PlaybackStarved  ONE_SHOT_SPEAKING timer:stall
ONE_SHOT_SPEAKING NoAnswer FAULT Apologise ClearPlayback Alarm CloseSession timer:fault_shown
ONE_SHOT_SPEAKING TimedOut         IDLE          ClearPlayback timer:keep
MUTED            Tap              MUTED         chime:error
MUTED            Ask              ONE_SHOT_THINKING SendText timer:reply
MUTED            Unmute           STARTING      rest:STARTING OpenMicrophone timer:keep
MUTED            SessionClosed    MUTED
MUTED            SessionFailed    MUTED
MUTED            SessionAged      MUTED         CloseSession
MUTED            FirstChunk       MUTED
MUTED            Interrupted      MUTED
MUTED            TimedOut         MUTED         CloseSession
MUTED            NoAnswer         MUTED         CloseSession
FAULT            Detection        CONNECTING    OpenSession chime:wake StartUplink
FAULT            Tap              CONNECTING    OpenSession chime:wake StartUplink
FAULT            Ask              ONE_SHOT_CONNECTING OpenSession SendText
FAULT            Stop             IDLE
FAULT            Mute             MUTED         rest:MUTED CloseMicrophone
FAULT            MicrophoneLost   FAULT         rest:FAULT
FAULT            TimedOut         IDLE
FAULT            NoAnswer         IDLE
SPEAKING         NextChunk        SPEAKING      Play
ONE_SHOT_SPEAKING NextChunk        ONE_SHOT_SPEAKING Play
CONNECTING       Reconnecting     CONNECTING    MeetFailure
CONNECTING_HEARD Reconnecting     CONNECTING_HEARD MeetFailure
SPEAKING         Reconnecting     SPEAKING      MeetFailure
HOLDING_CONNECTING Reconnecting     HOLDING_CONNECTING MeetFailure
ONE_SHOT_CONNECTING Reconnecting     ONE_SHOT_CONNECTING MeetFailure
ONE_SHOT_SPEAKING Reconnecting     ONE_SHOT_SPEAKING MeetFailure
MUTED            SettingsChanged  MUTED         CloseSession
IDLE             SettingsChanged  IDLE          CloseSession
SPEAKING         SessionAged      SPEAKING
ONE_SHOT_SPEAKING SessionAged      ONE_SHOT_SPEAKING
LISTENING        Called           THINKING      timer:reply WaitASecond
THINKING         Called           THINKING      WaitASecond
ONE_SHOT_THINKING Called          ONE_SHOT_THINKING WaitASecond
THINKING         Answered         THINKING      timer:reply
ONE_SHOT_THINKING Answered        ONE_SHOT_THINKING timer:reply
THINKING         MoreToCome       THINKING      timer:reply
ONE_SHOT_THINKING MoreToCome      ONE_SHOT_THINKING timer:reply
LISTENING        Unheard          THINKING      AskAgain timer:reply WaitASecond
THINKING         Unheard          THINKING      AskAgain timer:reply WaitASecond
SPEAKING         Unheard          THINKING      ClearPlayback AskAgain timer:reply WaitASecond
ONE_SHOT_THINKING Unheard         ONE_SHOT_THINKING AskAgain timer:reply WaitASecond
ONE_SHOT_SPEAKING Unheard ONE_SHOT_THINKING ClearPlayback AskAgain timer:reply WaitASecond
THINKING         StillWaiting     THINKING      chime:thinking
ONE_SHOT_THINKING StillWaiting    ONE_SHOT_THINKING chime:thinking
PAUSED           Detection        PAUSED        chime:wake timer:first_words
PAUSED           Tap              IDLE          StopUplink ClearPlayback chime:end timer:keep
PAUSED           Stop             IDLE          StopUplink ClearPlayback chime:end timer:keep
PAUSED           Hold             HOLDING       ClearPlayback BeginHeld
PAUSED           Ask              THINKING      ClearPlayback SendText timer:reply
PAUSED Mute MUTED rest:MUTED StopUplink ClearPlayback CloseMicrophone CloseSession
PAUSED           MicrophoneLost   ONE_SHOT_SPEAKING rest:FAULT StopUplink TakeUp
PAUSED           SpeechBegan      LISTENING     ClearPlayback timer:max_listen
PAUSED           Reconnecting     PAUSED        MeetFailure
PAUSED           SessionClosed    ONE_SHOT_SPEAKING StopUplink EndTurn TakeUp
PAUSED           SessionFailed    CUT_OFF       MeetFailure StopUplink EndTurn TakeUp
PAUSED           FirstChunk       SPEAKING      BeginReply ClearPlayback Play timer:stall
PAUSED           NextChunk        PAUSED        Play
PAUSED           Interrupted      PAUSED        EndTurn
PAUSED           TurnComplete     PAUSED        EndTurn
PAUSED           GenerationComplete PAUSED      EndTurn
PAUSED           TimedOut         SPEAKING      TakeUp AcceptSilence
PAUSED           NoAnswer         SPEAKING      TakeUp AcceptSilence
PAUSED           SpeechEnded      PAUSED        AcceptSilence
IDLE Another CONNECTING CloseSession OpenSession chime:wake StartUplink
CONNECTING Another CONNECTING StopUplink CloseSession OpenSession chime:wake StartUplink
CONNECTING_HEARD Another CONNECTING StopUplink CloseSession OpenSession chime:wake StartUplink
LISTENING Another CONNECTING StopUplink CloseSession OpenSession chime:wake StartUplink
THINKING Another CONNECTING StopUplink CloseSession OpenSession chime:wake StartUplink
SPEAKING Another CONNECTING StopUplink ClearPlayback CloseSession OpenSession chime:wake StartUplink
PAUSED Another CONNECTING StopUplink ClearPlayback CloseSession OpenSession chime:wake StartUplink
CUT_OFF Another CONNECTING ClearPlayback OpenSession chime:wake StartUplink
ONE_SHOT_CONNECTING Another CONNECTING CloseSession OpenSession chime:wake StartUplink
ONE_SHOT_THINKING Another CONNECTING CloseSession OpenSession chime:wake StartUplink
ONE_SHOT_SPEAKING Another CONNECTING ClearPlayback CloseSession OpenSession chime:wake StartUplink
FAULT Another CONNECTING OpenSession chime:wake StartUplink
STARTING AskAnother ONE_SHOT_CONNECTING OpenSession SendText
IDLE AskAnother ONE_SHOT_CONNECTING CloseSession OpenSession SendText
CONNECTING AskAnother ONE_SHOT_CONNECTING StopUplink CloseSession OpenSession SendText
CONNECTING_HEARD AskAnother ONE_SHOT_CONNECTING StopUplink CloseSession OpenSession SendText
LISTENING AskAnother ONE_SHOT_CONNECTING StopUplink CloseSession OpenSession SendText
THINKING AskAnother ONE_SHOT_CONNECTING StopUplink CloseSession OpenSession SendText
SPEAKING AskAnother ONE_SHOT_CONNECTING StopUplink ClearPlayback CloseSession OpenSession SendText
HOLDING_CONNECTING AskAnother ONE_SHOT_CONNECTING StopUplink CloseSession OpenSession SendText
HOLDING AskAnother ONE_SHOT_CONNECTING StopUplink CloseSession OpenSession SendText
PAUSED AskAnother ONE_SHOT_CONNECTING StopUplink ClearPlayback CloseSession OpenSession SendText
CUT_OFF AskAnother ONE_SHOT_CONNECTING ClearPlayback OpenSession SendText
ONE_SHOT_CONNECTING AskAnother ONE_SHOT_CONNECTING CloseSession OpenSession SendText
ONE_SHOT_THINKING AskAnother ONE_SHOT_CONNECTING CloseSession OpenSession SendText
ONE_SHOT_SPEAKING AskAnother ONE_SHOT_CONNECTING ClearPlayback CloseSession OpenSession SendText
MUTED AskAnother ONE_SHOT_CONNECTING CloseSession OpenSession SendText
FAULT AskAnother ONE_SHOT_CONNECTING OpenSession SendText
IDLE PersonaGone IDLE CloseSession
CONNECTING PersonaGone IDLE StopUplink chime:end CloseSession
CONNECTING_HEARD PersonaGone IDLE StopUplink chime:end CloseSession
LISTENING PersonaGone IDLE StopUplink chime:end CloseSession
THINKING PersonaGone IDLE StopUplink chime:end CloseSession
SPEAKING PersonaGone IDLE StopUplink ClearPlayback chime:end CloseSession
HOLDING_CONNECTING PersonaGone IDLE StopUplink chime:end CloseSession
HOLDING PersonaGone IDLE StopUplink chime:end CloseSession
PAUSED PersonaGone IDLE StopUplink ClearPlayback chime:end CloseSession
ONE_SHOT_CONNECTING PersonaGone IDLE chime:end CloseSession
ONE_SHOT_THINKING PersonaGone IDLE chime:end CloseSession
ONE_SHOT_SPEAKING PersonaGone IDLE ClearPlayback chime:end CloseSession
MUTED PersonaGone MUTED CloseSession
"""


def conversation_in(state: State) -> Conversation:
    """A conversation that got to `state` with session 1, playing turn 3, its timer number 5."""
    rests = {State.MUTED: State.MUTED, State.STARTING: State.STARTING}
    without_session = {State.CUT_OFF, State.FAULT, State.STARTING}
    session = 0 if state in without_session else 1
    rest = rests.get(state, State.IDLE)
    return Conversation(state, rest, session, 1, 3, 2, 5, persona="jarvis", first="jarvis")


def shown(effect: e.Effect) -> str:
    match effect:
        case e.Chime(name):
            return f"chime:{name}"
        case e.StartTimer(timer):
            return f"timer:{timer}"
    return type(effect).__name__


def cells() -> dict[tuple[State, str], tuple[State, list[str]]]:
    lines = [line.split() for line in MATRIX.strip().splitlines()]
    return {(State[a], name): (State[b], effects) for a, name, b, *effects in lines}


def remembered(after: Conversation) -> Conversation:
    """The conversation without what it only remembers for later steps."""
    forgotten = replace(after, addressed=False, aged=False, outdated=False, question=False)
    forgotten = replace(forgotten, persona="jarvis", first="jarvis", asked=False, spent=False)
    return replace(forgotten, calls=0, promised=False, leaving="", ringing=frozenset(), rang=False)


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("state", State)
def test_matrix(state: State, name: str) -> None:
    """All news in every state leads where the table says, with just those effects, in order."""
    before = conversation_in(state)
    after, effects = step(before, EVENTS[name])
    expected_state, expected = cells().get((state, name), (state, []))
    rest = [] if after.rest is before.rest else [f"rest:{after.rest.name}"]
    assert after.state is expected_state
    asked = [effect for effect in effects if not isinstance(effect, e.Entered)]
    assert [*rest, *map(shown, asked)] == expected
    entered = [(told.before, told.state) for told in effects if isinstance(told, e.Entered)]
    assert entered == ([(state, after.state)] if after.state is not state else [])
    if (state, name) not in cells():
        assert remembered(after) == before


STALE: list[n.News] = [
    n.SessionOpened(9, 800.0, "model", False, 1.0),
    n.Reconnecting(9, FAILURE, 1.0),
    n.SessionClosed(9, "asked", 1.0),
    n.SessionFailed(9, FAILURE, "model", 1.0),
    n.SessionAged(9),
    n.ReplyAudio(9, 4, b"44", 1.0),
    n.ReplyAudio(1, 2, b"22", 1.0),
    n.Interrupted(9, 3, 1.0),
    n.Interrupted(1, 2, 1.0),
    n.TurnComplete(9, 3, 1.0),
    n.TurnComplete(1, 2, 1.0),
    n.PlaybackDrained(2, 900, 1.0),
    n.PlaybackStarved(2, 1.0),
    n.FirstSound(2, 1.0),
    n.TimedOut(4, n.Debt.UNDERSTOOD),
    n.TimedOut(4, n.Debt.NONE),
]


@pytest.mark.parametrize("news", STALE, ids=str)
@pytest.mark.parametrize("state", State)
def test_stale_news_changes_nothing(state: State, news: n.News) -> None:
    """News of another session, a turn that was cut or an older timer is dropped by its number."""
    before = conversation_in(state)
    assert step(before, news) == (before, ())


def test_the_wake_word_says_where_its_pre_roll_ends() -> None:
    """The uplink begins before the wake word; for a button it begins before now."""
    _, by_word = step(conversation_in(State.IDLE), n.Detection("hey", 0.9, 48_000, 1.0, "jarvis"))
    _, by_button = step(conversation_in(State.IDLE), n.Tap())
    assert e.StartUplink(48_000) in by_word
    assert e.StartUplink(None) in by_button


def test_a_new_session_exists_before_audio_is_sent_to_it() -> None:
    """Without a kept session the wake word opens one first, under the next number."""
    idle = replace(conversation_in(State.IDLE), session=0)
    after, effects = step(idle, n.Detection("hey", 0.9, 48_000, 1.0, "jarvis"))
    assert after.state is State.CONNECTING
    assert after.session == 2
    kinds = [type(effect) for effect in effects]
    assert kinds.index(e.OpenSession) < kinds.index(e.StartUplink)


@pytest.mark.parametrize("rest", [State.MUTED, State.FAULT, State.STARTING])
def test_a_typed_question_is_answered_without_a_microphone(rest: State) -> None:
    """Muted or deaf, the speaker answers a typed question and returns to where it was."""
    c = replace(conversation_in(State.MUTED), state=rest, rest=rest, session=0)
    for event in (
        n.Ask("x"),
        n.SessionOpened(2, 1.0, "model", False, 1.0),
        n.ReplyAudio(2, 4, b"44", 1.0),
        n.TurnComplete(2, 4, 1.0),
        n.PlaybackDrained(4, 900, 1.0),
    ):
        c, effects = step(c, event)
        assert not any(isinstance(effect, e.StartUplink) for effect in effects)
    assert c.state is rest


@pytest.mark.parametrize(
    "state", [State.ONE_SHOT_CONNECTING, State.ONE_SHOT_SPEAKING, State.CUT_OFF]
)
def test_a_muted_speaker_does_not_begin_to_listen_at_a_tap(state: State) -> None:
    """A tap during a typed question's answer dismisses it when there is nothing to listen with."""
    c = replace(conversation_in(state), rest=State.MUTED)
    after, effects = step(c, n.Tap())
    assert after.state is State.MUTED
    assert not any(isinstance(effect, e.StartUplink) for effect in effects)


@pytest.mark.parametrize("rest", [State.MUTED, State.FAULT, State.STARTING])
def test_a_deaf_speaker_does_not_listen_to_who_holds_the_button(rest: State) -> None:
    """It says so when the button is released, as it does at a tap."""
    deaf = replace(conversation_in(State.IDLE), state=rest, rest=rest)
    held, effects = step(deaf, n.Hold())
    assert (held, effects) == (deaf, ())
    _, told = step(held, n.Release(heard=False))
    assert told == ((e.Chime("error"),) if rest is State.MUTED else (e.Alarm(),))


def test_a_lost_microphone_is_no_news_to_a_muted_speaker() -> None:
    """Muted stays muted, whatever the microphone does."""
    c = conversation_in(State.MUTED)
    assert step(c, EVENTS["MicrophoneLost"]) == (c, ())


def test_a_fault_without_microphone_stays_until_it_is_back() -> None:
    """Time does not heal a missing microphone; its kept session is let go."""
    deaf = replace(conversation_in(State.FAULT), rest=State.FAULT, session=1)
    after, effects = step(deaf, n.TimedOut(5, n.Debt.NONE))
    assert (after.state, after.session) == (State.FAULT, 0)
    assert effects == (e.CloseSession(1, "idle"),)
    assert step(after, n.Tap()) == (after, (e.Alarm(),))
    assert step(after, n.MicrophoneDelivers(1.0))[0].state is State.IDLE


def test_a_question_typed_over_a_reply_without_session_opens_another() -> None:
    """The server closed in good order while its reply still plays: asking again needs a session."""
    c = replace(conversation_in(State.ONE_SHOT_SPEAKING), session=0)
    after, effects = step(c, n.Ask("x"))
    assert after.state is State.ONE_SHOT_CONNECTING
    assert effects[1:] == (e.ClearPlayback(3), e.OpenSession(2, "jarvis"), e.SendText("x"))


def test_an_interruption_of_the_next_turn_silences_the_one_that_still_plays() -> None:
    """The server may already be a turn ahead of what the user hears."""
    after, effects = step(conversation_in(State.SPEAKING), n.Interrupted(1, 4, 1.0))
    assert after.state is State.LISTENING
    assert after.cut == 4
    assert any(isinstance(effect, e.ClearPlayback) for effect in effects)


def test_labels_and_patterns_are_public_names() -> None:
    """Inner states show under the names of the event contract."""
    public = {"starting", "idle", "connecting", "listening", "thinking", "speaking", "muted"}
    assert {state.label for state in State} == public | {"fault"}
    assert set(PATTERNS) == set(State)


# --- what rings ----------------------------------------------------------------------------------

RINGS = n.TimerNews("ringing", 7, "tea", None, "timer", "", 1.0)
OVER = n.TimerNews("stopped", 7, "tea", None, "timer", "", 1.0)
STOP_WORD = n.StopWord(1, 1.0)


def ringing_in(state: State) -> Conversation:
    return step(conversation_in(state), RINGS)[0]


def kinds(effects: tuple[e.Effect, ...]) -> list[str]:
    return [shown(effect) for effect in effects if not isinstance(effect, e.Entered)]


@pytest.mark.parametrize("state", State)
def test_a_stop_without_the_wake_word_stops_what_rings_and_nothing_else(state: State) -> None:
    """In whatever state; and when nothing rings, nothing."""
    before = ringing_in(state)
    assert step(before, STOP_WORD) == (before, (e.StopRinging(),))
    silent, _ = step(before, OVER)
    assert not silent.listens_for_stop
    assert step(silent, STOP_WORD) == (silent, ())


@pytest.mark.parametrize("state", [s for s in State if s not in BUFFERED])
def test_a_tap_stops_what_rings_and_begins_no_talk(state: State) -> None:
    """Nor does it end one."""
    before = ringing_in(state)
    assert step(before, n.Tap()) == (before, (e.StopRinging(),))


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", ["Tap", "Stop", "Hold", "Detection"])
def test_whatever_is_said_or_pressed_stops_what_rings(state: State, name: str) -> None:
    """And does what it does when nothing rings; a tap only where a reply is to be silenced."""
    if name == "Tap" and state not in BUFFERED:
        return
    usual, effects = step(conversation_in(state), EVENTS[name])
    after, told = step(ringing_in(state), EVENTS[name])
    assert kinds(told) == ["StopRinging", *kinds(effects)]
    assert remembered(after) == remembered(usual)


def test_what_rings_together_is_over_one_by_one() -> None:
    """It rings as long as anything does."""
    both, _ = step(ringing_in(State.IDLE), replace(RINGS, id=8))
    one, _ = step(both, OVER)
    assert one.listens_for_stop
    assert step(one, STOP_WORD)[1] == (e.StopRinging(),)
    none, _ = step(one, replace(OVER, id=8))
    assert none == conversation_in(State.IDLE)


def test_a_stop_right_after_the_wake_word_that_stopped_it_ends_the_talk() -> None:
    """Nobody wants to be asked what there is to stop."""
    woken, effects = step(ringing_in(State.IDLE), EVENTS["Detection"])
    assert kinds(effects)[:2] == ["StopRinging", "chime:wake"]
    silent, _ = step(woken, OVER)
    assert silent.listens_for_stop
    after, effects = step(silent, STOP_WORD)
    assert (after.state, kinds(effects)) == (State.IDLE, ["StopUplink", "chime:end", "timer:keep"])
    assert not after.listens_for_stop


def test_a_stop_in_the_middle_of_a_talk_is_the_servers_business() -> None:
    """Once it has begun to answer, or without anything that has rung."""
    woken, _ = step(ringing_in(State.IDLE), EVENTS["Detection"])
    answered, _ = step(step(woken, OVER)[0], EVENTS["FirstChunk"])
    assert not answered.listens_for_stop
    assert step(answered, STOP_WORD)[1] == ()
    assert not step(conversation_in(State.IDLE), EVENTS["Detection"])[0].listens_for_stop


# --- what is remembered for later steps ----------------------------------------------------------


def entered(effects: tuple[e.Effect, ...]) -> list[tuple[State, str]]:
    return [(told.state, told.reason) for told in effects if isinstance(told, e.Entered)]


def test_every_change_of_state_says_why() -> None:
    """In words for the `state` event, whatever the news was."""
    said = {
        reason
        for state in State
        for news in EVENTS.values()
        for _, reason in entered(step(conversation_in(state), news)[1])
    }
    assert said == {*REASONS.values(), NO_ANSWER, EXPIRED, "speech began", "speech ended"}


@pytest.mark.parametrize(
    ("addressed", "debt", "reason"),
    [
        (True, n.Debt.OWED, NO_ANSWER),
        (False, n.Debt.OWED, "nothing more came"),
        (False, n.Debt.UNDERSTOOD, NO_ANSWER),
        (True, n.Debt.NONE, "nothing more came"),
    ],
)
def test_the_server_is_blamed_for_a_silence_only_if_it_owed_an_answer(
    addressed: bool, debt: n.Debt, reason: str
) -> None:
    """What is said after a reply may be a television: only what was understood is owed for."""
    c = replace(conversation_in(State.THINKING), addressed=addressed)
    _, effects = step(c, n.TimedOut(5, debt))
    assert [why for _, why in entered(effects)] == [reason]


@pytest.mark.parametrize("name", ["Detection", "Ask"])
def test_whoever_wakes_or_asks_has_addressed_it_until_the_answer_was_heard(name: str) -> None:
    """So does a press, whatever it is mapped to; and who speaks on over a reply."""
    assert not Conversation().addressed
    c, _ = step(conversation_in(State.IDLE), EVENTS[name])
    assert c.addressed
    for other in ("SpeechBegan", "SpeechEnded", "Stop"):
        assert step(c, EVENTS[other])[0].addressed
    assert step(conversation_in(State.MUTED), n.Pressed("tap", 1.0))[0].addressed
    assert step(conversation_in(State.SPEAKING), n.BargedIn(1, 1.0))[0].addressed
    assert not step(conversation_in(State.ONE_SHOT_SPEAKING), n.BargedIn(1, 1.0))[0].addressed
    c, _ = step(replace(c, state=State.SPEAKING), n.PlaybackDrained(9, 1, 1.0))
    assert not c.addressed


def test_a_session_that_is_too_old_ends_after_the_reply_in_one_step() -> None:
    """What is being said is said to its end; both changes of state are told."""
    aged, effects = step(conversation_in(State.SPEAKING), n.SessionAged(1))
    assert (aged.aged, effects) == (True, ())
    after, effects = step(aged, EVENTS["PlaybackDrained"])
    assert entered(effects) == [(State.LISTENING, "reply heard"), (State.IDLE, EXPIRED)]
    assert e.CloseSession(1, "max_session_s reached") in effects
    assert (after.session, after.state) == (0, State.IDLE)


def test_a_session_with_old_settings_ends_when_the_talk_does() -> None:
    """And the next session is neither old nor outdated."""
    changed, effects = step(conversation_in(State.LISTENING), n.SettingsChanged())
    assert (changed.outdated, effects) == (True, ())
    after, effects = step(changed, n.Stop())
    assert e.CloseSession(1, "settings changed") in effects
    again, _ = step(replace(after, aged=True), EVENTS["Detection"])
    assert (again.session, again.aged, again.outdated) == (2, False, False)


def test_a_reply_begins_when_its_first_chunk_came() -> None:
    """Told of each turn once, with the time of the chunk."""
    c, began = step(conversation_in(State.THINKING), n.ReplyAudio(1, 4, b"44", 12.5))
    assert [effect for effect in began if isinstance(effect, e.BeginReply)] == [
        e.BeginReply(4, 12.5)
    ]
    assert step(c, n.ReplyAudio(1, 4, b"45", 13.5)) == (c, (e.Play(4, b"45"),))
    _, began = step(c, n.ReplyAudio(1, 5, b"55", 14.5))
    assert began[:1] == (e.BeginReply(5, 14.5),)


@pytest.mark.parametrize("state", [state for state in State if state in RESTING])
def test_a_reply_that_nobody_waits_for_is_no_turn(state: State) -> None:
    """It takes none, and what is left of it is cut."""
    before = conversation_in(state)
    after, effects = step(before, n.ReplyAudio(before.session, 4, b"44", 1.0))
    assert after.turn == before.turn
    assert effects == ()


def test_a_starved_reply_is_one_reply() -> None:
    """Its next chunk ends the patience with it, and is not told as a beginning."""
    starved, _ = step(conversation_in(State.SPEAKING), n.PlaybackStarved(3, 1.0))
    fed, effects = step(starved, n.ReplyAudio(1, 3, b"33", 1.0))
    assert effects == (e.Play(3, b"33"),)
    assert fed.clock == starved.clock + 1
    assert step(fed, n.ReplyAudio(1, 3, b"33", 1.0)) == (fed, effects)
    assert not step(starved, n.PlaybackDrained(3, 1, 1.0))[0].starved


def asked(effects: tuple[e.Effect, ...]) -> list[e.AskAgain]:
    return [effect for effect in effects if isinstance(effect, e.AskAgain)]


@pytest.mark.parametrize("state", [State.THINKING, State.ONE_SHOT_THINKING, State.SPEAKING])
@pytest.mark.parametrize("why", ["empty", "text_only", "rejected", "silent", "nothing"])
def test_what_nobody_could_hear_is_asked_again_then_afresh_then_told(
    state: State, why: Any
) -> None:
    """Three requests a question at most; a rejected one is not told what was said before."""
    c = conversation_in(state)
    c, effects = step(c, n.Unheard(1, 4, why, False, 1.0))
    assert asked(effects) == [e.AskAgain(why, fresh=False, forget=False)]
    c, effects = step(c, n.Unheard(1, 5, why, False, 1.0))
    assert asked(effects) == [e.AskAgain(why, fresh=True, forget=why == "rejected")]
    c, effects = step(c, n.Unheard(1, 6, why, False, 1.0))
    assert asked(effects) == []
    assert effects[0] == e.GiveUpAsking(why)
    assert e.Alarm() in effects
    assert (c.state, c.session) == (State.FAULT, 0)
    assert e.Chime("end") not in effects


@pytest.mark.parametrize("name", ["SpeechBegan", "Ask", "Hold", "Detection", "PlaybackDrained"])
def test_the_next_question_begins_its_own_count(name: str) -> None:
    """So does an answer that was heard to its end."""
    c, _ = step(replace(conversation_in(State.THINKING), attempts=2), EVENTS[name])
    assert c.attempts == 0


def test_a_model_may_choose_not_to_answer_what_was_not_said_to_it() -> None:
    """A television after a reply is asked about once more, and nothing is told of it.

    A question that follows a wake word or a press, or was typed, is like any other.
    """
    chosen = n.Unheard(1, 4, "empty", True, 1.0)
    c, effects = step(conversation_in(State.THINKING), chosen)
    assert (c.state, len(asked(effects))) == (State.THINKING, 1)
    after, effects = step(c, replace(chosen, turn=5))
    assert (after.state, asked(effects)) == (State.LISTENING, [])
    assert e.AcceptSilence() in effects
    after, effects = step(replace(c, addressed=True), replace(chosen, turn=5))
    assert (after.state, len(asked(effects))) == (State.THINKING, 1)


def test_a_soft_sound_says_after_a_second_that_it_still_tries() -> None:
    """Not before, and not when the answer came or somebody spoke meanwhile."""
    c, effects = step(conversation_in(State.THINKING), EVENTS["Unheard"])
    assert e.WaitASecond(c.clock) in effects
    assert step(c, n.StillWaiting(c.clock)) == (c, (e.Chime("thinking"),))
    spoke, _ = step(c, EVENTS["SpeechBegan"])
    assert step(spoke, n.StillWaiting(c.clock))[1] == ()


@pytest.mark.parametrize(
    ("follow_up", "said", "listens"),
    [
        ("always", "It is noon.", True),
        ("questions", "It is noon.", False),
        ("questions", "Shall I go on?", True),
        ("questions", 'He said: "why?" ', True),
        ("questions", "\u4f60\u597d\uff1f", True),
        ("never", "Shall I go on?", False),
    ],
)
def test_it_listens_on_after_the_replies_that_the_owner_wants(
    follow_up: Any, said: str, *, listens: bool
) -> None:
    """After all, after those that end with a question, or after none."""
    c, _ = step(conversation_in(State.SPEAKING), n.HabitsChanged(follow_up, True))
    c, _ = step(c, n.Transcript(1, 3, "model", said, True, 1.0))
    c, _ = step(c, EVENTS["PlaybackDrained"])
    assert c.state is (State.LISTENING if listens else State.IDLE)


def test_a_reply_goes_on_after_a_wake_word_that_nobody_said() -> None:
    """Also when the server broke it off for the word: what had arrived is still played."""
    c, effects = step(conversation_in(State.SPEAKING), EVENTS["Detection"])
    assert (c.state, c.state.label) == (State.PAUSED, "listening")
    assert e.BreakOff(3) in effects
    c, effects = step(c, n.Interrupted(1, 3, 1.0))
    assert effects == (e.EndTurn(3),)
    assert step(c, n.ReplyAudio(1, 3, b"33", 1.0))[1] == ()
    c, effects = step(c, n.TimedOut(c.clock, n.Debt.OWED))
    assert (c.state, e.TakeUp(3) in effects) == (State.SPEAKING, True)
    assert step(c, EVENTS["PlaybackDrained"])[0].state is State.LISTENING


def test_where_the_owner_wants_it_so_a_wake_word_ends_a_reply_for_good() -> None:
    """As the button does."""
    c, _ = step(conversation_in(State.SPEAKING), n.HabitsChanged("always", False))
    c, effects = step(c, EVENTS["Detection"])
    assert c.state is State.LISTENING
    assert e.ClearPlayback(3) in effects


@pytest.mark.parametrize("name", ["Another", "AskAnother"])
@pytest.mark.parametrize("state", [s for s in State if s not in {State.CUT_OFF, State.FAULT}])
def test_another_persona_gets_a_session_of_its_own(state: State, name: str) -> None:
    """The open one is closed before, so that there is one at a time; nothing of it plays on."""
    c, effects = step(conversation_in(state), EVENTS[name])
    opened = [effect for effect in effects if isinstance(effect, e.OpenSession)]
    if name == "Another" and c.persona == "jarvis":
        deaf_or_held = {State.STARTING, State.MUTED, *HOLDING}
        assert (opened, state in deaf_or_held) == ([], True)
        return
    assert opened == [e.OpenSession(2, "puck")]
    assert (c.persona, c.session) == ("puck", 2)
    kinds = [type(effect) for effect in effects]
    if conversation_in(state).session:
        assert kinds.index(e.CloseSession) < kinds.index(e.OpenSession)
    assert step(c, EVENTS["NextChunk"]) == (c, ())


def test_what_was_said_in_one_breath_goes_to_the_persona_that_was_called() -> None:
    """Also over a reply of another: its uplink begins before the word, as at rest."""
    called = n.Detection("you", 0.9, 48_000, 1.0, "puck")
    _, effects = step(conversation_in(State.SPEAKING), called)
    kinds = [type(effect) for effect in effects]
    assert e.StartUplink(48_000) in effects
    assert kinds.index(e.StopUplink) < kinds.index(e.OpenSession) < kinds.index(e.StartUplink)


@pytest.mark.parametrize("event", [n.Tap(), n.Hold(), n.Ask("x")], ids=str)
@pytest.mark.parametrize(
    ("before", "whose"),
    [
        (replace(conversation_in(State.IDLE), first="eve"), "jarvis"),
        (replace(conversation_in(State.IDLE), first="eve", session=0), "eve"),
        (replace(conversation_in(State.FAULT), first="eve"), "eve"),
        (replace(conversation_in(State.CUT_OFF), first="eve"), "jarvis"),
        (replace(conversation_in(State.ONE_SHOT_SPEAKING), first="eve", session=0), "jarvis"),
    ],
    ids=["kept", "none", "failed", "cut off", "closed"],
)
def test_the_button_and_a_question_go_on_with_whoever_talks(
    before: Conversation, whose: str, event: n.News
) -> None:
    """Or is still heard; else with the persona of the first word."""
    after, effects = step(before, event)
    assert after.persona == whose
    assert after.session
    assert all(effect.persona == whose for effect in effects if isinstance(effect, e.OpenSession))


def test_nobody_in_particular_can_be_asked_by_name() -> None:
    """A typed question that names nobody is another thing."""
    c, effects = step(conversation_in(State.IDLE), n.Ask("x", persona=""))
    assert (c.persona, e.OpenSession(2, "") in effects) == ("", True)


def test_who_is_first_is_known_before_anybody_talks() -> None:
    """What is wrong then is told in that language; a talk that goes on stays whose it is."""
    changed = n.PersonasChanged("eve", frozenset({"eve", "jarvis"}))
    assert step(Conversation(), changed)[0].persona == "eve"
    kept, _ = step(conversation_in(State.IDLE), changed)
    assert (kept.persona, kept.first) == ("jarvis", "eve")


def test_what_is_still_heard_of_a_persona_that_is_gone_is_not_gone_on_with() -> None:
    """Its session is over already: the next one is of the first word's persona."""
    c, effects = step(conversation_in(State.CUT_OFF), EVENTS["PersonaGone"])
    assert (c.state, effects) == (State.CUT_OFF, ())
    after, effects = step(c, n.Tap())
    assert e.OpenSession(2, "puck") in effects
    assert after.persona == "puck"


@pytest.mark.parametrize("event", [n.Detection("hey", 0.9, 48_000, 1.0, "jarvis"), n.Tap()])
def test_who_calls_over_a_reply_that_outlives_its_session_gets_another(event: n.News) -> None:
    """The server closed in good order while its reply still plays."""
    c = replace(conversation_in(State.ONE_SHOT_SPEAKING), session=0)
    after, effects = step(c, event)
    assert (after.state, after.session) == (State.CONNECTING, 2)
    assert e.ClearPlayback(3) in effects


def test_words_in_one_breath_with_the_wake_word_are_an_interruption() -> None:
    """The end of speech a little after the word is that of the word itself."""
    paused, _ = step(
        conversation_in(State.SPEAKING), n.Detection("hey", 0.9, 16_000, 1.0, "jarvis")
    )
    assert step(paused, n.SpeechChanged(False, 16_000 + 4_000, 1.0))[0].state is State.PAUSED
    spoke, effects = step(paused, n.SpeechChanged(False, 16_000 + 16_000, 1.0))
    assert spoke.state is State.THINKING
    assert e.ClearPlayback(3, broken_off=True) in effects


# --- random lives --------------------------------------------------------------------------------


def about(news: Any, **fields: int) -> n.News:
    """The same news of another session or turn."""
    changed: n.News = replace(news, **fields)
    return changed


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
        self.owner = ""

    def happen(self, news: n.News) -> None:
        state = self.c.state
        self.c, effects = step(self.c, news)
        for effect in effects:
            if isinstance(effect, e.Entered):
                assert effect.before is state, "a change of state was not told"
                assert effect.reason, "nobody knows why"
                state = effect.state
            self.carry_out(effect)
        assert state is self.c.state
        if self.timer != self.c.clock:
            self.timer = None
        if isinstance(news, n.SessionClosed | n.SessionFailed):
            self.sessions.discard(news.session)

    def carry_out(self, effect: e.Effect) -> None:
        match effect:
            case e.OpenSession(number, persona):
                assert not self.sessions, "two sessions at once"
                assert not self.c.spent, "a session is opened though nothing more may be spent"
                self.sessions.add(number)
                self.owner = persona
            case e.CloseSession(number):
                assert number in self.sessions
                self.sessions.remove(number)
            case e.StartUplink():
                assert not self.uplink
                assert self.sessions, "audio without a session"
                assert self.microphone, "audio without a microphone"
                self.uplink = True
            case e.CatchUp():
                assert self.uplink
            case e.StopUplink() | e.EndUplink() | e.EndHeld():
                assert self.uplink
                self.uplink = self.held = False
            case e.BeginHeld():
                assert not self.held, "held twice"
                assert self.sessions, "held without a session"
                self.held = True
            case e.SendText():
                assert self.sessions, "text without a session"
            case e.OpenMicrophone():
                assert not self.microphone
                self.microphone = True
            case e.CloseMicrophone():
                assert self.microphone
                self.microphone = False
            case e.Play(turn):
                assert turn > self.c.cut, "what was cut is played"
            case e.AskAgain():
                assert self.sessions, "asked again without a session"
            case e.StartTimer(_, clock):
                self.timer = clock

    @rule(name=st.sampled_from(["Detection", "Tap", "Ask", "Stop", "Mute", "Unmute"]))
    def person(self, name: str) -> None:
        if not (name == "Detection" and not self.microphone):
            self.happen(EVENTS[name])

    @rule(name=st.sampled_from(["Another", "AskAnother"]))
    def calls_another(self, name: str) -> None:
        heard = self.c.rest is State.IDLE and self.c.state not in HOLDING
        if name == "AskAnother" or self.microphone:
            self.happen(EVENTS[name])
        if (name == "AskAnother" or heard) and not self.c.spent:
            assert self.owner == "puck", "somebody else answers than was called"

    @rule(first=st.sampled_from(["", "puck"]), there=st.booleans())
    def personas_changed(self, first: str, *, there: bool) -> None:
        known = {"puck", "jarvis"} if there else {"jarvis"}
        self.happen(n.PersonasChanged(first, frozenset(known)))
        assert there or not self.c.session or self.c.persona != "puck", "who is gone talks on"

    @rule(name=st.sampled_from(["Hold", "Release", "SilentRelease"]))
    def button(self, name: str) -> None:
        self.happen(EVENTS[name])

    @rule(name=st.sampled_from(["MicrophoneLost", "MicrophoneDelivers", "SpeechBegan"]))
    def microphone_news(self, name: str) -> None:
        self.happen(EVENTS[name])

    @rule()
    def speech_ended(self) -> None:
        self.happen(EVENTS["SpeechEnded"])

    @rule(reached=st.booleans())
    def limit(self, *, reached: bool) -> None:
        self.happen(n.SpendingLimit(reached, 1.0))

    @rule()
    def settings_changed(self) -> None:
        self.happen(n.SettingsChanged())

    @precondition(lambda self: self.sessions)
    @rule(
        name=st.sampled_from(
            ["SessionOpened", "Reconnecting", "SessionClosed", "SessionFailed", "SessionAged"]
        )
    )
    def session_news(self, name: str) -> None:
        self.happen(about(EVENTS[name], session=max(self.sessions)))

    @precondition(lambda self: self.sessions)
    @rule(
        name=st.sampled_from(
            ["FirstChunk", "Interrupted", "TurnComplete", "GenerationComplete", "Unheard"]
        ),
        ahead=st.integers(-1, 1),
    )
    def reply_news(self, name: str, ahead: int) -> None:
        turn = max(1, self.newest_turn + ahead)
        self.newest_turn = max(turn, self.newest_turn)
        self.happen(about(EVENTS[name], session=max(self.sessions), turn=turn))

    @rule(name=st.sampled_from(["PlaybackDrained", "PlaybackStarved", "FirstSound"]))
    def speaker_news(self, name: str) -> None:
        self.happen(about(EVENTS[name], turn=self.c.turn))

    @precondition(lambda self: self.timer is not None)
    @rule(debt=st.sampled_from(n.Debt))
    def timeout(self, debt: n.Debt) -> None:
        assert self.timer is not None
        clock, self.timer = self.timer, None
        self.happen(n.TimedOut(clock, debt))

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
    def session_is_that_of_the_persona(self) -> None:
        assert not self.c.session or self.c.persona == self.owner

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
        waiting = {State.LISTENING, State.THINKING, State.ONE_SHOT_THINKING}
        if self.c.state in waiting or (self.c.state in RESTING and self.c.session):
            assert self.timer == self.c.clock

    @invariant()
    def at_the_limit_only_what_is_owed_goes_on(self) -> None:
        if self.c.spent and self.c.session:
            assert self.c.state not in RESTING
            assert self.c.owed or self.c.state is not State.LISTENING

    @invariant()
    def rest_is_a_resting_state(self) -> None:
        assert self.c.rest in RESTING


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestLife = Life.TestCase
