"""How late a timer rings: by the kernel's clock, and at the sound card of the real daemon."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from device.news import TimerNews
from device.simulator.script import Script, Turn
from device.timers.alarm_clock import AlarmClock
from device.timers.clocks import KernelClocks
from device.timers.memory import TimerMemory
from tests.benchmarks.measure import table
from tests.rig.room import Room, alarms, open_room

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

RINGS = 60
APART_S = 0.25
BUSY_MS = 15
"""Of each 20 ms, as long as one frame takes a slow board with everything switched on."""

CARD_RINGS = 20
RUNS_S = 2.0
RINGS_S = 1.0
"""A whole alarm and no second one."""
FOUND_S = 1.5
"""So late an alarm at the card still belongs to its timer."""
LIKENESS = 0.6
ABOVE_HZ = 800.0
"""All notes of an alarm lie above it, and the tone that stands for a reply below."""
REPLY_MS = 1_000 * CARD_RINGS * 5


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


@contextlib.contextmanager
def busy_machine(processes: int = 2) -> Iterator[None]:
    """Beside so many other programs that never wait for anything."""
    endless = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(endless) for _ in range(processes)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def rung(room: Room) -> tuple[list[float], list[float]]:
    """Milliseconds from when each is due until it is told to ring, and until the card has it.

    Due is by the stamp of the event that it is set, which a busy machine takes a moment later.
    """
    due, told_ms = [], []
    with room.sound.recorder() as recorder:
        for number in range(CARD_RINGS):
            after = room.daemon.here
            room.daemon.request("timers", action="set", duration_s=RUNS_S)
            due.append(room.daemon.event("timer", after=after, what="set")["time"] + RUNS_S)
            rings = room.daemon.event("timer", after=after, what="ringing")["time"]
            told_ms.append(1e3 * (rings - due[-1]))
            time.sleep(RINGS_S)
            room.daemon.request("timers", action="stop")
            room.daemon.event("timer", after=after, what="stopped")
            # No two in the same place of the card's blocks.
            time.sleep(0.3 + 0.037 * number)
        heard = alarms(recorder, likeness=LIKENESS, above_hz=ABOVE_HZ)
    firsts = [next((it for it in heard if abs(it - at) < FOUND_S), None) for at in due]
    if (silent := firsts.count(None)) or len(heard) != CARD_RINGS:
        print(f"{silent} were not heard; {len(heard)} alarms were")
    return told_ms, [
        1e3 * (first - at) for first, at in zip(firsts, due, strict=True) if first is not None
    ]


def test_lateness_at_the_card() -> None:
    """Twenty timers of two seconds each in the real daemon, from due to what its sink took."""
    told: list[tuple[str, list[float]]] = []
    heard: list[tuple[str, list[float]]] = []

    def measure(name: str, room: Room) -> None:
        for rows, late_ms in zip((told, heard), rung(room), strict=True):
            rows.append((name, late_ms))

    script = Script(turns=(Turn(heard="tell me a story", audio=REPLY_MS),))
    with open_room(script) as room:
        measure("at rest", room)
        with busy_machine():
            measure("two busy processes", room)
        room.wake_and_ask("hey jarvis, tell me a story")
        room.daemon.event("reply", what="first_sound")
        measure("over a reply", room)
        assert room.daemon.seen("reply", what="drained") == []
    table("due to told", "ms", told)
    table("due to the onset of the alarm at the card", "ms", heard)
