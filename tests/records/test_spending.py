"""What is on record of money adds up, over currencies, clocks, retention and damage."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.records import spending
from device.records.bills import KINDS, Bill
from device.records.budget import PERIODS, Period, Span, spans
from device.records.prices import MICRO, MOST
from device.records.rows import Row
from device.records.schema import bring_up
from device.records.spending import (
    BUDGET,
    USAGE,
    Books,
    Currency,
    Turn,
    allowed,
    books,
    by_model,
    told_near,
)
from device.records.tables import TABLES
from device.records.writer import Place, Writer
from tests.timers.jumping import BERLIN, at

DAY_S = 86_400.0
NOON = at("2026-11-10 12:00")
USD, EUR = Currency("USD"), Currency("EUR", 0.9)
NOW = spans(NOON, BERLIN)
ONE = Turn(
    *(1, 1, "gemini-3.8-live", "", Bill(1, 2, 3, 4, 5, 6, 7, 8)),
    searches=2,
    paid_searches=1,
    usd=1_000,
    cost=1_000,
    currency="USD",
    guessed=False,
    priced=True,
)


def database(rows: Iterable[Row] = ()) -> sqlite3.Connection:
    """The tables of the books, as the speaker makes them, with these rows in their order."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    bring_up(made, TABLES)
    for row in rows:
        made.execute(row.table.upsert, row.parameters)
    return made


def spent(connection: sqlite3.Connection, currency: Currency = USD) -> tuple[int, int]:
    found = books(connection, NOW, currency).spent
    return found["day"], found["month"]


def turns(*costs: int, moment: float = NOON) -> list[Row]:
    made = (replace(ONE, cost=cost, usd=cost) for cost in costs)
    return [turn.row(f"{moment}-{number}", moment) for number, turn in enumerate(made)]


def test_every_value_of_a_turn_is_in_its_row() -> None:
    """By its name: whoever reads the file finds it."""
    made = replace(ONE, session=3, turn=9, persona="anna", guessed=True, priced=False, cost=920)
    connection = database([made.row("key", NOON)])
    cursor = connection.execute("SELECT * FROM usage")
    names = [each[0] for each in cursor.description]
    amounts_of = {"searches": 2, "paid_searches": 1, "usd": 1_000, "cost": 920, "currency": "USD"}
    tokens = dict(zip(KINDS, range(1, 9), strict=True))
    assert dict(zip(names, cursor.fetchone(), strict=True)) == tokens | amounts_of | {
        "key": "key",
        "at": NOON,
        "session": 3,
        "turn": 9,
        "model": "gemini-3.8-live",
        "persona": "anna",
        "guessed": 1,
        "priced": 0,
    }


def test_nothing_on_record_is_nothing_spent() -> None:
    """In whichever currency."""
    nothing = Books({"day": 0, "month": 0}, {"day": 0, "month": 0}, frozenset(), 0)
    for currency in (USD, EUR):
        assert books(database(), NOW, currency) == nothing
        assert by_model(database(), NOW["month"], currency) == []


def test_a_turn_that_is_counted_later_counts_once() -> None:
    """Its row takes the place of the guess."""
    guess = replace(ONE, cost=5_000, usd=5_000, guessed=True)
    connection = database([guess.row("a", NOON), ONE.row("a", NOON), ONE.row("b", NOON)])
    assert spent(connection) == (2_000, 2_000)
    (entry,) = by_model(connection, NOW["day"], USD)
    assert (entry["turns"], entry["guessed"]) == (2, 0)


def test_the_day_and_the_month_have_what_is_dated_from_their_beginning_on() -> None:
    """To the second."""
    day, month = NOW["day"], NOW["month"]
    rows = [
        *turns(1, moment=month.begins - 0.001),
        *turns(10, moment=month.begins),
        *turns(100, moment=day.begins - 0.001),
        *turns(1_000, moment=day.begins),
        *turns(10_000, moment=NOON),
    ]
    assert spent(database(rows)) == (11_000, 11_110)


# --- by a sum of its own --------------------------------------------------------------------------

amounts = st.integers(0, 10**9)


@st.composite
def some_turns(draw: st.DrawFn) -> list[tuple[float, Turn]]:
    made = []
    for _ in range(draw(st.integers(0, 12))):
        # Within the day, the month, before them, or in a future that was none.
        days = draw(st.sampled_from([0, 0, 0, -1, -5, -20, 1, 15, 400]))
        seconds = draw(st.floats(-40_000, 40_000))
        usd = draw(amounts)
        currency = draw(st.sampled_from(["USD", "EUR", "GBP"]))
        cost = usd if currency == "USD" else draw(amounts)
        turn = replace(
            ONE,
            model=draw(st.sampled_from(["a", "b", "models/ä"])),
            persona=draw(st.sampled_from(["", "anna"])),
            bill=Bill(*draw(st.lists(amounts, min_size=len(KINDS), max_size=len(KINDS)))),
            searches=draw(st.integers(0, 100)),
            usd=usd,
            cost=cost,
            currency=currency,
            guessed=draw(st.booleans()),
            priced=draw(st.booleans()),
        )
        made.append((NOON + days * DAY_S + seconds, turn))
    return made


def of_period(put_down: list[tuple[float, Turn]], span: Span) -> list[Turn]:
    """Which count: read from the newest to the oldest, as somebody with a paper would."""
    found, before_it = [], False
    for moment, turn in reversed(put_down):
        if moment < span.begins:
            before_it = True
        elif moment < span.ends or not before_it:
            found.append(turn)
    return found


def worth(chosen: Iterable[Turn], currency: Currency) -> int:
    """Their own amounts, and those of other currencies by their dollars, rounded up at the end."""
    own, others = Decimal(0), Decimal(0)
    for turn in chosen:
        if turn.currency == currency.name:
            own += turn.cost
        else:
            others += turn.usd
    rate = Decimal(str(currency.per_usd))
    return int(own + (others * rate).to_integral_value(ROUND_CEILING))


@given(some_turns(), st.sampled_from([USD, EUR]))
def test_the_books_come_to_what_their_turns_come_to(
    put_down: list[tuple[float, Turn]], currency: Currency
) -> None:
    """Of the day and the month, and each model's and persona's part of it."""
    connection = database(turn.row(str(n), moment) for n, (moment, turn) in enumerate(put_down))
    found = books(connection, NOW, currency)
    for period in PERIODS:
        assert found.spent[period] == worth(of_period(put_down, NOW[period]), currency)
    assert found.searches == sum(turn.searches for turn in of_period(put_down, NOW["month"]))
    for period in PERIODS:
        chosen = of_period(put_down, NOW[period])
        entries = by_model(connection, NOW[period], currency)
        whose = {(turn.model, turn.persona) for turn in chosen}
        assert {(each["model"], each["persona"]) for each in entries} == whose
        assert len(entries) == len(whose)
        costs = [each["cost"] for each in entries]
        assert costs == sorted(costs, reverse=True)
        for entry in entries:
            theirs = [
                t for t in chosen if (t.model, t.persona) == (entry["model"], entry["persona"])
            ]
            assert entry["cost"] == worth(theirs, currency) / MICRO
            assert entry["turns"] == len(theirs)
            assert entry["guessed"] == sum(turn.guessed for turn in theirs)
            assert entry["searches"] == sum(turn.searches for turn in theirs)
            assert entry["price_known"] is all(turn.priced for turn in theirs)
            for kind in KINDS:
                assert entry["tokens"][kind] == sum(getattr(t.bill, kind) for t in theirs)


def test_another_currency_counts_what_was_spent_before_by_its_dollars() -> None:
    """And going back to the old one finds the old amounts, whatever the rate is by then."""
    row = replace(ONE, usd=1_000, cost=920, currency="EUR").row("a", NOON)
    connection = database([row])
    assert spent(connection, Currency("EUR", 5.0)) == (920, 920)
    assert spent(connection) == (1_000, 1_000)
    assert spent(connection, Currency("GBP", 0.7777)) == (778, 778)
    (entry,) = by_model(connection, NOW["day"], Currency("GBP", 0.7777))
    assert entry["cost"] == 778 / MICRO


def test_the_largest_amounts_add_up_without_an_end() -> None:
    """As many as SQLite's own sum would not take: none raises."""
    row = replace(ONE, usd=MOST, cost=MOST)
    connection = database(row.row(str(number), NOON) for number in range(10_000))
    assert spent(connection)[0] == 10_000 * MOST
    assert by_model(connection, NOW["day"], EUR)[0]["cost"] > 0


# --- clocks ---------------------------------------------------------------------------------------


def test_a_clock_that_ran_ahead_buys_nothing_twice_and_costs_one_day() -> None:
    """What was spent in the wrong future counts on the day it was put right, and on its own."""
    future = NOON + 400 * DAY_S
    ahead = turns(500, moment=future)
    connection = database([*turns(1, moment=NOON - DAY_S), *ahead])
    assert spent(connection) == (500, 501)
    # The same day goes on, right again.
    for row in turns(20, moment=NOON + 60):
        connection.execute(row.table.upsert, row.parameters)
    assert spent(connection) == (520, 521)
    # Until something was put on record in the next days, nobody can tell.
    for days, cost in ((1, 3), (2, 4), (40, 5)):
        moment = NOON + days * DAY_S
        later = spans(moment, BERLIN)
        for row in turns(cost, moment=moment):
            connection.execute(row.table.upsert, row.parameters)
        found = books(connection, later, USD)
        assert found.spent["day"] == cost
        assert [each["turns"] for each in by_model(connection, later["day"], USD)] == [1]
    then = spans(future, BERLIN)
    assert books(connection, then, USD).spent["day"] == 500


def test_a_guess_that_is_counted_late_keeps_its_place() -> None:
    """Its row is put down again after those of the days since."""
    ahead = replace(ONE, cost=500, usd=500)
    rows = [
        ahead.row("ahead", NOON + 400 * DAY_S),
        *turns(20),
        ahead.row("ahead", NOON + 400 * DAY_S),
    ]
    tomorrow = spans(NOON + DAY_S, BERLIN)
    assert books(database(rows), tomorrow, USD).spent["day"] == 0


def test_a_clock_that_was_behind_has_spent_in_its_own_past() -> None:
    """What is dated in 1970 is of no running month."""
    assert spent(database([*turns(7, moment=3_600.0), *turns(5)])) == (5, 5)


# --- allowances -----------------------------------------------------------------------------------


def test_an_allowance_is_of_one_period_by_name_and_of_one_currency() -> None:
    """Whenever it was given; several add up."""
    day, month = NOW["day"], NOW["month"]
    yesterday = spans(NOON - DAY_S, BERLIN)["day"]
    rows = [
        allowed("1", NOON, day, 2_000_000, "USD"),
        allowed("2", NOON + 5, day, 500_000, "USD"),
        allowed("3", NOON, month, 7, "USD"),
        allowed("4", NOON, yesterday, 11, "USD"),
        allowed("5", NOON, day, 13, "EUR"),
        allowed("6", NOON + 900 * DAY_S, day, 17, "USD"),
    ]
    connection = database(rows)
    assert books(connection, NOW, USD).allowed == {"day": 2_500_017, "month": 7}
    assert books(connection, NOW, EUR).allowed == {"day": 13, "month": 0}
    tomorrow = spans(NOON + DAY_S, BERLIN)
    assert books(connection, tomorrow, USD).allowed == {"day": 0, "month": 7}
    assert books(connection, NOW, USD).told == frozenset()


@pytest.mark.parametrize("period", PERIODS)
def test_who_was_told_in_a_period_was_told_in_that_one(period: Period) -> None:
    """In whichever currency; it allows nothing."""
    connection = database([told_near("1", NOON, NOW[period], "USD")])
    for currency in (USD, EUR):
        found = books(connection, NOW, currency)
        assert found.told == {period}
        assert set(found.allowed.values()) == {0}
    assert books(connection, spans(NOON + 40 * DAY_S, BERLIN), USD).told == frozenset()


# --- retention ------------------------------------------------------------------------------------


@contextmanager
def written(folder: Path) -> Iterator[Writer]:
    made = Writer(Place(folder), TABLES, "life")
    try:
        yield made
    finally:
        made.close()


def keys(connection: sqlite3.Connection) -> set[str]:
    found = connection.execute("SELECT key FROM usage UNION SELECT key FROM budget")
    return {key for (key,) in found}


@pytest.mark.parametrize(("keep_days", "kept"), [(1, 62), (30, 62), (62, 62), (90, 90)])
def test_the_running_month_and_the_one_before_are_kept_whatever_the_owner_wants(
    tmp_path: Path, keep_days: int, kept: int
) -> None:
    """A limit of a month would forget what it is of."""
    now = at("2026-08-31 23:59")
    month = spans(now, BERLIN)["month"]
    with written(tmp_path) as writer:
        ages = (0, 2, 30, 61, 63, 89, 91)
        for number, days in enumerate(ages):
            moment = now - days * DAY_S
            writer.put(2 * number + 1, ONE.row(f"turn {days}", moment))
            writer.put(2 * number + 2, allowed(f"more {days}", moment, month, 1, "USD"))
        # It is done by a clock that has gone on for a week like a clock.
        for look in range(9):
            assert writer.commit(now - (8 - look) * DAY_S, 3_650) is not None
        assert len(writer.ask(keys, now)) == 2 * len(ages)
        assert writer.commit(now + DAY_S, keep_days) is not None
        left = {days for days in ages if days + 1 <= kept}
        found = writer.ask(keys, now)
        assert found == {f"{what} {days}" for days in left for what in ("turn", "more")}
        july = spans(at("2026-07-15 12:00"), BERLIN)["month"]
        assert july.begins > now + DAY_S - 63 * DAY_S


def test_both_tables_are_kept_for_two_months_and_among_the_books() -> None:
    """So are those that a full card does not shrink."""
    assert {USAGE, BUDGET} <= set(TABLES)
    assert USAGE.least_days == BUDGET.least_days == 31 + 31


# --- damage ---------------------------------------------------------------------------------------

DAMAGE = (
    *(None, "much", "12", "", b"\xff\xfe", b"", -1, -(2**63), 2**63 - 1, MOST + 1),
    *(1e300, -1e300, math.inf, -math.inf, 0.5, "\x00", "9" * 1_000),
)


def assert_in_order(connection: sqlite3.Connection) -> None:
    """Every question has an answer of its kind, and what is sound in the books is part of it."""
    for currency, least in ((USD, 1_000), (EUR, 900)):
        found = books(connection, NOW, currency)
        for period in PERIODS:
            assert isinstance(found.spent[period], int)
            assert least <= found.spent[period] < 10 * MOST
        assert isinstance(found.searches, int)
        assert found.searches >= 2
        entries = by_model(connection, NOW["day"], currency)
        assert ONE.model in {each["model"] for each in entries}
        for entry in entries:
            assert isinstance(entry["persona"], str)
            assert all(isinstance(n, int) and n >= 0 for n in entry["tokens"].values())
            assert 0 <= entry["cost"] < math.inf


@pytest.mark.parametrize("column", ["at", *USAGE.columns])
@pytest.mark.parametrize("value", DAMAGE)
def test_a_damaged_value_of_a_turn_ends_nothing(column: str, value: Any) -> None:
    """Wherever it is; the rest of its row counts too."""
    connection = database([ONE.row("sound", NOON), ONE.row("hurt", NOON)])
    connection.execute(f"UPDATE usage SET {column} = ? WHERE key = 'hurt'", (value,))
    assert_in_order(connection)
    if column not in {"at", "usd", "cost"}:
        assert spent(connection) == (2_000, 2_000)


def test_no_damage_is_a_trouble_of_the_disk(tmp_path: Path) -> None:
    """All of it at once, read as the speaker reads it: the file is used as ever."""
    hurt = [(column, value) for column in ("at", *USAGE.columns) for value in DAMAGE]
    with written(tmp_path) as writer:
        writer.put(1, ONE.row("sound", NOON))
        for number in range(len(hurt)):
            writer.put(number + 2, ONE.row(f"hurt {number}", NOON))
        assert writer.commit(NOON, 90) is not None
    (path,) = (tmp_path / "records").glob("*.sqlite")
    with sqlite3.connect(path) as hand:
        for number, (column, value) in enumerate(hurt):
            change = f"UPDATE usage SET {column} = ? WHERE key = ?"
            hand.execute(change, (value, f"hurt {number}"))
    hand.close()
    with written(tmp_path) as writer:
        writer.ask(assert_in_order, NOON)
        writer.put(1, ONE.row("later", NOON))
        assert writer.commit(NOON, 90) is not None
        writer.ask(assert_in_order, NOON)
        assert (writer.trouble, writer.odd, writer.failing) == ("", 0, False)


def test_a_text_that_is_none_is_shown_as_far_as_it_is() -> None:
    """SQLite's module would raise over it."""
    connection = database([ONE.row("a", NOON)])
    connection.execute("UPDATE usage SET model = CAST(x'6d80' AS TEXT), persona = NULL")
    (entry,) = by_model(connection, NOW["day"], USD)
    assert (entry["model"], entry["persona"]) == ("m\ufffd", "")


def test_an_amount_that_makes_no_sense_is_made_up_for_by_its_dollars() -> None:
    """Where those do."""
    connection = database([replace(ONE, usd=1_000, cost=900, currency="EUR").row("a", NOON)])
    assert spent(connection, EUR) == (900, 900)
    connection.execute("UPDATE usage SET cost = 'much', usd = 2000")
    assert spent(connection, EUR) == (1_800, 1_800)
    connection.execute("UPDATE usage SET usd = NULL")
    assert spent(connection, EUR) == (0, 0)


@pytest.mark.parametrize("value", DAMAGE)
@pytest.mark.parametrize("column", ["at", *BUDGET.columns])
def test_a_damaged_allowance_allows_no_more_than_there_is(column: str, value: Any) -> None:
    """The others are good as ever."""
    rows = [allowed(key, NOON, NOW["day"], 100, "USD") for key in ("sound", "hurt")]
    connection = database([*rows, told_near("told", NOON, NOW["day"], "USD")])
    connection.execute(f"UPDATE budget SET {column} = ? WHERE key = 'hurt'", (value,))
    found = books(connection, NOW, USD)
    assert found.told == {"day"}
    if (column, value) == ("amount", 0.5):
        assert found.allowed == {"day": 100, "month": 0}
    else:
        assert found.allowed == {"day": 200 if column == "at" else 100, "month": 0}


def test_what_happened_to_a_limit_has_two_names() -> None:
    """They are in the rows of every speaker."""
    assert (spending.ALLOWED, spending.NEAR) == ("allowed", "near")
