"""A limit of money that is reached says what becomes of a talk: nothing more is asked. Pure.

What was asked before is answered, to its last word, over as many turns and connections as that
takes; functions that are being carried out are told their model. Then the talk ends, and the person
is told why. Whoever calls at rest is told at once, and no session is opened.

Tested in tests/conversation/test_limit.py.
"""

from __future__ import annotations

from dataclasses import replace

from device.conversation.effects import Alarm, Chime, CloseSession, Effect, MeetLimit, StopRinging
from device.conversation.moves import Step, close_session, hang_up, hush, hush_to, to
from device.conversation.reasons import LIMIT
from device.conversation.states import BUFFERED, CALLING, RESTING, Conversation, State
from device.news import Ask, BargedIn, Detection, Hold, News, Tap


def refused(c: Conversation, news: News) -> Step | None:
    """Return what is done about news that asks for more than may be spent.

    None: it asks for nothing, or for what is owed anyway.
    """
    if not c.spent:
        return None
    rings = bool(c.ringing) and isinstance(news, Detection | Tap | Hold)
    silence: tuple[Effect, ...] = (StopRinging(),) if rings else ()
    if rings and (c.state in RESTING or (isinstance(news, Tap) and c.state not in BUFFERED)):
        # They mean what rings.
        return c, silence
    found = _at_rest(c, news) if c.state in RESTING else _in_a_talk(c, news)
    return None if found is None else (found[0], (*silence, *found[1]))


def _in_a_talk(c: Conversation, news: News) -> Step | None:
    match news:
        case Ask():
            return c, (MeetLimit(),)
        case Tap() if c.state is State.ONE_SHOT_CONNECTING:
            return hang_up(c, "dismissed", Chime("end"))
        case Tap() if c.state in BUFFERED:
            return hush_to(c, c.rest)
        case Detection() | Hold() if c.state in BUFFERED:
            return spent_out(c, *hush(c))
        case BargedIn() if c.state is State.SPEAKING:
            return spent_out(c, *hush(c))
        case Detection():
            # Whoever calls is being listened to, or waits for an answer that comes.
            return c, ()
        case Hold() if c.state is not State.LISTENING and c.state not in CALLING:
            return c, (Chime("error"),)
        case _:
            return None


def _at_rest(c: Conversation, news: News) -> Step | None:
    match news:
        case Detection() | Tap() | Hold() if c.rest is not State.IDLE:
            return None
        case Detection() | Tap() | Hold() | Ask():
            return to(c, State.FAULT, MeetLimit(), Alarm())
        case _:
            return None


def spent_out(c: Conversation, *before: Effect) -> Step:
    """End the talk and its session, and tell the person why."""
    close: tuple[Effect, ...] = (CloseSession(c.session, LIMIT),) if c.session else ()
    over = replace(c, session=0, cut=max(c.cut, c.turn))
    return to(over, State.FAULT, *before, MeetLimit(), Alarm(), *close)


def at_the_limit(c: Conversation) -> Step:
    """End what costs money where nobody waits for an answer any more."""
    if not c.spent or not c.session:
        return c, ()
    if c.state in RESTING:
        return close_session(c, LIMIT)
    if c.state is State.LISTENING and not c.owed:
        return spent_out(c)
    return c, ()
