"""The schema says which number the tables of a database have, and what leads from one to the next.

Theory of operation. A table or a column that is new needs no number: it is made where it is
missing, and a release that does not know it leaves it alone. Whatever changes the meaning of what
is there gets a number and a step, which is run in one transaction with the new number, so that a
power cut finds either. A file with a number that this release does not know is a newer one's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from device.records.rows import Table

VERSION: Final = 1
Step = Callable[[sqlite3.Connection], None]
"""It works within a transaction: `executescript`, which would commit that, is not for it."""
STEPS: Final[Mapping[int, Step]] = {0: lambda _database: None}
"""By the number they lead away from; 0: of a new file."""


class NotOursError(sqlite3.DatabaseError):
    """A file is in order, and of somebody else, or of a newer release."""


def bring_up(
    database: sqlite3.Connection,
    tables: Sequence[Table],
    version: int = VERSION,
    steps: Mapping[int, Step] = STEPS,
) -> None:
    """Give the database these tables, whichever earlier release has made it. Blocks.

    Raises NotOursError, and sqlite3.Error; what was changed until then is taken back.
    """
    (found,) = database.execute("PRAGMA user_version").fetchone()
    if not 0 <= found <= version:
        raise NotOursError(f"it has schema {found} of a newer release; this one knows {version}")
    database.execute("BEGIN IMMEDIATE")
    try:
        for number in range(found, version):
            steps[number](database)
        for table in tables:
            _make(database, table)
        if found != version:
            database.execute(f"PRAGMA user_version = {version:d}")
        # Nothing is written where nothing was changed.
        database.execute("COMMIT")
    except BaseException:  # interrupted too: no half of a step stays
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _make(database: sqlite3.Connection, table: Table) -> None:
    there = {row[1]: row[5] for row in database.execute(f"PRAGMA table_info({table.name})")}
    if there and (there.get("key") != 1 or "at" not in there):
        raise NotOursError(f"its table {table.name} is not ours")
    missing = [name for name in table.columns if name not in there] if there else []
    for name in missing:
        database.execute(f"ALTER TABLE {table.name} ADD COLUMN {name}")
    for statement in table.statements:
        database.execute(statement)
