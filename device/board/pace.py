"""`Pace` spaces out what is written to an array's LEDs while what is read from it stalls.

Some arrays are reported to answer no control read any more after some fifty frames for their LEDs,
sent as fast as an animation draws them: writes and reads go through one queue in the chip. Whether
that is so for every firmware is not known, so it is not written slowly to begin with; a read that
stalls has frames wait, twice as long each time, and each that comes promptly has them wait half as
long. Mute switch, compass and lights of one array share a pace; any thread may use it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

SLOW_S = 0.2
"""A read takes a millisecond or two; from here on it counts as stalled."""
FIRST_S = 0.25
"""Between two frames, after the first read that stalled: an animation at four frames a second."""
MOST_S = 2.0
"""Between two frames, however often reads stall: what is shown is still true."""
FORGOTTEN_S = 30.0
"""After the last read that stalled frames are as fast as ever, where nobody reads any more."""


class Pace:
    """How long frames wait for each other."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds of CLOCK_MONOTONIC."""
        self._clock = clock
        self._lock = threading.Lock()
        self._between_s = 0.0
        self._wrote_s = self._stalled_s = -math.inf
        self.stalls = 0
        """How many reads have stalled so far."""

    def answered(self, after_s: float) -> None:
        """Take note of a read that was answered; one that took long has stalled."""
        if after_s >= SLOW_S:
            self.stalled()
            return
        with self._lock:
            half_s = self._between_s / 2
            self._between_s = half_s if half_s >= FIRST_S else 0.0

    def stalled(self) -> None:
        """Take note of a read that was not answered in time, or refused."""
        with self._lock:
            self.stalls += 1
            self._stalled_s = self._clock()
            self._between_s = min(max(2 * self._between_s, FIRST_S), MOST_S)
            first = self.stalls == 1
        if first:
            log.info("what an array is asked stalls: its lights are drawn less often meanwhile")

    def wrote(self) -> None:
        """Take note of a write."""
        with self._lock:
            self._wrote_s = self._clock()

    def wait_s(self) -> float:
        """Return how many seconds the next frame should wait; 0 while no read stalls."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._stalled_s > FORGOTTEN_S:
                self._between_s = 0.0
            return max(0.0, self._wrote_s + self._between_s - now_s) if self._between_s else 0.0
