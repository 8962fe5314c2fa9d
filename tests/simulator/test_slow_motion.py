"""A process whose clock runs slower."""

from __future__ import annotations

import asyncio
import selectors
import time

import pytest

from device.frames import FRAME_MS
from device.simulator.microphone import WavMicrophone
from device.simulator.slow_motion import HELD_BACK, STEP_S, PatientClock, slow_motion

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


class Real:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("times", [1, 4])
def test_a_step_that_takes_too_long_hardly_counts(times: int) -> None:
    """But it counts, and the clock goes on from there; one that is short counts whole."""
    real = Real()
    clock = PatientClock(real, times)
    real.now_s += 6.0 * times
    assert clock.now() == pytest.approx(1006.0)
    clock.step(0.0)
    real.now_s += STEP_S * times
    assert clock.now() == pytest.approx(1006.0 + STEP_S)
    real.now_s += 2.0 * times
    late = 1006.0 + STEP_S + 2.0 / HELD_BACK
    assert clock.now() == pytest.approx(late)
    clock.step(0.5)
    assert clock.now() == pytest.approx(late)
    real.now_s += 0.5 * times
    assert clock.now() == pytest.approx(late + 0.5)
    real.now_s += 3.0 * times
    assert clock.now() == pytest.approx(late + 0.5 + STEP_S + (3.0 - STEP_S) / HELD_BACK)


def test_what_waits_for_no_time_is_not_late() -> None:
    """However long it waits."""
    real = Real()
    clock = PatientClock(real)
    clock.step(None)
    real.now_s += 60.0
    assert clock.now() == pytest.approx(1060.0)


def test_nothing_falls_behind_in_a_loop_that_is_held_up_all_the_time() -> None:
    """Three times as much work as there is time: a microphone is read when its frames are due."""

    async def hear() -> float:
        microphone = WavMicrophone()
        await microphone.open()
        late_s = 0.0
        for _ in range(50):
            frame = await microphone.read()
            late_s = max(late_s, time.monotonic() - frame.captured_at)
            until = real() + 3 * FRAME_MS / 1000
            while real() < until:
                pass
        await microphone.close()
        return late_s

    with slow_motion(1) as make_loop, asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(hear()) < 0.06


def test_who_waits_for_the_clock_without_a_loop_is_not_kept_for_ever() -> None:
    """Neither inside a callback, where it takes longer, nor after the loop has ended."""

    async def impatient() -> None:
        until = time.monotonic() + 2 * STEP_S
        while time.monotonic() < until:
            pass

    with slow_motion(1) as make_loop:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(impatient())
        began, seen = real(), time.monotonic()
        while real() < began + 0.2:
            pass
        assert time.monotonic() - seen > 0.15


def test_the_clock_is_real_again_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), slow_motion(10):
        raise ZeroDivisionError
    assert time.monotonic is real
