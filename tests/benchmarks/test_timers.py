"""How late a timer rings, by the kernel's clock, on a loop at rest and on a busy one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC
from pathlib import Path

import pytest

from device.news import TimerNews
from device.timers.alarm_clock import AlarmClock
from device.timers.clocks import KernelClocks
from device.timers.memory import TimerMemory
from tests.benchmarks.measure import table

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

RINGS = 60
APART_S = 0.25
BUSY_MS = 15
"""Of each 20 ms, as long as one frame takes a slow board with everything switched on."""


async def busy() -> None:
    """Do what the loop of a speaker does: a piece of work every 20 ms."""
    while True:
        until = time.monotonic() + BUSY_MS / 1_000
        while time.monotonic() < until:
            pass
        await asyncio.sleep((20 - BUSY_MS) / 1_000)


async def lateness(folder: Path | None, *, is_busy: bool) -> list[float]:
    """Milliseconds between when each is due and when it is told to ring."""
    late_ms: dict[int, float] = {}
    due: dict[int, float] = {}

    all_rang = asyncio.Event()

    def heard(news: TimerNews) -> None:
        if news.what == "ringing":
            late_ms[news.id] = 1e3 * (time.clock_gettime(time.CLOCK_BOOTTIME) - due[news.id])
            if len(late_ms) == RINGS:
                all_rang.set()

    alarm_clock = AlarmClock(
        KernelClocks(earliest_s=0.0),
        TimerMemory(folder),
        zone=lambda: UTC,
        ring_s=lambda: 0.5,
        post=heard,
    )
    tasks = [asyncio.create_task(alarm_clock.run())]
    if is_busy:
        tasks.append(asyncio.create_task(busy()))
    for _ in range(RINGS):
        entry = await alarm_clock.set_timer(1.0)
        assert entry.countdown is not None
        due[entry.id] = entry.countdown.due_boot_s
        await asyncio.sleep(APART_S)
    await all_rang.wait()
    await alarm_clock.kept()
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return list(late_ms.values())


async def test_lateness(tmp_path: Path) -> None:
    """Sixty timers of one second each, with a disk and without, at rest and beside other work."""
    table(
        "a timer is told to ring after it is due",
        "ms",
        [
            ("at rest, no file", await lateness(None, is_busy=False)),
            ("at rest", await lateness(tmp_path / "rest", is_busy=False)),
            (f"busy {BUSY_MS} of 20 ms", await lateness(tmp_path / "busy", is_busy=True)),
        ],
        digits=2,
    )


async def test_rest() -> None:
    """Ten seconds with a timer and an alarm that are not due: how much work that is."""
    alarm_clock = AlarmClock(
        KernelClocks(earliest_s=0.0),
        TimerMemory(None),
        zone=lambda: UTC,
        ring_s=lambda: 300.0,
        post=lambda _news: None,
    )
    running = asyncio.create_task(alarm_clock.run())
    await alarm_clock.set_timer(3_600)
    await alarm_clock.set_alarm("07:00")
    await asyncio.sleep(0.1)
    begin = time.process_time()
    await asyncio.sleep(10.0)
    table("ten seconds at rest", "ms of processor", [("", [1e3 * (time.process_time() - begin)])])
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
