"""Timers, alarms and reminders as a person sees them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

import pytest
from rich.console import Console

from device.cli import timer_sentences as sentences

PASTA: dict[str, Any] = {"id": 3, "kind": "timer", "name": "pasta"}
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
UNKNOWN = "the time of day is not known yet: it rings the next time that it is that"


TODAY = datetime(2026, 11, 30, 10, tzinfo=UTC)


def due(days: int) -> str:
    """Noon, so many days from today, in the zone of a speaker that is far away."""
    return (TODAY.replace(hour=12) + timedelta(days=days)).isoformat()


class SameDay(datetime):
    """A clock that midnight does not reach between an entry and its sentence."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """The morning of that day."""
        return cls.fromtimestamp(TODAY.timestamp(), tz)


@pytest.fixture(autouse=True)
def _same_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "datetime", SameDay)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"left_s": 540, "due": due(0)}, "rings in 9 minutes, at 12:00"),
        ({"left_s": 7_199, "due": due(1)}, "rings in 2 hours, tomorrow at 12:00"),
        ({"left_s": 30}, "rings in 30 seconds"),
        ({"ringing": True}, "rings now"),
        ({"time": "07:00", "note": UNKNOWN}, f"rings at 07:00 ({UNKNOWN})"),
        ({}, "rings when the time of day is known"),
        (
            {"left_s": 60, "due": due(0), "weekdays": ["mon", "wed"]},
            "rings in 1 minute, at 12:00, and again every mon, wed",
        ),
        (
            {"left_s": 60, "due": due(0), "weekdays": EVERY_DAY},
            "rings in 1 minute, at 12:00, and again every day",
        ),
    ],
)
def test_when_one_rings_is_a_sentence(entry: dict[str, Any], words: str) -> None:
    """With as much of it as is known."""
    assert sentences.rings({**PASTA, **entry}) == f"timer 3 'pasta' {words}"


def test_one_without_a_name_has_its_number() -> None:
    """That is what it is called by then."""
    assert sentences.named({"id": 7, "kind": "alarm"}) == "alarm 7"


@pytest.mark.parametrize(
    ("left_s", "words"),
    [
        (59, "59 seconds"),
        (3_599, "59 minutes 59 seconds"),
        (3_629, "1 hour"),
        (86_400 + 3_600, "1 day 1 hour"),
        (10 * 86_400 + 3_500, "10 days 1 hour"),
    ],
)
def test_how_long_is_left_is_no_more_exact_than_anybody_needs(left_s: int, words: str) -> None:
    """Of an alarm tomorrow nobody counts the seconds."""
    assert sentences.left_of({"left_s": left_s}) == words


def test_a_moment_is_told_as_people_say_it() -> None:
    """Today, tomorrow, within a week, later, in another year; whatever else comes is shown."""
    in_three = datetime.fromisoformat(due(3))
    assert sentences.at(due(0)) == "at 12:00"
    assert sentences.at(due(1)) == "tomorrow at 12:00"
    assert sentences.at(due(3)) == f"on {in_three:%a} at 12:00"
    assert sentences.at("2100-12-24T07:00:00+01:00") == "on Fri 24 Dec 2100 at 07:00"
    assert sentences.at("soon") == "at soon"


def lines(*entries: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=200)
    console.print(sentences.table(entries))
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_all_there_are_is_a_table() -> None:
    """Names are text: nothing in brackets vanishes, nothing between colons becomes a picture."""
    reminder = {"id": 4, "kind": "reminder", "name": "[b]", "text": ":bell:"}
    alarm = {"id": 5, "kind": "alarm", "time": "07:00", "weekdays": ["mon"], "note": UNKNOWN}
    assert lines(
        {**PASTA, "ringing": True, "weekdays": ["tue"]},
        {**reminder, "left_s": 60, "due": due(1)},
        alarm,
        {"id": 6, "kind": "timer"},
    ) == [
        "id kind name due left",
        "3 timer pasta now, every tue rings",
        "4 reminder [b]: :bell: tomorrow 12:00 1 minute",
        "5 alarm 07:00, every mon not known yet",
        "6 timer not known yet not known yet",
    ]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"set": {**PASTA, "left_s": 60}}, ["timer 3 'pasta' rings in 1 minute"]),
        ({"changed": {**PASTA, "left_s": 60}}, ["timer 3 'pasta' rings in 1 minute"]),
        ({"snoozed": [{**PASTA, "left_s": 60}]}, ["timer 3 'pasta' rings in 1 minute"]),
        ({"cancelled": [PASTA]}, ["cancelled: timer 3 'pasta'"]),
        ({"cancelled": []}, ["none is set"]),
        ({"stopped": []}, ["nothing rings"]),
        (
            {"stopped": [PASTA], "still_set": [{**PASTA, "left_s": 60}], "note": "again"},
            ["stopped: timer 3 'pasta'", "timer 3 'pasta' rings in 1 minute", "again"],
        ),
    ],
)
def test_what_was_done_is_told(answer: dict[str, Any], told: list[str]) -> None:
    """A line for each; also that there was nothing to do."""
    assert list(sentences.done(answer)) == told


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("set", "is set, due at 12:00"),
        ("changed", "is changed, due at 12:00"),
        ("missed", "was missed, due at 12:00"),
        ("cancelled", "is cancelled"),
        ("ringing", "rings"),
        ("stopped", "is stopped"),
        ("something_new", "something_new"),
    ],
)
def test_what_happens_is_told(what: str, words: str) -> None:
    """When it is due only where that is of interest."""
    event = {**PASTA, "what": what, "due": due(0)}
    assert sentences.happened(event) == f"timer 3 'pasta' {words}"
    assert sentences.happened({**event, "due": None}).count("due") == 0
