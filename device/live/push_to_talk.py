"""`PushToTalk` makes one turn of what is said while a button is held.

Live API: a connection either finds by itself when the user speaks (automatic activity detection) or
is told (``activityStart`` and ``activityEnd``), as its setup says; telling one that listens by
itself is an error, and so is ``audioStreamEnd`` to one that is told. All but the model may be set
anew when a session is resumed. So a turn that is held goes up over a connection set up to be told,
and what is said otherwise over one that listens: where the open one does not suit what waits next,
it gives way to one that does, over which the conversation goes on. What was said meanwhile waits.

Nothing of what the microphone hears since the button went down goes up before it is known whether
it is held: there would be no connection to send it over. Held, nothing goes up before somebody is
heard to speak, and nothing at all of a hold in silence: nobody listens to who holds it to mute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from enum import Enum, auto

from device.live.messages import (
    ActivityEnd,
    ActivityStart,
    Audio,
    Message,
    Said,
    Text,
)
from device.live.repeat import Unanswered
from device.live.rotation import Moment
from device.live.stalls import WORD_S, Stalls
from device.live.uplink import (
    Uplink,
)


class _Turn(Enum):
    """Where the newest turn that is held stands, as far as the server was told."""

    NONE = auto()
    BEGUN = auto()
    ENDED = auto()


class PushToTalk:
    """Used from the event loop's thread only; every call returns at once."""

    def __init__(
        self,
        uplink: Uplink,
        unanswered: Unanswered,
        stalls: Stalls,
        moment: Moment,
        stirred: asyncio.Event,
    ) -> None:
        self._uplink = uplink
        self._unanswered = unanswered
        self._stalls = stalls
        self._moment = moment
        self._stirred = stirred
        self._turn = _Turn.NONE
        self._held = False
        self.manual = False
        """Whether the newest connection is told when the user speaks."""
        self.unsuited = False
        """Whether it should give way to one of the other kind."""

    # --- what the finger does --------------------------------------------------------------------

    def press(self) -> None:
        """The button went down: let what is said from now on wait until it is known why."""
        self._uplink.press()

    def let_go(self) -> None:
        """It is no hold: what waits goes up as ever. Harmless when nothing waits, or it is one."""
        if not self._held:
            self._uplink.let_go()

    def hold(self) -> None:
        """It is held: what is said since the press, and until `release`, is one turn."""
        self._held = True
        self._uplink.press()
        self._unanswered.hold()
        self._moment.speaking = True
        self._prepare()

    def heard(self) -> None:
        """Somebody speaks: the turn begins. Harmless when it has, or nothing is held."""
        if self._held:
            self._uplink.hold()
            self._stalls.speech_began()
            self._stalls.held()

    def end(self) -> None:
        """Nobody is listened to any more, nor was, if `heard` was never called."""
        if self._held:
            self._held = self._moment.speaking = self.unsuited = False
            self._unanswered.speaking(False)
            self._uplink.forget_undecided()

    def release(self) -> None:
        """The turn is over, and the server owes an answer."""
        self.heard()
        self._held = False
        self._uplink.append_activity_end()
        self._unanswered.speaking(False)
        self._stalls.speech_ended(time.monotonic(), WORD_S)
        self._moment.speaking = False
        self._stirred.set()

    # --- what its connections need ---------------------------------------------------------------

    def next_is_manual(self) -> bool:
        """Tell whether the next connection should be told when the user speaks."""
        if self._turn is _Turn.BEGUN:
            return True
        wanted = self._wanted(self._uplink.head)
        if wanted is not None:
            return wanted
        again = self._turn is _Turn.ENDED and self._unanswered.pending
        return again or self._held or self.manual

    def opened(self, *, manual: bool) -> None:
        """A connection of this kind stands."""
        self.manual, self.unsuited = manual, False
        self._prepare()

    def suits(self, message: Message) -> bool:
        """Tell whether the connection takes this message; if not, it should give way."""
        self.unsuited = self._wanted(message) not in {None, self.manual}
        if self.unsuited:
            self._stirred.set()
        return not self.unsuited

    def sent(self, message: Message) -> None:
        """The server has been told this."""
        match message:
            case ActivityStart():
                self._turn = _Turn.BEGUN
            case ActivityEnd():
                self._turn = _Turn.ENDED
            case Audio() if not self.manual:
                self._turn = _Turn.NONE
        self._prepare()

    def again(self, said: Sequence[bytes | str | Text]) -> list[Said]:
        """Return what must be said again over a new connection, as the turn that it was.

        Where that one finds by itself when somebody speaks, because they go on without the button,
        it is speech like any other.
        """
        turn, self._turn = self._turn, _Turn.NONE
        if turn is _Turn.BEGUN:
            return [ActivityStart(), *said]
        spoken = any(isinstance(item, bytes) for item in said)
        if turn is _Turn.ENDED and spoken and self.manual:
            return [ActivityStart(), *said, ActivityEnd()]
        return list(said)

    def _prepare(self) -> None:
        """Have the connection for a turn that may begin made before it does."""
        if self._held and not self.manual and self._uplink.head is None:
            self.unsuited = True
            self._stirred.set()

    def _wanted(self, message: Message | None) -> bool | None:
        match message:
            case ActivityStart() | ActivityEnd():
                return True
            case Audio():
                return self._turn is _Turn.BEGUN
            case _:
                return None
