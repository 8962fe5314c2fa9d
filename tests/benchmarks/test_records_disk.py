"""What the records write to a disk, as its driver counts it, and what noting a row costs the loop.

The store is the real one, on an ext4 file system of its own; only the loop's clock is turned by
hand, so that a day takes seconds. Everything is put on the disk before it is counted, also what the
file system writes for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import math
import os
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.records.audit import CALL, SOUND, TEXT
from device.records.bills import KINDS
from device.records.figures import NUMBERS, STATISTICS
from device.records.rows import Row, Table
from device.records.spending import USAGE
from device.records.store import Records
from device.records.tables import TABLES
from device.records.writer import Place
from tests.benchmarks.measure import memory_mb
from tests.rig.fakes import until

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

LATENCIES = " ".join(f"{bucket}:{bucket % 7 + 1}" for bucket in range(120, 150, 3))
"""As wide as those of an hour with talks."""
IMAGE_BYTES = 256 * 1024 * 1024
HOUR_S = 3_600.0
TALKS = 50
NOTED = 100_000


class TurnedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock somebody turns."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


@dataclass(frozen=True, slots=True)
class Written:
    """What a block device was given."""

    requests: int
    bytes: int
    flushes: int


class Disk:
    """An ext4 file system in a file, and the driver's count of what reaches it."""

    def __init__(self, place: Path, device: Path) -> None:
        self.place = place
        self._statistics = Path("/sys/block") / device.name / "stat"
        self._libc = ctypes.CDLL(None)

    def _count(self) -> tuple[int, int, int]:
        folder = os.open(self.place, os.O_RDONLY)
        try:
            assert self._libc.syncfs(folder) == 0
        finally:
            os.close(folder)
        fields = [int(word) for word in self._statistics.read_text().split()]
        # Documentation/block/stat.rst: write I/Os, write sectors of 512 bytes, flush I/Os.
        return fields[4], fields[6] * 512, fields[15]

    async def written(self, what: Callable[[], Awaitable[None]]) -> Written:
        before = self._count()
        await what()
        after = self._count()
        return Written(*(late - early for early, late in zip(before, after, strict=True)))


def command(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be made here: {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    command("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
    device = command("losetup", "--show", "-f", str(image))
    try:
        command("mount", device, str(place))
        try:
            yield Disk(place, Path(device))
        finally:
            subprocess.run(["umount", str(place)], check=False)
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, as the unit's runtime directory."""
    folder = Path("/dev/shm", f"parley-{os.getpid()}")
    folder.mkdir()
    yield folder
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()


class Day:
    """A day of a speaker, as far as its records go."""

    def __init__(self, loop: TurnedLoop, records: Records) -> None:
        self.loop = loop
        self.records = records
        self.commits = 0
        self._noted_by_event = False

    @property
    def hour(self) -> str:
        """The key of the hour's row."""
        return f"hour-{int(self.loop.time() // HOUR_S)}"

    @staticmethod
    def figures() -> dict[str, str | float]:
        """What an hour with talks has counted."""
        return {
            **dict.fromkeys(NUMBERS, 12_345),
            "words": '{"hey_jarvis":7,"alexa":2}',
            "costs": '{"USD":51234}',
            "connection": LATENCIES,
            "answer": LATENCIES,
        }

    def note(self, table: Table, key: str, **values: str | float) -> None:
        self.records.note(Row(table, key, self.records.now(), values))

    async def settled(self) -> None:
        """Wait until the thread has done what there is, and nothing is due soon."""
        await self.records.ask(lambda _: None)
        await until(lambda: self.records._hanging is None)

    async def passes(self, seconds: float) -> None:
        """Let time pass, in steps that whatever is due finds its time in."""
        end = self.loop.time() + seconds
        while (left := end - self.loop.time()) > 0.05:
            due = self.records._due
            step = min(left, max(due - self.loop.time(), 0.0) + 0.01) if due < math.inf else left
            self.loop.ahead_s += step
            await asyncio.sleep(0)
            await asyncio.sleep(0.002)
            await self.settled()

    async def talk(self, *, at_once: bool = False) -> int:
        """Note what a talk of half a minute notes; returns how many rows.

        ``at_once``: each is written when it is noted.
        """
        rows = 0
        fresh = self.records.fresh_key

        async def noted(table: Table, key: str, **values: str | float) -> None:
            nonlocal rows
            rows += 1
            self.note(table, key, **values)
            if at_once:
                self.records.save()
                await self.passes(2.1)

        line = {"model": "gemini-3.1-flash-live-preview", "host": "generativelanguage.google.com"}
        for why in ("wake_word", "follow_up", "follow_up"):
            stretch = fresh()
            for seconds in range(0, 8, 2):
                counted = {"frames": 50 * seconds, "bytes": 32_000 * seconds, "over": 0}
                await noted(SOUND, stretch, why=why, word="hey_jarvis", **line, **counted)
            await noted(SOUND, stretch, why=why, word="hey_jarvis", over=1, **line)
            turn = fresh()
            # A guess at its first sound, another five seconds later, and what the server counts.
            for guessed in (1, 1, 0):
                used = {**dict.fromkeys(KINDS, 800), "cost": 5_000, "usd": 5_000}
                await noted(USAGE, turn, model=line["model"], guessed=guessed, **used)
        call = fresh()
        for outcome in ("", "answered"):
            await noted(CALL, call, name="set_timer", outcome=outcome)
        await noted(TEXT, fresh(), characters=20, **line)
        await noted(STATISTICS, self.hour, **self.figures())
        if not at_once:
            self.records.save()
            await self.passes(2.1)
        return rows

    async def rest(self, hours: int, *, counted: bool = True) -> None:
        """Rest; ``counted``: every hour has figures of processor, temperature and wakes."""
        for _ in range(hours):
            if counted:
                self.note(STATISTICS, self.hour, **self.figures())
            await self.passes(HOUR_S)


def in_a_day(work: Callable[[Day], Awaitable[None]], place: Place) -> None:
    """Run a speaker's records with a clock that is turned."""

    async def live() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        records = Records(place, TABLES, lambda _: None, lambda: 90)
        async with asyncio.TaskGroup() as tasks:
            records.start(tasks)
            day = Day(loop, records)
            await day.passes(3.0)
            await work(day)
            await records.kept()

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        runner.run(live())


def test_bytes_and_flushes_on_the_disk(disk: Disk, memory: Path) -> None:
    """Of a talk, of rests, of a day with fifty talks; and if each row were written as it comes."""
    table: list[tuple[str, Written]] = []

    async def work(day: Day) -> None:
        async def measure(name: str, what: Callable[[], Awaitable[object]]) -> Written:
            async def done() -> None:
                await what()

            found = await disk.written(done)
            table.append((name, found))
            return found

        async def a_day() -> None:
            for _ in range(TALKS):
                await day.talk()
                await day.rest(0)
                await day.passes(24 * HOUR_S / TALKS)

        async def a_day_at_once() -> None:
            for _ in range(TALKS):
                await day.talk(at_once=True)

        await day.talk()
        minute = await measure("a minute at rest", lambda: day.passes(60.0))
        await measure("an hour at rest, nothing counted", lambda: day.rest(1, counted=False))
        await measure("an hour at rest", lambda: day.rest(1))
        one = await measure("a talk", day.talk)
        rest = await measure("a day at rest", lambda: day.rest(24))
        talks = await measure("a day with 50 talks", a_day)
        naive = await measure("50 talks, each row written", a_day_at_once)
        assert minute.bytes == 0
        assert one.flushes <= 4
        assert talks.bytes < naive.bytes / 5
        assert rest.flushes <= 24 * 4

    in_a_day(work, Place(disk.place, memory))
    print(f"\nwritten to the disk\n{'':36}{'kB':>10}{'writes':>9}{'flushes':>9}")
    for name, found in table:
        print(f"{name:36}{found.bytes / 1_000:10.1f}{found.requests:9}{found.flushes:9}")


def test_what_noting_costs_the_loop_and_the_memory(tmp_path: Path, memory: Path) -> None:
    """A hundred thousand rows, written after each hundred: the time of each, and what stays."""
    took_us: list[float] = []
    grown: list[float] = []

    async def work(day: Day) -> None:
        at_first = 0.0
        for number in range(NOTED):
            row = Row(CALL, f"key-{number % 5_000}", 1.8e9, {"name": "set_timer", "outcome": ""})
            begin = time.perf_counter()
            day.records.note(row)
            took_us.append(1e6 * (time.perf_counter() - begin))
            if number % 100 == 0:
                day.records.save()
                await day.passes(2.1)
            if number == NOTED // 10:
                at_first = memory_mb("VmRSS")
        grown.append(memory_mb("VmRSS") - at_first)

    in_a_day(work, Place(tmp_path, memory))
    p50, p99 = statistics.median(took_us), statistics.quantiles(took_us, n=100)[-1]
    print(f"\nnoting a row: p50 {p50:.1f} us, p99 {p99:.1f} us, max {max(took_us):.0f} us")
    print(f"memory from the 10,000th to the {NOTED:,}th row: {grown[0]:+.1f} MB")
    with contextlib.suppress(FileNotFoundError):
        size = (tmp_path / "records" / "records.sqlite").stat().st_size
        print(f"5,000 rows on the disk: {size / 1e6:.2f} MB")
    assert grown[0] < 10.0
