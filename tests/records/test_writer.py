"""The writer leaves out what no database takes, and tells a disk's trouble from a question's."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.errors import RecordsError
from device.records import writer
from device.records.database import FOLDER, NAME, damaged
from device.records.pending import NAME as PENDING
from device.records.reader import read_records
from device.records.rows import Row, Scalar, Table
from device.records.writer import LIVES, Place, Writer

THINGS = Table("things", ("name", "size"))
NOW = 1_800_000_000.0


def thing(key: str, size: Scalar = 1, at: float = NOW) -> Row:
    return Row(THINGS, key, at, {"name": key, "size": size})


def keys(found: sqlite3.Connection) -> list[str]:
    return [key for (key,) in found.execute("SELECT key FROM things ORDER BY key")]


def count_lives(found: sqlite3.Connection) -> int:
    return int(found.execute(f"SELECT count(*) FROM {LIVES.name}").fetchone()[0])


@contextlib.contextmanager
def books(folder: Path, life: str = "life", runtime: Path | None = None) -> Iterator[Writer]:
    made = Writer(Place(folder, runtime), (THINGS,), life)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("value", [2**70, -(2**63) - 1, "half a pair: \ud83d"])
def test_a_row_that_no_database_takes_is_left_out(tmp_path: Path, value: Scalar) -> None:
    """It is counted, those around it count, and it ends nothing: the next start finds it again."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    line = json.dumps(["before", 1, "things", "odd", NOW, {"size": value}])
    (runtime / PENDING).write_text(f"{line}\n")
    with books(tmp_path, runtime=runtime) as made:
        made.put(1, thing("a"))
        made.put(2, thing("odd too", value))
        made.put(3, thing("z"))
        assert made.ask(keys, NOW) == ["a", "z"]
        assert made.commit(NOW, 90) == 3
        assert (made.odd, made.lost, made.trouble) == (2, 0, "")
    found = read_records(tmp_path, runtime, (THINGS,))
    assert keys(found) == ["a", "z"]
    found.close()


def test_a_line_that_the_disk_has_had_does_not_come_back(tmp_path: Path) -> None:
    """Though its row has grown too old and gone since, and the line has not."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    with books(tmp_path, "before") as made:
        made.put(1, thing("a"))
        made.commit(NOW, 90)
    line = json.dumps(["before", 1, "things", "gone since", NOW, {}])
    new = json.dumps(["before", 2, "things", "b", NOW, {}])
    (runtime / PENDING).write_text(f"{line}\n{new}\n")
    found = read_records(tmp_path, runtime, (THINGS,))
    assert keys(found) == ["a", "b"]
    found.close()
    with books(tmp_path, runtime=runtime) as made:
        assert made.ask(keys, NOW) == ["a", "b"]


def test_a_question_that_is_wrong_is_no_trouble_of_the_disk(tmp_path: Path) -> None:
    """Whoever has asked is told; what was noted since the last write is still there."""
    with books(tmp_path) as made:
        made.put(1, thing("a"))
        with pytest.raises(sqlite3.OperationalError, match="no such table: nowhere"):
            made.ask(lambda found: found.execute("SELECT 1 FROM nowhere"), NOW)
        with pytest.raises(ZeroDivisionError):
            made.ask(lambda _: 1 // 0, NOW)
        assert (made.trouble, made.ask(keys, NOW)) == ("", ["a"])


def test_a_question_changes_nothing(tmp_path: Path) -> None:
    """Whatever it asks for."""
    with books(tmp_path) as made:
        made.put(1, thing("a"))
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            made.ask(lambda found: found.execute("DELETE FROM things"), NOW)
        assert made.ask(keys, NOW) == ["a"]
        made.put(2, thing("b"))
        assert made.commit(NOW, 90) == 2
        assert made.ask(keys, NOW) == ["a", "b"]


def test_the_lives_of_processes_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that starts anew every few seconds leaves no more than a thousand."""
    monkeypatch.setattr(writer, "MOST_LIVES", 5)
    for day in range(20):
        with books(tmp_path, f"life {day}") as made:
            made.put(1, thing(f"{day:02}", at=NOW + day * 86_400))
            made.commit(NOW + day * 86_400, 90)
            assert made.ask(count_lives, NOW) <= 6
    with books(tmp_path) as made:
        assert len(made.ask(keys, NOW)) == 20


@pytest.mark.parametrize("wrong", ["at = NULL", "at = 'noon'", "steady = NULL", "steady = 'x'"])
def test_a_look_at_the_clock_that_makes_no_sense_is_as_if_there_was_none(
    tmp_path: Path, wrong: str
) -> None:
    """Whoever wrote it into the file: nothing ends, and nothing goes for it."""
    with books(tmp_path) as made:
        made.put(1, thing("a"))
        made.commit(NOW, 90)
    (path,) = (tmp_path / "records").glob("*.sqlite")
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE looks SET {wrong}")
    database.close()
    with books(tmp_path, "another life") as made:
        made.put(1, thing("b"))
        assert made.commit(NOW, 90) == 1
        assert made.ask(keys, NOW) == ["a", "b"]


def test_what_is_to_be_kept_longer_outlives_the_owner_s_days(tmp_path: Path) -> None:
    """The running month's bills are needed for its limit, also where a day is all that is kept."""
    bills = Table("bills", ("tokens",), least_days=32)
    made = Writer(Place(tmp_path), (THINGS, bills), "life")
    for day in range(60):
        now = NOW + day * 86_400
        made.put(2 * day + 1, thing(f"{day:02}", at=now))
        made.put(2 * day + 2, Row(bills, f"{day:02}", now))
        made.commit(now, 1)

    def left(found: sqlite3.Connection) -> list[tuple[str, int]]:
        return found.execute(
            "SELECT min(key), count(*) FROM things UNION ALL SELECT min(key), count(*) FROM bills"
        ).fetchall()

    assert made.ask(left, NOW) == [("58", 2), ("27", 33)]
    made.close()


def test_three_damaged_files_are_kept_and_no_more(tmp_path: Path) -> None:
    """The newest, each with its log beside it; two of a day have names of their own."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    for number in range(5):
        (folder / NAME).write_bytes(b"no database at all, " * 500 + bytes([65 + number]))
        with books(tmp_path, f"life {number}") as made:
            made.put(1, thing("a"))
            assert made.commit(NOW + 86_400 * (number // 2), 90) == 1
            assert f"kept as {damaged(folder)[-1]}" in made.trouble
    assert [each.name for each in damaged(folder)] == [
        f"{NAME}.damaged-2027-01-16",
        f"{NAME}.damaged-2027-01-16-2",
        f"{NAME}.damaged-2027-01-17",
    ]
    assert [each.read_bytes()[-1] for each in damaged(folder)] == [67, 68, 69]


def test_a_damaged_file_that_stays_where_it_is_is_told(tmp_path: Path) -> None:
    """Where its folder is not the speaker's to change; what is noted waits."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / NAME).write_bytes(b"no database at all, " * 500)
    with pytest.MonkeyPatch.context() as patch, books(tmp_path) as made:
        patch.setattr(Path, "replace", denied)
        made.put(1, thing("a"))
        assert made.commit(NOW, 90) is None
        assert "cannot be put aside" in made.trouble
        patch.undo()
        assert made.commit(NOW, 90) == 1
        assert (made.failing, made.ask(keys, NOW)) == (False, ["a"])


def denied(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_what_is_lost_is_told_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a trouble that comes and goes meanwhile does not stand in its place."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / NAME).write_bytes(b"no database at all, " * 500)
    clock = [1_000.0]
    monkeypatch.setattr("device.records.writer.time.monotonic", lambda: clock[0])
    with books(tmp_path) as made:
        made.put(1, thing("a"))
        made.commit(NOW, 90)
        made.close()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "open_database", denied)
            assert made.commit(NOW, 90) is None
            assert "sudo chown" in made.trouble
        assert made.commit(NOW, 90) is not None
        assert made.trouble.startswith("the records were damaged (")
        clock[0] += 86_400.0
        assert made.trouble == ""


def test_the_folder_is_no_link_and_nobody_else_s_to_read(tmp_path: Path) -> None:
    """One that came back from a backup is closed again; a link is not followed."""
    folder = tmp_path / FOLDER
    folder.mkdir(mode=0o755)
    (folder / NAME).touch(0o644)
    with books(tmp_path) as made:
        made.put(1, thing("a"))
        made.commit(NOW, 90)
        modes = [each.stat().st_mode & 0o777 for each in (folder, *sorted(folder.iterdir()))]
        assert set(modes[1:]) == {0o600}
        assert modes[0] == 0o700
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    before = sorted(elsewhere.iterdir())
    with books(tmp_path, "another") as made:
        made.put(1, thing("b"))
        assert made.commit(NOW, 90) is None
        assert made.trouble.endswith(
            f"move away what is in their place, {folder}, and they begin anew"
        )
    assert sorted(elsewhere.iterdir()) == before


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_pipe_beside_the_database_holds_nobody_up(tmp_path: Path, suffix: str) -> None:
    """Nothing is written into it."""
    with books(tmp_path) as made:
        made.put(1, thing("a"))
        made.commit(NOW, 90)
    os.mkfifo(tmp_path / FOLDER / f"{NAME}{suffix}")
    with books(tmp_path, "another") as made:
        made.put(1, thing("b"))
        assert made.commit(NOW, 90) is None
        assert "move away what is in their place" in made.trouble
        with pytest.raises(RecordsError):
            made.ask(keys, NOW)
        (tmp_path / FOLDER / f"{NAME}{suffix}").unlink()
        assert made.commit(NOW, 90) == 1
        assert made.ask(keys, NOW) == ["a", "b"]


class Disk:
    """A file system of its own, so that it can be full or read-only."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=1m", "parley-test")

    def _mount(self, *words: str) -> None:
        done = subprocess.run(
            ["mount", *words, str(self.place)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"only root can mount a file system: {done.stderr.strip()}")

    def fill(self) -> Path:
        ballast = self.place / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(4_096)):
                pass
        return ballast

    def let_write(self, *, allowed: bool) -> None:
        self._mount("-o", f"remount,{'rw' if allowed else 'ro'}")

    def away(self) -> None:
        subprocess.run(["umount", "-l", str(self.place)], check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.away()


def test_a_disk_that_is_really_full_takes_all_of_it_later(disk: Disk) -> None:
    """And one without room for the first byte: nothing is there yet."""
    ballast = disk.fill()
    with books(disk.place) as made:
        for number in range(1, 200):
            made.put(number, thing(f"{number:03}", "x" * 500))
        assert made.commit(NOW, 90) is None
        assert made.trouble.startswith("the disk is full: ")
        ballast.unlink()
        assert made.commit(NOW, 90) == 199
        assert (made.trouble, len(made._rows)) == ("", 0)
        ballast = disk.fill()
        for number in range(200, 400):
            made.put(number, thing(f"{number:03}", "x" * 500))
        assert made.commit(NOW, 90) is None
        assert made.trouble.startswith("the disk is full: ")
        ballast.unlink()
        assert made.commit(NOW, 90) == 399
        assert made.ask(keys, NOW) == [f"{number:03}" for number in range(1, 400)]


def test_a_disk_that_is_read_only_for_a_while_takes_all_of_it_later(disk: Disk) -> None:
    """As a worn card, which the system mounts so."""
    with books(disk.place) as made:
        made.put(1, thing("a"))
        assert made.commit(NOW, 90) == 1
    disk.let_write(allowed=False)
    with books(disk.place, "another") as made:
        made.put(1, thing("b"))
        assert made.commit(NOW, 90) is None
        assert "Read-only file system" in made.trouble
        disk.let_write(allowed=True)
        assert made.commit(NOW, 90) == 1
        assert (made.trouble, made.ask(keys, NOW)) == ("", ["a", "b"])
    assert damaged(disk.place / FOLDER) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a while")
def test_a_folder_of_somebody_else_is_told_with_what_to_do(tmp_path: Path) -> None:
    """As after `sudo parley run`; once it is given back, everything is written."""
    with books(tmp_path) as made:
        made.put(1, thing("a"))
        assert made.commit(NOW, 90) == 1
    with books(tmp_path, "another") as made:
        made.put(1, thing("b"))
        os.seteuid(65_534)
        try:
            assert made.commit(NOW, 90) is None
        finally:
            os.seteuid(0)
        assert "Permission denied" in made.trouble
        assert f"sudo chown -R nobody: {tmp_path / FOLDER}" in made.trouble
        assert made.commit(NOW, 90) == 1
        assert made.ask(keys, NOW) == ["a", "b"]


def test_what_finds_no_room_while_a_disk_takes_nothing_is_counted_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest go; in a transaction that is taken later, nothing is lost."""
    made = Writer(Place(tmp_path), (THINGS,), "life")
    made._rows = deque(maxlen=5)
    monkeypatch.setattr(writer, "MOST_ROWS", 5)
    made.commit(NOW, 90)
    for number in range(1, 8):
        made.put(number, thing(f"{number}"))
    assert made.commit(NOW, 90) == 7
    assert (made.lost, len(made.ask(keys, NOW))) == (0, 7)
    made.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "open_database", denied)
        assert made.commit(NOW, 90) is None
        for number in range(8, 18):
            made.put(number, thing(f"{number}"))
    assert made.lost == 5
    assert caplog.text.count("some of what leaves is not on record") == 1
    assert made.commit(NOW, 90) == 17
    assert made.ask(keys, NOW)[:2] == ["1", "13"]
    made.close()
