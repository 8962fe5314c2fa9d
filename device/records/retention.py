"""Retention decides when old rows go, and believes no clock that has just jumped. Pure.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY_S: Final = 86_400.0
_LONGEST_REST_S: Final = 40 * DAY_S
"""A clock that is further ahead of the last look was set; or nobody has used the speaker."""
STEADY_DAYS: Final = 7
"""So many looks in a row, a day or more apart, the clock must have gone on like a clock. A time
server that is wrong by years is mended sooner, and the records of years are not gone for it."""


@dataclass(frozen=True, slots=True)
class Look:
    """When the clock was looked at last, and for how many looks in a row it was to be believed."""

    at: float
    """Unix seconds."""
    steady: int = 0

    def next(self, now: float) -> tuple[Look, bool]:
        """Return the look that takes its place, and whether what is too old goes now."""
        passed_s = now - self.at
        if 0 <= passed_s < DAY_S:
            return self, False
        if not 0 <= passed_s <= _LONGEST_REST_S:
            return Look(now), False
        steady = min(self.steady + 1, STEADY_DAYS)
        return Look(now, steady), steady == STEADY_DAYS
