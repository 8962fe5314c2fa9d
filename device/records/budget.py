"""The budget says what may be spent in a day and in a month, and how much of it is spent. Pure.

Days and months are those of the local calendar at the time of asking: they begin at local midnight,
whatever summer time or another zone does to their length. Theory of the clock: a period has spent
all that is on record from its beginning on, also what is dated behind its end. So a clock that ran
ahead and was put back has bought nothing twice: what was spent in the wrong future counts today,
and once more when that day comes. It does not count on every day until then: a turn that was put on
record later, and is dated before a period, tells that this was before it too. An allowance belongs
to one day or month by its name, and is good in that one only.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta, tzinfo
from typing import Final, Literal

from device.records.prices import micro
from device.timers.local_time import local_day, moment

Period = Literal["day", "month"]
PERIODS: Final[tuple[Period, ...]] = ("day", "month")
Level = Literal["", "near", "reached"]

NEAR_PERCENT: Final = 80
"""From here on the owner is told that the limit is near."""
LEAST_ALLOWED: Final = 0.01
MOST_ALLOWED: Final = 1_000_000.0
"""More than that at once is a slip of a finger, in any currency; no limit can be higher."""


@dataclass(frozen=True, slots=True)
class Span:
    """One day or month of the calendar."""

    period: Period
    name: str
    """``2026-12-01`` or ``2026-12``."""
    begins: float
    """Unix seconds."""
    ends: float

    def holds(self, at: float) -> bool:
        """Whether what is dated so counts here; what is dated behind it does too."""
        return at >= self.begins


def span(period: Period, at: float, zone: tzinfo) -> Span:
    """Return the day or month that a moment is in.

    A day that has begun does not end again: where summer time ends a minute after midnight, the
    hour that comes twice is of the new day the second time.
    """
    day = local_day(at, zone)
    if at >= _midnight(_next(day), zone):
        day = _next(day)
    if period == "day":
        return Span("day", day.isoformat(), _midnight(day, zone), _midnight(_next(day), zone))
    first = day.replace(day=1)
    after = first + timedelta(days=calendar.monthrange(day.year, day.month)[1])
    return Span("month", f"{day:%Y-%m}", _midnight(first, zone), _midnight(after, zone))


def spans(at: float, zone: tzinfo) -> dict[Period, Span]:
    """Return both that a moment is in."""
    return {period: span(period, at, zone) for period in PERIODS}


def _next(day: date) -> date:
    return day + timedelta(days=1)


def _midnight(day: date, zone: tzinfo) -> float:
    return moment(day, time(), zone)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one period stands, in micro-units."""

    spent: int
    limit: int | None
    """As the owner has set it; None: none."""
    allowed: int = 0
    """What was added to it for this period only."""

    @property
    def ceiling(self) -> int | None:
        """How much may be spent in all; None: anything."""
        return None if self.limit is None else self.limit + self.allowed

    @property
    def left(self) -> int | None:
        """How much may still be spent; None: anything."""
        return None if self.ceiling is None else max(self.ceiling - self.spent, 0)

    @property
    def level(self) -> Level:
        """How near the limit is."""
        if self.ceiling is None:
            return ""
        if self.spent >= self.ceiling:
            return "reached"
        return "near" if self.spent * 100 >= self.ceiling * NEAR_PERCENT else ""


def allowance(text: object) -> int:
    """Return what an owner allows, in micro-units. Raises ValueError with what can be given."""
    try:
        amount = float(str(text)) if isinstance(text, str | int | float) else float("nan")
    except ValueError:
        amount = float("nan")
    if isinstance(text, bool) or not LEAST_ALLOWED <= amount <= MOST_ALLOWED:
        raise ValueError(
            f"{str(text)[:40]!r} is no amount: give one from {LEAST_ALLOWED:.2f} to "
            f"{MOST_ALLOWED:.0f}, such as 2.00"
        )
    return micro(amount)


def raised(standings: Mapping[Period, Standing]) -> tuple[Period, ...]:
    """Return whose limit an allowance raises that names none: those reached, else the nearest.

    That is the day's where there is one. Empty: there is no limit.
    """
    limited = [period for period, each in standings.items() if each.limit is not None]
    reached = [period for period in limited if standings[period].level == "reached"]
    return tuple(reached or limited[:1])
