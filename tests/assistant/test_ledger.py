"""What was spent and allowed survives restarts, midnights, zones and clocks that jump."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from device.errors import RecordsError
from device.records import store
from tests.rig.till import Till, open_till
from tests.timers.jumping import at

NOON = at("2026-11-10 12:00")
CENT = {"prompt": 13_333, "prompt_text": 13_333}
"""10,000 millionths of a dollar."""
LIMITS = "spending: {day: 0.02, month: 0.05}"


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")


def spend(till: Till, cents: int = 1) -> None:
    till.opened(1)
    for _ in range(cents):
        till.turn(1, CENT)


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    """As it was, to the millionth."""
    async with open_till(tmp_path, NOON) as till:
        spend(till)
    async with open_till(tmp_path, NOON) as till:
        assert till.spent() == (10_000, 10_000)


async def test_a_day_ends_at_local_midnight_and_a_month_on_its_last_day(tmp_path: Path) -> None:
    """By the zone of then; summer time makes a day of 25 hours in October."""
    async with open_till(tmp_path, at("2026-10-24 23:59")) as till:
        spend(till)
    async with open_till(tmp_path, at("2026-10-25 00:00")) as till:
        assert till.spent() == (0, 10_000)
        spend(till)
    async with open_till(tmp_path, at("2026-10-25 23:59")) as till:
        assert till.spent() == (10_000, 20_000)
    async with open_till(tmp_path, at("2026-11-01 00:00")) as till:
        assert till.spent() == (0, 0)


async def test_another_zone_has_another_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moves begins the day of where they are; the month is the same."""
    async with open_till(tmp_path, NOON) as till:
        spend(till)
        till.at = at("2026-11-10 20:00")
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        assert await till.on_record() == (0, 10_000)
        assert till.ledger.spans["day"].name == "2026-11-11"
        monkeypatch.setenv("TZ", "America/Los_Angeles")
        assert await till.on_record() == (10_000, 10_000)


async def test_a_day_that_ends_in_a_running_process_is_read_anew(tmp_path: Path) -> None:
    """What comes in the first moment counts for the day in which its turn began."""
    async with open_till(tmp_path, at("2026-11-10 23:59")) as till:
        spend(till)
        till.at += 120
        await till.ledger.read()
        assert till.spent() == (0, 10_000)
        spend(till)
        assert till.spent() == await till.on_record() == (10_000, 20_000)


async def test_what_comes_while_the_books_are_asked_counts_once(tmp_path: Path) -> None:
    """Before the question it is part of the answer, after it beside that."""
    async with open_till(tmp_path, NOON) as till:
        spend(till)
        reading = asyncio.create_task(till.ledger.read())
        await asyncio.sleep(0)
        spend(till, 2)
        assert till.spent() == (30_000, 30_000)
        await reading
        assert till.spent() == await till.on_record() == (30_000, 30_000)


async def test_a_question_that_is_given_up_costs_nothing(tmp_path: Path) -> None:
    """Whoever asked has gone away."""
    async with open_till(tmp_path, NOON) as till:
        spend(till)
        reading = asyncio.create_task(till.ledger.read())
        await asyncio.sleep(0)
        spend(till)
        reading.cancel()
        await asyncio.wait([reading])
        assert till.spent() == await till.on_record() == (20_000, 20_000)


@pytest.mark.parametrize("years", [1, 8])
async def test_a_clock_that_ran_ahead_buys_nothing_twice(tmp_path: Path, years: int) -> None:
    """What was spent in a wrong future counts today, once the clock is right again."""
    async with open_till(tmp_path, NOON + years * 31_557_600) as till:
        spend(till)
        assert till.spent() == (10_000, 10_000)
    async with open_till(tmp_path, NOON) as till:
        assert till.spent() == (10_000, 10_000)
        spend(till)
        assert till.spent() == await till.on_record() == (20_000, 20_000)


async def test_an_allowance_is_good_for_its_day_or_month(tmp_path: Path) -> None:
    """By its name: a clock that jumps takes it along nowhere. It survives a restart."""
    async with open_till(tmp_path, NOON, LIMITS) as till:
        await till.ledger.allow(["day"], 30_000)
        await till.ledger.allow(["day", "month"], 5_000)
        standings = till.ledger.standings
        assert (standings["day"].ceiling, standings["month"].ceiling) == (55_000, 55_000)
    async with open_till(tmp_path, NOON + 3_600, LIMITS) as till:
        assert till.ledger.standings["day"].allowed == 35_000
    async with open_till(tmp_path, NOON + 86_400, LIMITS) as till:
        standings = till.ledger.standings
        assert (standings["day"].allowed, standings["month"].allowed) == (0, 5_000)
    async with open_till(tmp_path, at("2026-12-01 00:00"), LIMITS) as till:
        assert till.ledger.standings["month"].allowed == 0


async def test_an_allowance_counts_though_the_books_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: also when they can be again."""
    async with open_till(tmp_path, NOON, LIMITS) as till:
        monkeypatch.setattr(till.records, "ask", Unreadable().ask)
        await till.ledger.allow(["day"], 30_000)
        standings = till.ledger.standings
        assert (standings["day"].allowed, standings["month"].allowed) == (30_000, 0)
        monkeypatch.undo()
        monkeypatch.setenv("TZ", "Europe/Berlin")
        await till.ledger.read()
        assert till.ledger.standings["day"].allowed == 30_000


async def test_another_currency_knows_no_allowance_of_the_old_one(tmp_path: Path) -> None:
    """Nobody has said how much that is."""
    async with open_till(tmp_path, NOON, LIMITS) as till:
        await till.ledger.allow(["day"], 30_000)
        till.configure("spending: {day: 0.02, currency: EUR, per_usd: 2}")
        await till.ledger.read()
        assert till.ledger.standings["day"].allowed == 0


async def test_who_was_told_that_a_limit_is_near_is_not_told_again(tmp_path: Path) -> None:
    """In this day or month, over restarts."""
    async with open_till(tmp_path, NOON, LIMITS) as till:
        till.ledger.tell_near(["day"])
        assert till.ledger.told_near == {"day"}
    async with open_till(tmp_path, NOON, LIMITS) as till:
        assert till.ledger.told_near == {"day"}
    async with open_till(tmp_path, NOON + 86_400, LIMITS) as till:
        assert till.ledger.told_near == frozenset()


class Unreadable:
    """A disk that cannot be read."""

    async def ask(self, _question: object) -> object:
        raise RecordsError("the disk cannot be read")


async def test_books_that_cannot_be_read_leave_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the day and the month that still run; a new one begins at nothing."""
    async with open_till(tmp_path, NOON, LIMITS) as till:
        spend(till, 2)
        await till.ledger.read()
        spend(till)
        monkeypatch.setattr(till.records, "ask", Unreadable().ask)
        await till.ledger.read()
        assert till.spent() == (30_000, 30_000)
        till.at += 86_400
        await till.ledger.read()
        assert till.spent() == (0, 30_000)
        spend(till)
        assert till.spent() == (10_000, 40_000)
        monkeypatch.undo()
        monkeypatch.setenv("TZ", "Europe/Berlin")
        assert await till.on_record() == (10_000, 40_000)


async def test_without_a_disk_this_process_keeps_to_its_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In memory only."""
    monkeypatch.setattr(store, "SOON_S", 0.0)
    async with open_till(None, NOON, LIMITS) as till:
        spend(till, 2)
        assert await till.on_record() == (20_000, 20_000)
        assert till.ledger.standings["day"].level == "reached"


async def test_rows_that_make_no_sense_end_nothing(tmp_path: Path) -> None:
    """Whoever has written into the file: sums go on."""
    async with open_till(tmp_path, NOON, LIMITS) as till:
        spend(till)
    (path,) = [each for each in (tmp_path / "records").iterdir() if each.suffix == ".sqlite"]
    with sqlite3.connect(path) as database:
        database.execute("UPDATE usage SET cost = 'much', usd = NULL, searches = 'many'")
        database.execute("UPDATE budget SET amount = 'more'")
    database.close()
    async with open_till(tmp_path, NOON, LIMITS) as till:
        assert till.spent() == (0, 0)
        assert await till.ledger.by_model()
