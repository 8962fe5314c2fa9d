"""Clocks that go with the event loop, however fast that runs."""

from __future__ import annotations

import asyncio
import time

from device.simulator.clocks import LoopClocks
from device.simulator.slow_motion import slow_motion
from device.timers.alarm_clock import AlarmClock
from device.timers.clocks import local_zone
from device.timers.memory import TimerMemory
from device.timers.schedule import Look


async def rings_after(seconds: float) -> float:
    """How long a timer takes until it rings, by the loop's clock."""
    rang = asyncio.Event()
    clock = AlarmClock(
        LoopClocks(),
        TimerMemory(None),
        zone=local_zone,
        ring_s=lambda: 60.0,
        post=lambda news: rang.set() if news.what == "ringing" else None,
    )
    running = asyncio.create_task(clock.run())
    began = time.monotonic()
    await clock.set_timer(seconds)
    await rang.wait()
    took_s = time.monotonic() - began
    running.cancel()
    await asyncio.wait([running])
    return took_s


def test_a_timer_rings_when_it_is_due_by_the_loop() -> None:
    """In slow motion later by everybody else's clock."""
    began = time.monotonic()
    with slow_motion(3) as make_loop, asyncio.Runner(loop_factory=make_loop) as runner:
        assert 1.0 <= runner.run(rings_after(1.0)) < 1.5
    assert time.monotonic() - began >= 3.0


async def test_it_waits_for_whichever_comes_first_and_for_what_is_set_meanwhile() -> None:
    """By either clock; at rest for ever."""
    clocks = LoopClocks()
    waiting = asyncio.ensure_future(clocks.wait())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    clocks.arm(Look(None, None))
    await waiting
    now = clocks.read(local_zone())
    assert now.trusted
    assert abs(now.wall_s - time.time()) < 1
    clocks.arm(Look(now.boot_s + 60, now.wall_s + 0.05))
    await clocks.wait()
    assert clocks.read(local_zone()).wall_s >= now.wall_s + 0.04
    clocks.close()
