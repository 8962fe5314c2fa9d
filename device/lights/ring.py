"""`RingLights` draws a ring of LEDs on USB in a thread, so that a slow transfer holds nobody.

`show` is called on the event loop twenty times a second, a transfer takes a millisecond or two, and
a second when the array hangs. So one worker thread, made by `open` and ended by `close`, does every
transfer. It takes the newest frame and no other: what a slow array has no time for is dropped, and
what it shows is never more than one transfer old. What goes wrong in the thread is raised by the
next `show`; the thread has then tried to darken the ring, and let the device go.

While what is read from the array stalls, frames are sent less often (`device.board.pace`).

The thread also asks the array where somebody speaks, after a frame, while `direction` is being
called: ten times a second at most, seldom when it fails, and a failure is none of the lights'.

It is no call of `device.threads`, which tells an event loop of one result: `open` and `close` wait
for this thread without a loop, as the end of the process and ``parley lights --off`` need it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from device.board.bearing import Bearing, Direction, Mounting, Reading
from device.errors import BoardError
from device.lights.render import RING_FROM_LEDS
from device.ports import Colour

log = logging.getLogger(__name__)

OPEN_WITHIN_S = 2.0
CLOSE_WITHIN_S = 2.5
"""A transfer that hangs and the dark frame after it take 1 s each at most."""

LOOK_EVERY_S = 0.1
LOOK_AGAIN_WITHIN_S = 10.0
"""After a failure it waits twice as long as before, up to this."""
WANTED_FOR_S = 0.3
"""After a call of `direction`; the next frame's is due much sooner."""
FAILURES_TOLD = 5
"""In a row; fewer are nobody's business."""

_Frame = tuple[tuple[Colour, ...], int]
"""Colours, and the brightness to show them at."""


class Ring(Protocol):
    """One array's LEDs, used from the worker thread only; all but close() may raise BoardError."""

    @property
    def count(self) -> int:
        """How many colours it shows; final once it is open."""
        ...

    def open(self) -> None:
        """Take the LEDs over, dark."""
        ...

    def show(self, colours: Sequence[Colour], brightness: int) -> None:
        """Set every LED, unless that is what they show."""
        ...

    def dark(self) -> None:
        """All LEDs off."""
        ...

    def direction(self) -> Direction:
        """Return where sound comes from."""
        ...

    def wait_s(self) -> float:
        """Return how long the next frame should wait: the array has trouble with them."""
        ...

    def close(self) -> None:
        """Let the device go; never raises."""
        ...


class RingLights:
    """LEDs in a ring, set over USB."""

    def __init__(
        self,
        connect: Callable[[], Ring],
        *,
        count: int = 12,
        brightness: int = 40,
        mounting: Mounting = Mounting(),  # noqa: B008 - immutable
    ) -> None:
        """`connect` finds the array, in the worker thread; it may raise BoardError."""
        self._connect = connect
        self._bearing = Bearing(mounting)
        self._count = count
        self.brightness = brightness
        """0..100; counts from the next show()."""
        self._worker: _Worker | None = None
        self._shown: _Frame | None = None

    @property
    def count(self) -> int:
        """How many LEDs; once open, one if the array can only light all of them alike."""
        return self._count

    def open(self) -> None:
        """Find the array and switch the LEDs off; 2 s at most. Raises BoardError."""
        self.close()
        worker = _Worker(self._connect)
        self._count = worker.start(self._count)
        self._worker, self._shown = worker, None

    def show(self, colours: Sequence[Colour]) -> None:
        """Set every LED soon; returns at once. Raises BoardError, also for an earlier frame."""
        if len(colours) != self._count:
            raise ValueError(f"{len(colours)} colours for {self._count} LEDs")
        if self._worker is None:
            raise BoardError("the LED ring is not open")
        self._worker.raise_failure()
        frame = tuple(colours), self.brightness
        if frame != self._shown:
            self._worker.put(frame)
            self._shown = frame

    def direction(self) -> float | None:
        """Return where somebody speaks, 0..1 around the ring; None while that is not known.

        Returns at once; the array is asked while this is called again and again.
        """
        if self._worker is None or self._count < RING_FROM_LEDS:
            return None
        now_s = time.monotonic()
        return self._bearing.look(self._worker.want_direction(now_s), now_s)

    def close(self) -> None:
        """All LEDs off, then let the array go: a few milliseconds, 2.5 s when it hangs."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()


class _Worker:
    """The thread of one opening."""

    def __init__(self, connect: Callable[[], Ring]) -> None:
        self._connect = connect
        self._news = threading.Condition()
        self._frame: _Frame | None = None
        self._count: int | None = None
        self._failure: Exception | None = None
        self._ends = False
        self._wanted_s = -math.inf
        self._reading: Reading | None = None
        self._look_s = 0.0
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="ring", daemon=True)

    def start(self, count: int) -> int:
        """Wait until the ring is open; return its count. Raises what opening it raised."""
        self._thread.start()
        with self._news:
            self._news.wait_for(lambda: self._count or self._failure, OPEN_WITHIN_S)
            opened = self._count
        self.raise_failure()
        if opened is None:
            self._end()
            raise BoardError(
                f"the ring of {count} LEDs did not answer within {OPEN_WITHIN_S:g} s:"
                " plug the array out and in again"
            )
        return opened

    def put(self, frame: _Frame) -> None:
        """Let this be the next frame, in place of one that still waits."""
        with self._news:
            self._frame = frame
            self._news.notify_all()

    def want_direction(self, now_s: float) -> Reading | None:
        """Let the array be asked for a while from now on; return what it told last, if anything."""
        with self._news:
            self._wanted_s = now_s
            return self._reading

    def raise_failure(self) -> None:
        """Raise what ended the thread, if anything did."""
        with self._news:
            failure = self._failure
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """End the thread, which leaves the ring dark, and wait for that."""
        self._end()
        self._thread.join(CLOSE_WITHIN_S)
        if self._thread.is_alive():
            log.warning("the ring of LEDs hangs: it may stay lit")

    def _end(self) -> None:
        with self._news:
            self._ends = True
            self._news.notify_all()

    def _run(self) -> None:
        try:
            self._draw()
        except Exception as error:  # noqa: BLE001 - raised again by start() or the next show()
            self._tell(failure=error)

    def _draw(self) -> None:
        with contextlib.closing(self._connect()) as ring:
            try:
                ring.open()
                self._tell(count=ring.count)
                while (frame := self._next(ring)) is not None:
                    ring.show(*frame)
                    self._look(ring)
            finally:
                with contextlib.suppress(BoardError):
                    ring.dark()

    def _look(self, ring: Ring) -> None:
        now_s = time.monotonic()
        with self._news:
            wanted = now_s - self._wanted_s < WANTED_FOR_S
        if not wanted or now_s < self._look_s:
            return
        try:
            reading = Reading(ring.direction(), now_s)
        except BoardError as error:
            self._failures += 1
            if self._failures == FAILURES_TOLD:
                log.warning("the lights do not point at who speaks: %s", error)
        else:
            self._failures = 0
            with self._news:
                self._reading = reading
        wait_s = min(LOOK_EVERY_S * 2**self._failures, LOOK_AGAIN_WITHIN_S)
        self._look_s = time.monotonic() + wait_s

    def _next(self, ring: Ring) -> _Frame | None:
        with self._news:
            self._news.wait_for(lambda: self._ends or self._frame is not None)
            while not self._ends and (wait_s := ring.wait_s()):
                # The newest frame is shown when the time has come, whichever it is then.
                self._news.wait_for(lambda: self._ends, wait_s)
            frame, self._frame = self._frame, None
            return None if self._ends else frame

    def _tell(self, *, count: int | None = None, failure: Exception | None = None) -> None:
        with self._news:
            self._count, self._failure = count, failure
            self._news.notify_all()
