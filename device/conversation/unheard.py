"""`unheard` says what is done about a turn of the model that nobody could hear. Pure.

Tested in tests/conversation/test_machine.py.
"""

from __future__ import annotations

from dataclasses import replace

from device.conversation.effects import (
    AcceptSilence,
    Alarm,
    AskAgain,
    CloseSession,
    GiveUpAsking,
    WaitASecond,
)
from device.conversation.moves import Step, hush, leave, to
from device.conversation.states import PLAYING, Conversation, State
from device.news import Unheard

MOST_ATTEMPTS = 2
"""How often a question is asked again: no server gets it more than three times."""
ATTEMPTS_AT_THE_LIMIT = 1
"""The same where a limit of money is reached: each time is paid for."""


def unheard(c: Conversation, news: Unheard) -> Step:
    """Ask again at once, then over a fresh session, then tell the person.

    Live API: what a model was not meant to answer may end in an empty turn, too.
    """
    if c.leaving:
        # It had nothing to say to that.
        return leave(replace(c, cut=news.turn))
    if news.chosen and c.attempts and not c.addressed and c.state not in PLAYING:
        # It may have been meant for somebody else: asked twice is enough.
        return to(replace(c, cut=news.turn), State.LISTENING, AcceptSilence())
    silenced = replace(c, cut=max(c.cut, news.turn), attempts=c.attempts + 1)
    if c.attempts >= (ATTEMPTS_AT_THE_LIMIT if c.spent else MOST_ATTEMPTS):
        close = CloseSession(c.session, f"no answer could be heard ({news.why})")
        over = replace(silenced, session=0)
        return to(over, State.FAULT, GiveUpAsking(news.why), *hush(c), Alarm(), close)
    one_shot = c.state in {State.ONE_SHOT_THINKING, State.ONE_SHOT_SPEAKING}
    waiting = State.ONE_SHOT_THINKING if one_shot else State.THINKING
    fresh = c.attempts > 0
    again = AskAgain(news.why, fresh=fresh, forget=fresh and news.why == "rejected")
    after, effects = to(silenced, waiting, *hush(c), again)
    return after, (*effects, WaitASecond(after.clock))
