"""The night of the lights: over midnight, by the clock on the wall alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from device.config import Lights
from device.config.kinds import Night, night_of
from device.lights.brightness import LOOK_AGAIN_S, Brightness, percent_at, wall_clock

OVER_MIDNIGHT = Night(time(22, 0), time(7, 0))
A_NAP = Night(time(13, 0), time(14, 30))


@pytest.mark.parametrize(
    ("night", "now", "dark"),
    [
        (OVER_MIDNIGHT, time(21, 59, 59), False),
        (OVER_MIDNIGHT, time(22, 0), True),
        (OVER_MIDNIGHT, time(23, 59, 59, 999_999), True),
        (OVER_MIDNIGHT, time(0, 0), True),
        (OVER_MIDNIGHT, time(6, 59, 59), True),
        (OVER_MIDNIGHT, time(7, 0), False),
        (OVER_MIDNIGHT, time(12, 0), False),
        (A_NAP, time(12, 59), False),
        (A_NAP, time(13, 0), True),
        (A_NAP, time(14, 29), True),
        (A_NAP, time(14, 30), False),
        (A_NAP, time(0, 0), False),
    ],
)
def test_when_it_is_night(night: Night, now: time, *, dark: bool) -> None:
    """From its first minute until before its last."""
    assert night.covers(now) is dark


@pytest.mark.parametrize(
    ("text", "night"),
    [
        ("22:00-07:00", OVER_MIDNIGHT),
        ("22:00 - 7:00", OVER_MIDNIGHT),
        ("00:00-23:59", Night(time(0, 0), time(23, 59))),
    ],
)
def test_how_it_is_written(text: str, night: Night) -> None:
    """Hours may have one digit."""
    assert night_of(text) == night


@pytest.mark.parametrize(
    "text",
    ["", "-", "22:00", "22-7", "22:00-7", "24:00-07:00", "22:60-07:00", "22:0-07:00", "x:00-07:00",
     "22:00-07:00-08:00", "22:00-07:\u0661\u0661x", "-1:00-07:00"],
)  # fmt: skip
def test_what_is_no_night(text: str) -> None:
    """Says what it should look like."""
    with pytest.raises(ValueError, match=r"write its hours as HH:MM-HH:MM, e\.g\. 22:00-07:00"):
        night_of(text)


def test_a_night_of_no_length_is_a_mistake() -> None:
    """It could mean all day, or never."""
    with pytest.raises(ValueError, match="begins when it ends"):
        night_of("07:00-07:00")


def test_how_bright_it_is() -> None:
    """By day as by day; at night as at night, and not brighter; without a night always the same."""
    assert percent_at(time(23, 0), 40, 10, "22:00-07:00") == 10
    assert percent_at(time(8, 0), 40, 10, "22:00-07:00") == 40
    assert percent_at(time(23, 0), 5, 10, "22:00-07:00") == 5
    assert percent_at(time(23, 0), 40, 10, None) == 40


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24"])
def test_summer_time_comes_and_goes_while_it_is_night(day: str) -> None:
    """In the night in which an hour is missing or there twice, it ends at seven on the wall."""
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(f"{day}T21:30").replace(tzinfo=berlin).astimezone(UTC)
    seen = []
    for minutes in range(0, 11 * 60, 5):
        now = (start + timedelta(minutes=minutes)).astimezone(berlin)
        seen.append((now.strftime("%H:%M"), percent_at(now.time(), 40, 10, "22:00-07:00")))
    changes = [
        (at, percent)
        for (at, percent), (_, before) in zip(seen[1:], seen, strict=False)
        if percent != before
    ]
    assert changes == [("22:00", 10), ("07:00", 40)]


def test_the_dimmer_looks_at_the_clock_only_where_there_is_a_night() -> None:
    """Else no timer runs."""
    now = time(12, 0)
    dimmer = Brightness(lambda: now)
    assert (dimmer.percent, dimmer.look_again_s) == (40, None)
    dimmer.settings = Lights(brightness=70, night="22:00-07:00", night_brightness=3)
    assert (dimmer.percent, dimmer.look_again_s) == (70, LOOK_AGAIN_S)
    now = time(3, 0)
    assert dimmer.percent == 3


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the time zone; afterwards it is again what it was."""
    yield lambda name: monkeypatch.setenv("TZ", name)
    monkeypatch.undo()
    wall_clock()


def test_another_time_zone_counts_at_once(zone: Callable[[str], None]) -> None:
    """A speaker that has moved need not be started anew."""
    zone("Etc/GMT")
    here = wall_clock()
    zone("Etc/GMT-5")
    there = wall_clock()
    # In between it may have struck the hour.
    assert (there.hour - here.hour) % 24 in {5, 6}


def test_the_clock_on_the_wall_is_the_one_here() -> None:
    """Of the time zone that the machine is in."""
    before = datetime.now().astimezone()
    now = wall_clock()
    after = datetime.now().astimezone()
    assert before.date() != after.date() or before.time() <= now <= after.time()
