"""The database of the books is one SQLite file, opened, judged and kept small here. Blocks.

It is only ever used from the thread that opened it. What SQLite cannot use is not lost: it is kept
beside as NAME.damaged-DATE; of several, the newest three.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from device.records.pending import WHATEVER_IT_IS
from device.records.rows import LATEST_S, Table
from device.records.schema import NotOursError, bring_up
from device.state.store import put_on_disk

log = logging.getLogger(__name__)

FOLDER: Final = "records"
NAME: Final = "records.sqlite"
_APPLICATION: Final = 0x5041524C
"""``PARL``: PRAGMA application_id tells whose file it is."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Beyond, the oldest rows go before their time: ten years of 50 talks a day are smaller."""
MOST_DAMAGED: Final = 3
"""Files that were set aside, each as large as the bound above at most."""
_LOGS: Final = ("-wal", "-shm", "-journal")
"""What SQLite puts beside it, and looks for when it opens it."""
_BESIDE: Final = ("", *_LOGS)
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_database(
    folder: Path, tables: Sequence[Table], *, examine: bool = True
) -> sqlite3.Connection:
    """Open the database in this folder of the state directory, and make what is missing of it.

    ``examine``: read all of it first, which takes a card seconds where there are years of it.
    Raises OSError and sqlite3.Error; of a file that can never be used, `is_damage` says so.
    """
    _own_folder(folder)
    path = folder / NAME
    file = os.open(path, os.O_RDWR | os.O_CREAT | WHATEVER_IT_IS, 0o600)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.fchmod(file, 0o600)
        is_new = found.st_size == 0
    finally:
        os.close(file)
    for suffix in _LOGS:
        _require_file(path.with_name(f"{NAME}{suffix}"))
    database = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        _prepare(database, tables, is_new=is_new, examine=examine)
    except BaseException:  # cancelled too: none is left open
        database.close()
        raise
    return database


def _require_file(path: Path) -> None:
    """Raise OSError where there is something else: SQLite would wait for whoever writes a pipe."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))


def _own_folder(folder: Path) -> None:
    """Make the folder, for its owner only; one that is a link may lead anywhere. Raises OSError."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise OSError(errno.ENOTDIR, "it is no folder", str(folder)) from None
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
    else:
        # Its name has to be on the disk as well; a folder above that may not be read cannot be.
        with contextlib.suppress(PermissionError):
            put_on_disk(folder.parent)


def _prepare(
    database: sqlite3.Connection, tables: Sequence[Table], *, is_new: bool, examine: bool
) -> None:
    # No file of shared memory beside it, whose pages the kernel would write to the card as well.
    # Nobody else may read it meanwhile: whoever wants to asks the speaker, or reads a copy.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    if is_new:
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
    else:
        require_ours(database)
    database.execute("PRAGMA journal_mode = WAL")
    # One flush for each commit, so that what was committed outlives a power cut.
    database.execute("PRAGMA synchronous = FULL")
    # What is not committed yet stays in memory: else a long rest would write now and then.
    database.execute("PRAGMA cache_spill = OFF")
    database.execute("PRAGMA journal_size_limit = 1048576")
    if examine:
        (judged,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if judged != "ok":
            # Before it stands a line that names the database, for whoever has several.
            raise NotOursError(str(judged).splitlines()[-1])
    bring_up(database, tables)


def require_ours(database: sqlite3.Connection) -> None:
    """Raise NotOursError for the file of another program; sqlite3.Error where it is none at all."""
    (found,) = database.execute("PRAGMA application_id").fetchone()
    if found != _APPLICATION:
        raise NotOursError("it is the file of another program")


def is_damage(error: Exception) -> bool:
    """Tell whether the file is to blame, and will be tomorrow; else the disk, or who may write."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, NotOursError) or (code is not None and code & 0xFF in _DAMAGE)


def set_aside(folder: Path, now: float) -> Path:
    """Keep a damaged database as NAME.damaged-DATE, out of the way; return that. Raises OSError.

    ``now`` is in Unix seconds. Where there are more than `MOST_DAMAGED` the oldest go.
    """
    day = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"
    name = f"{NAME}.damaged-{day}"
    number = 1
    while (folder / name).exists():
        number += 1
        name = f"{NAME}.damaged-{day}-{number}"
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            (folder / f"{NAME}{suffix}").replace(folder / f"{name}{suffix}")
    for old in damaged(folder)[:-MOST_DAMAGED]:
        for suffix in _BESIDE:
            with contextlib.suppress(OSError):
                old.with_name(f"{old.name}{suffix}").unlink()
    return folder / name


def damaged(folder: Path) -> list[Path]:
    """Return the databases that were set aside, the oldest first. Raises OSError."""
    aside = folder.glob(f"{NAME}.damaged*")
    found = [each for each in aside if not each.name.endswith(_BESIDE[1:])]
    # The day in a name may be of a clock that was wrong.
    return sorted(found, key=lambda each: (each.lstat().st_ctime_ns, each.name))


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


def keep_newest(database: sqlite3.Connection, table: Table, most: int) -> None:
    """Delete what is older than so many rows, by their order, within a transaction."""
    database.execute(
        f"DELETE FROM {table.name} WHERE rowid <= "  # noqa: S608 - ours
        f"(SELECT rowid FROM {table.name} ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
        (most,),
    )


def shrink(
    database: sqlite3.Connection,
    tables: Sequence[Table],
    now: float,
    most_bytes: int = MOST_BYTES,
) -> int:
    """Delete the oldest where it has grown too large, within a transaction; returns how many.

    What a table keeps at least stays: of a limit's months there are no megabytes.
    """
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
            f"(SELECT key FROM {table.name} WHERE at < ? ORDER BY at LIMIT ?)",
            (now - table.least_days * 86_400 if table.least_days else LATEST_S, count // 5),
        ).rowcount
    return gone
