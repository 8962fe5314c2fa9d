"""The schedule as JSON: what is written is read, and whatever is read is a schedule or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.timers.changes import MOST_ENTRIES
from device.timers.entries import Appointment, Countdown, Entry, Ringing
from device.timers.record import LATEST_S, record_of, schedule_in
from device.timers.schedule import Schedule, looked, next_look
from tests.rig.hostile_server import VALUES
from tests.timers.jumping import BERLIN, JumpingClocks

NOW = JumpingClocks().read(BERLIN)
COUNTDOWN = Countdown.begin(600, NOW)
ONCE = Appointment(time(7, 5, 9), date(2026, 12, 2), dated=True, asked_boot_id="b", asked_boot_s=7)
REPEATED = Appointment(time(7), weekdays=(0, 6), after=date(2026, 12, 1), marked_s=5.5)
FULL = Schedule(
    (
        Entry(3, "timer", "Nudeln 🍝", countdown=COUNTDOWN),
        Entry(4, "alarm", appointment=ONCE),
        Entry(999, "reminder", "n", "say it", COUNTDOWN, REPEATED, Ringing(None, COUNTDOWN)),
        Entry(1, "alarm", ringing=Ringing(NOW.wall_s, replace(COUNTDOWN, due_s=None))),
    ),
    last_id=4,
)


def through_json(schedule: Schedule) -> tuple[Schedule, list[str]]:
    return schedule_in(json.loads(json.dumps(record_of(schedule, NOW))))


def test_what_is_written_is_read() -> None:
    """All of it, in its order."""
    assert through_json(FULL) == (FULL, [])
    assert through_json(Schedule()) == (Schedule(), [])


def test_what_is_left_is_written_as_of_now() -> None:
    """It is what counts after a reboot."""
    later = replace(NOW, boot_s=NOW.boot_s + 100)
    written = record_of(FULL, later)["entries"][0]["countdown"]
    assert written["left_s"] == 500
    rebooted = replace(later, boot_id="another")
    assert record_of(FULL, rebooted)["entries"][0]["countdown"]["left_s"] == 600


def entry(**fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = record_of(FULL, NOW)["entries"][2]
    return record | fields


def appointment(**fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = entry()["appointment"]
    return entry(appointment=record | fields)


def countdown(**fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = entry()["countdown"]
    return entry(countdown=record | fields)


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (7, "it has no number and kind"),
        ({}, "it has no number and kind"),
        (entry(id=0), "it has no number and kind"),
        (entry(id=1000), "it has no number and kind"),
        (entry(id=True), "it has no number and kind"),
        (entry(kind="egg"), "it has no number and kind"),
        (entry(name=7), "its name or text is none, or too long"),
        (entry(name="n" * 61), "its name or text is none, or too long"),
        ({"id": 5, "kind": "timer"}, "it is never due"),
        (entry(countdown=7), "its countdown is none"),
        (countdown(due_boot_s=None), "a number of it is none, or out of range"),
        (countdown(due_boot_s=True), "a number of it is none, or out of range"),
        (countdown(due_boot_s=10**400), "a number of it is none, or out of range"),
        (countdown(due_s=float("nan")), "a number of it is none, or out of range"),
        (countdown(due_s=LATEST_S * 2), "a number of it is none, or out of range"),
        (countdown(left_s="9"), "a number of it is none, or out of range"),
        (entry(appointment=[]), "its appointment is none"),
        (appointment(time="7:00"), "its time is none"),
        (appointment(time=7), "its time is none"),
        (appointment(weekdays=["egg"]), "its weekdays are none"),
        (appointment(weekdays=[[]]), "its weekdays are none"),
        (appointment(after="2026-13-01"), "month must be in 1..12"),
        (appointment(after="9999-12-31"), "its date is none"),
        (appointment(after=7), "its date is none"),
        (appointment(date="2026-12-01"), "it rings once and again and again"),
        (appointment(weekdays=[]), "it rings once and again and again"),
        (appointment(marked_s=None), "a number of it is none, or out of range"),
        (appointment(asked={"boot_id": "x", "boot_s": -1}), "a number of it is none"),
        (entry(ringing={"due_s": 5}), "it rings, but it does not say until when"),
        (entry(ringing=7), "it rings, but it does not say until when"),
    ],
)
def test_an_entry_that_makes_no_sense_is_lost_alone(damaged: object, why: str) -> None:
    """And told of."""
    record = record_of(FULL, NOW)
    record["entries"].insert(1, damaged)
    schedule, complaints = schedule_in(record)
    assert len(complaints) == 1
    assert complaints[0].startswith(f"an entry of it is lost: {why}")
    assert schedule == FULL


def test_what_may_be_missing_is_nothing() -> None:
    """Also in a file that somebody wrote by hand."""
    record = appointment(asked=7)
    (read,) = schedule_in({"entries": [record]})[0].entries
    assert read.appointment == REPEATED
    del record["appointment"]["asked"]
    record["appointment"]["asked"] = {"boot_id": 7, "boot_s": 3}
    (read,) = schedule_in({"entries": [record]})[0].entries
    assert read.appointment == replace(REPEATED, asked_boot_s=3)


def test_numbers_are_there_once_and_entries_are_not_too_many() -> None:
    """What is too much is told of."""
    written = [entry(id=1 + number) for number in range(MOST_ENTRIES + 1)]
    schedule, complaints = schedule_in({"entries": [written[0], *written]})
    assert len(schedule.entries) == MOST_ENTRIES
    assert complaints == [
        "an entry of it is lost: there is no room for a number 1",
        "an entry of it is lost: there is no room for a number 51",
    ]


@pytest.mark.parametrize("last_id", [None, "7", -1, 1000, 7.5])
def test_the_last_number_is_found_where_it_is_not_told(last_id: object) -> None:
    """The highest there is."""
    record = {"last_id": last_id, "entries": [entry(id=8), entry(id=5)]}
    assert schedule_in(record)[0].last_id == 8
    assert schedule_in({"last_id": last_id, "entries": []})[0].last_id == 0


def test_a_record_of_something_else_is_none() -> None:
    """Whoever reads the file says so."""
    records: list[dict[str, Any]] = [{}, {"entries": {}}, {"entries": None}]
    for record in records:
        with pytest.raises(ValueError, match="it holds no list of entries"):
            schedule_in(record)


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 5) | VALUES,
        "kind": st.sampled_from(["timer", "alarm"]) | VALUES,
        "name": VALUES,
        "countdown": st.fixed_dictionaries(
            {"boot_id": st.sampled_from(["boot 1", "x"]), "due_boot_s": st.floats() | VALUES},
            optional={"due_s": st.floats() | VALUES, "left_s": st.floats() | VALUES},
        ),
        "appointment": st.fixed_dictionaries(
            {"time": st.just("07:00:00") | VALUES, "date": st.dates().map(str) | VALUES},
            optional={
                "weekdays": st.just(["mon"]) | st.just([]) | VALUES,
                "after": st.dates().map(str) | st.none(),
                "marked_s": st.floats() | VALUES,
            },
        ),
        "ringing": st.just(entry()["ringing"]) | VALUES,
    },
)


@given(st.lists(FIELDS, max_size=3), VALUES)
def test_whatever_is_in_the_file_can_be_looked_at(entries: list[object], last_id: object) -> None:
    """Or it is told of; it never ends the speaker."""
    schedule, complaints = schedule_in({"last_id": last_id, "entries": entries})
    assert len(schedule.entries) + len(complaints) == len(entries)
    for now in (NOW, replace(NOW, zone=UTC, synchronised=False, boot_s=1.0)):
        after, _ = looked(schedule, now, 300)
        next_look(after, now)
        assert schedule_in(record_of(after, now))[1] == []
