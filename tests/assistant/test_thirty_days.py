"""Thirty days of a house, with restarts and summer time among them, day by day."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from device.assistant import statistics as module
from device.records import statistics as kept
from device.records.reader import read_records
from device.records.tables import TABLES
from tests.assistant.test_statistics import running
from tests.rig.house import DAY_S, House

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 10, 10, tzinfo=BERLIN).timestamp()
"""Summer time ends on the 25th."""
WEEKS, DAYS, TALKS = 5, 6, 20


def test_thirty_days_come_to_what_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums are exact, percentiles 2.5 % wrong at most, and every talk is in its day."""
    monkeypatch.setattr(module, "local_zone", lambda: BERLIN)
    houses: list[House] = []

    async def live() -> None:
        for week in range(WEEKS):
            async with running(tmp_path, BEGIN + week * DAYS * DAY_S) as speaker:
                houses.append(House(speaker, seed=week))

                async def evening(speaker: Any = speaker) -> None:
                    await speaker.records.ask(lambda _: None)

                await houses[-1].lives(DAYS, TALKS, evening)

    asyncio.run(live())
    database = read_records(tmp_path, tmp_path / "run", TABLES)
    end = BEGIN + WEEKS * DAYS * DAY_S
    found = kept.report(database, end, 31, BERLIN)
    database.close()
    sums, spans = found["sums"], found["spans"]
    for name in ("talks", "wakes", "answers", "unheard", "false_starts"):
        assert sums[name] == sum(house.sums[name] for house in houses), name
    assert sums["up_s"] == sum(house.sums["up_frames"] for house in houses) / 50
    assert sums["down_s"] == sum(house.sums["down_ms"] for house in houses) / 1000
    assert sums["talk_s"] == sum(house.sums["talk_ms"] for house in houses) / 1000
    assert sums["tokens"]["total"] == sum(house.sums["tokens"] for house in houses)
    assert sums["cost"] == {"USD": pytest.approx(0.0025 * sums["answers"])}
    assert sums["starts"] == WEEKS
    assert sums["ran_s"] == pytest.approx(WEEKS * DAYS * DAY_S, abs=1)
    assert sum(span["talks"] for span in spans) == sums["talks"]
    assert [span["seconds"] for span in spans].count(90_000) == 1
    # A day of the house is 24 hours: after summer time it ends at 23:00, when nobody talks.
    assert {span["talks"] for span in spans[1:-1]} == {TALKS}
    answers_ms = sorted(ms for house in houses for ms in house.answers_ms)
    assert sums["answer_ms"]["count"] == len(answers_ms)
    for name, part in (("p50", 0.5), ("p95", 0.95)):
        exact = answers_ms[math.ceil(part * len(answers_ms)) - 1]
        assert sums["answer_ms"][name] == pytest.approx(exact, rel=0.025)
