"""How the owner wants the lights, and how bright that makes them now."""

from __future__ import annotations

import time as time_of_system
from collections.abc import Callable
from datetime import datetime, time

from device.config import Lights
from device.lights.night import percent_at

LOOK_AGAIN_S = 60.0
"""Between two looks at the clock while nothing else is to be drawn."""


def wall_clock() -> time:
    """The time of day here, also after the owner has moved to another time zone."""
    time_of_system.tzset()
    return datetime.now().astimezone().time()


class Dimmer:
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
