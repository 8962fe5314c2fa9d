"""A year of fifty talks a day through the real records: size, speed, memory, a talk's cost."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from device.records import statistics as kept
from device.records.figures import STATISTICS
from device.records.reader import read_records
from device.records.tables import TABLES
from tests.assistant.test_statistics import Speaker, running
from tests.benchmarks.measure import memory_mb, table
from tests.rig.daemon import ROOT
from tests.rig.house import House

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

DAYS = 365
TALKS = 50
RUNS = 10
BERLIN = ZoneInfo("Europe/Berlin")


async def live(folder: Path, begin: float) -> tuple[Speaker, House, list[float], list[float]]:
    """Live for a year; returns speaker and house, memory by month, and a talk's CPU by day."""
    memory: list[float] = []
    talks_ms: list[float] = []
    async with running(folder, begin) as speaker:
        house = House(speaker)
        spent = time.process_time()

        async def evening() -> None:
            nonlocal spent
            talks_ms.append(1000 * (time.process_time() - spent) / TALKS)
            speaker.paper.texts.clear()
            speaker.records._commit()
            await speaker.records.ask(lambda _: None)
            if len(house.days) % 30 == 0:
                memory.append(memory_mb("VmRSS"))
            spent = time.process_time()

        await house.lives(DAYS, TALKS, evening)
    return speaker, house, memory, talks_ms


def test_a_year_of_fifty_talks_a_day(tmp_path: Path) -> None:
    """As it is on disk, and as it is asked for."""
    today = datetime.now(BERLIN).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = (today - timedelta(days=DAYS)).timestamp()
    _, house, memory, talks_ms = asyncio.run(live(tmp_path, begin))
    size = (tmp_path / "records" / "records.sqlite").stat().st_size
    database = read_records(tmp_path, tmp_path / "run", TABLES)
    asked_ms: dict[int, list[float]] = {7: [], 366: []}
    for days, took_ms in asked_ms.items():
        for _ in range(RUNS):
            began = time.perf_counter()
            found = kept.report(database, today.timestamp(), days, BERLIN)
            took_ms.append(1000 * (time.perf_counter() - began))
    (rows,) = database.execute(f"SELECT count(*) FROM {STATISTICS.name}").fetchone()
    database.close()
    command_ms = []
    for _ in range(RUNS):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "device", "stats", "--days", "366", "--socket", "/nobody"],
            env={
                **os.environ,
                "STATE_DIRECTORY": str(tmp_path),
                "RUNTIME_DIRECTORY": str(tmp_path / "run"),
                "PYTHONPATH": str(ROOT),
                "TZ": "Europe/Berlin",
            },
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        command_ms.append(1000 * (time.perf_counter() - began))
    assert b"talks" in done.stdout
    for name in ("talks", "wakes", "answers", "unheard", "false_starts"):
        assert found["sums"][name] == house.sums[name]
    table(
        f"a year with {TALKS} talks a day",
        "ms",
        [
            ("a talk, processor", talks_ms),
            ("asked for 7 days", asked_ms[7]),
            ("asked for 366 days", asked_ms[366]),
            ("parley stats --days 366", command_ms),
        ],
        digits=2,
    )
    print(f"rows {rows}, on disk {size / 1e6:.2f} MB, {size / rows:.0f} bytes a row")
    print(f"memory after a month {memory[0]:.1f} MB, after a year {memory[-1]:.1f} MB")
    assert memory[-1] - memory[0] < 3.0
    assert size < 10_000_000
    assert statistics.median(asked_ms[366]) < 5_000
