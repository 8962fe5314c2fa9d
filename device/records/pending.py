"""`Pending` holds each row in memory's file system until the database has it on the disk.

Theory of operation. A database on an SD card is written once after a talk, not once a row. What was
noted since lies in a file under /run, which outlives the process, whatever ends it, and never
reaches the card. Each row is one line, numbered within the life of its process; the database knows
the number up to which it has the lines of a life, in the same transaction as the rows. So after a
crash each line counts once, whenever that was. A power cut takes the file along: then what was
noted since the last write of the database is lost, and nothing else.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from device.records.rows import Row, Table

NAME: Final = "records.pending"
MOST_BYTES: Final = 4_000_000
"""Ten thousand rows: more wait for no disk."""
WHATEVER_IT_IS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Opening what somebody has put there neither follows a link nor waits for a writer."""
_LONGEST_NUMBER: Final = 10**12


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it waits."""

    life: str
    number: int
    row: Row


class Pending:
    """The file of one life. Without a folder nothing is held. Used from one thread only."""

    def __init__(self, folder: Path | None, life: str) -> None:
        """`life` is unique for ever. Nothing is opened yet."""
        self._path = folder / NAME if folder is not None else None
        self._life = life
        self._file = -1
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether there is no room for more."""
        return self._bytes >= MOST_BYTES

    def open(self) -> None:
        """Begin to hold lines, behind those that are there. Harmless when open. Raises OSError."""
        if self._path is None or self._file >= 0:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = os.open(self._path, flags | WHATEVER_IT_IS, 0o600)
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            os.close(file)
            raise OSError(errno.EINVAL, "it is no file", str(self._path))
        self._file, self._bytes = file, found.st_size
        if self._bytes:
            # The last line of a life that was cut off may have no end.
            self._write(b"\n")

    def append(self, number: int, row: Row) -> None:
        """Hold a row. Raises OSError; a row that finds no room is not held."""
        if self._file < 0 or self.full:
            return
        words = (self._life, number, row.table.name, row.key, row.at, row.values)
        self._write(json.dumps(words, separators=(",", ":")).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        written = os.write(self._file, line)
        if written < len(line):
            # Half a line would spoil the next one too.
            os.ftruncate(self._file, self._bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._bytes += written

    def clear(self) -> None:
        """Let go of all: the database has it. Raises OSError."""
        if self._file >= 0 and self._bytes:
            os.ftruncate(self._file, 0)
            self._bytes = 0

    def close(self) -> None:
        """Hold no more; what is held stays. Harmless when closed."""
        file, self._file = self._file, -1
        if file >= 0:
            with contextlib.suppress(OSError):
                os.close(file)


def waiting(folder: Path | None, tables: Mapping[str, Table]) -> Iterator[Line | None]:
    """Read what waits, in its order; None for each line that makes no sense. Raises OSError."""
    if folder is None:
        return
    try:
        file = os.open(folder / NAME, os.O_RDONLY | WHATEVER_IT_IS)
    except FileNotFoundError:
        return
    with open(file, "rb") as lines:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return
        content = lines.read(2 * MOST_BYTES)
    for line in content.split(b"\n"):
        if line:
            yield _line(line, tables)


def _line(text: bytes, tables: Mapping[str, Table]) -> Line | None:
    try:
        life, number, table, key, at, values = json.loads(text)
        return Line(
            _checked(life, str),
            _in_range(_checked(number, int)),
            Row(
                tables[_checked(table, str)],
                _checked(key, str),
                float(_checked(at, int | float)),
                {name: _scalar(value) for name, value in _known(values, tables[table]).items()},
            ),
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def _checked(value: Any, kind: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(kind)
    return value


def _in_range(number: int) -> int:
    if not 0 < number < _LONGEST_NUMBER:
        raise ValueError(number)
    return number


def _known(values: Any, table: Table) -> dict[str, Any]:
    """Return the values that the table has a column for: another release may have had more."""
    _checked(values, dict)
    return {name: value for name, value in values.items() if name in table.columns}


def _scalar(value: Any) -> Any:
    return value if value is None else _checked(value, str | int | float)
