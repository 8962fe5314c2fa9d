"""Days and months of money begin at local midnight, whatever a zone does to their length."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.records.budget import (
    NEAR_PERCENT,
    PERIODS,
    Period,
    Standing,
    allowance,
    raised,
    span,
    spans,
)

BERLIN = ZoneInfo("Europe/Berlin")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
CAIRO = ZoneInfo("Africa/Cairo")
HAVANA = ZoneInfo("America/Havana")
APIA = ZoneInfo("Pacific/Apia")
ST_JOHNS = ZoneInfo("America/St_Johns")
ZONES = (
    *("UTC", "Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo", "America/Havana"),
    *("Pacific/Apia", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("Pacific/Kiritimati", "America/Scoresbysund", "Africa/Casablanca", "Asia/Beirut"),
)
HOUR_S = 3_600


def at(text: str, zone: tzinfo, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def local(moment: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(moment, zone).isoformat(" ", "seconds")[:19]


moments = st.floats(
    datetime(1990, 1, 1, tzinfo=UTC).timestamp(), datetime(2037, 1, 1, tzinfo=UTC).timestamp()
)
zones = st.sampled_from(ZONES).map(ZoneInfo)


@pytest.mark.parametrize(
    ("zone", "moment", "name", "begins", "hours"),
    [
        # Summer time begins and ends in the night.
        (BERLIN, "2026-03-29 12:00", "2026-03-29", "2026-03-29 00:00:00", 23),
        (BERLIN, "2026-10-25 12:00", "2026-10-25", "2026-10-25 00:00:00", 25),
        (BERLIN, "2026-10-26 00:00", "2026-10-26", "2026-10-26 00:00:00", 24),
        # There was no midnight: the clock went from 23:59 to 01:00.
        (SAO_PAULO, "2018-11-04 12:00", "2018-11-04", "2018-11-04 01:00:00", 23),
        (SAO_PAULO, "2018-11-03 12:00", "2018-11-03", "2018-11-03 00:00:00", 24),
        (CAIRO, "2024-04-26 12:00", "2024-04-26", "2024-04-26 01:00:00", 23),
        # Its last hour came twice.
        (SAO_PAULO, "2018-02-17 12:00", "2018-02-17", "2018-02-17 00:00:00", 25),
        (CAIRO, "2024-10-31 12:00", "2024-10-31", "2024-10-31 00:00:00", 25),
        # Midnight comes twice: the day begins with the first.
        (HAVANA, "2025-11-02 12:00", "2025-11-02", "2025-11-02 00:00:00", 25),
        # A day that a zone has left out.
        (APIA, "2011-12-29 12:00", "2011-12-29", "2011-12-29 00:00:00", 24),
        (APIA, "2011-12-31 12:00", "2011-12-31", "2011-12-31 00:00:00", 24),
        # Half an hour of summer time.
        (
            ZoneInfo("Australia/Lord_Howe"),
            "2025-10-05 12:00",
            "2025-10-05",
            "2025-10-05 00:00:00",
            23.5,
        ),
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(
    zone: ZoneInfo, moment: str, name: str, begins: str, hours: float
) -> None:
    """From local midnight, or what comes instead of it, to the next."""
    found = span("day", at(moment, zone), zone)
    assert found.name == name
    assert local(found.begins, zone) == begins
    assert (found.ends - found.begins) / HOUR_S == hours


@pytest.mark.parametrize(
    ("moment", "name", "days"),
    [
        ("2027-02-28 23:59", "2027-02", 28),
        ("2028-02-29 00:00", "2028-02", 29),
        ("2100-02-10 00:00", "2100-02", 28),
        ("2026-12-31 23:59", "2026-12", 31),
        ("2027-01-01 00:00", "2027-01", 31),
        ("2026-11-30 12:00", "2026-11", 30),
        ("2026-03-31 12:00", "2026-03", 31 - 1 / 24),
        ("2026-10-01 00:00", "2026-10", 31 + 1 / 24),
    ],
)
def test_a_month_has_its_own_number_of_days(moment: str, name: str, days: float) -> None:
    """Leap years, turns of the year, and an hour more or less."""
    found = span("month", at(moment, BERLIN), BERLIN)
    assert found.name == name
    assert (found.ends - found.begins) / 86_400 == pytest.approx(days, abs=1e-9)
    assert local(found.begins, BERLIN) == f"{name}-01 00:00:00"


def test_a_month_without_its_first_midnight_begins_an_hour_later() -> None:
    """Asuncion set its clock on the first of October in 2017."""
    zone = ZoneInfo("America/Asuncion")
    found = span("month", at("2017-10-15 12:00", zone), zone)
    assert local(found.begins, zone) == "2017-10-01 01:00:00"
    assert span("month", at("2017-09-15 12:00", zone), zone).ends == found.begins


@given(moments, zones, st.sampled_from(PERIODS))
def test_a_moment_is_in_its_period_and_in_no_other(
    moment: float, zone: ZoneInfo, period: Period
) -> None:
    """And its calendar says the same, but where a day that has begun seems to end again."""
    found = span(period, moment, zone)
    assert found.begins <= moment < found.ends
    assert spans(moment, zone)[period] == found
    day = datetime.fromtimestamp(moment, zone).date()
    names = {
        "day": {day.isoformat(), (day + timedelta(days=1)).isoformat()},
        "month": {f"{d:%Y-%m}" for d in (day, day + timedelta(days=1))},
    }
    first = {"day": day.isoformat(), "month": f"{day:%Y-%m}"}
    odd = found.name != first[period]
    assert found.name in names[period]
    assert not odd or zone.key == "America/St_Johns"


@given(moments, zones, st.sampled_from(PERIODS))
def test_periods_follow_each_other_without_a_gap(
    moment: float, zone: ZoneInfo, period: Period
) -> None:
    """Where one ends the next begins, under another name; and everything in one agrees on it."""
    found = span(period, moment, zone)
    after = span(period, found.ends, zone)
    assert after.begins == found.ends
    assert after.name > found.name
    before = span(period, found.begins - 1, zone)
    assert before.ends == found.begins
    assert span(period, found.begins, zone) == span(period, found.ends - 1, zone) == found


def test_a_day_that_has_begun_does_not_end_again() -> None:
    """St. John's set its clock back at 00:01: an hour of the day before came again."""
    midnight = at("2008-11-02 00:00", ST_JOHNS)
    again = midnight + 600
    assert local(again, ST_JOHNS).startswith("2008-11-01 23:")
    assert span("day", again, ST_JOHNS) == span("day", midnight, ST_JOHNS)
    assert span("day", midnight - 1, ST_JOHNS).ends == midnight


@pytest.mark.parametrize("moment", [0.0, 3_600.0, 1_700_000_000.0, 4_102_444_800.0])
def test_a_clock_far_away_has_days_too(moment: float) -> None:
    """A board without a battery begins in 1970, and some begin in 2100."""
    for zone in (UTC, BERLIN, ZoneInfo("Pacific/Kiritimati")):
        for found in spans(moment, zone).values():
            assert found.begins <= moment < found.ends


def test_what_is_dated_later_counts_too() -> None:
    """And what is dated before the beginning does not."""
    found = span("day", at("2026-12-01 12:00", BERLIN), BERLIN)
    assert found.holds(found.begins)
    assert found.holds(found.ends + 1e9)
    assert not found.holds(found.begins - 0.001)


def test_the_same_moment_is_another_day_elsewhere() -> None:
    """An allowance of one is none of the other."""
    moment = at("2026-12-01 00:30", BERLIN)
    assert span("day", moment, BERLIN).name == "2026-12-01"
    assert span("day", moment, SAO_PAULO).name == "2026-11-30"
    assert span("month", moment, SAO_PAULO).name == "2026-11"


@given(st.dates(date(1995, 1, 1), date(2036, 12, 1)))
def test_the_days_of_a_month_make_the_month(day: date) -> None:
    """Walked from midnight to midnight, as many as the calendar has."""
    month = span("month", at(f"{day} 12:00", BERLIN), BERLIN)
    begins, days = month.begins, 0
    while begins < month.ends:
        begins, days = span("day", begins, BERLIN).ends, days + 1
    assert begins == month.ends
    assert days == calendar.monthrange(day.year, day.month)[1]


# --- how a period stands --------------------------------------------------------------------------


@given(st.integers(0, 10**10), st.integers(10_000, 10**12), st.integers(0, 10**10))
def test_a_limit_is_near_from_four_fifths_on_and_reached_at_itself(
    spent: int, limit: int, allowed: int
) -> None:
    """What was allowed is part of it."""
    found = Standing(spent, limit, allowed)
    ceiling = limit + allowed
    assert found.ceiling == ceiling
    assert (found.level == "reached") is (spent >= ceiling)
    assert (found.level == "near") is (
        Decimal(spent) / ceiling >= Decimal("0.8") and spent < ceiling
    )
    assert found.left is not None
    assert found.left >= 0
    assert (found.left == 0) is (found.level == "reached")
    assert NEAR_PERCENT == 80


def test_levels_change_at_the_millionth() -> None:
    """A limit of ten cents."""
    levels = [Standing(spent, 100_000).level for spent in (0, 79_999, 80_000, 99_999, 100_000)]
    assert levels == ["", "", "near", "near", "reached"]
    assert Standing(100_000, 100_000, 1).level == "near"


def test_without_a_limit_nothing_is_near() -> None:
    """Whatever was spent, or allowed."""
    found = Standing(10**15, None, 5)
    assert (found.ceiling, found.left, found.level) == (None, None, "")


@pytest.mark.parametrize(
    ("given_", "whole"),
    [("2.00", 2_000_000), (2, 2_000_000), (0.01, 10_000), ("10000", 10**10), (" 0.1 ", 100_000)],
)
def test_an_allowance_is_read_as_it_is_written(given_: object, whole: int) -> None:
    """From the command line, from a script, by the voice."""
    assert allowance(given_) == whole


@pytest.mark.parametrize(
    "given_",
    [
        *("", "two", "2,00", "$2", "nan", "inf", "-inf", "-2", "0", "0.009", "1000000.01", "1e99"),
        *(None, True, False, [], {"amount": 2}, 0, -1, 10**400, float("nan"), b"2", "9" * 9_000),
    ],
)
def test_what_is_no_amount_is_told_with_what_can_be_given(given_: object) -> None:
    """In one short line."""
    with pytest.raises(ValueError, match=r"is no amount: give one from 0\.01 to 1000000") as told:
        allowance(given_)
    assert len(str(told.value)) < 160


@pytest.mark.parametrize(
    ("day", "month", "periods"),
    [
        (Standing(0, None), Standing(0, None), ()),
        (Standing(0, 10), Standing(0, None), ("day",)),
        (Standing(0, None), Standing(0, 10), ("month",)),
        (Standing(0, 10), Standing(0, 10), ("day",)),
        (Standing(9, 10), Standing(10, 10), ("month",)),
        (Standing(10, 10), Standing(99, 10), ("day", "month")),
        (Standing(10, 10, 1), Standing(99, 10), ("month",)),
        (Standing(99, None), Standing(1, 10), ("month",)),
    ],
)
def test_an_allowance_goes_to_the_limits_that_are_in_the_way(
    day: Standing, month: Standing, periods: tuple[Period, ...]
) -> None:
    """Those reached, else the nearest."""
    assert raised({"day": day, "month": month}) == periods
