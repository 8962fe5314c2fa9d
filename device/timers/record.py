"""A record is the schedule as a JSON object, and the schedule that such an object holds. Pure.

Reading takes whatever makes sense. An entry that does not is left out and told of; the others are
not lost with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from device.timers.changes import LAST_ID, LONGEST_NAME, LONGEST_TEXT, MOST_ENTRIES
from device.timers.entries import Appointment, Countdown, Entry, Kind, Now, Ringing
from device.timers.local_time import WEEKDAYS
from device.timers.schedule import Schedule

KINDS: dict[object, Kind] = {"timer": "timer", "alarm": "alarm", "reminder": "reminder"}
LATEST_S = 7_289_654_400.0
"""2201-01-01: no entry is due later."""
LONGEST_S = 400 * 86_400.0
"""No countdown is longer: an alarm can be moved by a year."""
LONGEST_BOOT_S = 1e10
"""No computer runs for three hundred years."""


def record_of(schedule: Schedule, now: Now) -> dict[str, Any]:
    """Return what is to be written down now."""
    entries = [_entry_record(entry, now) for entry in schedule.entries]
    return {"last_id": schedule.last_id, "entries": entries}


def _entry_record(entry: Entry, now: Now) -> dict[str, Any]:
    record: dict[str, Any] = {"id": entry.id, "kind": entry.kind}
    record |= {key: text for key, text in (("name", entry.name), ("text", entry.text)) if text}
    if entry.countdown is not None:
        record["countdown"] = _countdown_record(entry.countdown, now)
    if entry.appointment is not None:
        record["appointment"] = _appointment_record(entry.appointment)
    if entry.ringing is not None:
        end = _countdown_record(entry.ringing.end, now)
        record["ringing"] = {"due_s": entry.ringing.due_s, "end": end}
    return record


def _countdown_record(countdown: Countdown, now: Now) -> dict[str, Any]:
    written = countdown.written(now)
    return {
        "boot_id": written.boot_id,
        "due_boot_s": written.due_boot_s,
        "due_s": written.due_s,
        "left_s": written.left_s,
    }


def _appointment_record(appointment: Appointment) -> dict[str, Any]:
    day, after = appointment.day, appointment.after
    return {
        "time": appointment.at.isoformat(),
        "date": day.isoformat() if day is not None else None,
        "dated": appointment.dated,
        "weekdays": [WEEKDAYS[each] for each in appointment.weekdays],
        "after": after.isoformat() if after is not None else None,
        "marked_s": appointment.marked_s,
        "asked": {"boot_id": appointment.asked_boot_id, "boot_s": appointment.asked_boot_s},
    }


def schedule_in(record: Mapping[str, Any]) -> tuple[Schedule, list[str]]:
    """Return the schedule that a record holds, and what of it makes no sense.

    Raises ValueError where it is no record of a schedule at all.
    """
    written = record.get("entries")
    if not isinstance(written, list):
        raise ValueError("it holds no list of entries")  # noqa: TRY004 - of a file, not of a call
    entries: dict[int, Entry] = {}
    complaints = []
    for each in written:
        try:
            entry = _entry_in(each)
        except ValueError as error:
            complaints.append(f"an entry of it is lost: {error}")
            continue
        if entry.id in entries or len(entries) >= MOST_ENTRIES:
            complaints.append(f"an entry of it is lost: there is no room for a number {entry.id}")
            continue
        entries[entry.id] = entry
    last_id = record.get("last_id")
    if not isinstance(last_id, int) or not 0 <= last_id <= LAST_ID:
        last_id = max(entries, default=0)
    return Schedule(tuple(entries.values()), int(last_id)), complaints


def _entry_in(value: object) -> Entry:
    match value:
        case {"id": int() as number, "kind": str() as kind, **rest} if (
            1 <= number <= LAST_ID and not isinstance(number, bool) and kind in KINDS
        ):
            pass
        case _:
            raise ValueError("it has no number and kind")
    countdown, appointment = rest.get("countdown"), rest.get("appointment")
    ringing = rest.get("ringing")
    if countdown is None and appointment is None and ringing is None:
        raise ValueError("it is never due")
    return Entry(
        number,
        KINDS[kind],
        _line(rest.get("name", ""), LONGEST_NAME),
        _line(rest.get("text", ""), LONGEST_TEXT),
        _countdown_in(countdown) if countdown is not None else None,
        _appointment_in(appointment) if appointment is not None else None,
        _ringing_in(ringing) if ringing is not None else None,
    )


def _countdown_in(value: object) -> Countdown:
    match value:
        case {"boot_id": str() as boot_id, "due_boot_s": due_boot_s, "due_s": due_s, **rest}:
            return Countdown(
                boot_id,
                _number(due_boot_s, -LONGEST_BOOT_S, LONGEST_BOOT_S),
                _moment_or_none(due_s),
                _number(rest.get("left_s"), -LONGEST_BOOT_S, LONGEST_S),
            )
    raise ValueError("its countdown is none")


def _appointment_in(value: object) -> Appointment:
    match value:
        case {"time": at, "date": day, "weekdays": list() as weekdays, "after": after, **rest}:
            pass
        case _:
            raise ValueError("its appointment is none")
    if not all(each in WEEKDAYS for each in weekdays):
        raise ValueError("its weekdays are none")
    asked = rest.get("asked")
    boot_id, boot_s = (
        (asked.get("boot_id"), asked.get("boot_s")) if isinstance(asked, dict) else ("", 0.0)
    )
    appointment = Appointment(
        _time(at),
        _day(day),
        dated=rest.get("dated") is True,
        weekdays=tuple(sorted({WEEKDAYS.index(each) for each in weekdays})),
        after=_day(after),
        marked_s=_number(rest.get("marked_s"), -LATEST_S, LATEST_S),
        asked_boot_id=boot_id if isinstance(boot_id, str) else "",
        asked_boot_s=_number(boot_s, 0, LONGEST_BOOT_S),
    )
    if (appointment.day if appointment.weekdays else appointment.after) is not None:
        raise ValueError("it rings once and again and again")
    return appointment


def _ringing_in(value: object) -> Ringing:
    match value:
        case {"due_s": due_s, "end": end}:
            return Ringing(_moment_or_none(due_s), _countdown_in(end))
    raise ValueError("it rings, but it does not say until when")


def _line(value: object, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError("its name or text is none, or too long")
    return value


def _number(value: object, least: float, most: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # NaN is not in any range.
    if not is_number or not least <= value <= most:  # type: ignore[operator]
        raise ValueError("a number of it is none, or out of range")
    return float(value)  # type: ignore[arg-type]


def _moment_or_none(value: object) -> float | None:
    return None if value is None else _number(value, -LATEST_S, LATEST_S)


_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")
_DATE = re.compile(r"(19[7-9][0-9]|2[01][0-9]{2}|2200)-([0-9]{2})-([0-9]{2})")


def _time(value: object) -> time:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("its time is none")
    return time(int(found[1]), int(found[2]), int(found[3]))


def _day(value: object) -> date | None:
    if value is None:
        return None
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("its date is none")
    return date(int(found[1]), int(found[2]), int(found[3]))
