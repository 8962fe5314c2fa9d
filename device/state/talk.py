"""Keeps the talk so far beyond the process: one small file in the state directory.

It holds the handle that resumes the talk, never what was said. Written after every turn, so a crash
loses nothing; in a thread, since a memory card may take its time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.live.resumption import Past

log = logging.getLogger(__name__)

FILE = "talk.json"
MAX_BYTES = 65_536


class Keepsake:
    """One file; without a folder nothing is kept. Used from the event loop's thread only."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / FILE if folder is not None else None
        self._waiting: Mapping[str, Any] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._told = False

    def load(self) -> Past:
        """Return the talk so far; one that cannot be read is a new one, and the journal says so."""
        past = Past()
        if self._path is None:
            return past
        try:
            with self._path.open("rb") as stream:
                record = json.loads(stream.read(MAX_BYTES))
            past.restore(record)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("%s cannot be used (%s): the next talk begins anew", self._path, error)
        return past

    def save(self, past: Past) -> None:
        """Write it down soon; returns at once."""
        if self._path is None:
            return
        self._waiting = past.as_record()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_all())

    async def saved(self) -> None:
        """Wait until everything is written."""
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        while self._waiting is not None:
            record, self._waiting = self._waiting, None
            await asyncio.to_thread(self._write, record)

    def _write(self, record: Mapping[str, Any]) -> None:
        assert self._path is not None  # noqa: S101 - else nothing is saved
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(record, file)
            new.replace(self._path)
            self._told = False
        except OSError as error:
            if not self._told:
                log.warning("%s cannot be written (%s): a restart begins a new talk", new, error)
            self._told = True
