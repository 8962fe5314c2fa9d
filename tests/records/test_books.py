"""Books on a disk, as a speaker leaves them that runs no more."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from device.errors import RecordsError
from device.records.figures import STATISTICS
from device.records.pending import Pending
from device.records.reader import ask_records, read_records
from device.records.rows import Row, Table
from device.records.store import Records
from device.records.tables import TABLES
from device.records.writer import Place


def write(folder: Path, rows: Sequence[Row], waits: Sequence[Row] = ()) -> None:
    """Have a speaker note rows and end; what `waits` another one has noted, and was killed."""

    async def live() -> None:
        records = Records(Place(folder, folder / "run"), TABLES, lambda _: None, lambda: 3_650)
        async with asyncio.TaskGroup() as tasks:
            records.start(tasks)
            for row in rows:
                records.note(row)
            await records.kept()

    (folder / "run").mkdir(parents=True, exist_ok=True)
    asyncio.run(live())
    pending = Pending(folder / "run", "killed")
    pending.open()
    for number, row in enumerate(waits, 1):
        pending.append(number, row)
    pending.close()


def books_with_a_damaged_page(folder: Path, table: Table) -> Path:
    """Leave books whose head is in order, and of this table nothing; return the state directory."""
    write(folder, [])
    path = folder / "records" / "records.sqlite"
    with closing(sqlite3.connect(path)) as database:
        (size,) = database.execute("PRAGMA page_size").fetchone()
        pages = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE tbl_name = ?", (table.name,)
        ).fetchall()
    content = bytearray(path.read_bytes())
    for (page,) in pages:
        content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)
    return folder


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With its place."""
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "records.sqlite").write_bytes(b"no database at all, " * 500)
    with pytest.raises(
        RecordsError, match=r"records\.sqlite cannot be read: file is not a database"
    ):
        read_records(tmp_path, None, TABLES)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    """Once, and without the system's number for it."""
    (tmp_path / "records").mkdir()
    path = tmp_path / "records" / "records.sqlite"
    os.mkfifo(path)
    with pytest.raises(RecordsError) as told:
        ask_records(tmp_path, None, TABLES, lambda _: None)
    assert str(told.value).startswith(f"the records {path} cannot be read: it is no file; sudo")


def test_what_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With who may."""

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "the file")

    monkeypatch.setattr("device.records.reader._in_place", denied)
    write(tmp_path, [])
    with pytest.raises(RecordsError, match="the file may not be read: use sudo, or start the"):
        read_records(tmp_path, None, TABLES)


def test_what_is_damaged_further_in_is_told_by_whoever_asks(tmp_path: Path) -> None:
    """The head of the file is in order; the page that the question needs is not."""
    folder = books_with_a_damaged_page(tmp_path, STATISTICS)

    def question(books: sqlite3.Connection) -> int:
        return len(books.execute("SELECT * FROM statistics").fetchall())

    with pytest.raises(RecordsError, match=r"records\.sqlite cannot be read: .*malformed"):
        ask_records(folder, None, TABLES, question)


def test_what_a_question_raises_itself_is_raised(tmp_path: Path) -> None:
    """It is no damage."""

    def question(_books: sqlite3.Connection) -> None:
        raise LookupError("its own")

    write(tmp_path, [])
    with pytest.raises(LookupError, match="its own"):
        ask_records(tmp_path, None, TABLES, question)
