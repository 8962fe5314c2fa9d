"""`LastWarnings` keeps the last warnings in a file, for whoever asks after a power cut what it was.

The journal of a Raspberry Pi is in its memory, and gone with its power. Only what the speaker
itself has to complain of is kept: never what was said, and of an exception its type and place
without its words. Nothing is synced for it: the card gets a line within the half minute in which
the kernel writes anyway.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from device.text import printable

FILE = "last_warnings.txt"
KEPT_LINES = 50
LARGEST_LINE = 500
LINES_A_MINUTE = 20
"""A part that complains without end neither wears the card nor drives the rest out of the file."""


class LastWarnings(logging.Handler):
    """Appends each warning of ours to the file in ``folder``. Any thread, as every handler."""

    def __init__(self, folder: Path) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(logging.Filter("device"))
        self._path = folder / FILE
        self._lines = len(self._read())
        self._minute = 0
        self._in_minute = 0
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Append a line; where that cannot be done, the journal alone has it."""
        text = _one_line(record)
        minute = int(record.created // 60)
        if minute != self._minute:
            self._minute, self._in_minute = minute, 0
        if text == self._last or self._in_minute >= LINES_A_MINUTE:
            return
        self._last = text
        self._in_minute += 1
        at = datetime.fromtimestamp(record.created, UTC)
        try:
            self._append(f"{at:%Y-%m-%dT%H:%M:%SZ} {text}\n")
        except OSError:
            return

    def _append(self, line: str) -> None:
        if self._lines >= 2 * KEPT_LINES:
            kept = self._read()[-KEPT_LINES:]
            fresh = self._path.with_suffix(".new")
            fresh.write_text("".join(f"{each}\n" for each in kept))
            fresh.chmod(0o600)
            fresh.replace(self._path)
            self._lines = len(kept)
        with self._path.open("a") as file:
            self._path.chmod(0o600)
            file.write(line)
        self._lines += 1

    def _read(self) -> list[str]:
        try:
            return self._path.read_text(errors="replace").splitlines()
        except OSError:
            return []


def _one_line(record: logging.LogRecord) -> str:
    parts = [record.levelname, record.name, record.getMessage()]
    if record.exc_info and record.exc_info[1] is not None:
        parts += _places(record.exc_info[1])
    return " ".join(printable(" ".join(parts)).split())[:LARGEST_LINE]


def _places(error: BaseException) -> Iterator[str]:
    """Return the type of an exception and where it was raised; of a group, of each in it."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _places(each)
        return
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name}, {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    yield f"({type(error).__name__}{where})"
