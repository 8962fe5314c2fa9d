"""The one way to write a small file: what it keeps, whatever is in its place or on the disk."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import DamagedFileError
from device.state.store import MAX_BYTES, DurableFile, as_json, reason
from tests.state.stored import NAME, NEW, OLD, names, old_file, placed


@pytest.fixture
def file(tmp_path: Path) -> DurableFile:
    return old_file(tmp_path)


# --- what it keeps -------------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """By whoever comes next, in a folder that need not be there; nothing else is left in it."""
    folder = tmp_path / "a" / "b"
    for content in (b"", b"x", bytes(range(256)) * 256):
        DurableFile(folder, NAME).write(content)
        assert DurableFile(folder, NAME).read() == content
    file = DurableFile(folder, NAME)
    file.write_record({"it": "ü"})
    assert file.read_record() == {"it": "ü"}
    assert file.read_text() == '{"it": "\\u00fc"}'
    assert names(file) == [NAME]


def test_nothing_written_is_nothing(tmp_path: Path) -> None:
    """Whether the folder is there or not."""
    for folder in (tmp_path, tmp_path / "none"):
        file = DurableFile(folder, NAME)
        assert (file.read(), file.read_text(), file.read_record()) == (None, None, None)


def test_without_a_folder_nothing_is_kept() -> None:
    """And nobody is told of it."""
    file = DurableFile(None, NAME)
    file.write(OLD)
    file.write_record({})
    file.set_aside()
    assert file.path is None
    assert file.read() is None


@pytest.mark.parametrize(("mode", "umask", "wanted"), [
    (0o600, 0o022, 0o600), (0o640, 0o022, 0o640), (0o666, 0o022, 0o644), (0o666, 0o077, 0o600),
])  # fmt: skip
def test_the_mode_is_as_wanted_less_the_umask(
    tmp_path: Path, mode: int, umask: int, wanted: int
) -> None:
    """Also where a file with another mode was there before."""
    placed(tmp_path, OLD)
    before = os.umask(umask)
    try:
        DurableFile(tmp_path, NAME, mode=mode).write(NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == wanted


def test_what_is_for_everybody_is_so_whatever_the_umask(tmp_path: Path) -> None:
    """The service's is 0077; who reads it is another user."""
    before = os.umask(0o077)
    try:
        DurableFile(tmp_path, NAME, mode=0o644, whatever_umask=True).write(NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o644


def test_indented_records_are_for_people() -> None:
    """They read back as the same."""
    record = {"a": {"b": 1}}
    assert json.loads(as_json(record, indent=1)) == json.loads(as_json(record)) == record
    assert as_json(record, indent=1).count(b"\n") == 4


# --- what makes no sense -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no JSON: "),
        (b"{", "it is no JSON: "),
        (b"\xff\xfe", "it is no JSON: "),
        (bytes(100), "it is no JSON: "),
        (b"[" * 60_000, "it is no JSON: "),
        (b"[]", "it is no JSON object"),
        (b"null", "it is no JSON object"),
        (b"7", "it is no JSON object"),
        (b"{}" + b" " * MAX_BYTES, f"it is longer than {MAX_BYTES} bytes"),
    ],
)
def test_a_damaged_file_is_told_and_set_aside_by_the_next_write(
    tmp_path: Path, content: bytes, why: str
) -> None:
    """Until then it stays where it is: what its reader makes of it holds after a restart too."""
    file = placed(tmp_path, content)
    for _ in range(2):
        with pytest.raises(DamagedFileError) as caught:
            file.read_record()
        assert str(caught.value).startswith(f"{tmp_path / NAME} cannot be used: {why}")
        assert reason(caught.value).startswith(why)
    assert names(file) == [NAME]
    file.write(NEW)
    assert file.read() == NEW
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == content
    assert names(file) == [NAME, f"{NAME}.damaged"]


def test_at_most_one_is_set_aside(tmp_path: Path) -> None:
    """The newest; a whole file that is written over goes without a trace."""
    for content in (b"first", b"second"):
        file = placed(tmp_path, content)
        with pytest.raises(DamagedFileError):
            file.read_record()
        file.write(OLD)
        file.write(NEW)
    assert names(file) == [NAME, f"{NAME}.damaged"]
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == b"second"


def test_what_its_owner_cannot_use_is_damaged_too(file: DurableFile) -> None:
    """The file cannot know what a record must hold."""
    error = file.damaged("it holds no number")
    assert isinstance(error, ValueError)
    assert str(error) == f"{file.path} cannot be used: it holds no number"
    file.write(NEW)
    assert (file.read(), names(file)) == (NEW, [NAME, f"{NAME}.damaged"])


def test_text_that_is_none_is_damaged(tmp_path: Path) -> None:
    """Where a text was written."""
    with pytest.raises(DamagedFileError, match="it is no text"):
        placed(tmp_path, b"caf\xe9").read_text()


def test_it_can_be_set_aside_at_once(tmp_path: Path) -> None:
    """Whoever mends the folder does; then there is nothing."""
    file = placed(tmp_path, b"{")
    (tmp_path / f"{NAME}.damaged").write_bytes(b"an earlier one")
    file.set_aside()
    assert file.read() is None
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == b"{"
    with pytest.raises(FileNotFoundError):
        file.set_aside()


@pytest.mark.parametrize("in_the_way", ["a folder", "no hard links"])
def test_where_it_cannot_be_set_aside_the_new_content_counts(
    tmp_path: Path, in_the_way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has told; a speaker that cannot remember would be worse."""
    file = placed(tmp_path, b"{")
    with pytest.raises(DamagedFileError):
        file.read_record()

    def link(*_: object, **_options: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if in_the_way == "a folder":
        (tmp_path / f"{NAME}.damaged").mkdir()
    else:
        monkeypatch.setattr(os, "link", link)
    file.write(NEW)
    assert file.read() == NEW


@settings(deadline=None, max_examples=100)
@given(content=st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_record_or_damaged(content: bytes) -> None:
    """And whatever was there, the next write is read."""
    with tempfile.TemporaryDirectory() as folder:
        file = placed(Path(folder), content)
        try:
            damaged = not isinstance(file.read_record(), dict)
        except DamagedFileError:
            damaged = True
        file.write(NEW)
        assert file.read_record() == json.loads(NEW)
        kept = Path(folder, f"{NAME}.damaged")
        assert (kept.read_bytes() if kept.exists() else None) == (content if damaged else None)


def test_of_a_huge_file_only_the_beginning_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten gigabytes must not end the speaker; they are set aside as they are."""
    huge = tmp_path / NAME
    huge.touch()
    os.truncate(huge, 10 * 2**30)
    asked: list[int] = []
    read = os.read

    def counted(number: int, most_bytes: int) -> bytes:
        asked.append(most_bytes)
        return read(number, most_bytes)

    monkeypatch.setattr(os, "read", counted)
    file = DurableFile(tmp_path, NAME, max_bytes=1_000)
    with pytest.raises(DamagedFileError, match="longer than 1000 bytes"):
        file.read()
    assert sum(asked) == 1_001
    file.write(NEW)
    assert (tmp_path / f"{NAME}.damaged").stat().st_size == 10 * 2**30


def test_a_file_of_just_the_length_is_read_in_whatever_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """read(2) may return less than was asked for."""
    read = os.read
    monkeypatch.setattr(os, "read", lambda number, most_bytes: read(number, min(most_bytes, 7)))
    content = bytes(range(100))
    placed(tmp_path, content)
    assert DurableFile(tmp_path, NAME, max_bytes=100).read() == content
    with pytest.raises(DamagedFileError):
        DurableFile(tmp_path, NAME, max_bytes=99).read()


# --- what stands in the way ----------------------------------------------------------------------


def test_a_link_is_followed_to_read_and_replaced_to_write(tmp_path: Path) -> None:
    """Where it leads to is not ours to write."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(OLD)
    (tmp_path / NAME).symlink_to(elsewhere)
    file = DurableFile(tmp_path, NAME)
    assert file.read() == OLD
    file.write(NEW)
    assert elsewhere.read_bytes() == OLD
    assert not (tmp_path / NAME).is_symlink()
    assert file.read() == NEW


def test_a_damaged_link_is_set_aside_as_a_link(tmp_path: Path) -> None:
    """Not what it leads to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"{")
    (tmp_path / NAME).symlink_to(elsewhere)
    file = DurableFile(tmp_path, NAME)
    with pytest.raises(DamagedFileError):
        file.read_record()
    file.write(NEW)
    assert (tmp_path / f"{NAME}.damaged").readlink() == elsewhere


def test_a_link_that_leads_nowhere_is_nothing(tmp_path: Path) -> None:
    """One that leads in a circle cannot be read; both are written over."""
    (tmp_path / NAME).symlink_to(tmp_path / "gone")
    assert DurableFile(tmp_path, NAME).read() is None
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).symlink_to(tmp_path / NAME)
    file = DurableFile(tmp_path, NAME)
    with pytest.raises(OSError, match="Too many levels of symbolic links") as caught:
        file.read()
    assert caught.value.filename == str(tmp_path / NAME)
    file.write(NEW)
    assert file.read() == NEW


def test_a_temporary_file_follows_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even from somebody who knows its name beforehand."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    monkeypatch.setattr("device.state.store.secrets.token_hex", lambda _bytes: "01234567")
    (tmp_path / f"{NAME}.01234567.new").symlink_to(precious)
    with pytest.raises(FileExistsError):
        DurableFile(tmp_path, NAME).write(NEW)
    assert precious.read_bytes() == b"precious"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe is not waited for."""
    make(tmp_path / NAME)
    with pytest.raises(OSError, match=r"Is a directory|it is no regular file") as caught:
        DurableFile(tmp_path, NAME).read()
    assert caught.value.filename == str(tmp_path / NAME)
    assert reason(caught.value) == caught.value.strerror


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    """It stays, and nothing is left beside it."""
    (tmp_path / NAME).mkdir()
    file = DurableFile(tmp_path, NAME)
    with pytest.raises(IsADirectoryError) as caught:
        file.write(NEW)
    assert caught.value.filename == str(tmp_path / NAME)
    assert names(file) == [NAME]


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    """Or above it; reading tells as much as writing."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "state"):
        file = DurableFile(folder, NAME)
        for call in (file.read, lambda file=file: file.write(NEW)):
            with pytest.raises((NotADirectoryError, FileExistsError)) as caught:
                call()
            assert caught.value.filename == str(folder / NAME)


# --- disks ---------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB. Only root can mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_content(small_disk: Path) -> None:
    """Nothing else is left on it; with room again the next write is as good as any."""
    file = DurableFile(small_disk, NAME)
    old, new = b"o" * 20_000, b"n" * 30_000
    file.write(old)
    (small_disk / "filler").write_bytes(bytes(30_000))
    for _ in range(3):
        with pytest.raises(OSError, match="No space left on device") as caught:
            file.write(new)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(file.path))
        assert file.read() == old
        assert names(file) == ["filler", NAME]
    (small_disk / "filler").unlink()
    file.write(new)
    assert file.read() == new


def test_a_disk_that_became_read_only_keeps_the_old_content(small_disk: Path) -> None:
    """Memory cards do that when they wear out."""
    file = DurableFile(small_disk, NAME)
    file.write(OLD)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OSError, match="Read-only file system") as caught:
        file.write(NEW)
    assert caught.value.filename == str(file.path)
    assert file.read() == OLD


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(file: DurableFile) -> None:
    """To an ordinary user."""
    assert file.path is not None
    file.path.parent.chmod(0o500)
    with pytest.raises(PermissionError) as caught:
        file.write(NEW)
    file.path.parent.chmod(0o700)
    assert caught.value.filename == str(file.path)
    assert file.read() == OLD


class Disk:
    """Fails at one call to the system, after some that worked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str, code: int, after: int) -> None:
        self._real = getattr(os, call)
        self._error = OSError(code, os.strerror(code))
        self._left = after
        monkeypatch.setattr(os, call, self._called)

    def _called(self, *arguments: Any) -> object:
        if self._left == 0:
            raise self._error
        self._left -= 1
        if self._real.__name__ == "write":  # a card takes as much as it likes
            number, content = arguments
            return self._real(number, content[: len(content) // 2 + 1])
        return self._real(*arguments)


@pytest.mark.parametrize("after", range(4))
def test_wherever_a_disk_becomes_full_the_old_content_is_kept(
    file: DurableFile, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """After any part of the new one."""
    with monkeypatch.context() as patch:
        Disk(patch, "write", errno.ENOSPC, after)
        with pytest.raises(OSError, match="No space left") as caught:
            file.write(NEW)
    assert caught.value.filename == str(file.path)
    assert (file.read(), names(file)) == (OLD, [NAME])


@pytest.mark.parametrize(
    ("call", "after", "kept"),
    [("open", 0, OLD), ("fsync", 0, OLD), ("replace", 0, OLD), ("fsync", 1, NEW)],
)
def test_a_disk_that_fails_is_told_with_the_path(
    file: DurableFile, monkeypatch: pytest.MonkeyPatch, call: str, after: int, kept: bytes
) -> None:
    """Whether the content or the folder could not be put on it; no half file is left."""
    with monkeypatch.context() as patch:
        Disk(patch, call, errno.EIO, after)
        with pytest.raises(OSError, match="Input/output error") as caught:
            file.write(NEW)
    assert caught.value.filename == str(file.path)
    assert (file.read(), names(file)) == (kept, [NAME])


def test_what_was_replaced_once_is_damaged_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the folder could not be put on the disk: the next write sets no good file aside."""
    file = placed(tmp_path, b"{")
    with pytest.raises(DamagedFileError):
        file.read_record()
    with monkeypatch.context() as patch:
        Disk(patch, "fsync", errno.EIO, 1)
        with pytest.raises(OSError, match="Input/output error"):
            file.write(OLD)
    file.write(NEW)
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == b"{"


def test_a_file_system_that_syncs_no_folders_is_good_enough(
    file: DurableFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsync(2) says EINVAL there."""
    Disk(monkeypatch, "fsync", errno.EINVAL, 1)
    file.write(NEW)
    assert file.read() == NEW


def test_an_interrupt_leaves_no_half_file(
    file: DurableFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the disk is slow."""

    def interrupted(_number: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        file.write(NEW)
    assert (file.read(), names(file)) == (OLD, [NAME])
