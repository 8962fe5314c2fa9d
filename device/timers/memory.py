"""`TimerMemory` keeps the schedule over restarts, crashes and power cuts, in a small file.

Written after every change. Whoever confirms one to a person waits for `saved` first.
"""

from __future__ import annotations

import logging
from pathlib import Path

from device.errors import DamagedFileError
from device.state.store import DurableFile, WriteBehind, as_json, reason
from device.timers.entries import Now
from device.timers.record import record_of, schedule_in
from device.timers.schedule import Schedule

log = logging.getLogger(__name__)

FILE = "timers.json"
MAX_BYTES = 524_288
"""Fifty entries with the longest names and texts are 340 kB, where no character of them is ASCII.
"""


class TimerMemory:
    """One file; without a folder nothing is kept. Used from the event loop's thread only."""

    def __init__(self, folder: Path | None) -> None:
        self._file = DurableFile(folder, FILE, max_bytes=MAX_BYTES)
        self._writing = WriteBehind(self._file, "a restart loses what was set since")

    def load(self) -> Schedule:
        """Return what was kept last; never raises. Blocks for the disk.

        What cannot be read is told in the journal, and set aside by the next write.
        """
        try:
            record = self._file.read_record()
            if record is None:
                return Schedule()
            schedule, complaints = schedule_in(record)
        except (OSError, DamagedFileError) as error:
            self._tell(reason(error))
            return Schedule()
        except ValueError as error:
            self._tell(self._file.damaged(error).why)
            return Schedule()
        for complaint in complaints:
            log.warning("%s: %s", self._file.path, self._file.damaged(complaint).why)
        return schedule

    def _tell(self, why: str) -> None:
        log.warning("%s cannot be used (%s): timers and alarms are lost", self._file.path, why)

    def save(self, schedule: Schedule, now: Now) -> None:
        """Write it down soon; returns at once."""
        self._writing.write(as_json(record_of(schedule, now)))

    async def saved(self) -> bool:
        """Wait until everything is written; tell whether it is on the disk."""
        return await self._writing.saved()
