"""The books can be written, or not.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordsTrouble:
    """What leaves the device and what it costs cannot be written down, or was lost."""

    message: str | None
    """What is wrong, in words for the owner; None: nothing any more."""
    time: float
