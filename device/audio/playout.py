"""A playout turns what a card takes from the buffer into the news of it, and their time. Pure.

A card of any kind drives one from its opening to its closing: it says that it was `opened`, takes
blocks from the `buffer`, says of each when it sounds (`given`), and passes on the news that are
`due`. All of that happens in one thread, which need not be the event loop's: the loop fills the
buffer, and only reads ``audible_until`` and ``level``, which are single values.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from device.audio.buffer import Block, PlaybackBuffer
from device.audio.reference import PlayedBlocks
from device.audio.turns import Mark, What
from device.news import FirstSound, PlaybackDrained, PlaybackNews, PlaybackStarved


class Playout:
    """``played`` is told what the card was given. All times are CLOCK_MONOTONIC."""

    def __init__(self, buffer: PlaybackBuffer, played: PlayedBlocks) -> None:
        self.buffer = buffer
        self.audible_until = 0.0
        self.level = 0.0
        """RMS of the newest block, 0..1 of full scale."""
        self.sounding = False
        """Whether there was a sound in the newest block."""
        self._played = played
        self._due: deque[tuple[float, PlaybackNews]] = deque()

    def opened(self) -> None:
        """Count places from here on: the card was opened, or opened anew."""
        self._played.opened(self.buffer.rate_hz)

    def restarted(self) -> None:
        """Note that the card was stopped for a while, and takes blocks again."""
        self._played.restarted()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to play, and nothing to be told of what was played."""
        return self.buffer.idle and not self._due

    def given(
        self, block: Block, samples: int, taken_at: float, begins_at: float, ends_at: float
    ) -> None:
        """Note that the card was given a block of so many samples at ``taken_at``.

        ``begins_at`` and ``ends_at``: when it leaves the loudspeaker.
        """
        self._played.note(block.samples, samples, begins_at)
        self.level = block.level
        self.sounding = block.samples is not None
        if self.sounding:
            self.audible_until = ends_at
        for mark in block.marks:
            self._due.append(self._news(mark, taken_at, ends_at))

    def _news(self, mark: Mark, taken_at: float, heard_at: float) -> tuple[float, PlaybackNews]:
        match mark.what:
            case What.FIRST:
                return taken_at, FirstSound(mark.turn, taken_at, heard_at - taken_at)
            case What.STARVED:
                return taken_at, PlaybackStarved(mark.turn, taken_at)
            case What.LAST:
                played_ms = mark.played_samples * 1000 // self.buffer.rate_hz
                return heard_at, PlaybackDrained(mark.turn, played_ms, heard_at)

    def due(self, now: float) -> Sequence[PlaybackNews]:
        """Give, once, the news whose time has come, in their order."""
        if not self._due:
            return ()
        told = []
        while self._due and self._due[0][0] <= now:
            told.append(self._due.popleft()[1])
        return told
