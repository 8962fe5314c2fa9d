"""Local time: what does not exist, what exists twice, and every day of a year of alarms."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.timers.local_time import first_day_after, in_words, iso, last_day_until, moment

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
LORD_HOWE, APIA = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Apia")


@pytest.mark.parametrize(
    ("zone", "day", "at", "utc"),
    [
        (BERLIN, "2027-01-10", "07:00", "2027-01-10T06:00"),
        (BERLIN, "2027-07-10", "07:00", "2027-07-10T05:00"),
        # 02:00 is 03:00 at once.
        (BERLIN, "2027-03-28", "01:59", "2027-03-28T00:59"),
        (BERLIN, "2027-03-28", "02:00", "2027-03-28T01:00"),
        (BERLIN, "2027-03-28", "02:30", "2027-03-28T01:00"),
        (BERLIN, "2027-03-28", "02:59", "2027-03-28T01:00"),
        (BERLIN, "2027-03-28", "03:00", "2027-03-28T01:00"),
        # 02:00 to 03:00 is there twice.
        (BERLIN, "2027-10-31", "02:30", "2027-10-31T00:30"),
        (BERLIN, "2027-10-31", "03:00", "2027-10-31T02:00"),
        (NEW_YORK, "2027-03-14", "02:15", "2027-03-14T07:00"),
        (NEW_YORK, "2027-11-07", "01:30", "2027-11-07T05:30"),
        # Half an hour only.
        (LORD_HOWE, "2027-10-03", "02:10", "2027-10-02T15:30"),
        # A whole day was left out.
        (APIA, "2011-12-30", "07:00", "2011-12-30T10:00"),
        (ZoneInfo("UTC"), "2027-03-28", "02:30", "2027-03-28T02:30"),
    ],
)
def test_a_local_time_is_one_moment(zone: ZoneInfo, day: str, at: str, utc: str) -> None:
    """The first after a gap, and the first of two."""
    found = moment(date.fromisoformat(day), time.fromisoformat(at), zone)
    assert datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%dT%H:%M") == utc


@given(
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Tehran"]),
    st.dates(date(2000, 1, 1), date(2040, 1, 1)),
    st.times(),
)
def test_the_moment_is_the_first_at_which_the_clock_shows_so_much(
    name: str, day: date, at: time
) -> None:
    """A second before, a clock on the wall showed less, or the day before."""
    zone, at = ZoneInfo(name), at.replace(microsecond=0)
    found = moment(day, at, zone)
    shown = datetime.fromtimestamp(found, zone).replace(tzinfo=None)
    before = datetime.fromtimestamp(found - 1, zone).replace(tzinfo=None)
    assert before < datetime.combine(day, at) <= shown


def test_the_next_day_is_one_of_the_weekdays_and_later() -> None:
    """Today counts if it is not that time yet; never a day before the earliest."""
    monday = datetime(2026, 11, 30, 12, tzinfo=BERLIN).timestamp()
    early = date(2026, 1, 1)

    def following(at: str, weekdays: tuple[int, ...] = (), earliest: date = early) -> date:
        clock = time.fromisoformat(at)
        return first_day_after(monday, clock, weekdays, BERLIN, earliest=earliest)

    assert following("12:01") == date(2026, 11, 30)
    assert following("12:00") == date(2026, 12, 1)
    assert following("12:01", (0,)) == date(2026, 11, 30)
    assert following("12:00", (0,)) == date(2026, 12, 7)
    assert following("12:00", (4, 5)) == date(2026, 12, 4)
    assert following("12:00", (4,), date(2026, 12, 5)) == date(2026, 12, 11)


def test_the_last_day_is_one_of_the_weekdays_and_not_done_with() -> None:
    """None where the day that is done with was the last."""
    monday = datetime(2026, 11, 30, 12, tzinfo=BERLIN).timestamp()

    def last(at: str, weekdays: tuple[int, ...], after: date) -> date | None:
        clock = time.fromisoformat(at)
        return last_day_until(monday, clock, weekdays, BERLIN, after=after)

    assert last("12:00", (), date(2026, 1, 1)) == date(2026, 11, 30)
    assert last("12:01", (), date(2026, 1, 1)) == date(2026, 11, 29)
    assert last("12:01", (0,), date(2026, 1, 1)) == date(2026, 11, 23)
    assert last("12:01", (0,), date(2026, 11, 23)) is None
    assert last("12:00", (), date(2026, 11, 30)) is None


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, LORD_HOWE], ids=str)
def test_days_follow_each_other_without_a_gap_over_two_years(zone: ZoneInfo) -> None:
    """Whoever asks for the next one after each gets every day, at every hour."""
    for hour in range(24):
        at, day = time(hour, 10), date(2026, 1, 1)
        for _ in range(2 * 365):
            found = moment(day, at, zone)
            following = first_day_after(found, at, (), zone, earliest=day)
            assert following == day + timedelta(days=1)
            assert last_day_until(found, at, (), zone, after=day - timedelta(days=1)) == day
            day = following


def test_moments_are_shown_with_the_offset_of_then() -> None:
    """To the second; also far away."""
    assert iso(1_796_104_799.6, BERLIN) == "2026-12-01T07:00:00+01:00"
    assert iso(1_813_000_000, BERLIN) == "2027-06-14T21:06:40+02:00"
    assert iso(1_813_000_000, UTC) == "2027-06-14T19:06:40+00:00"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 seconds"), (0, "0 seconds"), (0.2, "1 second"), (59.9, "1 minute"),
        (90, "1 minute 30 seconds"), (7_200, "2 hours"), (3_661, "1 hour 1 minute 1 second"),
        (6 * 86_400 + 3_600, "6 days 1 hour"),
    ],
)  # fmt: skip
def test_durations_are_said_in_words(seconds: float, words: str) -> None:
    """Rounded up, and without what is zero."""
    assert in_words(seconds) == words
