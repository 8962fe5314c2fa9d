"""`Writer` puts rows into the database, and holds them back while it cannot be written. Blocks.

Rows go into a transaction that stays open until a commit is asked for: whoever asks in between sees
them, and the disk does not. When anything fails the transaction is lost; its rows are still here,
and are put down again by the next commit that finds a database. Used from one thread only.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from device.errors import RecordsError
from device.records.database import FOLDER, forget, is_damage, open_database, set_aside, shrink
from device.records.database import NAME as DATABASE
from device.records.pending import waiting
from device.records.retention import Look
from device.records.rows import Row, Table

log = logging.getLogger(__name__)

_T = TypeVar("_T")

MOST_ROWS: Final = 20_000
"""Of a transaction, and held back for a disk that takes nothing: some 10 MB."""
LIVES: Final = Table("lives", ("number",), least_days=3_650)
"""Of each process, the number of its last line that the database has."""
LOOKS: Final = Table("looks", ("steady",), least_days=3_650)
"""When old rows were looked for last."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the books are."""

    folder: Path | None
    """The state directory. Without one nothing outlives the process."""
    runtime: Path | None = None
    """In memory, for what waits for the disk; None: a crash loses it."""


class Writer:
    """The books of one process, by its life."""

    def __init__(self, place: Place, tables: Sequence[Table], life: str) -> None:
        """Nothing is opened yet."""
        self.trouble = ""
        """Why nothing can be written, or what was lost, in words for the owner; empty: nothing."""
        self.lost = 0
        """How many rows found no room while nothing could be written."""
        self.odd_lines = 0
        """How many lines of earlier processes made no sense."""
        self._folder = place.folder / FOLDER if place.folder is not None else None
        self._runtime = place.runtime
        self._tables = (*tables, LIVES, LOOKS)
        self._by_name = {table.name: table for table in tables}
        self._life = life
        self._database: sqlite3.Connection | None = None
        self._rows: deque[tuple[int, Row]] = deque(maxlen=MOST_ROWS)
        """Since the last commit, in their order."""
        self._was_damaged = False

    # --- what is asked of it ---------------------------------------------------------------------

    def put(self, number: int, row: Row) -> None:
        """Take a row; never raises."""
        self.lost += len(self._rows) == MOST_ROWS
        self._rows.append((number, row))
        if self._database is not None:
            try:
                self._apply(self._database, row)
            except (sqlite3.Error, OSError) as error:
                self._fail(error)

    def commit(self, now: float, keep_days: int) -> int | None:
        """Have the disk take what was put; returns the last number of it, None when it does not.

        ``now`` (Unix seconds) and ``keep_days`` tell what goes.
        """
        for _ in range(2):  # a damaged file makes room for a new one
            database = self._opened(now)
            if database is None:
                return None
            number = self._rows[-1][0] if self._rows else 0
            try:
                self._tidy(database, now, keep_days)
                if number:
                    self._apply(database, Row(LIVES, self._life, now, {"number": number}))
                if database.in_transaction:
                    database.execute("COMMIT")
                database.execute("PRAGMA incremental_vacuum(64)").fetchall()
            except (sqlite3.Error, OSError) as error:
                if not self._fail(error):
                    return None
                continue
            self._rows.clear()
            if not self._was_damaged:
                self.trouble = ""
            return number
        return None

    def ask(self, question: Callable[[sqlite3.Connection], _T], now: float) -> _T:
        """Return what the question finds, in all that was put. Raises RecordsError."""
        database = self._opened(now)
        if database is None:
            raise RecordsError(self.trouble)
        try:
            return question(database)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            raise RecordsError(self.trouble) from error

    def close(self) -> None:
        """Let go of the database; what is not committed is lost to it. Never raises."""
        database, self._database = self._database, None
        if database is not None:
            try:
                database.close()
            except (sqlite3.Error, OSError) as error:
                log.warning("the records cannot be closed: %s", error)

    # --- how it does it --------------------------------------------------------------------------

    def _opened(self, now: float) -> sqlite3.Connection | None:
        if self._database is None:
            try:
                self._open(now)
            except (sqlite3.Error, OSError) as error:
                return self._opened(now) if self._fail(error) else None
        return self._database

    def _open(self, now: float) -> None:
        if self._folder is None:
            database = sqlite3.connect(":memory:", isolation_level=None)
            for table in self._tables:
                for statement in table.statements:
                    database.execute(statement)
        else:
            database = open_database(self._folder, self._tables)
        self._database = database
        self._recover(database, now)
        for _, row in self._rows:
            self._apply(database, row)

    def _recover(self, database: sqlite3.Connection, now: float) -> None:
        """Take over what earlier processes had noted, and the database never got."""
        known = dict(database.execute("SELECT key, number FROM lives"))
        self.odd_lines = 0
        newest: dict[str, int] = {}
        for line in waiting(self._runtime, self._by_name):
            if line is None:
                self.odd_lines += 1
            elif line.life != self._life and line.number > known.get(line.life, 0):
                self._apply(database, line.row)
                newest[line.life] = line.number
        for life, number in newest.items():
            self._apply(database, Row(LIVES, life, now, {"number": number}))
        if self.odd_lines:
            log.warning("%d lines of the records make no sense and are left out", self.odd_lines)

    def _apply(self, database: sqlite3.Connection, row: Row) -> None:
        if not database.in_transaction:
            database.execute("BEGIN IMMEDIATE")
        database.execute(row.table.upsert, row.parameters)

    def _tidy(self, database: sqlite3.Connection, now: float, keep_days: int) -> None:
        found = database.execute("SELECT at, steady FROM looks").fetchone()
        before = Look(*found) if found else Look(-1.0)
        look, old_ones_go = before.next(now)
        if look is before:
            return
        self._apply(database, Row(LOOKS, "last", look.at, {"steady": look.steady}))
        if old_ones_go:
            forget(database, self._tables, now, keep_days)
        shrink(database, [table for table in self._tables if not table.least_days])

    def _fail(self, error: Exception) -> bool:
        """Let go of the database, and say why; what was put since the last commit is still here.

        Returns whether a damaged one was put out of the way, so that another can be made.
        """
        self.close()
        if self._folder is None or not is_damage(error):
            self._tell(_words(error))
            return False
        path = self._folder / DATABASE
        try:
            set_aside(self._folder)
        except OSError as failure:
            self._tell(f"the records {path} are damaged ({error}), and so they stay: {failure}")
            return False
        self._was_damaged = True
        self._tell(
            f"the records were damaged ({error}) and begin anew, what was spent too; "
            f"the old ones are kept as {path}.damaged"
        )
        return True

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.warning("%s", trouble)
        self.trouble = trouble


def _words(error: Exception) -> str:
    is_full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
    if is_full or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return (
            "the disk is full: what leaves and what it costs waits in memory until there is room; "
            "see what takes it with: sudo du -xh / | sort -h | tail"
        )
    return f"the records cannot be written ({error}): what leaves and what it costs waits in memory"
