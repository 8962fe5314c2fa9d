"""Remembers over restarts what was measured between this microphone and this loudspeaker.

One small file in the state directory. Written in a thread, since a memory card may take its time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from device.ports import OpenDevice

log = logging.getLogger(__name__)

FILE = "echo.json"
MAX_BYTES = 65_536

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
        self._path = folder / FILE if folder is not None else None
        self._ways = self._load()
        self._unwritten = False
        self._writing: asyncio.Task[None] | None = None

    def recall(self, way: Way) -> Measured | None:
        """What was decided for this way; None: it is new."""
        return self._ways.get(way.key)

    def keep(self, way: Way, mode: Mode, why: str) -> None:
        """Remember a decision; returns at once."""
        known = self.recall(way)
        if known is not None and known.mode == mode:
            return
        self._ways[way.key] = Measured(mode, why, time.time())
        if self._path is None:
            return
        self._unwritten = True
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write(self._path))

    async def kept(self) -> None:
        """Wait until everything is written."""
        if self._writing is not None:
            await self._writing

    def _load(self) -> dict[str, Measured]:
        if self._path is None:
            return {}
        try:
            with self._path.open("rb") as stream:
                record = json.loads(stream.read(MAX_BYTES))
            return {key: _measured(each) for key, each in record.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as why:
            log.warning("%s cannot be used (%s): the echo is measured anew", self._path, why)
            return {}

    async def _write(self, path: Path) -> None:
        while self._unwritten:
            self._unwritten = False
            ways = {
                key: {"mode": each.mode, "why": each.why, "at": each.at}
                for key, each in self._ways.items()
            }
            try:
                await asyncio.to_thread(_replace, path, json.dumps(ways, indent=1))
            except OSError as error:
                log.warning("%s cannot be written: %s", path, error.strerror)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with fresh.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)


def _measured(record: dict[str, object]) -> Measured:
    mode, at = record["mode"], record["at"]
    if mode not in get_args(Mode) or not isinstance(at, int | float):
        raise ValueError(f"no decision: {record}")
    return Measured("full" if mode == "full" else "half", str(record["why"]), at)
