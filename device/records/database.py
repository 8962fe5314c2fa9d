"""The database of the books is one SQLite file, opened, judged and kept small here. Blocks.

It is only ever used from the thread that opened it. What SQLite cannot use is not lost: it is kept
beside as NAME.damaged, in place of an earlier one.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from device.records.pending import WHATEVER_IT_IS
from device.records.rows import Table

log = logging.getLogger(__name__)

FOLDER: Final = "records"
NAME: Final = "records.sqlite"
_APPLICATION: Final = 0x5041524C
"""``PARL``: PRAGMA application_id tells whose file it is."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Beyond, the oldest rows go before their time: ten years of 50 talks a day are smaller."""
_BESIDE: Final = ("", "-wal", "-shm")


class NotOursError(sqlite3.DatabaseError):
    """A file is in order, and of somebody else."""


def open_database(folder: Path, tables: Sequence[Table]) -> sqlite3.Connection:
    """Open the database in this folder of the state directory, and make what is missing of it.

    Raises OSError and sqlite3.Error; a file that can never be used raises sqlite3.DatabaseError
    but not sqlite3.OperationalError, see `is_damage`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / NAME
    file = os.open(path, os.O_RDWR | os.O_CREAT | WHATEVER_IT_IS, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(f"{path} is no file")
        is_new = os.fstat(file).st_size == 0
    finally:
        os.close(file)
    database = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        _prepare(database, tables, is_new=is_new)
    except BaseException:  # cancelled too: none is left open
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, tables: Sequence[Table], *, is_new: bool) -> None:
    if is_new:
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
    elif database.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        raise NotOursError("it is the file of another program")
    database.execute("PRAGMA journal_mode = WAL")
    # One flush for each commit, so that what was committed outlives a power cut.
    database.execute("PRAGMA synchronous = FULL")
    # What is not committed yet stays in memory: else a long rest would write now and then.
    database.execute("PRAGMA cache_spill = OFF")
    database.execute("PRAGMA journal_size_limit = 1048576")
    (judged,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if judged != "ok":
        raise NotOursError(str(judged))
    for table in tables:
        _make(database, table)


def _make(database: sqlite3.Connection, table: Table) -> None:
    """Make a table, or what is missing of one of an older release: tables only grow."""
    there = {row[1]: row[5] for row in database.execute(f"PRAGMA table_info({table.name})")}
    if there and (there.get("key") != 1 or "at" not in there):
        raise NotOursError(f"its table {table.name} is not ours")
    missing = [name for name in table.columns if name not in there] if there else []
    for name in missing:
        database.execute(f"ALTER TABLE {table.name} ADD COLUMN {name}")
    for statement in table.statements:
        database.execute(statement)


def is_damage(error: Exception) -> bool:
    """Tell whether the file is to blame, and will be tomorrow; else the disk, or who may write."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError | sqlite3.InterfaceError | sqlite3.ProgrammingError
    )


def set_aside(folder: Path) -> None:
    """Keep a damaged database as NAME.damaged, out of the way. Raises OSError."""
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            (folder / f"{NAME}{suffix}").replace(folder / f"{NAME}.damaged{suffix}")


def forget(
    database: sqlite3.Connection,
    tables: Sequence[Table],
    now: float,
    keep_days: int,
) -> int:
    """Delete what is older, within a transaction; returns how many rows went."""
    return sum(
        database.execute(
            f"DELETE FROM {table.name} WHERE at < ?",  # noqa: S608 - ours
            (now - max(keep_days, table.least_days) * 86_400,),
        ).rowcount
        for table in tables
    )


def shrink(
    database: sqlite3.Connection, tables: Sequence[Table], most_bytes: int = MOST_BYTES
) -> int:
    """Delete the oldest where it has grown too large, within a transaction; returns how many."""
    (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (free,) = database.execute("PRAGMA freelist_count").fetchone()
    if (pages - free) * page_bytes <= most_bytes:
        return 0
    log.warning("the records are larger than %d MB: their oldest fifth goes", most_bytes >> 20)
    gone = 0
    for table in tables:
        (count,) = database.execute(f"SELECT count(*) FROM {table.name}").fetchone()  # noqa: S608 - ours
        gone += database.execute(
            f"DELETE FROM {table.name} WHERE key IN "  # noqa: S608 - ours
            f"(SELECT key FROM {table.name} ORDER BY at LIMIT ?)",
            (count // 5,),
        ).rowcount
    return gone
