"""`Gauges` read what the speaker takes of its machine, and what its detector has counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from device.records.figures import Figures


class Gauges:
    """Readings since the last ones. Used from one thread only."""

    def __init__(
        self,
        resident: Callable[[], int],
        celsius: Callable[[], float | None],
        detected: Callable[[], Mapping[str, int]],
        monotonic: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        """`resident` tells our size in bytes, `detected` the counters of the wake word detector.

        The time from here on counts.
        """
        self._resident = resident
        self._celsius = celsius
        self._detected = detected
        self._monotonic = monotonic
        self._cpu = cpu
        self._at_ms = self._ms(monotonic())
        self._cpu_at_ms = self._ms(cpu())
        self._vetoes = 0

    def passed(self, into: Figures) -> None:
        """Add what has passed since the last time: our time, the processor's, and vetoes."""
        now_ms, cpu_ms = self._ms(self._monotonic()), self._ms(self._cpu())
        into.numbers["ran_ms"] += max(0, now_ms - self._at_ms)
        into.numbers["cpu_ms"] += max(0, cpu_ms - self._cpu_at_ms)
        self._at_ms, self._cpu_at_ms = now_ms, cpu_ms
        vetoes = self._detected().get("vetoed", 0)
        # Another detector, after a reload, begins anew.
        into.numbers["vetoes"] += vetoes - self._vetoes if vetoes >= self._vetoes else vetoes
        self._vetoes = vetoes

    def look(self, into: Figures) -> None:
        """Add how large we are and how warm it is now."""
        if size := self._resident():
            into.peak("memory_bytes", size)
        if (celsius := self._celsius()) is not None:
            into.peak("hottest_c", round(celsius, 1))

    @staticmethod
    def _ms(seconds: float) -> int:
        """Return whole milliseconds since a clock's begin: their differences add up exactly."""
        return int(seconds * 1000)
