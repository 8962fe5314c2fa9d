"""The store is the one way to write a small file, so that no crash or power cut costs it.

Theory of operation. A write never touches the file itself. It makes a temporary file beside it,
writes all of the content, has the kernel put that on the disk (fsync), gives it the file's name in
one step (rename), and has the folder's list of names put on the disk too. So whoever reads finds
the old content or the new, never a part of either, and from the moment a write returns it is the
new one, whatever happens to the power (rename(2), fsync(2)).

A temporary file has a name of its own, so two writers are in nobody's way, and its writer holds a
lock on it (flock(2)), which the kernel lifts when the process ends however it ends. A temporary
file that nobody holds was left by a crash, and the next write into the folder removes it.

A file that was read and made no sense is not lost to the next write: it is kept as NAME.damaged, in
place of an earlier one. Nobody reads it; it is for whoever asks what has happened. Until then it
stays where it is, since the rule of its reader ("what cannot be read means muted") must hold after
the next start too.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from device.errors import DamagedFileError
from device.threads import in_thread

log = logging.getLogger(__name__)

MAX_BYTES: Final = 65_536
"""More is read of no file, unless its owner expects it."""

_TEMPORARY = re.compile(r".+\.[0-9a-f]{8}\.new")
_WHATEVER_IT_IS = os.O_RDONLY | os.O_NONBLOCK
"""Opening a pipe that somebody has put there must not wait for a writer."""


class DurableFile:
    """One small file. Without a folder nothing is kept. Blocks for the disk; any thread."""

    def __init__(
        self,
        folder: Path | None,
        name: str,
        *,
        mode: int = 0o600,
        whatever_umask: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """`mode` is that of the file, less the process's umask but for `whatever_umask`.

        `max_bytes` is read at most.
        """
        self.path = folder / name if folder is not None else None
        self._mode = mode
        self._whatever_umask = whatever_umask
        self._max_bytes = max_bytes
        self._is_damaged = False

    # --- reading ---

    def read(self) -> bytes | None:
        """Return the content; None where there is no file.

        Raises OSError (with the path), DamagedFileError when it is too long to be the content.
        """
        if self.path is None:
            return None
        try:
            with _named(self.path):
                content = _content(self.path, self._max_bytes + 1)
        except FileNotFoundError:
            return None
        if len(content) > self._max_bytes:
            raise self.damaged(f"it is longer than {self._max_bytes} bytes")
        return content

    def read_text(self) -> str | None:
        """Return the content as UTF-8 text; None and raises as `read`."""
        content = self.read()
        try:
            return content.decode() if content is not None else None
        except UnicodeDecodeError as error:
            raise self.damaged(f"it is no text: {error}") from None

    def read_record(self) -> dict[str, Any] | None:
        """Return the JSON object that the file holds; None and raises as `read`."""
        content = self.read()
        if content is None:
            return None
        try:
            record = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self.damaged(f"it is no JSON: {error}") from None
        if not isinstance(record, dict):
            raise self.damaged("it is no JSON object")
        return record

    def damaged(self, why: object) -> DamagedFileError:
        """Return the error for a content that makes no sense; the next write sets that aside."""
        self._is_damaged = True
        return DamagedFileError(str(self.path), str(why))

    # --- writing ---

    def write(self, content: bytes) -> None:
        """Replace the content, durably: it is there after a crash once this has returned.

        Raises OSError (with the path); the content is the old one then, or (where only the folder
        could not be put on the disk) the new one that a power cut may undo.
        """
        if self.path is None:
            return
        with _named(self.path):
            make_folder(self.path.parent)
            _remove_leftovers(self.path.parent)
            self._replace(self.path, content)
            put_on_disk(self.path.parent)

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Replace the content by a JSON object, as `write` does."""
        self.write(as_json(record))

    def set_aside(self) -> None:
        """Rename the file to NAME.damaged, in place of an earlier one. Raises OSError."""
        if self.path is not None:
            self.path.replace(_aside(self.path))

    def _replace(self, path: Path, content: bytes) -> None:
        fresh, number = _temporary_beside(path, self._mode)
        try:
            if self._whatever_umask:
                os.fchmod(number, self._mode)
            left = memoryview(content)
            while left:
                left = left[os.write(number, left) :]
            os.fsync(number)
            if self._is_damaged:
                _keep_aside(path)
            fresh.replace(path)
            self._is_damaged = False
        except BaseException:  # interrupted too: no half file is left behind
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
        finally:
            # Not earlier: the lock goes with it, and an unlocked temporary file is a leftover.
            os.close(number)


class WriteBehind:
    """Writes the newest content of a file soon, in a thread, since a memory card takes its time.

    What is written while an earlier content is on its way waits until that is done, and only the
    newest of it is written then. Used from the event loop's thread only.
    """

    def __init__(self, file: DurableFile, loss: str) -> None:
        """`loss` says what is lost where nothing can be written; it ends the warning."""
        self._file = file
        self._loss = loss
        self._waiting: bytes | None = None
        self._all_written = asyncio.Event()
        self._all_written.set()
        self._has_told = False

    def write(self, content: bytes) -> None:
        """Write this soon; returns at once. A disk that takes nothing is told once, not raised."""
        if self._file.path is None:
            return
        self._waiting = content
        if self._all_written.is_set():
            self._all_written.clear()
            self._write_next()

    async def saved(self) -> bool:
        """Wait until everything is written, or could not be; tell which."""
        await self._all_written.wait()
        return not self._has_told

    def _write_next(self) -> None:
        content, self._waiting = self._waiting, None
        if content is None:
            self._all_written.set()
            return
        writing = in_thread(partial(self._file.write, content), "state")
        writing.add_done_callback(self._written)

    def _written(self, writing: asyncio.Future[None]) -> None:
        try:
            writing.result()
        except OSError as error:
            # A full disk must not fill the journal as well.
            if not self._has_told:
                why = error.strerror
                log.warning("%s cannot be written (%s): %s", self._file.path, why, self._loss)
            self._has_told = True
        else:
            self._has_told = False
        finally:
            self._write_next()


def as_json(record: Mapping[str, Any], indent: int | None = None) -> bytes:
    """Return a record as the content of a file."""
    return json.dumps(record, indent=indent).encode()


def reason(error: OSError | DamagedFileError) -> str:
    """Say what is wrong with a file, for a sentence that names it already."""
    return error.why if isinstance(error, DamagedFileError) else error.strerror or str(error)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let every OSError carry the path that it is about, as a caller knows it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _content(path: Path, most_bytes: int) -> bytes:
    number = os.open(path, _WHATEVER_IT_IS)
    try:
        mode = os.fstat(number).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        content = b""
        while len(content) < most_bytes and (more := os.read(number, most_bytes - len(content))):
            content += more
        return content
    finally:
        os.close(number)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make the folder where it is missing, durably: a new one is a name in the folder above it.

    `mode` is the folder's, less the process's umask. Raises OSError.
    """
    if folder.is_dir():
        return
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode, parents=True, exist_ok=True)
    for each in missing:
        # One that may not be read cannot be opened, and so not be put on the disk by us.
        with contextlib.suppress(PermissionError):
            put_on_disk(each.parent)


def put_on_disk(folder: Path) -> None:
    """Have the folder's list of names on the disk. Blocks. Raises OSError."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno != errno.EINVAL:  # fsync(2): of a file system that knows no such thing
            raise
    finally:
        os.close(number)


def _temporary_beside(path: Path, mode: int) -> tuple[Path, int]:
    """Make a new file beside another, locked; return its path and its descriptor."""
    while True:
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
        # O_EXCL: never a file, or the goal of a link, that somebody has put there.
        number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        # A file system without locks keeps its leftovers.
        with contextlib.suppress(OSError):
            fcntl.flock(number, fcntl.LOCK_EX)
        if os.fstat(number).st_nlink:
            return fresh, number
        os.close(number)  # another writer took it for a leftover before it was locked


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files whose writers are gone."""
    for each in folder.iterdir():
        if not _TEMPORARY.fullmatch(each.name):
            continue
        # It is being written, gone by now, another user's, or a link: it harms nobody.
        with contextlib.suppress(OSError):
            number = os.open(each, _WHATEVER_IT_IS | os.O_NOFOLLOW)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                each.unlink()
            finally:
                os.close(number)


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")


def _keep_aside(path: Path) -> None:
    """Give the file a second name; it loses the first when it is replaced, and never before."""
    # Where that cannot be (no hard links, another user's file) it is lost, as its reader has told.
    with contextlib.suppress(OSError):
        _aside(path).unlink(missing_ok=True)
        _aside(path).hardlink_to(path)
