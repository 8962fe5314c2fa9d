"""`Countdown` is the one timer of the conversation.

It runs by the clock, or by audio in which nobody speaks.
"""

from __future__ import annotations

import asyncio

from device.assistant.sessions import Sessions
from device.assistant.settings import Settings
from device.config import Conversation
from device.conversation.states import Timer
from device.frames import FRAME_MS
from device.news import Post, StillWaiting, TimedOut

FIRST_WORDS_S = 6.0
"""How long somebody who has said the wake word may take a breath."""

COUNTS_AUDIO = frozenset({Timer.FIRST_WORDS, Timer.FOLLOW_UP})
"""The timers that count microphone audio without speech instead of the clock."""

PATIENCE_S = 1.0
"""How long it is silent before a soft sound says that an answer is still being got."""

FAULT_SHOWN_S = 8.0
"""How long a failed session stays on the lights before the speaker is at rest again."""


def duration_s(timer: Timer, settings: Conversation) -> float:
    """Return how long a timer runs."""
    return {
        Timer.FIRST_WORDS: max(FIRST_WORDS_S, settings.follow_up_s),
        Timer.FOLLOW_UP: settings.follow_up_s,
        Timer.MAX_LISTEN: settings.max_listen_s,
        Timer.REPLY: settings.reply_timeout_s,
        Timer.STALL: settings.reply_timeout_s,
        Timer.KEEP: settings.session_keep_s,
        Timer.FAULT_SHOWN: FAULT_SHOWN_S,
    }[timer]


class Countdown:
    """Starting a timer replaces the running one. Used from the event loop's thread only."""

    def __init__(self, settings: Settings, sessions: Sessions, post: Post) -> None:
        """`sessions` is asked what is owed when a timer runs out."""
        self._settings = settings
        self._sessions = sessions
        self._post = post
        self._handle: asyncio.TimerHandle | None = None
        self._second: asyncio.TimerHandle | None = None
        self._clock = 0
        self._audio_ms = 0.0
        self._whole_ms = 0.0

    @property
    def left(self) -> float:
        """How much of the window in which the user may begin is left, 1..0; 1 outside of one."""
        return self._audio_ms / self._whole_ms if self._audio_ms > 0 else 1.0

    def start(self, timer: Timer, clock: int) -> None:
        """Post TimedOut with this number when the time of this timer is over.

        The windows in which the user may begin count frames without speech: someone who has begun
        to speak is not cut short, unless it never ends (a television).
        """
        self.cancel()
        self._clock = clock
        settings = self._settings.now.conversation
        seconds = duration_s(timer, settings)
        if timer in COUNTS_AUDIO:
            self._audio_ms = self._whole_ms = max(1000 * seconds, FRAME_MS)
            seconds += settings.max_listen_s
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(seconds, self._run_out)

    def wait_a_second(self, clock: int) -> None:
        """Post StillWaiting with this number in a second, if it is still in force then."""
        self._forget_second()
        loop = asyncio.get_running_loop()
        self._second = loop.call_later(PATIENCE_S, self._post, StillWaiting(clock))

    def _forget_second(self) -> None:
        if self._second is not None:
            self._second.cancel()
            self._second = None

    def follow(self, clock: int) -> None:
        """Forget the running timer if another number is in force."""
        if clock != self._clock:
            self.cancel()

    def heard(self, *, speaking: bool) -> None:
        """Count one frame of microphone."""
        if self._audio_ms <= 0 or speaking:
            return
        self._audio_ms -= FRAME_MS
        if self._audio_ms <= 0:
            self._run_out()

    def _run_out(self) -> None:
        self.cancel()
        self._post(TimedOut(self._clock, self._sessions.debt))

    def cancel(self) -> None:
        """Forget the running timer."""
        self._forget_second()
        self._audio_ms = 0.0
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
