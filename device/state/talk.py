"""`TalkMemory` keeps the talk so far beyond the process, in a small file.

It holds the handle that resumes the talk, never what was said. Written after every turn, so a crash
loses nothing. What the record means is for the talk to know (`device.live.resumption`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.errors import DamagedFileError
from device.state.store import DurableFile, WriteBehind, as_json, reason

log = logging.getLogger(__name__)

FILE = "talk.json"


class TalkMemory:
    """One file; without a folder nothing is kept. Used from the event loop's thread only."""

    def __init__(self, folder: Path | None) -> None:
        self._file = DurableFile(folder, FILE)
        self._writing = WriteBehind(self._file, "a restart begins a new talk")

    def load(self) -> dict[str, Any] | None:
        """Return the record saved last, None for a new talk.

        One that cannot be read is a new talk too, and the journal says so.
        """
        try:
            return self._file.read_record()
        except (OSError, DamagedFileError) as error:
            self._tell(error)
            return None

    def reject(self, why: ValueError) -> None:
        """Note that the record that was loaded makes no talk: the journal says so."""
        self._tell(self._file.damaged(why))

    def _tell(self, error: OSError | DamagedFileError) -> None:
        why = reason(error)
        log.warning("%s cannot be used (%s): the next talk begins anew", self._file.path, why)

    def save(self, record: Mapping[str, Any]) -> None:
        """Write it down soon; returns at once."""
        self._writing.write(as_json(record))

    async def saved(self) -> None:
        """Wait until everything is written."""
        await self._writing.saved()
