"""Timers, alarms and reminders are set, ring and end.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TimerNews:
    """Something happened to a timer, an alarm or a reminder.

    What rings does until `stopped`; one that rings on after a restart is told as ringing again.
    """

    what: Literal["set", "changed", "cancelled", "ringing", "stopped", "missed"]
    id: int
    """1..999; not used again before all the others were."""
    name: str
    """As a person has named it; may be empty."""
    due: str | None
    """When it is or was due, ISO 8601 with offset; None while the time of day is not known."""
    kind: Literal["timer", "alarm", "reminder"]
    text: str
    """What a reminder says when it rings; else empty."""
    time: float
