"""The AEC reference is what the card was given lately, for the echo canceller to take out. Pure.

The playback thread notes, the event loop takes; both ends of a deque may be used at the same time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from device.ports import Played

KEPT_BLOCKS = 200
"""About two seconds: a block with sound in it has 10 ms."""


class PlayedBlocks:
    """Belongs to a loudspeaker for life, so that its openings can be told apart."""

    def __init__(self) -> None:
        self._blocks: deque[Played] = deque(maxlen=KEPT_BLOCKS)
        self._opening = 0
        self._start = 0
        self._position = 0
        self._rate_hz = 0
        self._ends_at = 0.0
        self._restarted = False

    def opened(self, rate_hz: int) -> None:
        """A stream was opened: positions begin anew."""
        self._opening += 1
        self._start = self._position = 0
        self._restarted = False
        self._rate_hz = rate_hz

    def restarted(self) -> None:
        """The stream was stopped for a while: what is noted next comes later than it would have."""
        self._restarted = True

    def note(self, samples: npt.NDArray[np.int16] | None, count: int, heard_at: float) -> None:
        """The card was given ``count`` samples, None for silence.

        ``heard_at``: CLOCK_MONOTONIC when the first of them leaves the loudspeaker.
        """
        if self._restarted:
            self._restarted = False
            self._start += 1
            self._position += max(0, round((heard_at - self._ends_at) * self._rate_hz))
        if samples is not None:
            pcm = samples.astype("<i2").tobytes()
            self._blocks.append(
                Played(
                    pcm, self._rate_hz, self._opening, self._position, heard_at, start=self._start
                )
            )
        self._position += count
        self._ends_at = heard_at + count / self._rate_hz

    def take(self) -> Sequence[Played]:
        """Give what was noted since the last call, oldest first, silence left out."""
        taken = []
        while self._blocks:
            taken.append(self._blocks.popleft())
        return taken
