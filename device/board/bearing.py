"""`Bearing` finds where on a ring of LEDs somebody speaks, from what the array tells. Pure.

An array tells a direction at any time, but it means something only while somebody speaks; the rest
is what was, or noise. And it leaps: now and then to the other side, for one answer. So only speech
counts, a far leap counts when it is told twice, the pointer glides, and it is gone a while after
the last word.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

HELD_S = 2.0
"""How long the pointer stays where somebody spoke: a breath, but not a question's answer."""
GLIDE_S = 0.15
"""Time constant of the pointer's way to a new direction."""
FAR = 0.25
"""Of the ring: a leap from here on is not believed at once."""
TOGETHER = 0.125
"""Of the ring: two far leaps that are no further apart mean the same."""


@dataclass(frozen=True, slots=True)
class Direction:
    """Where sound comes from, as an array tells it."""

    angle_deg: int
    """0..359."""
    speech: bool
    """Whether it is speech."""


class Reading(NamedTuple):
    """What an array has told, and when."""

    found: Direction
    at_s: float
    """CLOCK_MONOTONIC."""


class Mounting(NamedTuple):
    """How an array's directions lie on its LEDs."""

    rotation_deg: int = 0
    """From the first LED to where the direction of 0 is, in the order of the LEDs: any number."""
    mirrored: bool = False
    """Whether directions run the other way round than LEDs."""

    def place(self, angle_deg: float) -> float:
        """Return where on the ring a direction is, 0..1 from its first LED."""
        turned = -angle_deg if self.mirrored else angle_deg
        return (turned + self.rotation_deg) / 360 % 1.0


class Bearing:
    """Follows the readings of one array."""

    def __init__(self, mounting: Mounting) -> None:
        self._mounting = mounting
        self._taken: Reading | None = None
        self._heard_s = -math.inf
        self._target = 0.0
        self._doubted: float | None = None
        self._shown = 0.0
        self._shown_s = 0.0

    def look(self, newest: Reading | None, now_s: float) -> float | None:
        """Return where to point at ``now_s``, 0..1 around the ring; None: nowhere.

        ``newest``: the last that was told, whether or not it was given before.
        """
        if newest is not None and newest is not self._taken:
            self._taken = newest
            self._take(newest)
        if now_s - self._heard_s > HELD_S:
            return None
        share = 1.0 - math.exp(-max(0.0, now_s - self._shown_s) / GLIDE_S)
        self._shown = (self._shown + share * _way(self._shown, self._target)) % 1.0
        self._shown_s = now_s
        return self._shown

    def _take(self, reading: Reading) -> None:
        found, at_s = reading
        if not found.speech or not 0 <= found.angle_deg < 360:
            return
        place = self._mounting.place(found.angle_deg)
        if at_s - self._heard_s > HELD_S:
            # Nothing is shown that it could glide away from.
            self._shown = self._target = place
        elif self._doubts(place):
            self._doubted = place
            return
        self._heard_s, self._target, self._doubted = at_s, place, None

    def _doubts(self, place: float) -> bool:
        if abs(_way(self._target, place)) < FAR:
            return False
        return self._doubted is None or abs(_way(self._doubted, place)) > TOGETHER


def _way(one: float, other: float) -> float:
    """How far it is from one place on the ring to another, the shorter way round: -0.5..0.5."""
    return (other - one + 0.5) % 1.0 - 0.5
