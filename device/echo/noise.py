"""`Noise` learns how loud a room is when nobody speaks and nothing of ours is heard. Pure.

What is near the noise known so far moves it a little. What is louder is somebody or something, and
moves it slowly, unless it stays as it is for a while, which no voice does: a fan was switched on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.float64]

NEAR_DB = 8.0
SHARE = 0.1
"""What a frame within those decibels of the noise moves it by: a tenth of the way."""
RISE_DB = 0.1
"""What a louder one moves it by."""
FIRST_FRAMES = 10
"""The noise is at first what so many frames were like."""
STEADY_DB = 3.0
STEADY_FRAMES = 25
"""So many frames, each within those decibels of their own average, are no voice."""


class Noise:
    """In so many bands, in decibels of what the caller measures in."""

    def __init__(self, bands: int, least_db: float) -> None:
        """The noise is never taken for less than ``least_db``."""
        self.level_db: Levels = np.full(bands, least_db)
        self._least_db = least_db
        self._average_db: Levels = np.full(bands, least_db)
        self._frames = 0
        self._steady_frames = 0

    @property
    def known(self) -> bool:
        """Whether anything was heard yet."""
        return self._frames > 0

    def hear(self, heard_db: Levels) -> None:
        """Take the levels of a frame with nothing of ours in it."""
        off_db = float(np.mean(np.abs(heard_db - self._average_db)))
        self._steady_frames = self._steady_frames + 1 if off_db < STEADY_DB else 0
        self._average_db = self._average_db + SHARE * (heard_db - self._average_db)
        if self._frames < FIRST_FRAMES:
            self._frames += 1
            self._average_db = self._average_db + (heard_db - self._average_db) / self._frames
            moved_db = self._average_db
        elif self._steady_frames >= STEADY_FRAMES:
            moved_db = self._average_db
        else:
            above_db = heard_db - self.level_db
            moved_db = self.level_db + np.where(above_db < NEAR_DB, SHARE * above_db, RISE_DB)
        self.level_db = np.maximum(moved_db, self._least_db)

    def was_noise(self, heard_db: Levels) -> None:
        """Take note that what was heard just now and seemed to be more was noise."""
        self.level_db = np.maximum(self.level_db, heard_db)
