"""`PrometheusFile` keeps a text file of figures for node_exporter's textfile collector.

Whole and readable by everybody, whatever the process's umask is. A file that nobody writes any more
would be taken for news for ever: it is removed at the goodbye, and where another one is set.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from functools import partial
from pathlib import Path
from typing import Final

from device.assistant.settings import Settings
from device.faults import Faults
from device.signals import PROMETHEUS
from device.state.folders import SERVICE_RUNTIME
from device.state.store import DurableFile, reason
from device.threads import in_thread

GOODBYE_S: Final = 1.0


class PrometheusFile:
    """The file that the settings name, or none. Used from the event loop's thread only."""

    def __init__(self, settings: Settings, faults: Faults) -> None:
        """Nothing is written yet."""
        self._settings = settings
        self._faults = faults
        self._path: Path | None = None
        """What is written, or was last."""
        self._waiting: str | None = None
        self._writing: asyncio.Future[None] | None = None

    @property
    def wanted(self) -> Path | None:
        """Where the owner wants it; None: nowhere."""
        path = self._settings.now.records.prometheus
        return Path(path) if path is not None else None

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of faults in force, but for that of the file itself."""
        return tuple(kind for kind in self._faults.kinds if kind != PROMETHEUS)

    def follow(self) -> None:
        """Leave a file that is wanted no more."""
        if self._path is not None and self._path != self.wanted:
            in_thread(partial(_remove, self._path), "prometheus")
            self._path = None
            self._faults.clear(PROMETHEUS)

    def write(self, text: str) -> None:
        """Have the file hold this soon; returns at once. The newest counts where a disk is slow."""
        self.follow()
        self._waiting = text
        if self._writing is None:
            self._write_next()

    async def closed(self) -> None:
        """Remove the file; a disk that hangs gets a second for it."""
        self._waiting = None
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=GOODBYE_S)
        if self._path is not None:
            await asyncio.wait([in_thread(partial(_remove, self._path), "prometheus")], timeout=1)

    def _write_next(self) -> None:
        text, self._waiting, self._writing = self._waiting, None, None
        path = self.wanted
        if text is None or path is None:
            return
        self._path = path
        self._writing = in_thread(partial(_write, path, text.encode()), "prometheus")
        self._writing.add_done_callback(partial(self._written, path))

    def _written(self, path: Path, writing: asyncio.Future[None]) -> None:
        if path == self.wanted and not writing.cancelled():
            error = writing.exception()
            if error is None:
                self._faults.clear(PROMETHEUS)
            elif isinstance(error, OSError):
                self._faults.begin(PROMETHEUS, _words(path, error))
            else:
                raise error
        self._write_next()


def _write(path: Path, content: bytes) -> None:
    """Blocks. Raises OSError."""
    if not path.parent.is_dir():
        # A folder that somebody has misspelt is not made.
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    DurableFile(path.parent, path.name, mode=0o644, whatever_umask=True).write(content)


def _remove(path: Path) -> None:
    """Blocks; what is there no more, or was never ours to remove, stays as it is."""
    with contextlib.suppress(OSError):
        if path.is_file() and not path.is_symlink():
            path.unlink()


def _words(path: Path, error: OSError) -> str:
    told = f"the figures for Prometheus cannot be written to {path} ({reason(error)})"
    return (
        f"{told}: set records.prometheus to a file that the speaker may write, such as "
        f"{SERVICE_RUNTIME}/parley.prom"
    )
