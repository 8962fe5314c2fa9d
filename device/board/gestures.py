"""`Gestures` tells a tap, a hold and a double tap from the edges of one button. Pure.

Theory of operation. It is told each edge with its time, and the time when nothing happened until
then (`tick`, due at `due`); it answers with the gestures that this makes certain, in order. A press
of the finger is one of

    press ── released ─────────────────────────────── tap        (pressed again soon: double_tap)
          └─ down for HOLD_S ── hold ── released ──── release
                                 └─ down for LONG_HOLD_S ── long_hold ── released ── release

``press`` comes at once and means nothing by itself: it is there for what must not wait, such as
silencing a reply. Where nobody uses a gesture, nothing waits for it either: without a double tap a
tap is certain when the finger leaves the button, and without any hold there is none.

A hold that somebody talks into is talking, however long it lasts: after `spoke` it is no long hold
any more. So one button can be both held to talk and held to mute; and the one gesture that must
work in a noisy room can be made the double tap. A tap that a hold follows at once counts as part of
the hold.

Edges get lost, bounce, and come late (lgpio#18). A release counts once it has lasted `SETTLE_S`. A
release without a press says nothing. A second press without a release ends the first one. A
release that never comes is made up for after `MAX_HOLD_S`. So every hold ends, exactly once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

SETTLE_S = 0.05
"""How long a release must last; what is shorter is a contact that bounces. Edges of the same kind
nearer than this are one."""

HOLD_S = 0.5
"""Held this long, it is no tap any more."""

LONG_HOLD_S = 3.0
"""Held this long in silence. Nobody who wants to talk is silent for that long first."""

DOUBLE_S = 0.4
"""From a release to the next press of a double tap, at most."""

MAX_HOLD_S = 60.0
"""No finger stays down for longer; and no more than a minute of sound can wait for a connection."""


class Gesture(StrEnum):
    """What a finger does, under the names of the event stream."""

    PRESS = "press"
    """The button went down; what it becomes is not known yet."""
    TAP = "tap"
    DOUBLE_TAP = "double_tap"
    HOLD = "hold"
    """It is being held; ends with `RELEASE`."""
    LONG_HOLD = "long_hold"
    """It is still being held, and nobody has spoken; ends with `RELEASE`."""
    RELEASE = "release"
    """A hold or a long hold is over."""


@dataclass(frozen=True, slots=True)
class Used:
    """Which gestures mean something; for the others nobody waits."""

    double_tap: bool = False
    hold: bool = True
    long_hold: bool = True


class Gestures:
    """One button. Times are seconds of any one clock; one that runs backwards stands still here."""

    def __init__(self) -> None:
        self._now = -math.inf
        self._pressed_at: float | None = None
        """When the finger came; None while it is away."""
        self._released_at: float | None = None
        """When it left, as long as that may still be a bounce."""
        self._tapped_at: float | None = None
        """When the first tap of what may be two ended."""
        self._told: Gesture | None = None
        """What the present press has become: HOLD or LONG_HOLD."""
        self._second = False
        """Whether the present press is the second of a double tap."""
        self._talked = False

    @property
    def down(self) -> bool:
        """Whether a finger is on the button."""
        return self._pressed_at is not None

    def spoke(self) -> None:
        """Somebody talks: the present press is no long hold any more."""
        self._talked = True

    def edge(self, used: Used, *, down: bool, at: float) -> list[Gesture]:
        """Take an edge, and return what it makes certain."""
        made = self.tick(used, at)
        if down:
            return made + self._press(used)
        if self._pressed_at is not None and self._released_at is None:
            self._released_at = self._now
        return made

    def tick(self, used: Used, at: float) -> list[Gesture]:
        """Nothing has happened until this time: return what that makes certain."""
        made: list[Gesture] = []
        self._now = max(self._now, at)
        while (due := self.due(used)) is not None and due <= self._now:
            made += self._fall_due(used)
        return made

    def due(self, used: Used) -> float | None:
        """Return when to call `tick` if no edge comes before; None: not at all."""
        if self._pressed_at is None:
            return None if self._tapped_at is None else self._tapped_at + DOUBLE_S
        if self._released_at is not None:
            return self._released_at + SETTLE_S
        return self._pressed_at + self._next_length_s(used)

    def lose(self) -> list[Gesture]:
        """The button is no more, or its release got lost: a hold under way ends."""
        made = [Gesture.RELEASE] if self._told else []
        self._lift()
        self._tapped_at = None
        return made

    def _press(self, used: Used) -> list[Gesture]:
        made: list[Gesture] = []
        if self._pressed_at is not None:
            bounced = self._released_at is not None
            self._released_at = None
            if bounced or self._now - self._pressed_at < SETTLE_S:
                return made
            # Its release got lost.
            made = self._let_go(used, self._now)
        self._second = self._tapped_at is not None
        self._pressed_at, self._tapped_at = self._now, None
        self._talked = False
        return [*made, Gesture.PRESS]

    def _next_length_s(self, used: Used) -> float:
        if self._told is None and used.hold:
            return HOLD_S
        if self._told is not Gesture.LONG_HOLD and used.long_hold and not self._talked:
            return LONG_HOLD_S
        return MAX_HOLD_S

    def _fall_due(self, used: Used) -> list[Gesture]:
        if self._pressed_at is None:
            self._tapped_at = None
            return [Gesture.TAP]
        if self._released_at is not None:
            return self._let_go(used, self._released_at)
        length_s = self._next_length_s(used)
        if length_s == MAX_HOLD_S:
            return self.lose()
        self._told = Gesture.HOLD if length_s == HOLD_S else Gesture.LONG_HOLD
        return [self._told]

    def _let_go(self, used: Used, at: float) -> list[Gesture]:
        told, second = self._told, self._second
        self._lift()
        if told:
            return [Gesture.RELEASE]
        if second:
            return [Gesture.DOUBLE_TAP]
        if used.double_tap:
            self._tapped_at = at
            return []
        return [Gesture.TAP]

    def _lift(self) -> None:
        self._pressed_at = self._released_at = self._told = None
        self._second = False
