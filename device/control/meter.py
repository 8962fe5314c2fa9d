"""`Meter` shows what the microphone hears and what the wake word networks make of it.

The microphone's blocks are looked at as the card gave them, all channels, on their way to the rest
of the speaker; while nobody looks it costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict
from typing import Any, Protocol

from device.audio.levels import Levels
from device.ports import Block, Microphone, WakeScores

EVERY_S = 0.1
"""Between two readings."""


class Scoring(Protocol):
    """Of a wake word detector, what is looked at here."""

    @property
    def scores(self) -> WakeScores: ...  # noqa: D102 - as in WakeDetector


class Meter:
    """One pair of eyes. Used from the event loop's thread only."""

    def __init__(
        self,
        microphone: Callable[[], Microphone],
        detector: Callable[[], Scoring],
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Both are asked for at each reading: a reload may replace them."""
        self._microphone = microphone
        self._detector = detector
        self._every_s = every_s
        self._clock = clock
        self._levels = Levels(1)
        self._channel = 0
        self._best: dict[str, float] = {}

    async def readings(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield what came since the last reading, ten times a second; for ever.

        ``microphone`` (its description), ``microphone_device`` (its facts, where it was open),
        ``channel`` (the one that is listened to, from 0), ``levels`` (one
        `device.audio.levels.Level` for each channel; none when nothing came), ``silent_s`` (since
        when nothing has come) and ``scores`` (the best of each wake word).
        """
        watched, last_at = self._microphone(), self._clock()
        watched.taps.add(self._hear)
        try:
            while True:
                await asyncio.sleep(self._every_s)
                if watched is not self._microphone():
                    watched.taps.discard(self._hear)
                    watched = self._microphone()
                    watched.taps.add(self._hear)
                now = self._clock()
                levels = self._levels.take()
                last_at = now if levels else last_at
                scores, self._best = self._best, {}
                yield {
                    "time": round(now, 3),
                    "microphone": watched.description,
                    "microphone_device": asdict(watched.device) if watched.device else None,
                    "channel": self._channel,
                    "silent_s": round(now - last_at, 1),
                    "levels": [asdict(level) for level in levels],
                    "scores": {word: round(score, 3) for word, score in scores.items()},
                }
        finally:
            watched.taps.discard(self._hear)

    def _hear(self, block: Block) -> None:
        if block.channels != self._levels.channels:
            self._levels = Levels(block.channels)
        self._channel = block.channel
        self._levels.hear(block.pcm, block.sample_bytes)
        # A hop takes four blocks: none is missed.
        for word, score in self._detector().scores.last.items():
            self._best[word] = max(score, self._best.get(word, 0.0))
