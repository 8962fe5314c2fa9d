"""`answer` does what the command `spending` of the control socket asks for.

``{"command": "spending"}`` tells what was spent in the running day and month, and by which model
and persona. ``{"command": "spending", "allow": 2.0, "period": "day"}`` allows so much more, in the
currency in force, until that period is over; without ``period`` for the limits that are reached,
else the day's, else the month's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from device.assistant.spending import Spending


async def answer(spending: Spending, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return how it stands, after what was allowed. Raises ControlError, RecordsError."""
    if "allow" in request:
        return await spending.allow(request["allow"], request.get("period"))
    return await spending.report()
