"""Books on a disk, as a speaker leaves them that runs no more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from device.errors import RecordsError
from device.records.pending import Pending
from device.records.reader import read_records
from device.records.rows import Row
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


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With its place."""
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "records.sqlite").write_bytes(b"no database at all, " * 500)
    with pytest.raises(
        RecordsError, match=r"records\.sqlite cannot be read: file is not a database"
    ):
        read_records(tmp_path, None, TABLES)


def test_what_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With who may."""

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "the file")

    monkeypatch.setattr("device.records.reader._in_place", denied)
    write(tmp_path, [])
    with pytest.raises(RecordsError, match="the file may not be read: use sudo, or start the"):
        read_records(tmp_path, None, TABLES)
