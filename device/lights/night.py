"""How bright the lights are at a time of day.

Only the clock on the wall counts, looked at anew each time: a clock that is put forward or back,
by summer time or by the network, changes the next look and nothing else.
"""

from __future__ import annotations

from datetime import time
from typing import NamedTuple


class Night(NamedTuple):
    """From when to when it is night; `ends` is day again."""

    begins: time
    ends: time

    def covers(self, now: time) -> bool:
        """Whether it is night; one that ends before it begins goes over midnight."""
        if self.begins <= self.ends:
            return self.begins <= now < self.ends
        return now >= self.begins or now < self.ends


def parsed(text: str) -> Night:
    """Return the night that HH:MM-HH:MM means; ValueError says what it should look like."""
    begins, _, ends = text.partition("-")
    try:
        night = Night(_time(begins), _time(ends))
    except ValueError:
        raise ValueError(
            "is not a night: write its hours as HH:MM-HH:MM, e.g. 22:00-07:00"
        ) from None
    if night.begins == night.ends:
        raise ValueError("begins when it ends: write its hours as HH:MM-HH:MM, e.g. 22:00-07:00")
    return night


def percent_at(now: time, by_day: int, at_night: int, night: str | None) -> int:
    """Return the brightness, 0..100; the night is never brighter than the day."""
    if night is None or not parsed(night).covers(now):
        return by_day
    return min(by_day, at_night)


def _time(text: str) -> time:
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isdecimal() and len(minutes) == 2 and minutes.isdecimal()):
        raise ValueError(text)
    return time(int(hours), int(minutes))
