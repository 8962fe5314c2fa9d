"""Whoever reads why the records cannot be written knows what to do."""

from __future__ import annotations

import errno
import os
import sqlite3

import pytest

from device.records.trouble import words


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("SQLite's words")
    error.sqlite_errorcode = code
    return error


def of_system(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/state/records")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (of_system(errno.ENOSPC), "sudo du -xh / | sort -h | tail"),
        (of_system(errno.EDQUOT), "sudo du -xh / | sort -h | tail"),
        (of_sqlite(sqlite3.SQLITE_FULL), "sudo du -xh / | sort -h | tail"),
        (of_system(errno.EROFS), "the disk is read-only"),
        (of_system(errno.EACCES), "sudo chown -R parley: /state/records"),
        (of_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), "sudo chown -R parley: /state/records"),
        (of_sqlite(sqlite3.SQLITE_BUSY), "perhaps a second speaker"),
        (of_system(errno.ELOOP), "move away what is in their place, /state/records"),
        (of_system(errno.EIO), "sudo dmesg | tail"),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), "sudo dmesg | tail"),
        (sqlite3.OperationalError("without a code"), "sudo dmesg | tail"),
    ],
)
def test_each_failure_says_what_waits_and_what_to_do(error: Exception, advice: str) -> None:
    """By what the system or SQLite says it is, not by its words."""
    told = words(error, "/state/records", "parley")
    assert "what leaves and what it costs waits in memory" in told
    assert advice in told
    said = error.strerror if isinstance(error, OSError) else str(error)
    assert "disk is full" in told or f"{said})" in told
    assert "Errno" not in told
