"""`ask_records` asks the records of a speaker that does not run, and leaves them as they are.

Theory of operation. SQLite writes beside a database that it opens, also to read it, where there is
a log of what came last; whoever reads as root would leave files there that the speaker cannot open.
So a database with such a log, or with rows that wait in memory's file system, is read in a copy in
memory. One that was closed in order is read where it is, as a file that nobody changes.

Tested in tests/records/test_books.py.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from device.errors import RecordsError
from device.records.database import FOLDER, NAME, require_ours
from device.records.pending import WHATEVER_IT_IS, Line, waiting
from device.records.rows import NO_VALUE, Table
from device.records.schema import bring_up
from device.state.store import reason

_T = TypeVar("_T")


def ask_records(
    folder: Path | None,
    runtime: Path | None,
    tables: Sequence[Table],
    question: Callable[[sqlite3.Connection], _T],
) -> _T:
    """Return what a question finds in them, as `Records.ask` does where a speaker runs. Blocks.

    The rest is as with `read_records`. Raises RecordsError, also where the damage is met only by
    the question: nobody has read the whole file before.
    """
    database = read_records(folder, runtime, tables)
    try:
        return question(database)
    except sqlite3.Error as error:
        raise _unreadable(folder, error) from error
    finally:
        database.close()


def read_records(
    folder: Path | None, runtime: Path | None, tables: Sequence[Table]
) -> sqlite3.Connection:
    """Return a database with all that was noted, what waits for the disk too. Blocks.

    ``folder`` is the state directory, ``runtime`` where `device.records.pending` lies. Nothing is
    written there. Raises RecordsError.
    """
    path = (folder or Path()) / FOLDER / NAME
    try:
        lines = [line for line in waiting(runtime, {t.name: t for t in tables}) if line is not None]
        size = _size_of(path) if folder is not None else 0
        log_size = _size_of(path.with_name(f"{NAME}-wal")) if size else 0
        if size and not lines and not log_size and (found := _in_place(path, tables)):
            return found
        return _in_memory(path if size else None, lines, tables)
    except PermissionError as error:
        raise RecordsError(
            f"{error.filename or path} may not be read: use sudo, or start the speaker"
        ) from error
    except (sqlite3.Error, OSError) as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path | None, error: Exception) -> RecordsError:
    path = (folder or Path()) / FOLDER / NAME
    why = reason(error) if isinstance(error, OSError) else error
    return RecordsError(
        f"the records {path} cannot be read: {why}; sudo parley doctor says what to do"
    )


def _size_of(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none. Raises OSError, also for what is no file.

    The folder is the speaker's: whoever has taken that over leads nobody elsewhere by a link, and
    lets nobody wait for a pipe.
    """
    if path.parent.is_symlink():
        raise OSError(errno.ELOOP, "it is a link", str(path.parent))
    try:
        found = path.lstat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return found.st_size


def _in_place(path: Path, tables: Sequence[Table]) -> sqlite3.Connection | None:
    """Open the file as one that nobody changes; None where it lacks a table or a column."""
    database = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True, isolation_level=None
    )
    try:
        require_ours(database)
        complete = all(
            {"key", "at", *table.columns}
            <= {row[1] for row in database.execute(f"PRAGMA table_info({table.name})")}
            for table in tables
        )
    except BaseException:  # interrupted too: none is left open
        database.close()
        # SQLite's own words for it name no path.
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None
        raise
    if complete:
        return database
    database.close()
    return None


def _in_memory(
    path: Path | None, lines: Sequence[Line], tables: Sequence[Table]
) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if path is not None:
            _copy(path, memory)
            require_ours(memory)
        known = dict(memory.execute("SELECT key, number FROM lives")) if _has_lives(memory) else {}
        bring_up(memory, tables)
        for line in lines:
            if line.number > known.get(line.life, 0):
                _merge(memory, line)
    except BaseException:  # interrupted too: none is left open
        memory.close()
        raise
    return memory


def _merge(memory: sqlite3.Connection, line: Line) -> None:
    try:
        memory.execute(line.row.table.upsert, line.row.parameters)
    except NO_VALUE:
        return  # The speaker leaves it out too, and counts it.


def _copy(path: Path, memory: sqlite3.Connection) -> None:
    with tempfile.TemporaryDirectory(prefix="parley-records-") as private:
        for suffix in ("", "-wal"):
            beside = path.with_name(f"{NAME}{suffix}")
            try:
                file = os.open(beside, os.O_RDONLY | WHATEVER_IT_IS)
            except FileNotFoundError:
                continue
            with open(file, "rb") as found, (Path(private) / beside.name).open("wb") as made:  # noqa: PTH123 - a descriptor
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise OSError(errno.EINVAL, "it is no file", str(beside))
                shutil.copyfileobj(found, made)
        copy = sqlite3.connect(Path(private) / NAME)
        try:
            copy.backup(memory)
        finally:
            copy.close()


def _has_lives(memory: sqlite3.Connection) -> bool:
    found = memory.execute("SELECT 1 FROM sqlite_master WHERE name = 'lives'").fetchone()
    return found is not None
