"""A swap storm is a machine without memory that reads everything again and again from its disk.

In one the speaker comes to its turn too late to feed the watchdog. To be killed for that would make
it worse: a fresh start reads the whole program from the card. So while one lasts systemd is asked
for more patience (`device.service.health`). What tells a storm are major page faults: a page that
must be read from disk before the program can go on (getrusage(2)).
"""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

STORM_FAULTS_PER_S = 100.0
"""More is a storm. A speaker that runs has none for minutes; a memory card reads 1,000 to 3,000
pages a second at most."""
CALM_S = 60.0
"""How long there must be no sign of it until it is over."""
PATIENCE_USEC = 150_000_000
"""Of the watchdog, in a storm."""


def own_faults() -> int:
    """Return how often this process had to wait for a page from disk since it began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


class SwapStorm:
    """Notices a storm by how the faults of this process grow. Used from one thread only."""

    def __init__(
        self,
        faults: Callable[[], int] = own_faults,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._faults = faults
        self._clock = clock
        self._seen = (clock(), faults())
        self._last_at: float | None = None

    def lasts(self) -> bool:
        """Look; return whether there is a storm now. To be asked every few seconds."""
        now, faults = self._clock(), self._faults()
        before, seen = self._seen
        self._seen = now, faults
        if faults - seen > STORM_FAULTS_PER_S * max(now - before, 1.0):
            if self._last_at is None:
                log.warning("the machine is out of memory and swaps: the speaker may falter")
            self._last_at = now
        elif self._last_at is not None and now - self._last_at > CALM_S:
            self._last_at = None
        return self._last_at is not None
