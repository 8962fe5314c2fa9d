"""A process whose clock runs slower."""

from __future__ import annotations

import asyncio
import selectors
import time

import pytest

from device.simulator.slow_motion import slow_motion

real = time.monotonic
"""As it was before anything was slowed."""


def test_the_clock_runs_slower_and_never_goes_back() -> None:
    before, seen = real(), time.monotonic()
    with slow_motion(100):
        while real() - before < 0.1:
            now = time.monotonic()
            assert now >= seen
            seen = now
        assert 0.001 <= time.monotonic() - before < 0.1 * (real() - before)
    assert time.monotonic is real


def test_what_waits_in_the_loop_waits_longer() -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        began, until = real(), loop.time() + 0.01
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(until):
                await loop.create_future()
        assert loop.time() >= until
        await asyncio.sleep(0.01)
        return real() - began

    with slow_motion(10) as make_loop, asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(wait()) >= 0.2


def test_it_wakes_seldom_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that counts slower seconds and waits real ones would wake again and again."""
    turns = []
    select = selectors.DefaultSelector.select

    def counted(selector: selectors.DefaultSelector, timeout: float | None = None) -> object:
        turns.append(timeout)
        return select(selector, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", counted)
    with slow_motion(20) as make_loop, asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(asyncio.sleep(0.02))
    assert 1 <= len(turns) < 15


def test_what_is_ready_does_not_wait() -> None:
    """A thread's news comes at once, and so does what is written to a pipe."""

    async def ask() -> float:
        began = real()
        await asyncio.to_thread(lambda: None)
        return real() - began

    with slow_motion(1000) as make_loop, asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(ask()) < 5


def test_the_clock_is_real_again_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), slow_motion(10):
        raise ZeroDivisionError
    assert time.monotonic is real
