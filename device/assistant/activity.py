"""`Activity` follows whether the user speaks, and tells the session."""

from __future__ import annotations

import time

from device.assistant.sessions import Sessions
from device.assistant.talk import Talk
from device.assistant.uplink import Uplink
from device.conversation.effects import Entered
from device.conversation.states import HOLDING, TRACK_SPEECH, UPLINK_OPEN
from device.events import EventBus, EventName, PublicEvent
from device.frames import MICROPHONE_RATE_HZ
from device.news import SpeechChanged


class Activity:
    """Used from the event loop's thread only."""

    def __init__(self, bus: EventBus, sessions: Sessions, talk: Talk, uplink: Uplink) -> None:
        self._bus = bus
        self._sessions = sessions
        self._talk = talk
        self._uplink = uplink
        self.speaking = False
        """Whether the user speaks, as far as we hear."""
        self._edge_sample = 0
        """The microphone's sample at which speech began or ended last."""

    def take(self, news: SpeechChanged) -> None:
        """Note that speech began or ended."""
        lasted_s = (news.end_sample - self._edge_sample) / MICROPHONE_RATE_HZ
        self.speaking, self._edge_sample = news.speaking, news.end_sample
        if self._talk.uplink_open:
            # What is said into our own reply may be its echo, and does not go up in half duplex.
            self._tell(speaking=news.speaking and not self._uplink.silenced, lasted_s=lasted_s)

    def addressed(self) -> None:
        """Note that who speaks is no echo: they said the wake word, or spoke on over the reply."""
        if self.speaking:
            self._tell(speaking=True)

    def barged_in(self) -> None:
        """Note that somebody speaks on over the reply."""
        if self._talk.uplink_open:
            self._tell(speaking=True)

    def follow(self, entered: Entered) -> bool:
        """Follow the state; returns whether speech is to be tracked from now on."""
        before, state = entered.before, entered.state
        if (state in TRACK_SPEECH) is not (before in TRACK_SPEECH):
            self._forget()
        if (state in UPLINK_OPEN) is not (before in UPLINK_OPEN) and before not in HOLDING:
            self._tell(speaking=self.speaking)
        return state in TRACK_SPEECH

    def _forget(self) -> None:
        """Forget whether somebody speaks: nobody listens for it any more, or just begins to.

        Whoever was told that speech began is told that it ended, as far as anybody follows it.
        """
        if self.speaking:
            ended = PublicEvent(EventName.ACTIVITY, time.monotonic(), {"what": "ended"})
            self._bus.publish(ended)
        self.speaking = False

    def _tell(self, *, speaking: bool, lasted_s: float = 0.0) -> None:
        """Tell the session whether the user speaks to it, or did so long.

        While the button is held, that says so.
        """
        session, state = self._sessions.session, self._talk.state
        if session is not None and state not in HOLDING:
            session.user_speaks(speaking and state in UPLINK_OPEN, lasted_s)
