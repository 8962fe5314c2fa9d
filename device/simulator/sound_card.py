"""A sound card that is not there: it takes samples by the clock and remembers them.

Theory of operation: a task takes 10 ms at a time when they are due. When it was late it catches up
at once, each block with its own time, as a card's thread would have gone on beside a busy loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.frames import REPLY_RATE_HZ, SAMPLE_BYTES
from device.news import FirstSound, PlaybackDrained, PlaybackNews, PlaybackStarved
from device.ports import Played
from device.simulator.overlay import Overlay
from device.simulator.playlist import Happened, Playlist, Samples

BLOCK_MS = 10
BLOCK_SAMPLES = REPLY_RATE_HZ * BLOCK_MS // 1000
REMEMBERED_BLOCKS = 2000 // BLOCK_MS


class Card:
    """Plays turns, chimes and sentences into memory: s16 mono 24 kHz.

    Used from the event loop's thread only. ``latency_ms`` passes between taking a block and its
    being heard; ``speed`` runs faster than real time, for tests.
    """

    def __init__(
        self, tell: Callable[[PlaybackNews], None], *, latency_ms: int, speed: float
    ) -> None:
        self._tell = tell
        self._speed = speed
        self._block_s = BLOCK_MS / 1000 / speed
        self._latency_s = latency_ms / 1000 / speed
        self._playlist = Playlist()
        self._overlay = Overlay()
        self._heard = bytearray()
        self._began: float | None = None
        self._audible_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._sounding: list[tuple[asyncio.TimerHandle, Happened]] = []
        """Turns that were taken to the end but are not heard to the end yet."""
        self._remembered: deque[Played] = deque(maxlen=REMEMBERED_BLOCKS)
        self._opening = 0
        self._opened_at_sample = 0
        self.volume = 100
        """Percent of the amplitude."""
        self.level = 0.0
        self.underruns = 0

    @property
    def audible(self) -> bool:
        """Whether something can be heard now, the latency included."""
        return time.monotonic() < self._audible_until

    @property
    def heard(self) -> Samples:
        """Everything taken since the first start, silence included."""
        return np.frombuffer(bytes(self._heard), "<i2").astype(np.int16)

    def time_of(self, sample: int) -> float:
        """Return when a sample was taken (CLOCK_MONOTONIC); 0 before the first start."""
        return 0.0 if self._began is None else self._began + sample / REPLY_RATE_HZ / self._speed

    def start(self) -> None:
        """Begin to take blocks; while it was stopped there was silence."""
        if self._task is not None:
            return
        now = time.monotonic()
        if self._began is None:
            self._began = now
        stopped_s = (now - self.time_of(self._taken)) * self._speed
        self._heard += bytes(max(0, int(stopped_s * REPLY_RATE_HZ)) * SAMPLE_BYTES)
        self._opening += 1
        self._opened_at_sample = self._taken
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Take no more; turns that were playing are drained as far as they came."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self.level = self._audible_until = 0.0
        self._overlay = Overlay()
        self._finish()

    def add(self, pcm: bytes, turn: int) -> bool:
        """Append a chunk of a turn; False when it was dropped."""
        return self._task is not None and self._playlist.add(pcm, turn)

    def end(self, turn: int) -> None:
        """No more of this turn will come."""
        self._playlist.end(turn)
        if self._task is None:
            self._finish()

    def clear(self) -> int:
        """Throw the rest away; return the milliseconds of the current turn taken so far."""
        played_ms = self._playlist.clear()
        for timer, happened in self._sounding:
            timer.cancel()
            played_ms = played_ms or happened.played_ms
        self._sounding.clear()
        return played_ms

    def pause(self) -> None:
        """Let the turns fall silent and keep their place; no news of them comes meanwhile."""
        self._playlist.pause()
        for timer, _ in self._sounding:
            timer.cancel()

    def go_on(self) -> None:
        """Go on where it paused."""
        self._playlist.go_on()
        loop = asyncio.get_running_loop()
        waiting, self._sounding = self._sounding, []
        for timer, happened in waiting:
            timer.cancel()
            self._drain_at(loop, timer.when(), happened)

    def take_played(self) -> Sequence[Played]:
        """Give the blocks with any sound in them since the last call, of two seconds at most."""
        taken = list(self._remembered)
        self._remembered.clear()
        return taken

    def overlay(self, samples: NDArray[Any]) -> None:
        """Play samples (s16, or floats in -1..1) over whatever plays, from the next block on."""
        if self._task is not None:
            scale = 1.0 if samples.dtype.kind == "i" else 32_767.0
            self._overlay.chime(samples.astype(np.float64) * scale)

    def say(self, pcm: bytes) -> None:
        """Play a sentence after the chime that still plays, instead of the sentence before it."""
        if self._task is not None:
            whole = pcm[: len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES]
            self._overlay.say(np.frombuffer(whole, "<i2").astype(np.float64))

    def hush(self) -> None:
        """Break the sentence off."""
        self._overlay.hush()

    @property
    def _taken(self) -> int:
        return len(self._heard) // SAMPLE_BYTES

    async def _run(self) -> None:
        while True:
            due = self.time_of(self._taken)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._take_block(due)

    def _take_block(self, due: float) -> None:
        reply, happened = self._playlist.take(BLOCK_SAMPLES)
        over = self._overlay.take(BLOCK_SAMPLES, replying=bool(reply.any()))
        mixed = reply.astype(np.float64)
        mixed[: len(over)] += over
        mixed = np.clip(np.rint(mixed * self.volume / 100), -32_768, 32_767)
        pcm = mixed.astype("<i2").tobytes()
        if mixed.any():
            position = self._taken - self._opened_at_sample
            heard_at = due + self._latency_s
            self._remembered.append(Played(pcm, REPLY_RATE_HZ, self._opening, position, heard_at))
            self._audible_until = heard_at + self._block_s
        self._heard += pcm
        self.level = float(np.sqrt(np.mean(mixed**2))) / 32_768
        for each in happened:
            self._report(each, due)

    def _report(self, happened: Happened, due: float) -> None:
        match happened.what:
            case "first":
                # A loop that is late takes a block late: never before its sound was there.
                self._tell(FirstSound(happened.turn, max(due, time.monotonic())))
            case "starved":
                self.underruns += 1
                self._tell(PlaybackStarved(happened.turn, due))
            case "drained":
                heard_at = due + self._block_s + self._latency_s
                self._drain_at(asyncio.get_running_loop(), heard_at, happened)

    def _drain_at(
        self, loop: asyncio.AbstractEventLoop, heard_at: float, happened: Happened
    ) -> None:
        self._sounding.append((loop.call_at(heard_at, self._drain, heard_at), happened))

    def _drain(self, at: float) -> None:
        _, happened = self._sounding.pop(0)
        self._tell(PlaybackDrained(happened.turn, happened.played_ms, at))

    def _finish(self) -> None:
        """Report as drained, now, every turn that was not heard to its end."""
        for timer, _ in self._sounding:
            timer.cancel()
        unheard = [happened for _, happened in self._sounding] + self._playlist.finish()
        self._sounding.clear()
        for happened in unheard:
            self._tell(PlaybackDrained(happened.turn, happened.played_ms, time.monotonic()))
