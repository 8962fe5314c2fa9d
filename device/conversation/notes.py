"""`noted` and `is_stale` say what news means before any step: remembered, or of no account. Pure.

Tested in tests/conversation/test_machine.py.
"""

from __future__ import annotations

from dataclasses import replace

from device.conversation.states import RESTING, UPLINK_OPEN, Conversation, State
from device.news import (
    Ask,
    BargedIn,
    Detection,
    FirstSound,
    GenerationComplete,
    HabitsChanged,
    Hold,
    Interrupted,
    Leaving,
    News,
    PersonasChanged,
    PlaybackDrained,
    PlaybackStarved,
    Pressed,
    Reconnecting,
    ReplyAudio,
    SessionAged,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SettingsChanged,
    SpeechChanged,
    SpendingLimit,
    TimedOut,
    TimerNews,
    ToolNews,
    Transcript,
    TurnComplete,
    Unheard,
)

QUESTION_MARKS = ("?", "\uff1f", "\u061f", "\u037e", "\u055e", "\u1367")
"""What ends a question in writing: Latin, East Asian, Arabic, Greek, Armenian, Ethiopic."""

CLOSING = " \n\t\"'*)\u00bb\u201d\u2019\u300d"
"""What may stand behind the end of a sentence: spaces, quotes, brackets."""


def noted(c: Conversation, news: News) -> Conversation:
    """Remember what is no step by itself, but decides about later ones."""
    match news:
        case HabitsChanged() | PersonasChanged() | SettingsChanged() | SpendingLimit():
            return _noted_of_the_owner(c, news)
        case SpeechChanged(speaking=True) | Hold():
            return replace(c, attempts=0, promised=False, leaving="")
        case SpeechChanged() if c.state in UPLINK_OPEN and not c.spent:
            return replace(c, asked=True)
        case Detection():
            rang = bool(c.ringing)
            return replace(c, addressed=True, attempts=0, promised=False, leaving="", rang=rang)
        case Ask():
            return replace(c, addressed=True, attempts=0, promised=False, leaving="", rang=False)
        case Pressed():
            return replace(c, addressed=c.addressed or not c.spent, rang=False)
        case BargedIn() if c.state is State.SPEAKING:
            return replace(c, addressed=True)
        case PlaybackDrained(turn=turn):
            starved = c.starved and turn != c.turn
            return replace(c, addressed=False, asked=False, attempts=0, starved=starved)
        case TimerNews(what="ringing", id=number):
            return replace(c, ringing=c.ringing | {number})
        case TimerNews(what="stopped", id=number):
            return replace(c, ringing=c.ringing - {number})
        case SessionAged(session) if session == c.session:
            return replace(c, aged=True)
        case _:
            return _noted_of_the_model(c, news)


def _noted_of_the_owner(
    c: Conversation, news: HabitsChanged | PersonasChanged | SettingsChanged | SpendingLimit
) -> Conversation:
    """Remember what the owner wants, and what they do not want to pay for."""
    match news:
        case HabitsChanged(follow_up, resume_reply):
            return replace(c, follow_up=follow_up, resume_reply=resume_reply)
        case PersonasChanged(first, known):
            free = not c.session and (c.state in RESTING or c.persona not in {"", *known})
            return replace(c, first=first, persona=first if free else c.persona)
        case SettingsChanged():
            return replace(c, outdated=bool(c.session))
        case SpendingLimit(reached):
            return replace(c, spent=reached)


def _noted_of_the_model(c: Conversation, news: News) -> Conversation:
    """Remember what the model does, and what of its answer is still to come."""
    match news:
        case ToolNews(session) | Transcript(session) if session != c.session:
            return c
        case Transcript(who="model", text=text) if text.strip():
            return replace(c, question=text.rstrip(CLOSING).endswith(QUESTION_MARKS))
        case ToolNews(what="called"):
            return replace(c, calls=c.calls + 1)
        case ToolNews(what=what):
            left = max(c.calls - 1, 0)
            promised = c.promised and not (what == "cancelled" and left == 0)
            return replace(c, calls=left, promised=promised)
        case Leaving(mutes):
            return replace(c, leaving="mute" if mutes else "end")
        case TurnComplete(more=more) if news.session == c.session:
            return replace(c, promised=more)
        case ReplyAudio(turn=turn) if turn > c.turn:
            return replace(c, promised=False, rang=False)
        case SessionClosed(session) | SessionFailed(session) if session == c.session:
            return replace(c, calls=0, promised=False)
        case _:
            return c


def is_stale(c: Conversation, news: News) -> bool:
    """Tell whether the news is of a session, a turn or a timer that no longer matters."""
    match news:
        case SessionOpened() | Reconnecting() | SessionClosed() | SessionFailed() | SessionAged():
            return news.session != c.session
        case ToolNews():
            return news.session != c.session
        case ReplyAudio():
            return news.session != c.session or news.turn <= max(c.cut, c.broken)
        case Interrupted() | TurnComplete() | GenerationComplete() | Unheard():
            return news.session != c.session or news.turn <= c.cut
        case PlaybackDrained() | PlaybackStarved() | FirstSound():
            return news.turn != c.turn
        case TimedOut(clock):
            return clock != c.clock
        case _:
            return False
