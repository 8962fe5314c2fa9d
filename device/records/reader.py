"""`read_records` reads the books of a speaker that does not run, and leaves them as they are.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from device.errors import RecordsError
from device.records.database import FOLDER, NAME
from device.records.pending import waiting
from device.records.rows import Table


def read_records(
    folder: Path | None, runtime: Path | None, tables: Sequence[Table]
) -> sqlite3.Connection:
    """Return a database in memory with all that was noted, what waits for the disk too. Blocks.

    ``folder`` is the state directory, ``runtime`` where `device.records.pending` lies. Raises
    RecordsError.
    """
    path = (folder or Path()) / FOLDER / NAME
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if folder is not None and path.exists():
            _copy(path, memory)
        for table in tables:
            for statement in table.statements:
                memory.execute(statement)
        known = dict(memory.execute("SELECT key, number FROM lives")) if _has_lives(memory) else {}
        for line in waiting(runtime, {table.name: table for table in tables}):
            if line is not None and line.number > known.get(line.life, 0):
                memory.execute(line.row.table.upsert, line.row.parameters)
    except PermissionError as error:
        memory.close()
        raise RecordsError(
            f"{error.filename or path} may not be read: use sudo, or start the speaker"
        ) from error
    except (sqlite3.Error, OSError) as error:
        memory.close()
        raise RecordsError(f"the records {path} cannot be read: {error}") from error
    return memory


def _copy(path: Path, memory: sqlite3.Connection) -> None:
    with tempfile.TemporaryDirectory(prefix="parley-records-") as private:
        for suffix in ("", "-wal"):
            beside = path.with_name(f"{path.name}{suffix}")
            if beside.exists():
                shutil.copyfile(beside, Path(private) / beside.name)
        copy = sqlite3.connect(Path(private) / path.name)
        try:
            copy.backup(memory)
        finally:
            copy.close()


def _has_lives(memory: sqlite3.Connection) -> bool:
    found = memory.execute("SELECT 1 FROM sqlite_master WHERE name = 'lives'").fetchone()
    return found is not None
