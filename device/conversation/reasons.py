"""`reason` says why a state changed, for the `state` event. Pure.

Tested in tests/conversation/test_machine.py.
"""

from __future__ import annotations

from device.conversation.states import AWAITING_SERVER, PLAYING, Conversation
from device.news import (
    Ask,
    BargedIn,
    Debt,
    Detection,
    Hold,
    Interrupted,
    MicrophoneDelivers,
    MicrophoneLost,
    Mute,
    News,
    PersonasChanged,
    PlaybackDrained,
    Reconnecting,
    Release,
    ReplyAudio,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SpeechChanged,
    SpendingLimit,
    Stop,
    StopWord,
    Tap,
    TimedOut,
    ToolNews,
    TurnComplete,
    Unheard,
    Unmute,
)

NO_ANSWER = "no answer came"
LIMIT = "the spending limit is reached"

REASONS: dict[type[News], str] = {
    Detection: "wake word",
    Tap: "button",
    Hold: "button held",
    Release: "button released",
    Ask: "typed question",
    Stop: "stop",
    StopWord: "stop",
    Mute: "mute",
    Unmute: "unmute",
    MicrophoneLost: "microphone lost",
    MicrophoneDelivers: "microphone delivers",
    BargedIn: "interrupted by speech",
    SessionOpened: "session opened",
    Reconnecting: "connection lost",
    SessionClosed: "session closed",
    SessionFailed: "session failed",
    ReplyAudio: "reply started",
    Interrupted: "interrupted by speech",
    TurnComplete: "turn complete",
    PlaybackDrained: "reply heard",
    TimedOut: "nothing more came",
    Unheard: "no answer was heard",
    ToolNews: "a function is called",
    PersonasChanged: "persona gone",
    SpendingLimit: LIMIT,
}
"""Why a state changed, for the `state` event, where the news does not say it itself."""


def reason(c: Conversation, news: News) -> str:
    """Return why this news changes the state, in a few words; empty where it says so itself."""
    match news:
        case SpeechChanged(speaking=speaking):
            return "speech began" if speaking else "speech ended"
        case PlaybackDrained() if c.spent and not c.owed and not c.leaving:
            return LIMIT
        case TimedOut() if is_unanswered(c, news):
            return NO_ANSWER
        case _:
            return REASONS.get(type(news), "")


def is_unanswered(c: Conversation, news: TimedOut) -> bool:
    """Whether the server is to blame for the silence in which a timer ran out.

    What was said after a reply may have been meant for somebody else, or be a television: only what
    the server has understood of it must be answered.
    """
    meant = c.state in PLAYING or c.addressed or news.debt is Debt.UNDERSTOOD
    owed = news.debt is not Debt.NONE and c.session != 0
    return owed and meant and c.state in AWAITING_SERVER
