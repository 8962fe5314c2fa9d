"""A control socket that answers as it is told, in a thread of its own: for commands under test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device.control.socket import Command, ControlServer, Record, Records
from device.errors import ControlError
from device.ports import OpenDevice

Answer = Mapping[str, Any]


class Answering:
    """By command: the records to send, or why it is refused; ``asked`` is what came."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[Record] = []
        self.answers: dict[str, list[Answer] | str] = {}
        self.endless: set[str] = set()
        """Commands whose answer never ends."""

    def _command(self, name: str) -> Command:
        async def answer(request: Record) -> Records:
            self.asked.append(dict(request))
            told = self.answers.get(name, f"command '{name}' is not told")
            if isinstance(told, str):
                raise ControlError(told)
            for record in told:
                yield record
            if name in self.endless:
                await asyncio.Event().wait()

        return answer

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer until the end of the block."""
        ready, over = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()
        names = ("status", "config", "measure", "meter", "watch")

        async def serve() -> None:
            table = {name: self._command(name) for name in names}
            async with ControlServer(self.path, table):
                ready.set()
                await over.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
        thread.start()
        try:
            assert ready.wait(10)
            yield
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join(10)
            loop.close()


def level(**over: Any) -> dict[str, Any]:
    """A channel in a quiet room."""
    usual = {"rms_dbfs": -55.0, "peak_dbfs": -41.0, "floor_dbfs": -62.0, "clipped": 0}
    return {**usual, "dead": False, **over}


def reading(*levels: dict[str, Any], **over: Any) -> dict[str, Any]:
    """What the meter says ten times a second."""
    usual = {"time": 100.0, "microphone": "ReSpeaker XVF3800: USB Audio (hw:1,0)", "channel": 0}
    usual["microphone_device"] = asdict(OpenDevice(str(usual["microphone"]), 1, 0, 2, 16_000))
    channels = list(levels or [level()])
    return {**usual, "silent_s": 0.0, "levels": channels, "scores": {}, "muted": False, **over}
