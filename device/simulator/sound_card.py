"""A simulated sound card takes samples by the clock and remembers them.

Theory of operation. A task takes 10 ms at a time from the loudspeaker's playout, when they are due.
When it was late it catches up at once, each block with its own time, as a card's thread would have
gone on beside a busy loop; whoever listens to it before the task is back has it do so first
(`catch_up`). So it never runs dry.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.audio.playout import Playout
from device.frames import REPLY_RATE_HZ, SAMPLE_BYTES
from device.news import PlaybackNews
from device.ports import OpenDevice
from device.simulator.voices import write_wav

NAME = "simulated loudspeaker (WAV)"
BLOCK_MS = 10
BLOCK_SAMPLES = REPLY_RATE_HZ * BLOCK_MS // 1000

Samples = NDArray[np.int16]


class SimulatedCard:
    """A :class:`device.audio.loudspeaker.Card` that plays into memory: s16 mono 24 kHz.

    Used from the event loop's thread only. ``latency_ms`` passes between taking a block and its
    being heard; ``speed`` runs faster than real time, for tests.
    """

    def __init__(self, *, latency_ms: int = 30, speed: float = 1.0) -> None:
        self.underruns = 0
        """None ever, as it waits for whoever is late."""
        self._speed = speed
        self._block_s = BLOCK_MS / 1000 / speed
        self._latency_s = latency_ms / 1000 / speed
        self._heard = bytearray()
        self._began: float | None = None
        """When the first sample was taken (CLOCK_MONOTONIC), set at the first opening."""
        self._task: asyncio.Task[None] | None = None
        self._playout: Playout | None = None

    @property
    def device(self) -> OpenDevice | None:
        """What stands for its facts, once it was opened; None before."""
        return None if self._began is None else OpenDevice(NAME, None, None, 1, REPLY_RATE_HZ)

    @property
    def description(self) -> str:
        """What it is, for status and messages."""
        return NAME

    @property
    def heard(self) -> Samples:
        """Everything taken since the first opening, silence and the time it was closed included."""
        return np.frombuffer(bytes(self._heard), "<i2").astype(np.int16)

    def time_of(self, sample: int) -> float:
        """Return when a sample of ``heard`` was taken (CLOCK_MONOTONIC); 0 before the opening."""
        return 0.0 if self._began is None else self._began + sample / REPLY_RATE_HZ / self._speed

    def write_wav(self, path: Path) -> None:
        """Write ``heard``. Raises OSError."""
        write_wav(path, bytes(self._heard), REPLY_RATE_HZ)

    async def open(
        self, begin: Callable[[int], Playout], tell: Callable[[PlaybackNews], None]
    ) -> Playout:
        """Begin to take blocks, as :class:`device.audio.loudspeaker.Card` says."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        closed_s = (now - self.time_of(self._taken)) * self._speed
        self._heard += bytes(max(0, int(closed_s * REPLY_RATE_HZ)) * SAMPLE_BYTES)
        playout = self._playout = begin(REPLY_RATE_HZ)
        playout.opened()
        self._task = asyncio.create_task(self._run(playout, tell))
        return playout

    def catch_up(self) -> None:
        """Take what is due by now, as a card beside this loop would have. Harmless when closed."""
        playout = self._playout
        while playout is not None and self._due() <= time.monotonic():
            self._take_block(playout, self._due())

    def rest(self, on: bool) -> None:
        """Change nothing: silence is remembered too."""

    def hurry(self) -> None:
        """Change nothing: it looks every 10 ms."""

    async def wait_lost(self) -> None:
        """Wait for ever: it is never lost."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Take no more. Harmless when closed."""
        self._playout = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def _taken(self) -> int:
        return len(self._heard) // SAMPLE_BYTES

    def _due(self) -> float:
        """Return when the next block is to be taken."""
        return self.time_of(self._taken)

    async def _run(self, playout: Playout, tell: Callable[[PlaybackNews], None]) -> None:
        while True:
            await asyncio.sleep(max(0.0, self._due() - time.monotonic()))
            if self._due() <= time.monotonic():
                self._take_block(playout, self._due())
            for news in playout.due(time.monotonic()):
                tell(news)

    def _take_block(self, playout: Playout, due: float) -> None:
        block = playout.buffer.take(BLOCK_SAMPLES)
        played = np.zeros(BLOCK_SAMPLES, np.int16) if block.samples is None else block.samples
        self._heard += played.astype("<i2").tobytes()
        # A loop that is late takes a block late: never before its sound was there.
        taken_at = max(due, time.monotonic())
        begins_at = due + self._latency_s
        playout.given(block, BLOCK_SAMPLES, taken_at, begins_at, begins_at + self._block_s)
