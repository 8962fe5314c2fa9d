"""The books take everything at once, write seldom, and outlive whatever ends the process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from device.errors import RecordsError
from device.news import News, RecordsTrouble
from device.records import database, writer
from device.records import store as store_module
from device.records.clock import RecordClock
from device.records.database import FOLDER
from device.records.database import NAME as DATABASE
from device.records.pending import NAME as PENDING
from device.records.reader import read_records
from device.records.rows import Row, Table
from device.records.store import Records
from device.records.tables import TABLES
from device.records.writer import Place
from tests.rig.fakes import until

THINGS = Table("things", ("name", "size"))
TABLES_HERE = (THINGS,)


def thing(key: str, size: int = 1, at: float = 1_800_000_000.0, **more: Any) -> Row:
    return Row(THINGS, key, at, {"name": key, "size": size, **more})


def all_of(database: sqlite3.Connection) -> dict[str, int]:
    return dict(database.execute("SELECT key, size FROM things ORDER BY key"))


class Books:
    """Some records, and what they have posted."""

    def __init__(self, folder: Path, *, keep_days: int = 90, clock: RecordClock | None = None):
        self.folder = folder
        self.runtime = folder / "run"
        self.runtime.mkdir(exist_ok=True)
        self.posted: list[News] = []
        place = Place(folder, self.runtime)
        self.records = Records(place, TABLES_HERE, self.posted.append, lambda: keep_days, clock)

    @property
    def database(self) -> Path:
        return self.folder / FOLDER / DATABASE

    @property
    def pending(self) -> Path:
        return self.runtime / PENDING

    @property
    def troubles(self) -> list[str | None]:
        return [each.message for each in self.posted if isinstance(each, RecordsTrouble)]

    def on_disk(self) -> dict[str, int]:
        """What a power cut would leave."""
        found = read_records(self.folder, None, TABLES_HERE)
        try:
            return all_of(found)
        finally:
            found.close()


@asynccontextmanager
async def running(folder: Path, **wanted: Any) -> AsyncIterator[Books]:
    books = Books(folder, **wanted)
    async with asyncio.TaskGroup() as tasks:
        books.records.start(tasks)
        try:
            yield books
        finally:
            await books.records.kept()


async def settled(books: Books) -> None:
    """Wait until the disk has what there is at the start, and nothing is asked of it."""
    records = books.records
    await until(lambda: records._due == math.inf and records._hanging is None)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SOON_S", 0.02)


def wait_for(release: threading.Event) -> None:
    """Hold up the thread, as a disk that hangs."""
    release.wait(30)


def saves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SOON_S", 0.0)
    monkeypatch.setattr(store_module, "AGAIN_S", 0.01)


async def test_what_is_noted_is_there_to_be_asked_at_once_and_later(tmp_path: Path) -> None:
    """The same key takes the place of what it had; the rest stays."""
    async with running(tmp_path) as books:
        books.records.note(thing("a"))
        books.records.note(thing("b", 2))
        books.records.note(thing("a", 3))
        assert await books.records.ask(all_of) == {"a": 3, "b": 2}
        counters = dict(books.records.counters)
        assert counters.pop("waiting") in {0, 3}
        assert counters == {"noted": 3, "dropped": 0, "odd": 0, "failing": 0}
    assert books.on_disk() == {"a": 3, "b": 2}
    async with running(tmp_path) as again:
        assert await again.records.ask(all_of) == {"a": 3, "b": 2}


@pytest.mark.parametrize("moment", ["some day", b"\xff", None, math.inf, 1e300])
async def test_a_damaged_time_ends_no_start_and_sets_no_clock(tmp_path: Path, moment: Any) -> None:
    """Of one row in one of the tables."""
    place = Place(tmp_path)
    clock = RecordClock(
        0.0, wall=lambda: 1_799_996_400.0, monotonic=lambda: 50.0, known=lambda: False
    )
    row = Row(TABLES[-1], "sound", 1_800_000_000.0)
    for damaged in (False, True):
        records = Records(place, TABLES, lambda _news: None, lambda: 90, clock)
        async with asyncio.TaskGroup() as tasks:
            records.start(tasks)
            records.note(row)
            assert await records.ask(partial(count, TABLES[-1])) == 1 + damaged
            await records.kept()
        if not damaged:
            with sqlite3.connect(tmp_path / FOLDER / DATABASE) as hand:
                hand.execute(
                    f"INSERT INTO {TABLES[0].name} (key, at) VALUES ('hurt', ?)", (moment,)
                )
                hand.execute(
                    f"INSERT INTO {TABLES[-1].name} (key, at) VALUES ('hurt', ?)", (moment,)
                )
            hand.close()
    assert clock.now() == 1_800_000_000.0


def count(table: Table, database: sqlite3.Connection) -> int:
    return int(database.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])


async def test_keys_are_fresh_over_all_lives(tmp_path: Path) -> None:
    """Two processes never have one in common."""
    keys = [Books(tmp_path).records.fresh_key() for _ in range(5)]
    one = Books(tmp_path).records
    keys += [one.fresh_key() for _ in range(5)]
    assert len(set(keys)) == 10


async def test_nothing_is_written_before_it_is_asked_for(tmp_path: Path) -> None:
    """Until then it waits in memory, for whoever is there to see; then the disk has all of it."""
    async with running(tmp_path) as books:
        await settled(books)
        before = stat_of(books)
        for number in range(100):
            books.records.note(thing(f"{number:03}"))
        assert len(await books.records.ask(all_of)) == 100
        assert stat_of(books) == before
        assert books.on_disk() == {}
        assert books.records.counters["waiting"] == 100
        assert len(books.pending.read_text().splitlines()) == 100
        books.records.save()
        await until(lambda: books.pending.stat().st_size == 0)
        assert len(books.on_disk()) == 100
        assert books.records.counters["waiting"] == 0


def stat_of(books: Books) -> list[tuple[str, int, int]]:
    found = sorted((books.folder / FOLDER).iterdir())
    return [(each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in found]


async def test_what_nobody_asks_to_be_written_is_written_once_an_hour(tmp_path: Path) -> None:
    """And a speaker at rest, which notes nothing, writes nothing."""
    async with running(tmp_path) as books:
        await settled(books)
        books.records.note(thing("a"))
        loop = asyncio.get_running_loop()
        assert 3_590 < books.records._due - loop.time() <= 3_600
        first = books.records._due
        books.records.note(thing("b"))
        assert books.records._due == first
        books.records.save()
        assert books.records._due - loop.time() <= 2.0


async def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    """Whom somebody talks to, and when, is nobody else's business."""
    async with running(tmp_path) as books:
        books.records.note(thing("a"))
        await books.records.ask(all_of)
        modes = {
            each.name: stat.S_IMODE(each.stat().st_mode)
            for each in (books.database.parent, books.database, books.pending)
        }
    assert modes == {FOLDER: 0o700, DATABASE: 0o600, PENDING: 0o600}


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from device.records import store, writer
from device.records.store import Records
from device.records.writer import Place, Writer
from tests.records.test_store import TABLES_HERE, thing

step, folder, first = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
steps = 0

def tick(*_):
    global steps
    steps += 1
    if steps == step:
        os.kill(os.getpid(), signal.SIGKILL)

apply, put, commit = Writer._apply, Writer.put, Writer.commit
store.SOON_S = 0.0

def slow_apply(self, database, row):
    database.set_trace_callback(tick)
    tick()
    apply(self, database, row)
    tick()

Writer._apply = slow_apply
ftruncate = os.ftruncate
os.ftruncate = lambda *given: (tick(), ftruncate(*given), tick())

async def main():
    records = Records(Place(folder, folder / "run"), TABLES_HERE, lambda _: None, lambda: 90)
    async with asyncio.TaskGroup() as tasks:
        records.start(tasks)
        for number in range(first, first + 6):
            records.note(thing(f"{number:04}", number))
            print(number, flush=True)
            if number % 3 == 0:
                records.save()
            await records.ask(lambda database: None)
        await records.kept()

asyncio.run(main())
"""


def test_a_process_that_is_killed_anywhere_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Before or after each statement and each truncation; the next life takes over what waits.

    Before each system call: tests/records/test_lives.py, where there is what that takes.
    """
    (tmp_path / "run").mkdir()
    noted: list[int] = []
    for life in range(12):
        step = 1 + 4 * life
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(step), str(tmp_path), str(100 * life)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in {0, -9}, done.stderr
        noted += [int(line) for line in done.stdout.split()]
    wanted = {f"{number:04}": number for number in noted}
    found = read_records(tmp_path, tmp_path / "run", TABLES_HERE)
    # What was noted when the kill came may be on record, before anybody was told so.
    assert wanted.items() <= all_of(found).items()
    assert len(all_of(found)) <= len(wanted) + 12
    found.close()
    assert wanted.items() <= asyncio.run(all_in(tmp_path)).items()


async def all_in(folder: Path) -> dict[str, int]:
    async with running(folder) as books:
        return await books.records.ask(all_of)


async def test_a_power_cut_takes_what_was_not_written_and_nothing_else(tmp_path: Path) -> None:
    """The file in memory is gone then."""
    async with running(tmp_path) as books:
        books.records.note(thing("a"))
    books.records.note(thing("lost"))
    books.pending.unlink()
    async with running(tmp_path) as again:
        assert await again.records.ask(all_of) == {"a": 1}


@pytest.mark.parametrize(
    "line",
    [
        *(b"\xff\xfe", b"{}", b"[]", b"[1,2,3,4,5,6]", b"null", b"[" * 5_000),
        b'["life",1,"nothing","key",1.0,{}]',
        b'["life",-1,"things","key",1.0,{}]',
        b'["life",1e400,"things","key",1.0,{}]',
        b'["life",true,"things","key",1.0,{}]',
        b'["life",1,"things","key","x",{}]',
        b'["life",1,"things",["key"],1.0,{}]',
        b'["life",1,"things","key",1.0,{"size":[1]}]',
        b'["life",1,"things","key",1.0,5]',
    ],
)
async def test_an_odd_line_is_left_out_and_counted(tmp_path: Path, line: bytes) -> None:
    """Those around it count."""
    good = [json.dumps(["life", n, "things", f"k{n}", 1.8e9, {"size": n}]) for n in (1, 2)]
    (tmp_path / "run").mkdir()
    lines = [good[0].encode(), line, good[1].encode()]
    (tmp_path / "run" / PENDING).write_bytes(b"\n".join(lines))
    async with running(tmp_path) as books:
        books.records.note(thing("mine"))
        assert await books.records.ask(all_of) == {"k1": 1, "k2": 2, "mine": 1}
        assert books.records.counters["odd"] == 1


async def test_columns_of_another_release_do_no_harm(tmp_path: Path) -> None:
    """A newer one's are left alone, an older one's are added."""
    (tmp_path / FOLDER).mkdir()
    async with running(tmp_path) as books:
        books.records.note(thing("a"))
    old = sqlite3.connect(books.database)
    old.execute("ALTER TABLE things ADD COLUMN of_tomorrow")
    old.execute("ALTER TABLE things DROP COLUMN size")
    old.commit()
    old.close()
    async with running(tmp_path) as again:
        again.records.note(thing("b", 2))
        assert await again.records.ask(all_of) == {"a": None, "b": 2}
    assert again.troubles == []


def not_a_database(path: Path) -> None:
    path.write_bytes(b"this is no database at all, " * 1000)


def torn(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:2048] + os.urandom(len(content) - 2048))


def damaged_further_in(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-4096] + b"\xff" * 4096)


def of_a_newer_release(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 1000")


def of_another_program(path: Path) -> None:
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE things (key INTEGER, at TEXT)")
    other.commit()
    other.close()


@pytest.mark.parametrize(
    "break_it",
    [not_a_database, torn, damaged_further_in, of_another_program, of_a_newer_release],
)
async def test_a_damaged_file_is_kept_beside_and_told(
    tmp_path: Path, break_it: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that is noted meanwhile is lost, and the speaker goes on."""
    async with running(tmp_path) as books:
        books.records.note(thing("old"))
    for beside in books.database.parent.glob("*-*"):
        beside.unlink()
    break_it(books.database)
    broken = books.database.read_bytes()
    saves_at_once(monkeypatch)
    async with running(tmp_path) as again:
        again.records.note(thing("new"))
        again.records.save()
        await until(lambda: again.troubles)
        await until(lambda: again.on_disk() == {"new": 1})
        assert await again.records.ask(all_of) == {"new": 1}
        (told,) = again.troubles
        assert told is not None
        assert told.startswith("the records were damaged (")
        assert "\n" not in told
        assert "***" not in told
        (kept,) = database.damaged(tmp_path / FOLDER)
        assert told.endswith(f"the old ones are kept as {kept}")
    assert kept.read_bytes() == broken
    assert kept.name.startswith(f"{DATABASE}.damaged-20")


@pytest.mark.parametrize("what", ["folder", "pipe", "link", "file instead of folder"])
async def test_what_somebody_has_put_in_its_place_is_told_and_holds_nobody_up(
    tmp_path: Path, what: str
) -> None:
    """It is neither followed, nor waited for, nor written to; questions are answered with words."""
    (tmp_path / "elsewhere").write_bytes(b"")
    if what == "file instead of folder":
        (tmp_path / FOLDER).write_bytes(b"")
    else:
        (tmp_path / FOLDER).mkdir()
        place = tmp_path / FOLDER / DATABASE
        match what:
            case "folder":
                place.mkdir()
            case "pipe":
                os.mkfifo(place)
            case _:
                place.symlink_to(tmp_path / "elsewhere")
    async with running(tmp_path) as books:
        books.records.note(thing("a"))
        with pytest.raises(RecordsError, match="cannot be written"):
            await books.records.ask(all_of)
        await until(lambda: books.troubles)
        assert "cannot be written" in (books.troubles[0] or "")
    assert (tmp_path / "elsewhere").read_bytes() == b""


async def test_a_pending_file_that_is_none_costs_only_what_a_crash_would_take(
    tmp_path: Path,
) -> None:
    """A pipe that somebody has put there is neither read nor written."""
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / PENDING)
    async with running(tmp_path) as books:
        books.records.note(thing("a"))
        assert await books.records.ask(all_of) == {"a": 1}
    assert books.on_disk() == {"a": 1}


async def test_a_full_disk_is_told_and_what_was_noted_is_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else fails meanwhile."""
    saves_at_once(monkeypatch)
    full = [True]
    really = database.open_database

    def full_disk(
        folder: Path, tables: Sequence[Table], *, examine: bool = True
    ) -> sqlite3.Connection:
        """One on which there is no room for another page, as SQLite's own tests have it."""
        database = really(folder, tables, examine=examine)
        if full[0]:
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            database.execute(f"PRAGMA max_page_count = {pages + 2}")
        return database

    monkeypatch.setattr(writer, "open_database", full_disk)
    async with running(tmp_path) as books:
        for number in range(60):
            books.records.note(thing(f"{number:02}", name="x" * 2_000))
        books.records.save()
        await until(lambda: books.troubles)
        assert (books.troubles[0] or "").startswith("the disk is full: ")
        full[0] = False
        await until(lambda: books.troubles[1:])
        assert books.troubles[1:] == [None]
        assert len(books.on_disk()) == 60
        assert books.records.counters["dropped"] == 0


async def test_a_disk_that_hangs_is_told_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither whoever notes, nor the end of the speaker."""
    release = threading.Event()
    async with running(tmp_path) as books:
        await settled(books)
        monkeypatch.setattr(store_module, "HANGS_S", 0.05)
        monkeypatch.setattr(store_module, "GOODBYE_S", 0.05)
        books.records._jobs.put(partial(wait_for, release))
        books.records.note(thing("a"))
        books.records.save()
        await until(lambda: books.troubles)
        (told,) = books.troubles
        assert (told or "").startswith("the disk does not answer: ")
        assert books.records.counters["waiting"] == 1
    assert "the disk takes nothing" in caplog.text
    release.set()
    assert all_of(read_records(tmp_path, tmp_path / "run", TABLES_HERE)) == {"a": 1}


async def test_what_finds_no_room_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs for days does not fill the memory."""
    monkeypatch.setattr(store_module, "MOST_ROWS", 50)
    release = threading.Event()
    async with running(tmp_path) as books:
        await books.records.ask(all_of)
        books.records._jobs.put(partial(wait_for, release))
        for number in range(80):
            books.records.note(thing(f"{number:02}"))
        assert books.records.counters["dropped"] in range(29, 32)
        await until(lambda: books.troubles)
        assert "some of what leaves is not on record" in (books.troubles[0] or "")
        release.set()
        found = await books.records.ask(all_of)
        assert len(found) + books.records.counters["dropped"] == 80


async def test_a_flood_goes_to_the_disk_before_its_room_in_memory_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to ask for it; and what comes while it is written waits for the next write."""
    monkeypatch.setattr("device.records.pending.MOST_BYTES", 1_000)
    async with running(tmp_path) as books:
        await settled(books)
        for number in range(200):
            books.records.note(thing(f"{number:03}"))
            if number % 10 == 0:
                await asyncio.sleep(0)
        await until(lambda: books.records.counters["waiting"] == 0)
        assert books.pending.stat().st_size == 0
        assert len(books.on_disk()) == 200


async def test_what_memory_has_no_room_for_is_held_again_when_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, and costs what a crash would take in between."""

    def no_room(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    async with running(tmp_path) as books:
        await settled(books)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(books.records._pending, "append", no_room)
            books.records.note(thing("a"))
            books.records.note(thing("b"))
        assert caplog.text.count("a crash would cost the newest records") == 1
        books.records.save()
        await until(lambda: books.records.counters["waiting"] == 0)
        books.records.note(thing("c"))
        assert len(books.pending.read_text().splitlines()) == 1
    assert books.on_disk() == {"a": 1, "b": 1, "c": 1}


async def test_old_rows_go_and_a_clock_that_jumps_takes_none(tmp_path: Path) -> None:
    """A time server that is wrong by years for a day costs nothing; days that pass do."""
    wall = [1_800_000_000.0]
    clock = RecordClock(0.0, wall=lambda: wall[0])
    day = 86_400.0

    async def write(name: str, days: float) -> None:
        wall[0] += days * day
        async with running(tmp_path, keep_days=30, clock=clock) as books:
            books.records.note(thing(name, at=books.records.now()))

    await write("first", 0)
    await write("of the future", 3_000)
    await write("back again", -2_999)
    for number in range(20):
        await write(f"day {number:02}", 1)
    kept = set(Books(tmp_path).on_disk())
    assert {"first", "of the future", "back again"} <= kept
    for number in range(20, 40):
        await write(f"day {number:02}", 1)
    kept = set(Books(tmp_path).on_disk())
    assert "first" not in kept
    assert "day 39" in kept
    assert len([name for name in kept if name.startswith("day")]) == 31


async def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, and their room is given back."""
    monkeypatch.setattr("device.records.database.shrink.__defaults__", (200_000,))
    wall = [1_800_000_000.0]
    clock = RecordClock(0.0, wall=lambda: wall[0])
    for day in range(12):
        wall[0] += 86_400.0
        async with running(tmp_path, clock=clock) as books:
            for number in range(40):
                row = thing(f"{day:02}-{number:02}", at=wall[0] + number, name="x" * 1_000)
                books.records.note(row)
    kept = sorted(books.on_disk())
    assert kept[-1] == "11-39"
    assert kept == [f"{n // 40:02}-{n % 40:02}" for n in range(480 - len(kept), 480)]
    assert books.database.stat().st_size < 300_000


async def test_what_must_be_kept_for_its_days_is_bounded_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the bills of years would leave no room for anything beside them."""
    monkeypatch.setattr("device.records.database.shrink.__defaults__", (200_000,))
    wall = [1_800_000_000.0]
    clock = RecordClock(0.0, wall=lambda: wall[0])
    bills = Table("bills", ("name",), least_days=5)
    monkeypatch.setitem(globals(), "TABLES_HERE", (THINGS, bills))
    for day in range(12):
        wall[0] += 86_400.0
        async with running(tmp_path, clock=clock) as books:
            for number in range(40):
                values = {"name": "x" * 1_000}
                books.records.note(Row(bills, f"{day:02}-{number:02}", wall[0] + number, values))
            kept = await books.records.ask(
                lambda found: [key for (key,) in found.execute("SELECT key FROM bills ORDER BY at")]
            )
    assert kept[-1] == "11-39"
    assert kept[0] > "00-39"
    assert {key[:2] for key in kept} >= {f"{day:02}" for day in range(7, 12)}


async def test_before_the_time_is_known_rows_come_after_those_on_record(tmp_path: Path) -> None:
    """A Raspberry Pi without a battery begins in 1970."""
    async with running(tmp_path, clock=RecordClock(1.7e9, wall=lambda: 1.8e9)) as books:
        books.records.note(thing("a", at=books.records.now()))
    async with running(tmp_path, clock=RecordClock(1.7e9, wall=lambda: 60.0)) as again:
        await again.records.ask(all_of)
        await until(lambda: again.records.now() >= 1.8e9)
        assert again.records.now() < 1.8e9 + 60


def test_nobody_needs_a_folder(tmp_path: Path) -> None:
    """Whoever has none keeps the books in memory only."""

    async def talk() -> dict[str, int]:
        records = Records(Place(None), TABLES_HERE, lambda _: None, lambda: 90)
        async with asyncio.TaskGroup() as tasks:
            records.start(tasks)
            records.note(thing("a"))
            found = await records.ask(all_of)
            await records.kept()
        return found

    assert asyncio.run(talk()) == {"a": 1}
    assert list(tmp_path.iterdir()) == []


def test_the_tables_of_the_books_have_names_of_their_own() -> None:
    """And columns that SQLite takes."""
    names: Sequence[str] = [table.name for table in TABLES]
    assert len(set(names)) == len(names)
    memory = sqlite3.connect(":memory:")
    for table in TABLES:
        for statement in table.statements:
            memory.execute(statement)
        memory.execute(table.upsert, Row(table, "k", 1.0).parameters)
    memory.close()


async def test_what_nobody_expects_of_the_thread_ends_the_speaker(tmp_path: Path) -> None:
    """As anywhere else: systemd starts another."""

    def breaks() -> None:
        raise IndexError("nobody expects this")

    async def live() -> None:
        async with running(tmp_path) as books:
            books.records._jobs.put(breaks)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        await live()
    assert raised.group_contains(IndexError)
