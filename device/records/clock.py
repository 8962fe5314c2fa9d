"""The clock of the books gives times that can be compared, also where nobody knows the time yet.

A Raspberry Pi without a battery begins in 1970, or when it was switched off. What happens before a
time server is heard is dated behind what is on record: it comes after that, whenever it was.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class RecordClock:
    """Tells Unix seconds. Used from one thread only."""

    def __init__(
        self,
        earliest_s: float,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """No computer that runs this code can have an earlier time than ``earliest_s``."""
        self._floor_s = earliest_s
        self._wall = wall
        self._monotonic = monotonic
        self._began = monotonic()
        self._earliest_s = earliest_s

    def is_behind(self, newest_s: float) -> None:
        """Take note of the newest time on record, for as long as the time of day is not known."""
        self._floor_s = max(self._floor_s, newest_s)
        self._began = self._monotonic()

    def now(self) -> float:
        """Return the time: the wall clock's, or what has passed since the newest on record."""
        shown = self._wall()
        if shown >= self._earliest_s:
            return shown
        return self._floor_s + self._monotonic() - self._began
