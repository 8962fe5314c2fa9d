"""Time in which nothing happens is skipped, so that an hour of a talk takes seconds.

Everything that reads ``time.monotonic`` or waits in the event loop sees an hour pass. Where the
loop would wait for a timer, it waits a moment for what may be under way between two sockets of this
process; when nothing comes, the clock jumps to the timer. It does not while a thread works for the
loop, which takes real time.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

MOMENT_S = 0.003
"""How long bytes that are under way on loopback may take; they take some microseconds."""
T = TypeVar("T")


class _Clock:
    def __init__(self, real: Callable[[], float]) -> None:
        self._real = real
        self.skipped_s = 0.0
        self.threads = 0
        """How many work for the loop."""

    def __call__(self) -> float:
        return self._real() + self.skipped_s


class _Selector(selectors.DefaultSelector):
    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        while True:
            found = super().select(min(timeout, MOMENT_S))
            if found or not self._clock.threads:
                break
        if not found:
            self._clock.skipped_s += max(timeout - MOMENT_S, 0.0)
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: _Clock) -> None:
        super().__init__(_Selector(clock))
        self._threads_of = clock

    def run_in_executor(  # type: ignore[override]  # the stubs' is for any shape of arguments
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        self._threads_of.threads += 1
        future = super().run_in_executor(executor, func, *args)
        # The loop's own future: when it is done, the loop knows that the thread is.
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, _future: asyncio.Future[Any]) -> None:
        self._threads_of.threads -= 1


def skipping(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function in a loop of its own whose idle time is skipped."""
    clock = _Clock(time.monotonic)
    vars(time)["monotonic"] = clock
    try:
        with asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner:
            return runner.run(work())
    finally:
        vars(time)["monotonic"] = clock._real
