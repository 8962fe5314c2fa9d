"""What may be spent is used up, or is not any more.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpendingLimit:
    """A limit of the day or the month is reached, or none is any more."""

    reached: bool
    time: float
