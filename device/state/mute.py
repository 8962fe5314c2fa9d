"""Remembers over restarts and crashes that the owner has muted: one small file, written for good.

Whoever mutes may pull the plug right after. So the file is on the disk, folder entry and all, when
`keep` returns; and one that cannot be read means muted, since it was written by somebody who had
something to hide from the microphone.
"""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from device.ports import OpenDevice

log = logging.getLogger(__name__)

FILE = "mute.json"
MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered."""

    muted: bool = False
    microphone: OpenDevice | None = None
    """The one that was open last: it tells the board, whose lights and button a speaker that
    starts muted needs although it opens no microphone."""

    @property
    def hidden(self) -> OpenDevice | None:
        """The microphone that is not opened because of this; None where it is, or is not known."""
        return self.microphone if self.muted else None


class MuteMemory:
    """Without a folder nothing is remembered. Both calls block for the disk."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / FILE if folder is not None else None
        self._known: Kept | None = None

    def load(self) -> Kept:
        """Return what was kept last; never raises. It is read once."""
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> Kept:
        if self._path is None:
            return Kept()
        try:
            with self._path.open("rb") as stream:
                record = json.loads(stream.read(MAX_BYTES))
            return _kept(record)
        except FileNotFoundError:
            return Kept()
        except (OSError, ValueError, RecursionError) as error:
            log.warning(
                "%s cannot be used (%s), so nobody knows whether the owner had muted: the"
                " microphone stays closed until 'parley unmute'",
                self._path,
                error,
            )
            return Kept(muted=True)

    def keep(self, kept: Kept) -> None:
        """Write it down: it is there after a crash from the moment this returns. Raises OSError."""
        self._known = kept
        if self._path is None:
            return
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(asdict(kept), stream)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self._path)
        listed = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(listed)
        finally:
            os.close(listed)


def _kept(record: object) -> Kept:
    if not isinstance(record, dict) or not isinstance(record.get("muted"), bool):
        raise ValueError("it does not say whether it is muted")  # noqa: TRY004 - whatever is wrong is one thing
    microphone = record.get("microphone")
    known = _described(microphone) if isinstance(microphone, str) else None
    return Kept(record["muted"], known or OpenDevice.from_record(microphone))


_DESCRIBED = re.compile(r"'(.*)' \((\d+) hz, (?:channel (\d+) of (\d+)|mono)\)")
"""A microphone in files that hold a text of it, as they all did once. Another text than this is of
one that was never open."""


def _described(text: str) -> OpenDevice | None:
    found = _DESCRIBED.fullmatch(text)
    if found is None:
        return None
    # Which card it is the name tells, well enough for lights and button.
    return OpenDevice(found[1], None, int(found[3] or 0), int(found[4] or 1), int(found[2]))
