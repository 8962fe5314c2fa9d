"""`held` says what a button that is held to talk, or released, makes of the talk. Pure.

From the press to its release is one turn, pauses and all. A press is told as a hold only when it
has lasted for long enough; a shorter one is a tap, which is no matter of this module.

Tested in tests/conversation/test_machine.py.
"""

from __future__ import annotations

from dataclasses import replace

from device.conversation.effects import Alarm, BeginHeld, Chime
from device.conversation.moves import Step, hang_up, hold, hush, hush_to, to, to_rest
from device.conversation.states import CALLING, PLAYING, Conversation, State
from device.news import Hold, Release


def held(c: Conversation, news: Hold | Release) -> Step:
    """Begin the turn at the press, end it at the release; tell who cannot be heard."""
    match c.state, news:
        case ((State.IDLE | State.FAULT), Hold()) if c.rest is State.IDLE:
            return hold(c)
        case ((State.LISTENING | State.THINKING | State.ONE_SHOT_THINKING), Hold()) if (
            c.rest is State.IDLE
        ):
            return to(c, State.HOLDING, BeginHeld())
        case state, Hold() if state in CALLING and c.rest is State.IDLE:
            return to(c, State.HOLDING_CONNECTING, BeginHeld())
        case State.PAUSED, Hold():
            return hush_to(c, State.HOLDING, BeginHeld())
        case state, Hold() if state in PLAYING and c.rest is State.IDLE:
            return hold(replace(c, cut=c.turn), *hush(c))
        case State.HOLDING_CONNECTING, Release(heard=False):
            return hang_up(c, "nothing was said", Chime("end"))
        case State.HOLDING, Release(heard=False):
            return to_rest(c, Chime("end"))
        case State.HOLDING_CONNECTING, Release():
            return to(c, State.ONE_SHOT_CONNECTING)
        case State.HOLDING, Release():
            return to(c, State.ONE_SHOT_THINKING)
        case State.MUTED, Release():
            return c, (Chime("error"),)
        case ((State.FAULT | State.STARTING), Release()) if c.rest is not State.IDLE:
            return c, (Alarm(),)
    return c, ()
