"""`Lateness` measures how much a busy machine held this process up while a test ran.

Theory of operation. A thread sleeps for 20 ms at a time and notes by how much it woke too late.
What this process computed meanwhile is taken off, since that is no fault of the machine. A thread
that only sleeps is given a core soon, however, so the kernel is asked as well: for how much of the
time some task or other waited for a core (PSI, /proc/pressure/cpu), and how much of the cores' time
a host kept for itself (steal, proc_stat(5)). Where a kernel does not tell, that counts as nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TICK_S = 0.02
LATE_S = 0.1
"""One tick that came so late: a card's buffer is shorter."""
WAITED_SHARE = 0.25
"""Of the time, in which some task waited for a core. The whole suite, two tests at a time on two
cores, makes 0.06; one test beside four busy processes there makes 0.7 to 0.8."""
STOLEN_SHARE = 0.05
"""Of all cores' time."""


@dataclass(frozen=True, slots=True)
class HoldUp:
    """How much the machine held a test up."""

    worst_s: float
    """The latest tick."""
    waited: float
    """0..1: of the time, in which some task waited for a core."""
    stolen: float
    """0..1: of all cores' time."""

    @property
    def matters(self) -> bool:
        """Whether it was so much that a test may have failed for it."""
        return self.worst_s >= LATE_S or self.waited >= WAITED_SHARE or self.stolen >= STOLEN_SHARE

    def __str__(self) -> str:
        """Say it for the summary of a run."""
        verdict = "the machine was held up" if self.matters else "the machine was not held up"
        return (
            f"{verdict}: late by {self.worst_s * 1000:.0f} ms at worst, tasks waited for a core in"
            f" {self.waited:.0%} of the time, {self.stolen:.0%} of the cores was stolen"
        )


class Lateness:
    """The hold-up since `begin`. From any thread."""

    def __init__(
        self,
        proc: Path = Path("/proc"),
        now: Callable[[], float] = time.monotonic,
        computed: Callable[[], float] = time.process_time,
    ) -> None:
        """``now`` and ``computed``: seconds, on the clock and of this process's cores."""
        self._proc = proc
        self._now = now
        self._computed = computed
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._slept_at = (0.0, 0.0)
        self._worst_s = 0.0
        self._start_over()

    def begin(self) -> None:
        """Forget what was until now, and watch; the thread is started at the first time."""
        with self._lock:
            self._start_over()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="lateness", daemon=True)
                self._thread.start()

    def so_far(self) -> HoldUp:
        """Return the hold-up from `begin` to now."""
        with self._lock:
            passed_s = max(self._now() - self._began, TICK_S)
            waited_s = _waited_s(self._proc) - self._waited_s
            stolen, whole = (a - b for a, b in zip(_cores(self._proc), self._cores, strict=True))
            return HoldUp(
                self._worst_s,
                min(1.0, max(0.0, waited_s / passed_s)),
                max(0.0, stolen / whole) if whole > 0 else 0.0,
            )

    def matters(self) -> bool:
        """Whether a test that failed since `begin` may have failed for it."""
        return self.so_far().matters

    def fall_asleep(self) -> None:
        """Note when a tick begins."""
        self._slept_at = (self._now(), self._computed())

    def wake_up(self) -> None:
        """Note when it is over, which should be after `TICK_S`."""
        slept_at, computed = self._slept_at
        late_s = self._now() - slept_at - TICK_S - (self._computed() - computed)
        with self._lock:
            if slept_at >= self._began:
                self._worst_s = max(self._worst_s, late_s)

    def _start_over(self) -> None:
        self._began = self._now()
        self._worst_s = 0.0
        self._waited_s = _waited_s(self._proc)
        self._cores = _cores(self._proc)

    def _watch(self) -> None:
        while True:
            self.fall_asleep()
            time.sleep(TICK_S)
            self.wake_up()


def _waited_s(proc: Path) -> float:
    """Seconds since the start of the machine in which some task waited for a core."""
    try:
        some = (proc / "pressure" / "cpu").read_text().splitlines()[0]
        return int(some.rpartition("total=")[2]) / 1e6
    except (OSError, LookupError, ValueError):
        return 0.0


def _cores(proc: Path) -> tuple[int, int]:
    """Ticks of all cores since the start of the machine: what was stolen, and all."""
    try:
        first = (proc / "stat").read_text().splitlines()[0].split()
        # user nice system idle iowait irq softirq steal; a guest's are among the user's.
        ticks = [int(each) for each in first[1:9]]
        return ticks[7], sum(ticks)
    except (OSError, LookupError, ValueError):
        return 0, 0


LATENESS = Lateness()
"""Of this process."""
