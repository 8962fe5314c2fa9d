"""Makes a machine in a container as small and slow as a small board: memory and time of processors.

By the control groups of the host, of whichever version they are. There is no swap on top of that
where the host has none.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
NAME = "parley-small-board"
PERIOD_US = 100_000
LOOK_S = 0.25
MB = 2**20


@dataclass
class Bounds:
    """What the processes of a machine may have, all of them together."""

    memory_mb: int
    cores: float
    """Of one core of the host."""
    folders: list[Path] = field(default_factory=list)

    def enter(self, meminfo: Path) -> list[str]:
        """Make the groups; returns words to go before the command that begins the machine.

        What is written to ``meminfo`` belongs over the machine's /proc/meminfo.
        """
        quota = int(self.cores * PERIOD_US)
        if (GROUPS / "memory").is_dir():
            wanted = {
                GROUPS / "memory" / NAME / "memory.limit_in_bytes": str(self.memory_mb * MB),
                GROUPS / "cpu" / NAME / "cpu.cfs_period_us": str(PERIOD_US),
                GROUPS / "cpu" / NAME / "cpu.cfs_quota_us": str(quota),
            }
        else:
            wanted = {
                GROUPS / NAME / "memory.max": str(self.memory_mb * MB),
                GROUPS / NAME / "cpu.max": f"{quota} {PERIOD_US}",
            }
        self.folders = list(dict.fromkeys(file.parent for file in wanted))
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
        for file, value in wanted.items():
            file.write_text(value)
        told = Path("/proc/meminfo").read_text()
        for name in ("MemTotal", "MemFree", "MemAvailable"):
            told = re.sub(rf"(?m)^({name}: +)\d+", rf"\g<1>{self.memory_mb * 1024}", told)
        meminfo.write_text(told)
        joins = "; ".join(f"echo $$ >{folder}/cgroup.procs" for folder in self.folders)
        return ["sh", "-ec", f'{joins}; exec "$@"', "sh"]

    def leave(self) -> None:
        """Remove the groups; what is still in them keeps them."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _figure(self, file: str, name: str) -> int:
        for folder in self.folders:
            if (folder / file).exists():
                [value] = re.findall(rf"(?m)^{name} (\d+)$", (folder / file).read_text())
                return int(value)
        raise FileNotFoundError(file)

    def taken_mb(self) -> int:
        """The memory that programs have taken now, which nothing but swap could give back."""
        old = (GROUPS / "memory").is_dir()
        return self._figure("memory.stat", "total_rss" if old else "anon") // MB

    def killed(self) -> int:
        """How many processes the kernel has killed for want of memory."""
        old = (GROUPS / "memory").is_dir()
        return self._figure("memory.oom_control" if old else "memory.events", "oom_kill")

    @contextlib.contextmanager
    def worst_mb(self) -> Iterator[list[int]]:
        """Watch the memory taken; the list has the most of it afterwards."""
        most, over = [0], threading.Event()

        def look() -> None:
            while not over.wait(LOOK_S):
                most[0] = max(most[0], self.taken_mb())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield most
        finally:
            over.set()
            thread.join()
