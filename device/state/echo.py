"""`EchoMemory` remembers over restarts what was measured between microphone and loudspeaker.

One small file in the state directory.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from device.errors import DamagedFileError
from device.ports import OpenDevice
from device.state.store import DurableFile, WriteBehind, as_json, reason

log = logging.getLogger(__name__)

FILE = "echo.json"

Mode = Literal["full", "half"]


@dataclass(frozen=True, slots=True)
class Way:
    """From a loudspeaker to a microphone; another canceller makes of it another decision."""

    speaker: OpenDevice
    microphone: OpenDevice
    canceller: str

    @property
    def key(self) -> str:
        """What the file knows it by: a format of its own, whatever a status shows."""
        return f"{_lasting(self.microphone)} + {_lasting(self.speaker)} + {self.canceller}"


def _lasting(device: OpenDevice) -> str:
    # Cards are numbered anew at every start of the computer.
    name = device.name.replace(f"hw:{device.card},", "hw,")
    if device.channel is None:
        layout = f"{device.channels} channels"
    else:
        layout = f"channel {device.channel} of {device.channels}" if device.channels > 1 else "mono"
    return f"'{name}' ({device.rate_hz} hz, {layout})"


@dataclass(frozen=True, slots=True)
class Measured:
    """What was decided for a way."""

    mode: Mode
    why: str
    at: float
    """Unix time; 0 when the clock was not known."""


class EchoMemory:
    """Without a folder nothing is remembered. Used from the event loop's thread only."""

    def __init__(self, folder: Path | None) -> None:
        # No secret: how it may be read is for the umask of the process to say.
        self._file = DurableFile(folder, FILE, mode=0o666)
        self._writing = WriteBehind(self._file, "a restart measures the echo anew")
        self._ways = self._load()

    def recall(self, way: Way) -> Measured | None:
        """Return what was decided for this way; None: it is new."""
        return self._ways.get(way.key)

    def keep(self, way: Way, mode: Mode, why: str) -> None:
        """Remember a decision; returns at once."""
        known = self.recall(way)
        if known is not None and known.mode == mode:
            return
        self._ways[way.key] = Measured(mode, why, time.time())
        ways = {key: asdict(each) for key, each in self._ways.items()}
        self._writing.write(as_json(ways, indent=1))

    async def kept(self) -> None:
        """Wait until everything is written."""
        await self._writing.saved()

    def _load(self) -> dict[str, Measured]:
        try:
            record = self._file.read_record() or {}
            return {key: self._measured(each) for key, each in record.items()}
        except (OSError, DamagedFileError) as error:
            why = reason(error)
            log.warning("%s cannot be used (%s): the echo is measured anew", self._file.path, why)
            return {}

    def _measured(self, record: object) -> Measured:
        match record:
            case {"mode": "full" | "half" as mode, "why": why, "at": int() | float() as at}:
                return Measured(mode, str(why), at)
        raise self._file.damaged(f"no decision: {record!s:.80}")
