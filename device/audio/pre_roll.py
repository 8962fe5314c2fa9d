"""The pre-roll keeps the last seconds of the microphone, from before the trigger. Pure.

Pure.
"""

from __future__ import annotations

from collections import deque

from device.frames import FRAME_MS, Frame


class PreRoll:
    """A ring of frames bounded in seconds; the oldest go first. One thread at a time."""

    def __init__(self, seconds: float) -> None:
        self._frames: deque[Frame] = deque(maxlen=max(1, round(seconds * 1000 / FRAME_MS)))

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, frame: Frame) -> None:
        """Take the next frame. A gap in the stream makes everything before it worthless."""
        if self._frames and frame.first_sample != self._frames[-1].end_sample:
            self._frames.clear()
        self._frames.append(frame)

    def since(self, sample: int) -> list[Frame]:
        """Give the frames that end after ``sample``, oldest first, without any gap in them.

        What lies before the last gap is left out: the sound after it does not continue it.
        """
        return [frame for frame in self._frames if frame.end_sample > sample]

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()
