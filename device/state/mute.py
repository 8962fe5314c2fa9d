"""`MuteMemory` remembers over restarts and crashes that the owner has muted.

Whoever mutes may pull the plug right after. So the file is on the disk when `keep` returns; and one
that cannot be read means muted, since it was written by somebody who had something to hide from the
microphone.
"""

from __future__ import annotations

import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from device.errors import DamagedFileError
from device.ports import OpenDevice
from device.state.store import DurableFile, reason

log = logging.getLogger(__name__)

FILE = "mute.json"


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
        self._file = DurableFile(folder, FILE)
        self._known: Kept | None = None

    def load(self) -> Kept:
        """Return what was kept last; never raises. It is read once."""
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> Kept:
        try:
            record = self._file.read_record()
            if record is None:
                return Kept()
            if not isinstance(record.get("muted"), bool):
                raise self._file.damaged("it does not say whether it is muted")
        except (OSError, DamagedFileError) as error:
            log.warning(
                "%s cannot be used (%s), so nobody knows whether the owner had muted: the"
                " microphone stays closed until 'parley unmute'",
                self._file.path,
                reason(error),
            )
            return Kept(muted=True)
        microphone = record.get("microphone")
        known = _described(microphone) if isinstance(microphone, str) else None
        return Kept(record["muted"], known or OpenDevice.from_record(microphone))

    def keep(self, kept: Kept) -> None:
        """Write it down: it is there after a crash from the moment this returns. Raises OSError."""
        self._known = kept
        self._file.write_record(asdict(kept))


_DESCRIBED = re.compile(r"'(.*)' \((\d+) hz, (?:channel (\d+) of (\d+)|mono)\)")
"""A microphone in files that hold a text of it, as they all did once. Another text than this is of
one that was never open."""


def _described(text: str) -> OpenDevice | None:
    found = _DESCRIBED.fullmatch(text)
    if found is None:
        return None
    # Which card it is the name tells, well enough for lights and button.
    return OpenDevice(found[1], None, int(found[3] or 0), int(found[4] or 1), int(found[2]))
