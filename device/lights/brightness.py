"""The brightness of the lights follows the owner's settings and the time of day.

Only the clock on the wall counts, looked at anew each time: a clock that is put forward or back,
by summer time or by the network, changes the next look and nothing else.
"""

from __future__ import annotations

import time as time_of_system
from collections.abc import Callable
from datetime import datetime, time

from device.config import Lights
from device.config.kinds import night_of


def percent_at(now: time, by_day: int, at_night: int, night: str | None) -> int:
    """Return the brightness, 0..100; the night is never brighter than the day."""
    if night is None or not night_of(night).covers(now):
        return by_day
    return min(by_day, at_night)


LOOK_AGAIN_S = 60.0
"""Between two looks at the clock while nothing else is to be drawn."""


def wall_clock() -> time:
    """The time of day here, also after the owner has moved to another time zone."""
    time_of_system.tzset()
    return datetime.now().astimezone().time()


class Brightness:
    """The settings in force. Used from the event loop's thread only."""

    def __init__(self, clock: Callable[[], time] = wall_clock) -> None:
        self.settings = Lights()
        self._clock = clock

    @property
    def percent(self) -> int:
        """The brightness now, 0..100."""
        wanted = self.settings
        if wanted.night is None:
            return wanted.brightness
        return percent_at(self._clock(), wanted.brightness, wanted.night_brightness, wanted.night)

    @property
    def look_again_s(self) -> float | None:
        """How long what it says holds; None: until the settings change."""
        return None if self.settings.night is None else LOOK_AGAIN_S
