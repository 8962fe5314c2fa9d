"""`Writer` puts rows into the database, and holds them back while it cannot be written. Blocks.

Rows go into a transaction that stays open until a commit is asked for: whoever asks in between sees
them, and the disk does not. When anything fails the transaction is lost; its rows are still here,
and are put down again by the next commit that finds a database. Used from one thread only.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

import logging
import os
import pwd
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from device.errors import RecordsError
from device.records.database import (
    FOLDER,
    forget,
    is_damage,
    keep_newest,
    open_database,
    set_aside,
    shrink,
)
from device.records.database import NAME as DATABASE
from device.records.pending import waiting
from device.records.retention import Look
from device.records.rows import NO_VALUE, Row, Table
from device.records.trouble import LOST, words

log = logging.getLogger(__name__)

_T = TypeVar("_T")

MOST_ROWS: Final = 20_000
"""Of a transaction, and held back for a disk that takes nothing: some 10 MB."""
LIVES: Final = Table("lives", ("number",))
"""Of each process, the number of its last line that the database has."""
MOST_LIVES: Final = 1_000
"""A life counts for as long as its lines may wait: until the next one has written once."""
LOOKS: Final = Table("looks", ("steady",))
"""When old rows were looked for last: one row."""
DAMAGE_TOLD_S: Final = 86_400.0
"""A file that was set aside mends itself; but what was in it is missing, so its owner is told so
for a day. The doctor tells it for as long as the file is there."""
_MISTAKES: Final = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY})
"""Of a question: it is no SQL, names what is not there, or would change something."""


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
        self.lost = 0
        """How many rows found no room while nothing could be written."""
        self.odd = 0
        """How many lines of earlier processes, and rows of this one, made no sense."""
        self._failing = ""
        """Why nothing can be written."""
        self._damage = ""
        """What was set aside."""
        self._damage_told_until = 0.0
        self._folder = place.folder / FOLDER if place.folder is not None else None
        self._runtime = place.runtime
        self._own_tables = tuple(tables)
        self._tables = (*tables, LIVES, LOOKS)
        self._by_name = {table.name: table for table in tables}
        self._life = life
        self._database: sqlite3.Connection | None = None
        self._rows: deque[tuple[int, Row]] = deque(maxlen=MOST_ROWS)
        """Since the last commit, in their order."""
        self._examined = False

    # --- what is asked of it ---------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """Why nothing can be written, or what was lost, in words for the owner; empty: nothing."""
        if self._failing:
            return self._failing
        return self._damage if time.monotonic() < self._damage_told_until else ""

    @property
    def failing(self) -> bool:
        """Whether nothing could be written the last time."""
        return bool(self._failing)

    def put(self, number: int, row: Row) -> None:
        """Take a row; never raises."""
        if len(self._rows) == MOST_ROWS:
            if self._failing and not self.lost:
                log.warning("%s", LOST)
            self.lost += bool(self._failing)
        self._rows.append((number, row))
        if self._database is not None:
            try:
                self._apply(self._database, row)
            except (sqlite3.Error, OSError) as error:
                self._fail(error, row.at)

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
                if not self._fail(error, now):
                    return None
                continue
            self._rows.clear()
            self._failing = ""
            return number
        return None

    def ask(self, question: Callable[[sqlite3.Connection], _T], now: float) -> _T:
        """Return what the question finds, in all that was put; it cannot change anything.

        Raises RecordsError where the disk or the file is to blame, else what the question raises.
        """
        database = self._opened(now)
        if database is None:
            raise RecordsError(self._failing)
        try:
            database.execute("PRAGMA query_only = ON")
            try:
                return question(database)
            finally:
                database.execute("PRAGMA query_only = OFF")
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorcode", None) in _MISTAKES:
                raise
            self._fail(error, now)
            raise RecordsError(f"the records cannot be read: {error}") from error

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
        for _ in range(2):  # a damaged file makes room for a new one
            if self._database is not None:
                break
            try:
                self._open(now)
            except (sqlite3.Error, OSError) as error:
                if not self._fail(error, now):
                    break
        return self._database

    def _open(self, now: float) -> None:
        if self._folder is None:
            database = sqlite3.connect(":memory:", isolation_level=None)
            for table in self._tables:
                for statement in table.statements:
                    database.execute(statement)
        else:
            database = open_database(self._folder, self._tables, examine=not self._examined)
            self._examined = True
        self._database = database
        self._recover(database, now)
        for _, row in self._rows:
            self._apply(database, row)

    def _recover(self, database: sqlite3.Connection, now: float) -> None:
        """Take over what earlier processes had noted, and the database never got."""
        known = dict(database.execute("SELECT key, number FROM lives"))
        odd = 0
        newest: dict[str, int] = {}
        for line in waiting(self._runtime, self._by_name):
            if line is None:
                odd += 1
            elif line.life != self._life and line.number > known.get(line.life, 0):
                self._apply(database, line.row)
                newest[line.life] = line.number
        for life, number in newest.items():
            self._apply(database, Row(LIVES, life, now, {"number": number}))
        if odd and not self.odd:
            log.warning("%d lines of the records make no sense and are left out", odd)
        self.odd = max(self.odd, odd)

    def _apply(self, database: sqlite3.Connection, row: Row) -> None:
        if not database.in_transaction:
            database.execute("BEGIN IMMEDIATE")
        try:
            database.execute(row.table.upsert, row.parameters)
        except NO_VALUE as error:
            # It waits in the pending file too: else each start would end by it.
            self.odd += 1
            log.warning("a row of %s is left out: %s", row.table.name, error)

    def _tidy(self, database: sqlite3.Connection, now: float, keep_days: int) -> None:
        found = database.execute(
            "SELECT at, steady FROM looks"
            " WHERE typeof(at) IN ('real', 'integer') AND typeof(steady) = 'integer'"
        ).fetchone()
        before = Look(*found) if found else Look(-1.0)
        look, old_ones_go = before.next(now)
        if look is before:
            return
        self._apply(database, Row(LOOKS, "last", look.at, {"steady": look.steady}))
        if old_ones_go:
            forget(database, self._own_tables, now, keep_days)
        keep_newest(database, LIVES, MOST_LIVES)
        shrink(database, self._own_tables, now)

    def _fail(self, error: Exception, now: float) -> bool:
        """Let go of the database, and say why; what was put since the last commit is still here.

        Returns whether a damaged one was put out of the way, so that another can be made.
        """
        self.close()
        # It is looked at again, since it may have been written by somebody else meanwhile.
        self._examined = self._examined and not is_damage(error)
        if self._folder is None or not is_damage(error):
            place = str(self._folder) if self._folder is not None else "memory"
            self._tell_failing(words(error, place, _user()))
            return False
        path = self._folder / DATABASE
        try:
            kept = set_aside(self._folder, now)
        except OSError as failure:
            self._tell_failing(
                f"the records {path} are damaged ({error}), and cannot be put aside ({failure}): "
                f"move them away, and they begin anew"
            )
            return False
        self._damage = (
            f"the records were damaged ({error}) and begin anew, what was spent too; "
            f"the old ones are kept as {kept}"
        )
        self._damage_told_until = time.monotonic() + DAMAGE_TOLD_S
        log.warning("%s", self._damage)
        return True

    def _tell_failing(self, trouble: str) -> None:
        if trouble != self._failing:
            log.warning("%s", trouble)
        self._failing = trouble


def _user() -> str:
    """Return the name of whoever runs this."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
