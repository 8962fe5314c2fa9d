"""(pure) The stand-in hears speech by level alone, counting audio and not the clock."""

from __future__ import annotations

from typing import Literal

import numpy as np

BLOCK_MS = 20
START_MS = 60
"""So much above the threshold is speech; less is a click."""

Edge = Literal["started", "ended"]


class Hearing:
    """Tells where speech starts and ends in a stream of s16le mono of any chunking."""

    def __init__(self, silence_ms: int, threshold_dbfs: float) -> None:
        self._silence_ms = silence_ms
        self._threshold = 32_768 * 10 ** (threshold_dbfs / 20)
        self._rest = b""
        self._loud_ms = 0
        self._quiet_ms = 0
        self.speaking = False

    def feed(self, pcm: bytes, rate_hz: int) -> list[Edge]:
        """Take the next samples and return the edges in them, in order."""
        block_bytes = rate_hz * BLOCK_MS // 1000 * 2
        data = self._rest + pcm
        whole = len(data) // block_bytes * block_bytes
        self._rest = data[whole:]
        blocks = np.frombuffer(data[:whole], "<i2").reshape(-1, block_bytes // 2)
        levels = np.sqrt(np.mean(blocks.astype(np.float64) ** 2, axis=1))
        edges = [self._step(bool(level > self._threshold)) for level in levels]
        return [edge for edge in edges if edge is not None]

    def end(self) -> list[Edge]:
        """Take the end of the stream: speech that is going on has ended."""
        spoke = self.speaking
        self._rest = b""
        self._loud_ms = self._quiet_ms = 0
        self.speaking = False
        return ["ended"] if spoke else []

    def _step(self, loud: bool) -> Edge | None:
        self._loud_ms = self._loud_ms + BLOCK_MS if loud else 0
        self._quiet_ms = 0 if loud else self._quiet_ms + BLOCK_MS
        if not self.speaking and self._loud_ms >= START_MS:
            self.speaking = True
            return "started"
        if self.speaking and self._quiet_ms >= self._silence_ms:
            self.speaking = False
            return "ended"
        return None
