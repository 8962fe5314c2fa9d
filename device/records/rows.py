"""A row is one fact of the books, and a table says which facts there are. Pure.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Scalar = str | int | float | None
LATEST_S: Final = 1e11
"""Unix seconds. A row with a later time is damaged; so is one with a text there, which SQLite takes
for later than any number."""
NO_VALUE: Final = (
    OverflowError,
    UnicodeEncodeError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
)
"""What SQLite's module raises of a number or a text that it has no room for (an int beyond 64 bits,
half a surrogate pair), and of another kind of value (of another class from Python 3.12 on)."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the database."""

    name: str
    """An identifier of SQL."""
    columns: tuple[str, ...]
    """Beside ``key``, which is unique, and ``at``, which is in Unix seconds."""
    least_days: int = 0
    """Its rows are kept for so long at least, whatever the owner wants."""

    @property
    def statements(self) -> tuple[str, ...]:
        """What makes the table, and the index of its times."""
        columns = ", ".join(self.columns)
        return (
            f"CREATE TABLE IF NOT EXISTS {self.name} (key TEXT PRIMARY KEY, at REAL, {columns})",
            f"CREATE INDEX IF NOT EXISTS {self.name}_at ON {self.name} (at)",
        )

    @property
    def upsert(self) -> str:
        """What puts a row down, in place of the one of its key; its values by name."""
        names = ("key", "at", *self.columns)
        places = ", ".join(f":{name}" for name in names)
        changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        return (
            f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 - ours
            f" ON CONFLICT (key) DO UPDATE SET {changes}"
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table; another of the same key takes its place."""

    table: Table
    key: str
    at: float
    """Unix seconds, of `device.records.store.Records.now`."""
    values: Mapping[str, Scalar] = field(default_factory=dict)
    """Of the table's columns; the rest is NULL."""

    @property
    def parameters(self) -> dict[str, Scalar]:
        """The values of the table's upsert."""
        rest = dict.fromkeys(self.table.columns)
        return {"key": self.key, "at": self.at, **rest, **self.values}
