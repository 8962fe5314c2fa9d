"""The clock of the records gives times that can be compared, also where nobody knows the time yet.

Theory of operation. A Raspberry Pi without a battery begins in 1970, or an hour before it was
switched off. What happens before a time server is heard is dated behind what is on record: it came
after that, whenever it was. A time that somebody has set is believed, also where it is earlier: a
server that was wrong by years is mended that way. Nor does a wall clock that is behind by more than
a day count as an old one that was kept over a rest: then it is the record that is of the future.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from device.timers.clocks import SYNCHRONISED
from device.timers.entries import PATIENCE_S, STEP_S

BEHIND_S: Final = 86_400.0
"""fake-hwclock, which keeps the time of a Raspberry Pi over a rest, writes it down each hour and at
a shutdown; a day is what it is behind where its last hours were on a disk that was full."""


def time_is_known(synchronised: Path = SYNCHRONISED) -> bool:
    """Tell whether a time server was heard since the boot, or will not be any more."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) >= PATIENCE_S or synchronised.exists()


class RecordClock:
    """Tells Unix seconds. Used from one thread only."""

    def __init__(
        self,
        earliest_s: float,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        known: Callable[[], bool] = time_is_known,
    ) -> None:
        """No computer that runs this code can have an earlier time than ``earliest_s``.

        ``known`` says whether the wall clock is to be believed.
        """
        self._wall = wall
        self._monotonic = monotonic
        self._known = known
        self._earliest_s = earliest_s
        self._floor_s = earliest_s
        self._began = monotonic()
        self._offset_s = wall() - self._began
        self._was_set = False

    def is_behind(self, newest_s: float) -> None:
        """Take note of the newest time on record, for as long as the time of day is not known."""
        if newest_s > self._counted():
            self._floor_s, self._began = newest_s, self._monotonic()

    def now(self) -> float:
        """Return the time: the wall clock's, or what has passed since the newest on record."""
        shown, counted = self._wall(), self._counted()
        if abs(shown - self._monotonic() - self._offset_s) > STEP_S:
            self._was_set = True
        if shown < self._earliest_s:
            return counted
        if shown >= counted or counted - shown > BEHIND_S:
            return shown
        return shown if self._was_set or self._known() else counted

    def _counted(self) -> float:
        return self._floor_s + self._monotonic() - self._began
