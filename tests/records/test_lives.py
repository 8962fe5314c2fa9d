"""However processes end, and in whichever order: nothing is lost, doubled or out of its order."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from device.records import store, writer
from device.records.pending import NAME as PENDING
from device.records.pending import Pending
from device.records.reader import read_records
from device.records.rows import Row, Table
from device.records.store import Records
from device.records.writer import Place, Writer

THINGS = Table("things", ("size",))
HERE = (THINGS,)
NOW = 1_800_000_000.0
ROOT = Path(__file__).parents[2]

CALLS = (
    "write",
    "pwrite64",
    "ftruncate",
    "fdatasync",
    "?unlink",
    "?unlinkat",
    "?mkdir",
    "?mkdirat",
)
"""All by which a life changes a file; a question mark: not every processor has it."""


def thing(key: str, size: int) -> Row:
    return Row(THINGS, key, NOW, {"size": size})


def in_order(found: sqlite3.Connection) -> list[tuple[str, int]]:
    return found.execute("SELECT key, size FROM things ORDER BY rowid").fetchall()


def on_record(folder: Path) -> list[tuple[str, int]]:
    found = read_records(folder, folder / "run", HERE)
    try:
        return in_order(found)
    finally:
        found.close()


# --- a real process, killed before each of its system calls ---------------------------------------


async def life(folder: Path, first: int) -> None:
    """Note three rows, two of them for the disk at once, and tell each that was noted."""
    store.SOON_S = 0.0  # type: ignore[misc]
    records = Records(Place(folder, folder / "run"), HERE, lambda _: None, lambda: 90)
    async with asyncio.TaskGroup() as tasks:
        records.start(tasks)
        for number in range(first, first + 3):
            records.note(thing(f"{number:05}", number))
            print(number, flush=True)
            if number % 3:
                records.save()
            await records.ask(in_order)
        await records.kept()


def killed(folder: Path, first: int, call: str, count: int) -> tuple[bool, list[int]]:
    """Run a life whose thread is killed before its so many-th call of that name.

    Returns whether it was killed, and what it had noted.
    """
    done = subprocess.run(
        [
            *("strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"),
            *("-e", f"inject={call}:signal=SIGKILL:when={count}"),
            *(sys.executable, "-m", "tests.records.test_lives", str(folder), str(first)),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in {0, -9, 137}, done.stderr
    return done.returncode != 0, [int(line) for line in done.stdout.split()]


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    words = ("strace", "-f", "-qq", "-o", os.devnull, "-e", "inject=write:signal=SIGKILL", "echo")
    return subprocess.run(words, capture_output=True, check=False).returncode in {-9, 137}


@pytest.mark.timeout(900)
def test_a_process_that_is_killed_before_any_system_call_loses_nothing(tmp_path: Path) -> None:
    """One life after the other, each killed one call later; every one finds all of those before."""
    if not can_trace():
        pytest.skip("no strace here that may kill what it runs")
    (tmp_path / "run").mkdir()
    wanted: list[int] = []
    firsts = itertools.count(100, 100)
    kills = 0
    for call in CALLS:
        for count in itertools.count(1):
            first = next(firsts)
            was_killed, noted = killed(tmp_path, first, call, count)
            wanted += noted
            found = [size for _, size in on_record(tmp_path)]
            # The one that was noted when the kill came may be there, before anybody was told so.
            if found[-1:] != wanted[-1:] and found[-1:] > wanted[-1:]:
                wanted.append(found[-1])
            assert found == wanted, (call, count)
            if not was_killed:
                break
            kills += 1
    print(f"\nkilled before {kills} system calls, nothing lost, doubled or out of order")
    assert kills > 20


def test_what_waits_in_memory_goes_only_when_the_disk_has_been_told_to_have_it(
    tmp_path: Path,
) -> None:
    """A power cut between the two costs nothing: what was written was flushed before."""
    if not can_trace():
        pytest.skip("no strace here that may kill what it runs")
    (tmp_path / "run").mkdir()
    trace = tmp_path / "trace"
    calls = "trace=pwrite64,fdatasync,fsync,ftruncate"
    subprocess.run(
        [
            *("strace", "-f", "-y", "-qq", "-o", str(trace), "-e", calls),
            *(sys.executable, "-m", "tests.records.test_lives", str(tmp_path), "100"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        timeout=120,
        check=True,
    )
    unflushed: set[str] = set()
    truncated = 0
    for line in trace.read_text().splitlines():
        # What was begun counts as written, and only what has ended as flushed.
        call = re.search(r"(pwrite64|fdatasync|fsync|ftruncate)\(\d+<([^>]*)>", line)
        if "resumed" in line or call is None:
            assert "resumed" not in line or "pwrite64" in line or "= 0" in line, line
            continue
        name, path = call.groups()
        if name == "pwrite64":
            unflushed.add(path)
        elif name == "ftruncate" and path.endswith(PENDING):
            truncated += 1
            assert not {each for each in unflushed if each.endswith("-wal")}, line
        elif name in {"fdatasync", "fsync"}:
            unflushed.discard(path)
    assert truncated > 0


# --- chains of lives, by chance -------------------------------------------------------------------


class Lives(RuleBasedStateMachine):
    """Lives one after the other, as `Records` has them, in folders as their ends leave them."""

    def __init__(self) -> None:
        super().__init__()
        self._top = Path(tempfile.mkdtemp(prefix="lives-"))
        self._count = 0
        self.noted: dict[str, int] = {}
        """What must be there."""
        self.kept: dict[str, int] = {}
        """What a power cut leaves."""
        self.folder = self._top / "0"
        (self.folder / "run").mkdir(parents=True)
        self._begin()

    def _begin(self) -> None:
        self._count += 1
        self._number = 0
        self.is_full = False
        life = f"life {self._count}"
        self.pending = Pending(self.folder / "run", life)
        self.pending.open()
        self.writer = Writer(Place(self.folder, self.folder / "run"), HERE, life)

    def _next(self, *, without: str = "nothing") -> None:
        """Begin another life with the files as they are this moment."""
        after = self._top / str(self._count)
        shutil.copytree(self.folder, after, ignore=shutil.ignore_patterns(without))
        self.writer.close()
        self.pending.close()
        shutil.rmtree(self.folder)
        self.folder = after
        self._begin()

    @rule(key=st.sampled_from("abcdefgh"), size=st.integers(0, 99))
    def note(self, key: str, size: int) -> None:
        self._number += 1
        self.pending.append(self._number, thing(key, size))
        self.writer.put(self._number, thing(key, size))
        self.noted[key] = size

    @rule()
    def ask(self) -> None:
        if self.is_full:
            return
        assert self.writer.ask(in_order, NOW) == list(self.noted.items())

    @rule(clears=st.booleans())
    def commit(self, clears: bool) -> None:
        """Have the disk take it; the pending file may not be cleared before the end comes."""
        if self.is_full:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(writer, "open_database", full)
                self.writer.close()
                assert self.writer.commit(NOW, 90) is None
            return
        number = self.writer.commit(NOW, 90)
        assert number is not None
        self.kept = dict(self.noted)
        if clears and number == self._number:
            self.pending.clear()

    @rule(is_full=st.booleans())
    def disk_fills_or_empties(self, is_full: bool) -> None:
        self.is_full = is_full

    @rule()
    def is_killed(self) -> None:
        self._next()

    @rule(cut=st.integers(1, 30))
    def is_killed_in_the_middle_of_a_line(self, cut: int) -> None:
        """Of the next row, which nobody was told is noted."""
        with (self.folder / "run" / PENDING).open("ab") as file:
            file.write(b'["life",9,"things","torn",1.0,{"size":1}]'[:cut])
        self._next()

    @rule()
    def power_is_cut(self) -> None:
        self._next(without=PENDING)
        self.noted = dict(self.kept)

    @rule()
    def says_goodbye(self) -> None:
        if self.is_full or self.writer.commit(NOW, 90) is None:
            return
        self.kept = dict(self.noted)
        self.pending.clear()
        self._next()

    @invariant()
    def whoever_reads_sees_it(self) -> None:
        assert on_record(self.folder) == list(self.noted.items())

    def teardown(self) -> None:
        self.writer.close()
        self.pending.close()
        shutil.rmtree(self._top)


def full(*_: object, **__: object) -> None:
    raise OSError(28, os.strerror(28))


TestLives = Lives.TestCase
TestLives.settings = settings(
    deadline=None,
    max_examples=25 * int(os.environ.get("PARLEY_EXAMPLES", "1")),
    stateful_step_count=30,
)


if __name__ == "__main__":
    asyncio.run(life(Path(sys.argv[1]), int(sys.argv[2])))
