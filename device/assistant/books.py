"""`Books` tell the model what is on record of today: what has left the device, and what it cost.

Tested in tests/assistant/test_functions.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from device.assistant.audit import Audit
from device.assistant.spending import Spending
from device.errors import RecordsError

PATIENCE_S: Final = 3.0
"""A model that has asked what was sent is not kept waiting for a disk."""


class Books:
    """Used from the event loop's thread only."""

    def __init__(self, audit: Audit, spending: Spending) -> None:
        self._audit = audit
        self._spending = spending

    def called_by_hand(self, name: str) -> Callable[[str], None]:
        """Put on record that the owner calls a function; what is returned takes its outcome."""
        return self._audit.by_hand(name)

    async def today(self) -> Mapping[str, Any]:
        """Return what was sent today, and what was spent today and this month."""
        return {"sent_today": await self._sent_today(), "spent": self._spent()}

    async def _sent_today(self) -> Mapping[str, Any] | str:
        try:
            async with asyncio.timeout(PATIENCE_S):
                sums = await self._audit.today()
        except (RecordsError, TimeoutError) as error:
            return f"not known: {str(error) or 'the disk does not answer'}"
        return {
            "sound_s": round(sums.seconds, 1),
            "sound_bytes": sums.bytes,
            "pictures": sums.pictures,
            "texts": sums.texts,
            "function_calls": sums.calls,
        }

    def _spent(self) -> Mapping[str, Any]:
        told = self._spending.as_dict()
        shown = {"currency": told["currency"], "note": "an estimate, by the tokens used"}
        for period, name in (("day", "today"), ("month", "this_month")):
            shown[name] = round(told[period]["spent"], 4)
            if told[period]["limit"] is not None:
                shown[f"left_{name}"] = round(told[period]["left"], 4)
        return shown
