"""`Button` tells what a finger at the board's button wants: edges to gestures, those to wishes.

A press that is mapped to talk acts before it is known what it becomes, where that does no harm:
talking begins, and a reply falls silent, when the finger comes. Whether it then leaves (a tap),
stays (a hold) or comes again takes from there.
"""

from __future__ import annotations

import asyncio
import math
import time

from device import news as n
from device.assistant.activity import Activity
from device.assistant.sessions import Sessions
from device.assistant.settings import Settings
from device.assistant.talk import Talk
from device.board.gestures import Gesture, Gestures, Used
from device.config import ButtonGestures
from device.conversation.states import AT_THE_PRESS, HOLDING, PLAYING, State
from device.news import ButtonEdge, Post, Pressed

VOLUME_STEP = 10
"""Percent."""

RECENT_S = 2.0
"""A gesture that is certain has begun no longer ago."""


class Button:
    """One button. Used from the event loop's thread only; every call returns at once."""

    def __init__(
        self,
        settings: Settings,
        talk: Talk,
        sessions: Sessions,
        activity: Activity,
        post: Post,
    ) -> None:
        """Gestures are posted as `Pressed`, which comes back to `act`; what they want as well."""
        self._settings = settings
        self._talk = talk
        self._sessions = sessions
        self._activity = activity
        self._post = post
        self._gestures = Gestures()
        self._timer: asyncio.TimerHandle | None = None
        self._counts_already = False
        """Whether the present press has done as a tap what it would."""
        self._heard = False
        """Whether somebody has spoken since the button went down."""
        self._pressed_at = -math.inf
        self._unheard = False
        """Whether the present press is held to talk into a speaker that does not listen."""

    def take(self, news: ButtonEdge) -> None:
        """Take note that the button went down or up."""
        gestures = self._gestures.edge(self._used, down=news.down, at=news.time)
        self._tell(gestures, news.time)

    def lose(self) -> None:
        """Forget a press that is going on: the board is, or may be, another one from now on."""
        self._tell(self._gestures.lose(), time.monotonic())

    def close(self) -> None:
        """Let nothing happen any more."""
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def speech(self, *, speaking: bool) -> None:
        """Take note that somebody began or stopped speaking, as far as we hear."""
        if speaking:
            self._hears()

    def _hears(self) -> None:
        self._heard = True
        self._pass_on_heard()
        if self._mapped.hold == "push_to_talk":
            self._gestures.spoke()

    def _pass_on_heard(self) -> None:
        """Tell the session that whoever holds the button begins to talk."""
        session = self._sessions.session
        if session is not None and self._heard:
            session.push_to_talk.heard()

    @property
    def _mapped(self) -> ButtonGestures:
        return self._settings.now.button.gestures

    @property
    def _used(self) -> Used:
        mapped = self._mapped
        return Used(
            double_tap=mapped.double_tap != "none",
            hold=mapped.hold != "none",
            long_hold=mapped.long_hold != "none",
        )

    def _tell(self, gestures: list[Gesture], at: float) -> None:
        self._stop_timer()
        for gesture in gestures:
            self._post(Pressed(gesture.value, at))
        due = self._gestures.due(self._used)
        if due is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(due - time.monotonic(), 0.0), self._tick, due)

    def _tick(self, due: float) -> None:
        self._tell(self._gestures.tick(self._used, due), due)

    @property
    def may_hold(self) -> bool:
        """Whether the finger is on the button, and may be about to talk."""
        return self._gestures.down and self._mapped.hold == "push_to_talk"

    @property
    def since_press_s(self) -> float:
        """How long ago it came, for what is done because of that; 0 when that is long ago."""
        passed_s = time.monotonic() - self._pressed_at
        return passed_s if passed_s < RECENT_S else 0.0

    def act(self, pressed: Pressed) -> None:
        """Ask for what a gesture means."""
        mapped = self._mapped
        match Gesture(pressed.gesture):
            case Gesture.PRESS:
                self._pressed_at = pressed.time
                self._press()
            case Gesture.TAP:
                self._let_go()
                if not self._counts_already:
                    self._do(mapped.tap)
                self._counts_already = False
            case Gesture.DOUBLE_TAP:
                self._let_go()
                self._do(mapped.double_tap)
            case Gesture.HOLD if self._counts_already and self._talk.state is State.FAULT:
                # What the press began has failed, and has been told.
                self._let_go()
            case Gesture.HOLD if mapped.hold == "push_to_talk":
                self._post(n.Hold())
                self._unheard = self._talk.state not in HOLDING
                self._pass_on_heard()
                # Where nobody can be heard now, it was no hold.
                self._let_go()
            case Gesture.HOLD:
                self._let_go()
                self._do(mapped.hold)
            case Gesture.LONG_HOLD:
                self._unheard = False
                self._end_hold()
                self._let_go()
                self._do(mapped.long_hold)
            case Gesture.RELEASE:
                self._end_hold()
                if self._unheard:
                    # Which then is said, as to a tap.
                    self._post(n.Release(heard=False))

    def _press(self) -> None:
        mapped = self._mapped
        self._heard = self._unheard = self._counts_already = False
        if self._activity.speaking:
            self._hears()
        session = self._sessions.session
        if session is not None and mapped.hold == "push_to_talk":
            session.push_to_talk.press()
        if self._talk.now.ringing:
            # Whoever is woken by it presses anything: that is not what a tap is mapped to.
            self._counts_already = True
            self._post(n.Tap())
            return
        state = self._talk.state
        # A second tap would make of the first one a mistake, except where it silences a reply.
        waits = mapped.double_tap != "none" and state not in PLAYING
        if mapped.tap == "talk" and state in AT_THE_PRESS and not waits:
            self._counts_already = True
            self._do("talk")

    def _end_hold(self) -> None:
        if self._talk.state in HOLDING:
            self._post(n.Release(self._heard))

    def _let_go(self) -> None:
        session = self._sessions.session
        if session is not None:
            session.push_to_talk.let_go()

    def _do(self, action: str) -> None:
        match action:
            case "talk":
                self._post(n.Tap())
            case "stop":
                self._post(n.Stop())
            case "mute":
                self._post(n.MuteToggled())
            case "volume_up":
                self._post(n.VolumeStepped(VOLUME_STEP))
            case "volume_down":
                self._post(n.VolumeStepped(-VOLUME_STEP))
