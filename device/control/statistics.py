"""`answer` does what the command `stats` of the control socket asks for.

``{"command": "stats", "days": 7, "by": "day"}`` tells what the speaker did on the last days, today
among them, as `device.records.statistics.report` has it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from device.assistant.statistics import Statistics
from device.errors import ControlError
from device.records.statistics import BY, DEFAULT_DAYS, MOST_DAYS


async def answer(statistics: Statistics, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures; a year of them is a third of what an answer may hold.

    Raises ControlError, RecordsError.
    """
    days = request.get("days", DEFAULT_DAYS)
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        shown = reprlib.repr(days)
        raise ControlError(f"days is {shown}: give a whole number from 1 to {MOST_DAYS}")
    by = request.get("by", BY[0])
    if by not in BY:
        raise ControlError(f"by is {reprlib.repr(by)}: give {', '.join(BY[:-1])} or {BY[-1]}")
    return await statistics.report(days, by)
