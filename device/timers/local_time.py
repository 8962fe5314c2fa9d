"""Local time becomes a moment, and back: over summer time, over zones, by weekdays. Pure.

A moment is Unix time in seconds. Summer time leaves local times out and has others twice: what does
not exist is the first moment after the gap; what exists twice is the first of the two.

Source: the Python library's `datetime` and PEP 495 (`fold`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import takewhile

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As the functions of the model and the file name them; their places are `date.weekday()`."""

_DAY = timedelta(days=1)
_WEEK_AND_MORE = 9
"""Days in which every weekday comes once, whatever a zone does to the first and the last."""


def moment(day: date, at: time, zone: tzinfo) -> float:
    """Return when a local time is there. Years 1970..2200."""
    local = datetime.combine(day, at, tzinfo=zone)
    found = local.timestamp()
    if _wall(found, zone) == local.replace(tzinfo=None):
        return found
    # In the gap: with the offset of after it the moment is before it, and the other way round.
    before, after = round(local.replace(fold=1).timestamp()), round(found)
    offset = _offset(after, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return float(after)


def _wall(at: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None)


def _offset(at: float, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(at, zone).utcoffset()


def local_day(at: float, zone: tzinfo) -> date:
    """Return which day a moment is in."""
    return datetime.fromtimestamp(at, zone).date()


def iso(at: float, zone: tzinfo) -> str:
    """Return a moment as ISO 8601 with the offset of then, to the second."""
    return datetime.fromtimestamp(round(at), UTC).astimezone(zone).isoformat(timespec="seconds")


def first_day_after(
    at: float, clock_time: time, weekdays: Collection[int], zone: tzinfo, *, earliest: date
) -> date:
    """Return the first day from ``earliest`` on whose ``clock_time`` is later than ``at``.

    Without weekdays (0 is Monday) every day counts.
    """
    # A day that its zone leaves out altogether has the moment of the next one.
    begin = max(earliest, local_day(at, zone) - _DAY)
    return next(
        day
        for day in _days(begin)
        if (not weekdays or day.weekday() in weekdays) and moment(day, clock_time, zone) > at
    )


def last_day_until(
    at: float, clock_time: time, weekdays: Collection[int], zone: tzinfo, *, after: date
) -> date | None:
    """Return the last day later than ``after`` whose ``clock_time`` is at ``at`` or before."""
    today = local_day(at, zone)
    days = (today - _DAY * back for back in range(_WEEK_AND_MORE))
    return next(
        (
            day
            for day in takewhile(lambda day: day > after, days)
            if (not weekdays or day.weekday() in weekdays) and moment(day, clock_time, zone) <= at
        ),
        None,
    )


def _days(begin: date) -> Iterator[date]:
    return (begin + _DAY * number for number in range(_WEEK_AND_MORE + 1))


def in_words(seconds: float) -> str:
    """Return a duration as it is said, rounded up to the second: "1 hour 5 minutes"."""
    left = max(math.ceil(seconds), 0)
    parts = []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " ".join(parts) or "0 seconds"
