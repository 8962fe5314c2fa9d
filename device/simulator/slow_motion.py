"""Slow motion makes a process's clock run slower, so that a slow machine keeps up with it.

Everything that reads ``time.monotonic`` or waits in the event loop sees the same slower time, the
libraries too. What waits in a thread for so many seconds, and what reads another clock, does not:
a real sound card, for one.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def slow_motion(times: float) -> Iterator[Callable[[], asyncio.AbstractEventLoop]]:
    """Let ``times`` (1 or more) seconds pass for each one that this process sees, in the block.

    Gives what makes an event loop for it (``loop_factory``). ``time.monotonic`` never goes back,
    but jumps ahead at the end of the block. Not to be nested.
    """
    real = time.monotonic
    began = real()

    def slowed() -> float:
        return began + (real() - began) / times

    def make_loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_PatientSelector(times))

    vars(time)["monotonic"] = slowed
    try:
        yield make_loop
    finally:
        vars(time)["monotonic"] = real


class _PatientSelector(selectors.DefaultSelector):
    """Waits in real seconds for what the event loop counts in slower ones."""

    def __init__(self, times: float) -> None:
        super().__init__()
        self._times = times

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout * self._times)
