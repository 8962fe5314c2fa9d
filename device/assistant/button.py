"""What a finger at the board wants: edges of the button to gestures, and those to what is mapped.

A press that is mapped to talk acts before it is known what it becomes, where that does no harm:
talking begins, and a reply falls silent, when the finger comes. Whether it then leaves (a tap),
stays (a hold) or comes again takes from there.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from device.assistant.activity import Spoken
from device.assistant.mute import Muting
from device.assistant.sessions import Calling
from device.board.gestures import Gesture, Gestures, Used
from device.board.mute_switch import SwitchWatch
from device.config import ButtonGestures, Config
from device.conversation import states as v
from device.conversation.states import AT_THE_PRESS, HOLDING, PLAYING
from device.news import ButtonEdge, MuteSwitched, Post, Pressed

VOLUME_STEP = 10
"""Percent."""

RECENT_S = 2.0
"""A gesture that is certain has begun no longer ago."""


class Finger:
    """One button. Used from the event loop's thread only; every call returns at once."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it moves, and what it must know for that
        self,
        post: Post,
        happen: Callable[[v.Event], None],
        louder: Callable[[int], None],
        muting: Muting,
        calling: Calling,
        spoken: Spoken,
        now: Callable[[], tuple[Config, v.Conversation]],
    ) -> None:
        """Gestures are posted as `Pressed`, which comes back to `take` to be acted on.

        `happen` lets the conversation take a step; `louder` changes the volume by so many percent.
        `now` tells which configuration is in force, and how the conversation stands.
        """
        self._post = post
        self._happen = happen
        self._louder = louder
        self._muting = muting
        self._calling = calling
        self._spoken = spoken
        self._now = now
        self._gestures = Gestures()
        self._timer: asyncio.TimerHandle | None = None
        self._counts_already = False
        """Whether the present press has done as a tap what it would."""
        self._heard = False
        """Whether somebody has spoken since the button went down."""
        self._pressed_at = -math.inf
        self._unheard = False
        """Whether the present press is held to talk into a speaker that does not listen."""

    # --- edges and time --------------------------------------------------------------------------

    def take(self, news: ButtonEdge | Pressed | MuteSwitched) -> None:
        """The button went down or up, a gesture of it is certain, or the mute switch was moved."""
        match news:
            case MuteSwitched(on=on):
                self._muting.switched(on=on)
            case ButtonEdge(down, at):
                self._tell(self._gestures.edge(self._used, down=down, at=at), at)
            case Pressed():
                self._spoken.addressed = True
                self._act(news)

    def on_board(self, switch: SwitchWatch | None) -> None:
        """The board is, or may be, another one from now on, with this mute switch."""
        self._tell(self._gestures.lose(), time.monotonic())
        self._muting.watch(switch, self._post)

    def close(self) -> None:
        """Nothing happens any more."""
        self._stop_timer()
        self._muting.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def speech(self, *, speaking: bool) -> None:
        """Somebody began or stopped speaking, as far as we hear."""
        if speaking:
            self._hears()

    def _hears(self) -> None:
        self._heard = True
        self._pass_on_heard()
        if self._mapped.hold == "push_to_talk":
            self._gestures.spoke()

    def _pass_on_heard(self) -> None:
        """Who holds the button begins to talk."""
        session = self._calling.session
        if session is not None and self._heard:
            session.holding.heard()

    @property
    def _mapped(self) -> ButtonGestures:
        return self._now()[0].button.gestures

    @property
    def _state(self) -> v.State:
        return self._now()[1].state

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

    # --- what they mean --------------------------------------------------------------------------

    @property
    def may_hold(self) -> bool:
        """Whether the finger is on the button, and may be about to talk."""
        return self._gestures.down and self._mapped.hold == "push_to_talk"

    @property
    def since_press_s(self) -> float:
        """How long ago it came, for what is done because of that; 0 when that is long ago."""
        passed_s = time.monotonic() - self._pressed_at
        return passed_s if passed_s < RECENT_S else 0.0

    def _act(self, pressed: Pressed) -> None:
        """Do what a gesture means."""
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
            case Gesture.HOLD if self._counts_already and self._state is v.State.FAULT:
                # What the press began has failed, and has been told.
                self._let_go()
            case Gesture.HOLD if mapped.hold == "push_to_talk":
                self._happen(v.Hold())
                self._unheard = self._state not in HOLDING
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
                    self._happen(v.Release(heard=False))

    def _press(self) -> None:
        mapped = self._mapped
        self._heard = self._unheard = self._counts_already = False
        if self._spoken.speaking:
            self._hears()
        session = self._calling.session
        if session is not None and mapped.hold == "push_to_talk":
            session.holding.press()
        state = self._state
        # A second tap would make of the first one a mistake, except where it silences a reply.
        waits = mapped.double_tap != "none" and state not in PLAYING
        if mapped.tap == "talk" and state in AT_THE_PRESS and not waits:
            self._counts_already = True
            self._do("talk")

    def _end_hold(self) -> None:
        if self._state in HOLDING:
            self._happen(v.Release(self._heard))

    def _let_go(self) -> None:
        session = self._calling.session
        if session is not None:
            session.holding.let_go()

    def _do(self, action: str) -> None:
        match action:
            case "talk":
                self._happen(v.Tap())
            case "stop":
                self._happen(v.Stop())
            case "mute":
                self._muting.toggle()
            case "volume_up":
                self._louder(VOLUME_STEP)
            case "volume_down":
                self._louder(-VOLUME_STEP)
