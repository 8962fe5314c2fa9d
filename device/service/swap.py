"""A swap storm is a machine without memory that reads everything again and again from its disk.

In one the speaker comes to its turn too late to feed the watchdog. To be killed for that would make
it worse: a fresh start reads the whole program from the card. So while one lasts systemd is asked
for more patience, and a speaker that was killed in one all the same waits with the next start until
the machine has calmed down. What tells a storm are major page faults: a page that must be read from
disk before the program can go on (getrusage(2)).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

FILE = "swap-storm-"
"""And what names the start of the machine. The file is empty: there is nothing to be half written,
and one of an earlier start means nothing."""
STORM_FAULTS_PER_S = 100.0
"""More is a storm. A speaker that runs has none for minutes; a memory card reads 1,000 to 3,000
pages a second at most."""
CALM_S = 60.0
"""How long there must be no sign of it until it is over."""
PATIENCE_USEC = 150_000_000
"""Of the watchdog, in a storm."""
PAUSE_S = 90.0
"""The longest wait before a start; half of the unit's TimeoutStartSec=."""
LOOK_S = 3.0
"""Between two looks at the machine before a start."""


def own_faults() -> int:
    """Return how often this process had to wait for a page from disk since it began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


def all_faults(vmstat: Path = Path("/proc/vmstat")) -> int:
    """Return how often any process had to since the machine started; 0 where nobody counts."""
    try:
        counts = dict(line.split() for line in vmstat.read_text().splitlines())
        return int(counts["pgmajfault"])
    except (OSError, KeyError, ValueError):
        return 0


def boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """Return what names this start of the machine; empty where nothing does."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


class SwapStorm:
    """Notices a storm by how the faults grow. Used from the event loop's thread only.

    ``folder``: where is noted that one lasts, for the next start if this speaker is killed in it.
    """

    def __init__(
        self,
        folder: Path | None,
        faults: Callable[[], int] = own_faults,
        clock: Callable[[], float] = time.monotonic,
        boot: str | None = None,
    ) -> None:
        self._folder = folder
        self._boot = boot_id() if boot is None else boot
        self._faults = faults
        self._clock = clock
        self._seen = (clock(), faults())
        self._last_at: float | None = None

    async def lasts(self) -> bool:
        """Look; return whether there is a storm now. To be asked every few seconds."""
        now, faults = self._clock(), self._faults()
        before, seen = self._seen
        self._seen = now, faults
        if faults - seen > STORM_FAULTS_PER_S * max(now - before, 1.0):
            if self._last_at is None:
                log.warning("the machine is out of memory and swaps: the speaker may falter")
                await asyncio.to_thread(self._remember)
            self._last_at = now
        elif self._last_at is not None and now - self._last_at > CALM_S:
            self._last_at = None
            await asyncio.to_thread(self.forget)
        return self._last_at is not None

    def ended_the_last_run(self) -> bool:
        """Whether the last speaker since the machine started was killed while one lasted."""
        return self._folder is not None and (self._folder / (FILE + self._boot)).exists()

    def forget(self) -> None:
        """Nothing is to be waited for at the next start: it is over, or we end in good order."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                for note in self._folder.glob(f"{FILE}*"):
                    note.unlink(missing_ok=True)

    def _remember(self) -> None:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / (FILE + self._boot)).touch(mode=0o600)


async def calm(
    notify: Callable[[str], None],
    faults: Callable[[], int] = all_faults,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until the machine reads little from its disk, but not for long; systemd is told."""
    log.warning("the last speaker ended while the machine swapped: waiting until it is calm")
    notify(f"STATUS=waits until the machine has memory\nEXTEND_TIMEOUT_USEC={int(PAUSE_S * 2e6)}")
    deadline = clock() + PAUSE_S
    before = faults()
    while clock() < deadline:
        await asyncio.sleep(LOOK_S)
        seen, before = before, faults()
        if before - seen <= STORM_FAULTS_PER_S * LOOK_S:
            return
