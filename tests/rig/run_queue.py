"""`RunQueue` tells how long the threads of a process waited for a core that others had.

A limit on how long the speaker takes for something is about the speaker, not about what runs beside
it. The kernel counts for each thread the nanoseconds in which it could have run and did not
(/proc/PID/task/TID/schedstat; Documentation/scheduler/sched-stats.rst). A thread here looks at them
often, so that they can be told for any stretch of time. Where a kernel does not count, nobody has
waited.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections import deque
from pathlib import Path

LOOK_EVERY_S = 0.05
LOOKS = 12_000
"""The last ten minutes: longer than any test."""


class RunQueue:
    """Looks at a process until `close`. From any thread."""

    def __init__(self, pid: int, proc: Path = Path("/proc"), *, watched: bool = True) -> None:
        """``watched``: by a thread; without one it looks only when it is asked."""
        self._tasks = proc / str(pid) / "task"
        self._counted: dict[str, int] = {}
        """Of each thread, what the kernel told last."""
        self._waited_ns = 0
        self._looks: deque[tuple[float, int]] = deque(maxlen=LOOKS)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.look()
        self._thread: threading.Thread | None = None
        if watched:
            self._thread = threading.Thread(target=self._watch, name="run-queue", daemon=True)
            self._thread.start()

    def waited_s(self, begin: float, end: float) -> float:
        """Return what its threads waited, all added up, from one time to another.

        The times are of CLOCK_MONOTONIC; it is rounded outwards, to the looks around them.
        """
        self.look()
        with self._lock:
            looks = list(self._looks)
        times = [at for at, _ in looks]
        first = looks[max(0, bisect_right(times, begin) - 1)]
        last = looks[min(len(looks) - 1, bisect_left(times, end))]
        return max(0, last[1] - first[1]) / 1e9

    def look(self) -> None:
        """Note what its threads have waited by now."""
        with self._lock:
            for task, waited_ns in self._tell().items():
                # A thread that has ended is told no more, and what it waited stays.
                self._waited_ns += max(0, waited_ns - self._counted.get(task, 0))
                self._counted[task] = waited_ns
            self._looks.append((time.monotonic(), self._waited_ns))

    def close(self) -> None:
        """Look no more by itself."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _tell(self) -> dict[str, int]:
        told = {}
        try:
            tasks = list(self._tasks.iterdir())
        except OSError:
            return {}
        for task in tasks:
            try:
                told[task.name] = int((task / "schedstat").read_text().split()[1])
            except (OSError, LookupError, ValueError):
                continue
        return told

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self.look()
