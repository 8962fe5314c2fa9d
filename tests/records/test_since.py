"""Which moment an owner means."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from device.records.since import ALL, since

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 10, 25, 12, 30, tzinfo=BERLIN).timestamp()
"""The day has 25 hours there."""


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", "2026-10-25T10:30:00+01:00"),
        ("90m", "2026-10-25T11:00:00+01:00"),
        ("1d", "2026-10-24T13:30:00+02:00"),
        ("today", "2026-10-25T00:00:00+02:00"),
        ("yesterday", "2026-10-24T00:00:00+02:00"),
        ("2026-11-01", "2026-11-01T00:00:00+01:00"),
    ],
)
def test_a_moment_is_that_of_the_clock_on_the_wall(text: str, moment: str) -> None:
    """Also where summer time ends."""
    assert since(text, NOW, BERLIN) == datetime.fromisoformat(moment).timestamp()


def test_all_is_the_beginning() -> None:
    """Before anything can have been."""
    assert since("all", NOW, BERLIN) == ALL < 0


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2w", "-2h", "tomorrow", "2026-13-01", "0001-01-01"]
)
def test_what_is_no_time_is_told(text: str) -> None:
    """With what can be given."""
    with pytest.raises(ValueError, match=r"give 2h, 3d, today, yesterday, a date such as"):
        since(text, NOW, BERLIN)
