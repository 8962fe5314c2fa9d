"""Slow motion makes a process's clock run slower, so that a slow machine keeps up with it.

Everything that reads ``time.monotonic`` or waits in the event loop sees the same slower time, the
libraries too. What waits in a thread for so many seconds, and what reads another clock, does not:
a real sound card, for one.

The clock also waits for the event loop: where the loop takes longer for a step than `STEP_S`, or is
woken so much too late, the rest of that time hardly counts. So a machine that others keep busy for
a while, which nobody can know beforehand, shows everything in slow motion for that while; nothing
that is simulated in the loop falls behind, however long it lasts.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STEP_S = 0.01
"""Half a frame: as long a step at each frame still lets a loop that is late catch up."""
HELD_BACK = 20
"""How many times slower the clock runs then. It does not stand still, for who waits for it to go on
without giving the loop a chance would wait for ever."""


class PatientClock:
    """Runs slower than another clock, and hardly at all while a step lasts too long.

    `now` may be asked from any thread and never goes back; `step` is the event loop's.
    """

    def __init__(self, real: Callable[[], float], times: float = 1.0) -> None:
        """Go on from the time of ``real``, in seconds; ``times`` (1 or more) of them make one."""
        self._real = real
        self._times = times
        began = real()
        self._since = (began, began, math.inf)
        """When the step began by the other clock and by this one, and when it is too long."""

    def now(self) -> float:
        """Return the seconds by this clock."""
        real, began, late = self._since
        at = began + (self._real() - real) / self._times
        return at if at <= late else late + (at - late) / HELD_BACK

    def step(self, lasts_s: float | None) -> None:
        """Begin another step, which should last so many of its seconds; None: as long as it likes.

        What it may be late by is not counted in.
        """
        now = self.now()
        late = math.inf if lasts_s is None else now + lasts_s + STEP_S
        self._since = (self._real(), now, late)


@contextmanager
def slow_motion(times: float) -> Iterator[Callable[[], asyncio.AbstractEventLoop]]:
    """Let ``times`` (1 or more) seconds pass for each one that this process sees, in the block.

    Gives what makes an event loop for it (``loop_factory``), for which it waits. ``time.monotonic``
    never goes back, but jumps ahead at the end of the block. Not to be nested.
    """
    real = time.monotonic
    clock = PatientClock(real, times)

    def make_loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_PatientSelector(clock, times))

    vars(time)["monotonic"] = clock.now
    try:
        yield make_loop
    finally:
        vars(time)["monotonic"] = real


class _PatientSelector(selectors.DefaultSelector):
    """Waits in real seconds for what the event loop counts in slower ones; tells of each step."""

    def __init__(self, clock: PatientClock, times: float) -> None:
        super().__init__()
        self._clock = clock
        self._times = times

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._clock.step(None if timeout is None else max(0.0, timeout))
        try:
            return super().select(None if timeout is None else timeout * self._times)
        finally:
            self._clock.step(0.0)

    def close(self) -> None:
        # Without a loop there is nobody to wait for.
        self._clock.step(None)
        super().close()
