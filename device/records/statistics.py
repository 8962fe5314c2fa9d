"""The statistics keep what the speaker did, hour by hour, and answer questions by day.

An hour and a day are those of the local zone. A row is at the begin of its hour, in Unix seconds,
so a day of 23 or 25 hours has as many rows, and zones half an hour away from the others whole ones.
"""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from device.records.figures import STATISTICS, Figures
from device.timers.local_time import iso, local_day, moment

HOUR_S: Final = 3_600
MOST_DAYS: Final = 366
DEFAULT_DAYS: Final = 7
BY: Final = ("day", "week", "month")
"""What is summed up. A week begins on Monday; the first span may be a part of one."""
_BY_HOUR: Final = ("talks", "wakes", "near_misses", "false_starts")
_COLUMNS: Final = ", ".join(STATISTICS.columns)


@dataclass(frozen=True, slots=True)
class Kept:
    """An hour as it is on record."""

    begin: float
    key: str
    figures: Figures


def hour_of(at: float, zone: tzinfo) -> float:
    """Return when the local hour began that a moment is in, in Unix seconds."""
    offset = datetime.fromtimestamp(at, zone).utcoffset() or timedelta()
    ahead_s = offset.total_seconds()
    return math.floor((at + ahead_s) / HOUR_S) * HOUR_S - ahead_s


def key_of(begin: float) -> str:
    """Return the key of an hour's row."""
    return f"{begin:.0f}"


def newest(database: sqlite3.Connection) -> Kept | None:
    """Return the last hour that has a row of its own key; None where there is none."""
    for at, key, *values in database.execute(
        f"SELECT at, key, {_COLUMNS} FROM {STATISTICS.name} ORDER BY at DESC, length(key) LIMIT 1"  # noqa: S608 - ours
    ):
        return Kept(at, key, Figures.of(dict(zip(STATISTICS.columns, values, strict=True))))
    return None


def report(
    database: sqlite3.Connection, now: float, days: int, zone: tzinfo, by: str = "day"
) -> dict[str, Any]:
    """Return what the speaker did on the last days, today among them.

    Its names are a contract: `parley stats --json`. ``days``: 1..`MOST_DAYS`; ``by``: one of `BY`.
    """
    today = local_day(now, zone)
    dates = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    firsts = [day for place, day in enumerate(dates) if not place or _begins(day, by)]
    begins = [moment(day, time(), zone) for day in (*firsts, today + timedelta(days=1))]
    spans = [Figures() for _ in firsts]
    by_hour = [dict.fromkeys(_BY_HOUR, 0) for _ in range(24)]
    for at, *values in database.execute(
        f"SELECT at, {_COLUMNS} FROM {STATISTICS.name} WHERE at >= ? AND at < ?",  # noqa: S608 - ours
        (begins[0], begins[-1]),
    ):
        found = Figures.of(dict(zip(STATISTICS.columns, values, strict=True)))
        spans[bisect_right(begins, at) - 1].merge(found)
        of_day = by_hour[datetime.fromtimestamp(at, zone).hour]
        for name in _BY_HOUR:
            of_day[name] += found.numbers[name]
    sums = Figures()
    for each in spans:
        sums.merge(each)
    return {
        "since": iso(begins[0], zone),
        "until": iso(now, zone),
        "by": by,
        "spans": [
            {"day": day.isoformat(), "seconds": round(end - begin), **figures.as_dict()}
            for day, begin, end, figures in zip(firsts, begins, begins[1:], spans, strict=False)
        ],
        "hours": [{"hour": hour, **counts} for hour, counts in enumerate(by_hour)],
        "sums": sums.as_dict(),
    }


def _begins(day: date, by: str) -> bool:
    """Tell whether a day is the first of another span."""
    return by == "day" or (day.weekday() == 0 if by == "week" else day.day == 1)
