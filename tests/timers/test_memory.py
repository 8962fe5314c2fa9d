"""Timers and alarms in a file: over restarts, damage, and processes that are killed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from device.timers.changes import LONGEST_NAME, LONGEST_TEXT, MOST_ENTRIES, Wish, set_alarm
from device.timers.entries import Countdown, Entry
from device.timers.memory import FILE, TimerMemory
from device.timers.schedule import Schedule
from tests.timers.jumping import BERLIN, JumpingClocks

NOW = JumpingClocks().read(BERLIN)
SCHEDULE = Schedule((Entry(1, "timer", "tea", countdown=Countdown.begin(60, NOW)),), 1)


async def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """The newest of it; without a folder nothing is kept, and nobody told."""
    memory = TimerMemory(tmp_path / "state")
    assert memory.load() == Schedule()
    memory.save(Schedule(), NOW)
    memory.save(SCHEDULE, NOW)
    assert await memory.saved()
    assert TimerMemory(tmp_path / "state").load() == SCHEDULE
    nowhere = TimerMemory(None)
    nowhere.save(SCHEDULE, NOW)
    assert await nowhere.saved()
    assert nowhere.load() == Schedule()


async def test_the_largest_schedule_fits(tmp_path: Path) -> None:
    """Fifty entries of the longest names and texts."""
    schedule = Schedule()
    for _ in range(MOST_ENTRIES):
        wish = Wish("07:00", name="\U0001f35d" * LONGEST_NAME, text="\U0001f35d" * LONGEST_TEXT)
        schedule = set_alarm(schedule, NOW, wish).schedule
    memory = TimerMemory(tmp_path)
    memory.save(schedule, NOW)
    assert await memory.saved()
    assert memory.load() == schedule


async def test_a_disk_that_takes_nothing_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the journal once, and to whoever waits; later it may be fine again."""
    (tmp_path / "state").write_text("a file where the folder should be")
    memory = TimerMemory(tmp_path / "state")
    memory.save(SCHEDULE, NOW)
    assert not await memory.saved()
    memory.save(SCHEDULE, NOW)
    assert not await memory.saved()
    (told,) = caplog.messages
    assert told.endswith("a restart loses what was set since")
    (tmp_path / "state").unlink()
    memory.save(SCHEDULE, NOW)
    assert await memory.saved()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"entries": 7}', "\udc80", "x" * 600_000])
async def test_a_damaged_file_is_told_and_set_aside(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The speaker begins without timers; the file is kept for whoever asks what has happened."""
    (tmp_path / FILE).write_bytes(content.encode(errors="surrogateescape"))
    memory = TimerMemory(tmp_path)
    assert memory.load() == Schedule()
    (told,) = caplog.messages
    assert told.startswith(f"{tmp_path / FILE} cannot be used (it ")
    assert told.endswith("): timers and alarms are lost")
    memory.save(SCHEDULE, NOW)
    assert await memory.saved()
    aside = (tmp_path / f"{FILE}.damaged").read_bytes()
    assert aside == content.encode(errors="surrogateescape")


async def test_a_damaged_entry_costs_the_others_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told of, and the file is set aside all the same."""
    memory = TimerMemory(tmp_path)
    memory.save(SCHEDULE, NOW)
    await memory.saved()
    record = json.loads((tmp_path / FILE).read_text())
    record["entries"].append({"id": 2})
    (tmp_path / FILE).write_text(json.dumps(record))
    memory = TimerMemory(tmp_path)
    assert memory.load() == SCHEDULE
    (told,) = caplog.messages
    assert told == f"{tmp_path / FILE}: an entry of it is lost: it has no number and kind"
    memory.save(replace(SCHEDULE, last_id=7), NOW)
    await memory.saved()
    assert (tmp_path / f"{FILE}.damaged").is_file()


_KILLED = """
import asyncio, os, random, signal, sys, time
from datetime import UTC
from pathlib import Path
from device.timers.alarm_clock import AlarmClock
from device.timers.clocks import KernelClocks
from device.timers.memory import TimerMemory

FOLDER, KILLS = Path(sys.argv[1]), int(sys.argv[2])

async def live(say, seconds):
    def heard(news):
        if news.what in ("ringing", "missed"):
            say(f"{news.what} {news.name}")
    clock = AlarmClock(KernelClocks(earliest_s=0), TimerMemory(FOLDER),
        zone=lambda: UTC, ring_s=lambda: 300.0, post=heard)
    running = asyncio.create_task(clock.run())
    await asyncio.sleep(0)
    until = asyncio.get_running_loop().time() + seconds
    turn = 0
    while asyncio.get_running_loop().time() < until:
        turn += 1
        for entry in clock.ringing:
            say(f"stopping {entry.name}")
            await clock.stop(entry.id)
            say(f"stopped {entry.name}")
        name = f"n{os.getpid()}x{turn}"
        if seconds < 1 and len(clock.entries) < 40:
            long = turn % 2
            say(f"setting {name}")
            entry = await clock.set_timer(5_000 if long else 1, name)
            say(f"{'long' if long else 'set'} {name}")
            if long and turn % 3:
                say(f"cancelling {name}")
                await clock.cancel(name)
                say(f"cancelled {name}")
        await asyncio.sleep(0.002)
    print(*sorted(entry.name for entry in clock.entries))
    running.cancel()

def forked(seconds):
    pid = os.fork()
    if pid == 0:
        asyncio.run(live(lambda line: os.write(TOLD, f"{line}\\n".encode()), seconds))
        sys.stdout.flush()
        os._exit(0)
    return pid

TOLD = os.open(FOLDER / "told.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
for attempt in range(KILLS):
    pid = forked(0.5)
    time.sleep(random.uniform(0.01, 0.12))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
os.waitpid(forked(1.6), 0)
"""


def test_a_process_that_is_killed_loses_no_timer_and_rings_none_that_was_stopped(
    tmp_path: Path,
) -> None:
    """Forty of them, one after the other, each killed in the middle of whatever it is doing."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path), "40"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    lines = [line.split() for line in (tmp_path / "told.txt").read_text().splitlines()]
    told: dict[str, list[str]] = {}
    for what, name in lines:
        told.setdefault(name, []).append(what)
    left = set(done.stdout.split())
    rang = 0
    for name, whats in told.items():
        if "set" in whats:
            rang += 1
            assert "ringing" in whats, f"{name} was lost: {whats}"
            assert name not in left
        if "stopped" in whats:
            after = whats[whats.index("stopped") + 1 :]
            assert after == [], f"{name} rang after it was stopped: {whats}"
        if "cancelled" in whats:
            assert name not in left, f"{name} is there although it was cancelled: {whats}"
    kept = {name for name, w in told.items() if "long" in w and "cancelling" not in w}
    assert kept <= left
    print(
        f"\n40 kills: {rang} rang of {rang} set, {len(kept)} long ones kept, {len(left)} at the end"
    )
    assert rang > 20
    assert len(kept) > 5
