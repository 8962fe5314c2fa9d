"""Some cards must record before they are played to, or the places of their channels change.

The AC108 kits give their channels in the order in which their clocks started: with playback first
the chosen channel may be the loopback, or empty. So a recording that is about to begin asks the
playback on such a card to leave at its next pause, and a playback waits for the recording to have
begun. Neither waits for ever: a muted speaker still has to chime, and a microphone with its
channels in the wrong places is better than none.

Used by the threads that the streams live in; none of it blocks the event loop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PLAYBACK_WAITS_S = 3.0
"""For a recording to begin."""
RECORDING_WAITS_S = 2.0
"""For a playback to leave."""
_LOOK_S = 0.05
"""Between two looks whether the thread that waits is told to stop."""


class CaptureFirst:
    """Who records and who plays on cards where it matters."""

    def __init__(
        self,
        playback_waits_s: float = PLAYBACK_WAITS_S,
        recording_waits_s: float = RECORDING_WAITS_S,
    ) -> None:
        self._playback_waits_s = playback_waits_s
        self._recording_waits_s = recording_waits_s
        self._changed = threading.Condition()
        self._asking = 0
        self._recording = 0
        self._playing = 0

    @property
    def asked(self) -> bool:
        """Whether playback is to leave, so that a recording can begin. Any thread."""
        return self._asking > 0

    @contextmanager
    def recording(self, matters: bool, leaves: Callable[[], bool]) -> Iterator[Callable[[], None]]:
        """Wait for playback to leave; gives what is to be called once the recording has begun.

        ``matters``: whether the card is one where the order counts; else nothing is waited for.
        ``leaves`` ends the waiting when it turns true.
        """
        if not matters:
            yield _nothing
            return
        begun = False

        def began() -> None:
            nonlocal begun
            with self._changed:
                begun = True
                self._asking -= 1
                self._recording += 1
                self._changed.notify_all()

        with self._changed:
            self._asking += 1
            self._wait(lambda: self._playing == 0, self._recording_waits_s, leaves)
        try:
            yield began
        finally:
            with self._changed:
                self._recording -= begun
                self._asking -= not begun
                self._changed.notify_all()

    @contextmanager
    def playing(self, matters: bool, leaves: Callable[[], bool]) -> Iterator[None]:
        """Wait for a recording to have begun; parameters as for `recording`."""
        if not matters:
            yield
            return
        with self._changed:
            self._wait(
                lambda: self._recording > 0 and self._asking == 0, self._playback_waits_s, leaves
            )
            self._playing += 1
        try:
            yield
        finally:
            with self._changed:
                self._playing -= 1
                self._changed.notify_all()

    def _wait(self, done: Callable[[], bool], longest_s: float, leaves: Callable[[], bool]) -> None:
        deadline = time.monotonic() + longest_s
        while not done() and not leaves() and time.monotonic() < deadline:
            self._changed.wait(_LOOK_S)


def _nothing() -> None:
    """Where the order does not matter nobody waits."""


ORDER = CaptureFirst()
"""The one of this process: its streams share their cards."""
