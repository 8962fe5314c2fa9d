"""`since` says which moment an owner means by ``2h``, ``yesterday`` or ``2026-11-01``. Pure."""

from __future__ import annotations

import re
from datetime import date, time, timedelta, tzinfo
from typing import Final

from device.timers.local_time import local_day, moment

_AGO = re.compile(r"([0-9]{1,5})([mhd])")
_SECONDS: Final = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}
ALL: Final = float("-inf")
HINT: Final = "give 2h, 3d, today, yesterday, a date such as 2026-11-01, or all"


def since(text: str, now: float, zone: tzinfo) -> float:
    """Return the moment in Unix seconds; `ALL` for the beginning.

    Raises ValueError with what can be given.
    """
    if text == "all":
        return ALL
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    today = local_day(now, zone)
    days = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        day = days.get(text) or date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: {HINT}") from None
    if not 1970 < day.year < 2200:
        raise ValueError(f"{text!r} is out of the range of a calendar: {HINT}")
    return moment(day, time(), zone)
