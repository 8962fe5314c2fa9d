"""A database is brought up to the release that opens it, and no further back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

import pytest

from device.records.rows import Row, Table
from device.records.schema import STEPS, VERSION, NotOursError, Step, bring_up

THINGS = Table("things", ("size_mm",))


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    yield made
    made.close()


def version_of(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def to_millimetres(database: sqlite3.Connection) -> None:
    database.execute("ALTER TABLE things RENAME COLUMN size_cm TO size_mm")
    database.execute("UPDATE things SET size_mm = size_mm * 10")


def to_whole_numbers(database: sqlite3.Connection) -> None:
    database.execute("UPDATE things SET size_mm = CAST(size_mm AS INTEGER)")


def fails(database: sqlite3.Connection) -> None:
    database.execute("UPDATE things SET size_cm = 0")
    database.execute("UPDATE nowhere SET size = 0")


STEPS_HERE: Mapping[int, Step] = {**STEPS, 1: to_millimetres, 2: to_whole_numbers}


def old_one(database: sqlite3.Connection) -> None:
    bring_up(database, [Table("things", ("size_cm",))], 1)
    database.execute("INSERT INTO things (key, at, size_cm) VALUES ('a', 1.0, 2.5)")


def test_a_new_one_has_every_table_and_the_number(database: sqlite3.Connection) -> None:
    """And is left alone from then on."""
    bring_up(database, [THINGS])
    database.execute(THINGS.upsert, Row(THINGS, "a", 1.0, {"size_mm": 3}).parameters)
    changes = database.total_changes
    bring_up(database, [THINGS])
    assert (version_of(database), database.total_changes) == (VERSION, changes)


def test_an_older_one_takes_every_step_in_order(database: sqlite3.Connection) -> None:
    """With what is in it."""
    old_one(database)
    bring_up(database, [THINGS], 3, STEPS_HERE)
    assert database.execute("SELECT key, size_mm FROM things").fetchall() == [("a", 25)]
    assert version_of(database) == 3


def test_a_step_that_fails_changes_nothing(database: sqlite3.Connection) -> None:
    """Nor do those before it: the release before can go on with the file."""
    old_one(database)
    with pytest.raises(sqlite3.OperationalError, match="no such table: nowhere"):
        bring_up(database, [THINGS], 3, {**STEPS_HERE, 1: fails})
    assert database.execute("SELECT size_cm FROM things").fetchall() == [(2.5,)]
    assert (version_of(database), database.in_transaction) == (1, False)


def test_a_newer_one_is_not_ours(database: sqlite3.Connection) -> None:
    """What its rows mean is not known here."""
    database.execute("PRAGMA user_version = 7")
    with pytest.raises(NotOursError, match="it has schema 7 of a newer release; this one knows 1"):
        bring_up(database, [THINGS])


def test_a_table_of_another_kind_is_not_ours(database: sqlite3.Connection) -> None:
    """Though it has our name."""
    database.execute("CREATE TABLE things (key INTEGER, at TEXT)")
    with pytest.raises(NotOursError, match="its table things is not ours"):
        bring_up(database, [THINGS])


def test_a_missing_column_is_made(database: sqlite3.Connection) -> None:
    """And one too many is left alone."""
    bring_up(database, [Table("things", ("of_tomorrow",))])
    bring_up(database, [THINGS])
    columns = [row[1] for row in database.execute("PRAGMA table_info(things)")]
    assert columns == ["key", "at", "of_tomorrow", "size_mm"]
