"""Hours add up to days of the local zone, and a year of them is read at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.records.figures import (
    MOST_NAMES,
    NAMED,
    NUMBERS,
    OTHERS,
    PEAKS,
    STATISTICS,
    TIMED,
    Figures,
)
from device.records.rows import Row
from device.records.schema import bring_up
from device.records.statistics import HOUR_S, hour_of, key_of, newest, report
from device.records.tables import TABLES

BERLIN = ZoneInfo("Europe/Berlin")


def database(rows: Iterable[Row] = ()) -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    bring_up(made, TABLES)
    for row in rows:
        made.execute(row.table.upsert, row.parameters)
    return made


def hour(begin: float, key: str | None = None, **numbers: int) -> Row:
    figures = Figures()
    figures.numbers.update(numbers)
    return Row(STATISTICS, key or key_of(begin), begin, figures.values())


def at(text: str, zone: tzinfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


counts = st.integers(0, 10**9)
names = st.dictionaries(st.text(max_size=8), st.integers(1, 10**9), max_size=5)


@st.composite
def some_figures(draw: st.DrawFn) -> Figures:
    made = Figures()
    for number in NUMBERS:
        made.numbers[number] = draw(counts)
    for kind in NAMED:
        for name, count in draw(names).items():
            made.name(kind, name, count)
    for name in PEAKS:
        if draw(st.booleans()):
            made.peak(name, draw(st.floats(0, 1e9)))
    for name in TIMED:
        for value in draw(st.lists(st.floats(1, 10_000), max_size=5)):
            made.timed[name].add(value)
    return made


def told(figures: Figures) -> Mapping[str, Any]:
    return figures.as_dict()


@given(some_figures())
def test_a_row_keeps_all_of_its_figures(figures: Figures) -> None:
    """Written into a database and read from it."""
    row = Row(STATISTICS, "1", 1.0, figures.values())
    found = newest(database([row]))
    assert found is not None
    assert told(found.figures) == told(figures)
    assert bool(figures) is bool(found.figures)


@given(st.lists(some_figures(), max_size=5))
def test_sums_are_exact(parts: list[Figures]) -> None:
    """Number by number, name by name; of peaks the highest."""
    whole = Figures()
    for part in parts:
        whole.merge(part)
    for number in NUMBERS:
        assert whole.numbers[number] == sum(part.numbers[number] for part in parts)
    for kind in NAMED:
        known = {name for part in parts for name in part.named[kind]}
        for name in known:
            assert whole.named[kind][name] == sum(part.named[kind][name] for part in parts)
    for peak in PEAKS:
        assert whole.peaks.get(peak) == max(
            (part.peaks[peak] for part in parts if peak in part.peaks), default=None
        )
    for name in TIMED:
        assert whole.timed[name].count == sum(part.timed[name].count for part in parts)


def test_names_are_bounded_and_nothing_of_them_is_lost() -> None:
    """Whoever configures a hundred words finds most of them among the others."""
    figures = Figures()
    for number in range(100):
        figures.name("words", f"word{number}" * 100)
    found = figures.named["words"]
    assert len(found) == MOST_NAMES + 1
    assert found[OTHERS] == 100 - MOST_NAMES
    assert all(len(name) <= 64 for name in found)


@pytest.mark.parametrize(
    "damaged",
    [
        {"talks": "many", "words": "[1]", "answer": "no"},
        {"talks": -4, "words": '{"a": -1}', "hottest_c": "hot"},
        {"words": "{", "faults": b"\xff", "costs": '{"EUR": "much"}'},
    ],
)
def test_what_makes_no_sense_in_a_row_is_left_out(damaged: dict[str, Any]) -> None:
    """The rest of it counts."""
    found = newest(database([Row(STATISTICS, "1", 1.0, {**damaged, "wakes": 2})]))
    assert found is not None
    assert found.figures.as_dict() == {**Figures().as_dict(), "wakes": 2}


def test_a_day_is_told_in_words_and_units_of_its_reader() -> None:
    """Every name that scripts may rely on."""
    figures = Figures()
    figures.numbers.update(
        ran_ms=3_600_000, cpu_ms=36_000, talk_ms=1_500, up_frames=50, down_ms=2_500, talks=1
    )
    figures.numbers.update(repeated_frames=10, dropped_frames=5, prompt_tokens=7, tokens=9)
    figures.name("costs", "USD", 1_250_000)
    figures.name("faults", "network")
    figures.timed["answer"].add(1_000)
    figures.peak("hottest_c", 51.2)
    found = json.loads(json.dumps(figures.as_dict()))
    assert found == {
        "starts": 0,
        "ran_s": 3600.0,
        "talks": 1,
        "talk_s": 1.5,
        "wakes": 0,
        "words": {},
        "near_misses": 0,
        "vetoes": 0,
        "false_starts": 0,
        "answers": 0,
        "unheard": 0,
        "barge_ins": 0,
        "repeated_s": 0.2,
        "dropped_s": 0.1,
        "faults": {"network": 1},
        "connection_ms": {"count": 0, "p50": None, "p95": None},
        "answer_ms": {"count": 1, "p50": 976.0, "p95": 976.0},
        "up_s": 1.0,
        "down_s": 2.5,
        "tokens": {"prompt": 7, "response": 0, "total": 9},
        "cost": {"USD": 1.25},
        "cpu_percent": 1.0,
        "hottest_c": 51.2,
        "memory_bytes": None,
    }


@pytest.mark.parametrize(
    ("zone", "moment", "begin"),
    [
        (UTC, "2026-12-01T10:59:59", "2026-12-01T10:00:00"),
        (ZoneInfo("Asia/Kolkata"), "2026-12-01T00:10:00", "2026-12-01T00:00:00"),
        (ZoneInfo("Asia/Kathmandu"), "2026-12-01T23:59:00", "2026-12-01T23:00:00"),
        (ZoneInfo("America/St_Johns"), "2026-12-01T00:00:00", "2026-12-01T00:00:00"),
    ],
)
def test_an_hour_is_one_of_the_local_zone(zone: tzinfo, moment: str, begin: str) -> None:
    """Also where that is half an hour away from the others: no hour belongs to two days."""
    assert hour_of(at(moment, zone), zone) == at(begin, zone)


@given(st.floats(1.7e9, 4e9), st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]))
def test_a_moment_is_in_its_hour(moment: float, zone: str) -> None:
    """Whatever summer time does."""
    begin = hour_of(moment, ZoneInfo(zone))
    assert begin <= moment < begin + HOUR_S


def every_hour(since: str, until: str) -> list[Row]:
    begin, end = at(since), at(until)
    return [hour(begin + n * HOUR_S, talks=1) for n in range(round((end - begin) / HOUR_S))]


def test_days_of_summer_time_have_all_their_hours() -> None:
    """23 in spring, 25 in autumn, and none is told twice."""
    spring = database(every_hour("2026-03-28T00:00", "2026-03-31T00:00"))
    found = report(spring, at("2026-03-30T12:00"), 3, BERLIN)
    assert [span["talks"] for span in found["spans"]] == [24, 23, 24]
    assert [span["seconds"] for span in found["spans"]] == [86_400, 82_800, 86_400]
    assert [each["talks"] for each in found["hours"]][1:4] == [3, 2, 3]
    autumn = database(every_hour("2026-10-24T00:00", "2026-10-27T00:00"))
    found = report(autumn, at("2026-10-26T12:00"), 3, BERLIN)
    assert [span["talks"] for span in found["spans"]] == [24, 25, 24]
    assert found["hours"][2]["talks"] == 4
    assert found["sums"]["talks"] == 73


def test_what_is_older_or_of_the_future_does_not_count() -> None:
    """The last days, today among them."""
    rows = every_hour("2026-11-20T00:00", "2026-12-05T00:00")
    found = report(database(rows), at("2026-12-01T12:00"), 2, BERLIN)
    assert [span["day"] for span in found["spans"]] == ["2026-11-30", "2026-12-01"]
    assert found["sums"]["talks"] == 48
    assert found["since"] == "2026-11-30T00:00:00+01:00"
    assert found["until"] == "2026-12-01T12:00:00+01:00"


def test_weeks_begin_on_monday_and_months_on_their_first() -> None:
    """The first may be a part of one."""
    rows = every_hour("2026-10-01T00:00", "2026-12-02T00:00")
    now = at("2026-12-01T12:00")
    weeks = report(database(rows), now, 14, BERLIN, "week")["spans"]
    assert [week["day"] for week in weeks] == ["2026-11-18", "2026-11-23", "2026-11-30"]
    assert [week["talks"] for week in weeks] == [24 * 5, 24 * 7, 24 * 2]
    months = report(database(rows), now, 40, BERLIN, "month")["spans"]
    assert [month["day"] for month in months] == ["2026-10-23", "2026-11-01", "2026-12-01"]


def test_an_hour_with_several_rows_counts_once_for_each() -> None:
    """A clock that was set back into it has made another one."""
    begin = at("2026-12-01T10:00")
    rows = [hour(begin, talks=2), hour(begin, "a-7", talks=3)]
    assert report(database(rows), begin, 1, BERLIN)["sums"]["talks"] == 5


def test_the_newest_hour_is_the_one_of_its_own_key() -> None:
    """A row beside it is not gone on with."""
    begin = at("2026-12-01T10:00")
    assert newest(database()) is None
    beside = hour(begin, "0123456789abcdef-7", talks=3)
    found = newest(database([hour(begin - 3600, talks=1), beside, hour(begin, talks=2)]))
    assert found is not None
    assert (found.begin, found.key) == (begin, key_of(begin))
    assert found.figures.numbers["talks"] == 2
