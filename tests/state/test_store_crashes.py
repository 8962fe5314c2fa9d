"""Small files and whatever ends a process, or the power, in the middle of a write."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device.errors import DamagedFileError
from device.state.store import DurableFile
from tests.state.stored import NAME, NEW, OLD, names, old_file, placed

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> DurableFile:
    return old_file(tmp_path)


# --- a power cut ---------------------------------------------------------------------------------


class Card:
    """What a power cut would leave, told from the calls to the system.

    A file's content is on the card when it was synced, a name when its folder was; a name may be
    there earlier too, since the kernel writes when it likes.
    """

    CALLS = ("open", "write", "fsync", "replace", "link", "unlink", "mkdir", "close")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._contents: dict[int, bytes] = {}
        self._names: dict[str, int] = {}
        self.steps: list[str] = []
        """What was synced, and what was given another name."""
        self.seen: list[set[bytes | None]] = []
        """After each call: what the next start might find under the name."""
        if folder.is_dir():
            self._names = self._listed()
            self._contents = {path.stat().st_ino: path.read_bytes() for path in folder.iterdir()}
        for call in self.CALLS:
            monkeypatch.setattr(os, call, self._watched(call, getattr(os, call)))

    def _listed(self) -> dict[str, int]:
        paths = self._folder.iterdir() if self._folder.is_dir() else ()
        return {path.name: path.lstat().st_ino for path in paths}

    def _watched(self, call: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            result = real(*arguments, **options)
            if call == "fsync":
                self._synced(Path(f"/proc/self/fd/{arguments[0]}").readlink())
            elif call == "replace":
                self.steps.append(f"rename {arguments[0].name} {arguments[1].name}")
            self.seen.append({self._left(names) for names in (self._names, self._listed())})
            return result

        return watched

    def _synced(self, path: Path) -> None:
        self.steps.append(f"sync {path.name}")
        if path == self._folder:
            self._names = self._listed()
        elif path.is_file():
            self._contents[path.stat().st_ino] = path.read_bytes()

    def _left(self, names: dict[str, int]) -> bytes | None:
        inode = names.get(self._name)
        # A name whose content was never synced is an empty file, at best.
        return None if inode is None else self._contents.get(inode, b"(lost)")


@pytest.mark.parametrize("before", [None, OLD, b"{"], ids=["first", "again", "damaged"])
def test_a_power_cut_leaves_the_old_content_or_the_new(
    tmp_path: Path, before: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every call to the system; and from the return on only the new, in that order."""
    folder = tmp_path / "state"
    folder.mkdir()
    file = placed(folder, before) if before is not None else DurableFile(folder, NAME)
    if before == b"{":
        with pytest.raises(DamagedFileError):
            file.read_record()
    with monkeypatch.context() as patch:
        card = Card(patch, folder, NAME)
        file.write(NEW)
    assert all(left <= {before, NEW} for left in card.seen), card.seen
    assert card.seen[0] == {before}
    assert card.seen[-1] == {NEW}
    content, renamed, listed = card.steps
    assert content.startswith(f"sync {NAME}.")
    assert renamed == f"{content.replace('sync', 'rename')} {NAME}"
    assert listed == "sync state"


def test_a_folder_that_is_made_is_a_name_on_the_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the file would be lost with it."""
    with monkeypatch.context() as patch:
        card = Card(patch, tmp_path / "a" / "b", NAME)
        DurableFile(tmp_path / "a" / "b", NAME).write(NEW)
    assert card.steps[:2] == ["sync a", f"sync {tmp_path.name}"]
    assert card.steps[-1] == "sync b"
    assert card.seen[-1] == {NEW}


def test_a_folder_above_that_may_not_be_read_is_left_to_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be opened, so it cannot be synced; the file is written all the same."""
    opened = os.open

    def refused(path: Any, *arguments: Any, **options: Any) -> int:
        if path == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refused)
    file = DurableFile(tmp_path / "state", NAME)
    file.write(NEW)
    assert file.read() == NEW


# --- other processes -----------------------------------------------------------------------------


def played(folder: Path, code: str) -> Any:
    """Run a play of several processes in an interpreter without threads; return what it tells."""
    done = subprocess.run(
        [sys.executable, "-c", _STAGE + code, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


_STAGE = """
import itertools, json, os, signal, sys
from pathlib import Path
from device.errors import DamagedFileError
from device.state.store import DurableFile

FOLDER, NAME = Path(sys.argv[1]), "it.json"
OLD, NEW = b"o" * 5_000, b"n" * 9_000

def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    return pid

def ended(pid):
    "How a child ended: 0, its exit code, or less than 0 for a signal."
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def content():
    return (FOLDER / NAME).read_bytes()
"""

_KILLED_EVERYWHERE = """
def dies_at(moment):
    count = itertools.count()
    def watched(call, real):
        def killed(*arguments, **options):
            if next(count) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            if call == "write":
                number, part = arguments
                return real(number, part[:len(part) // 2 + 1])
            return real(*arguments, **options)
        return killed
    for call in ("open", "write", "fsync", "link", "replace", "unlink", "close"):
        setattr(os, call, watched(call, getattr(os, call)))

def write(moment, damaged):
    file = DurableFile(FOLDER, NAME)
    if damaged:
        file.damaged("somebody says so")
    dies_at(moment)
    file.write(NEW)

told = []
for damaged in (False, True):
    for moment in itertools.count():
        DurableFile(FOLDER, NAME).write(OLD)
        swept = len([path for path in FOLDER.iterdir() if path.suffix == ".new"])
        code = ended(child(lambda: write(moment, damaged)))
        left = {OLD: "old", NEW: "new"}.get(content(), "torn")
        told.append([damaged, code, left, swept])
        if code != -signal.SIGKILL:
            break
print(json.dumps(told))
"""


def test_a_process_killed_at_any_call_leaves_old_or_new(tmp_path: Path) -> None:
    """Every moment of a write, one after the other; what it leaves half written goes next time."""
    told = played(tmp_path, _KILLED_EVERYWHERE)
    for damaged in (False, True):
        killed = [each for each in told if each[0] is damaged]
        codes, left, swept = zip(*[each[1:] for each in killed], strict=True)
        assert codes == (*[-9] * (len(killed) - 1), 0)
        assert len(killed) > 15, "open, a dozen writes, fsync, replace, close, and the folder's"
        changed = left.index("new")
        assert 0 < changed < len(left) - 1
        assert left == (*["old"] * changed, *["new"] * (len(left) - changed))
        assert set(swept) == {0}


_KILLED_AT_RANDOM = """
def writes(acknowledged):
    file = DurableFile(FOLDER, NAME)
    for number in itertools.count():
        file.write_record({"number": number, "filler": "x" * 20_000})
        os.write(acknowledged, b".")

told = []
for attempt in range(40):
    ours, theirs = os.pipe()
    pid = child(lambda: writes(theirs))
    os.close(theirs)
    returned = 0
    while returned <= attempt % 8:
        returned += len(os.read(ours, 1))
    os.kill(pid, signal.SIGKILL)
    code = ended(pid)
    while more := os.read(ours, 4_096):
        returned += len(more)
    os.close(ours)
    told.append([code, returned, DurableFile(FOLDER, NAME).read_record()["number"]])
DurableFile(FOLDER, NAME).write(OLD)
print(json.dumps([told, sorted(path.name for path in FOLDER.iterdir())]))
"""


def test_a_process_that_is_killed_loses_nothing_that_was_written(tmp_path: Path) -> None:
    """Forty of them, each in the middle of whatever it is doing."""
    told, left = played(tmp_path, _KILLED_AT_RANDOM)
    assert len(told) == 40
    for code, returned, found in told:
        assert code == -9
        # The one after the last acknowledged may have been finished too.
        assert returned - 1 <= found <= returned
    assert left == [NAME]


_TWO_WRITERS = """
def writes(letter):
    file = DurableFile(FOLDER, NAME)
    for number in range(150):
        file.write_record({"by": letter, "filler": letter * (1 + number * 100)})

DurableFile(FOLDER, NAME).write_record({"by": "", "filler": ""})
writers = [child(lambda: writes(letter)) for letter in "ab"]
seen, torn, codes = set(), 0, []
while writers:
    record = DurableFile(FOLDER, NAME).read_record()
    seen.add(record["by"])
    torn += set(record["filler"]) > {record["by"]}
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid:
        writers.remove(pid)
        codes.append(os.waitstatus_to_exitcode(status))
record = DurableFile(FOLDER, NAME).read_record()
print(json.dumps([codes, torn, len(record["filler"]), [path.name for path in FOLDER.iterdir()]]))
"""


def test_two_writers_are_in_nobodys_way(tmp_path: Path) -> None:
    """Neither fails, whoever reads meanwhile finds one or the other, and the last one stays."""
    codes, torn, length, left = played(tmp_path, _TWO_WRITERS)
    assert codes == [0, 0]
    assert torn == 0
    assert length == 1 + 149 * 100
    assert left == [NAME]


def test_what_another_writer_is_writing_is_no_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow one ends after a quick one that began later, and then its content is the newest."""
    reached, released = threading.Event(), threading.Event()
    synced = os.fsync

    def slow(number: int) -> None:
        if threading.current_thread().name == "slow":
            reached.set()
            assert released.wait(60)
        synced(number)

    monkeypatch.setattr(os, "fsync", slow)
    failures: list[BaseException] = []

    def write() -> None:
        try:
            DurableFile(tmp_path, NAME).write(OLD)
        except OSError as error:
            failures.append(error)

    writer = threading.Thread(target=write, name="slow")
    writer.start()
    assert reached.wait(60)
    quick = DurableFile(tmp_path, NAME)
    quick.write(NEW)
    assert quick.read() == NEW
    assert len(names(quick)) == 2
    released.set()
    writer.join(60)
    assert failures == []
    assert (quick.read(), names(quick)) == (OLD, [NAME])


def test_one_taken_for_a_leftover_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its making and its lock another writer may come by."""
    locked = fcntl.flock
    taken: list[str] = []

    def late(number: int, operation: int) -> None:
        if not taken:
            mine = Path(f"/proc/self/fd/{number}").readlink()
            mine.unlink()
            taken.append(mine.name)
        locked(number, operation)

    monkeypatch.setattr("device.state.store.fcntl.flock", late)
    file = DurableFile(tmp_path, NAME)
    file.write(NEW)
    assert len(taken) == 1
    assert (file.read(), names(file)) == (NEW, [NAME])


def test_a_file_system_without_locks_keeps_leftovers_and_nothing_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they are leftovers cannot be known there."""
    leftover = tmp_path / f"{NAME}.0123abcd.new"
    leftover.touch()

    def none(_number: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("device.state.store.fcntl.flock", none)
    file = DurableFile(tmp_path, NAME)
    file.write(NEW)
    assert file.read() == NEW
    assert leftover.exists()


def test_only_leftovers_are_removed(file: DurableFile) -> None:
    """Of any file of the folder; what has another name is somebody else's, and so is a folder."""
    assert file.path is not None
    folder = file.path.parent
    for name in (f"{NAME}.0123abcd.new", "other.wav.ffffffff.new"):
        (folder / name).write_bytes(b"half")
    others = {"talk.new", ".0123abcd.new", f"{NAME}.0123ABCD.new", f"{NAME}.0123abcd.new.bak"}
    for name in others:
        (folder / name).touch()
    (folder / "a folder.0123abcd.new").mkdir()
    file.write(NEW)
    assert set(names(file)) == {NAME, "a folder.0123abcd.new", *others}
