"""`words` says to the owner why the records cannot be written, and what to do. Pure."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

_WAITS: Final = "what leaves and what it costs waits in memory"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})
_PRIMARY: Final = 0xFF
"""Of an extended result code of SQLite's: sqlite.org/rescode.html."""
HANGS: Final = (
    f"the disk does not answer: {_WAITS}; see what is wrong with it with: sudo dmesg | tail"
)
LOST: Final = (
    "the disk has taken nothing for so long that the memory for it is full: some of what leaves is "
    "not on record; see what is wrong with it with: sudo dmesg | tail"
)


def words(error: Exception, place: str, user: str) -> str:
    """Return one sentence; ``place`` is the records' folder, ``user`` whom it should belong to."""
    number = error.errno if isinstance(error, OSError) else None
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & _PRIMARY if code is not None else None
    if number in _FULL or primary == sqlite3.SQLITE_FULL:
        return (
            f"the disk is full: {_WAITS} until there is room; "
            "see what takes it with: sudo du -xh / | sort -h | tail"
        )
    why = f"the records cannot be written ({_said(error)}): {_WAITS}"
    if number == errno.EROFS:
        return f"{why}; the disk is read-only, see why with: sudo dmesg | tail"
    if number in _DENIED or primary in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return f"{why}; give them to the speaker with: sudo chown -R {user}: {place}"
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"{why}; another program holds them open, perhaps a second speaker: end one"
    if number in {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL}:
        return f"{why}; move away what is in their place, {place}, and they begin anew"
    return f"{why}; see what is wrong with the disk with: sudo dmesg | tail"


def _said(error: Exception) -> str:
    """Return what the system or SQLite says, without the number that the system has for it."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
