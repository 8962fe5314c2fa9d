"""What waits for the disk waits in whole lines."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from device.records import pending as pending_module
from device.records.pending import NAME, Pending, waiting
from device.records.rows import Row, Table

THINGS = Table("things", ("size",))


def row(key: str) -> Row:
    return Row(THINGS, key, 1.8e9, {"size": 1})


def keys_in(folder: Path) -> list[str | None]:
    found = waiting(folder, {"things": THINGS})
    return [line.row.key if line is not None else None for line in found]


class FullAfter:
    """A file system with room for so many bytes more."""

    def __init__(self, left: int) -> None:
        self.left = left
        self._write = os.write

    def write(self, file: int, content: bytes) -> int:
        taken = self._write(file, content[: self.left])
        self.left -= taken
        return taken


def test_a_line_that_finds_no_room_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it is taken back; what comes when there is room is held again."""
    held = Pending(tmp_path, "life")
    held.open()
    held.append(1, row("a"))
    full = FullAfter(10)
    monkeypatch.setattr(os, "write", full.write)
    with pytest.raises(OSError, match="No space left on device"):
        held.append(2, row("no room"))
    full.left = 1_000
    held.append(3, row("b"))
    held.close()
    assert keys_in(tmp_path) == ["a", "b"]


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    """The process before was killed in the middle of it."""
    (tmp_path / NAME).write_bytes(b'["before",1,"things","a",1.0,{}]\n["before",2,"thi')
    held = Pending(tmp_path, "life")
    held.open()
    held.append(1, row("b"))
    held.close()
    assert keys_in(tmp_path) == ["a", None, "b"]


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no room goes to the disk with the rest."""
    monkeypatch.setattr(pending_module, "MOST_BYTES", 300)
    held = Pending(tmp_path, "life")
    held.open()
    for number in range(1, 100):
        held.append(number, row(f"{number:02}"))
    assert held.full
    assert 300 <= (tmp_path / NAME).stat().st_size < 400
    held.clear()
    held.append(100, row("later"))
    assert keys_in(tmp_path) == ["later"]
    held.close()


def test_opening_it_twice_is_harmless(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As whoever tries again after each write does."""
    held = Pending(tmp_path, "life")
    held.open()
    held.append(1, row("a"))
    held.open()
    held.append(2, row("b"))
    held.close()
    held.close()
    assert keys_in(tmp_path) == ["a", "b"]
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
