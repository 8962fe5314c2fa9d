"""`over_ringing` says what news means while something rings: what rings, the talk, or both. Pure.

Tested in tests/conversation/test_machine.py.
"""

from __future__ import annotations

from dataclasses import replace

from device.conversation.effects import Effect, StopRinging
from device.conversation.states import AFTER_THE_WAKE_WORD, BUFFERED, Conversation
from device.news import Detection, Hold, News, Stop, StopWord, Tap


def over_ringing(
    c: Conversation, news: News
) -> tuple[Conversation, News | None, tuple[Effect, ...]]:
    """Stop what rings at the first thing that somebody says or presses; the rest is as ever.

    Returns what is then left for the talk to decide on (None: nothing), and the effects that come
    before those of the talk.

    A tap, and a "stop" without the wake word, mean what rings and nothing else, unless a reply can
    be heard as well. Said right after a wake word that has stopped it, "stop" has nothing left to
    stop but the talk that the wake word began.
    """
    match news:
        case StopWord() if c.ringing:
            return c, None, (StopRinging(),)
        case StopWord() if c.rang and c.state in AFTER_THE_WAKE_WORD:
            return replace(c, rang=False), Stop(), ()
        case Tap() if c.ringing and c.state not in BUFFERED:
            return c, None, (StopRinging(),)
        case Tap() | Stop() | Detection() | Hold() if c.ringing:
            return c, news, (StopRinging(),)
        case _:
            return c, news, ()
