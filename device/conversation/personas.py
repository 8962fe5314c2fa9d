"""`wanted` and `calls_another` say whose talk begins with what is said, pressed or typed. Pure.

Tested in tests/conversation/test_machine.py.
"""

from __future__ import annotations

from device.conversation.states import HOLDING, RESTING, Conversation, State
from device.news import Ask, Detection, News


def wanted(c: Conversation, trigger: News) -> str:
    """Return who answers to this: the wake word and a typed name say it, else whoever talks."""
    match trigger:
        case Detection(persona=name) | Ask(persona=str(name)):
            return name
        case _:
            # A reply that outlives its session is still somebody's.
            return c.persona if c.session or c.state not in RESTING else c.first


def calls_another(c: Conversation, news: News) -> bool:
    """Tell whether somebody else than the persona of the open session is called.

    While the button is held, what is said is a turn of that session, wake words and all.
    """
    match news:
        case Detection(persona=name):
            heard = c.rest is State.IDLE and c.state not in HOLDING
            return heard and c.session != 0 and name != c.persona
        case Ask(persona=str(name)):
            return c.session != 0 and name != c.persona
        case _:
            return False
