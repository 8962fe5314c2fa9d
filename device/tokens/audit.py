"""`Audit` writes down each token that was lent: a line of JSON, and one in the journal.

The token itself is in neither. The file is only ever appended to.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from device.errors import ParleyError
from device.text import printable
from device.tokens.mint import Minted

_log = logging.getLogger(__name__)


class Audit:
    """One file, or none. Used from one thread."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._torn = ""
        """What ends half a line, which a disk that was full has taken."""

    def check(self) -> None:
        """Make sure that it can be written. Raises ParleyError."""
        try:
            self._append("")
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise ParleyError(f"the audit {self._path} cannot be written: {reason}") from error

    def lent(self, speaker: str, address: str, minted: Minted) -> None:
        """Write down that this speaker was lent this token. Blocks on the disk for a moment."""
        record = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "speaker": speaker,
            "address": printable(address, 60),
            "model": minted.model,
            "uses": minted.uses,
            "expire_time": minted.expire_time.isoformat(),
        }
        _log.info(
            "lent a token to %s (%s) for %s until %s",
            speaker,
            record["address"],
            minted.model,
            record["expire_time"],
        )
        try:
            self._append(json.dumps(record) + "\n")
        except OSError as error:
            # A house is not to fall silent because a disk is full; the journal has the line.
            _log.error("the audit %s cannot be written: %s", self._path, error.strerror)

    def _append(self, text: str) -> None:
        if self._path is None:
            return
        line = f"{self._torn}{text}".encode()
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            written = os.write(file, line)
        finally:
            os.close(file)
        if written < len(line):
            self._torn = "\n"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._torn = ""
