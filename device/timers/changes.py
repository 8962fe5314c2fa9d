"""A change is what a person does to the schedule: set, cancel, change, snooze, stop. Pure.

Every function takes the schedule as `device.timers.schedule.looked` has just returned it, and
raises TimerError, with what to ask for instead, where something cannot be done. It takes any value
for an argument: what comes from a model or over a socket may be anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time

from device.errors import TimerError
from device.text import printable
from device.timers.entries import Appointment, Countdown, Entry, Kind, Now
from device.timers.local_time import WEEKDAYS, in_words, moment
from device.timers.names import chosen, listed
from device.timers.schedule import Happening, Schedule, What, rested

SHORTEST_S, LONGEST_S = 1.0, 7 * 86_400.0
"""Of a timer. What takes longer is an alarm with a date."""
MOST_ENTRIES = 50
LONGEST_NAME, LONGEST_TEXT = 60, 500
"""In characters."""
LAST_YEAR = 2199
"""Of the date of an alarm."""
LAST_ID = 999
"""Then it begins with 1 again: nobody says longer numbers, and there are fifty entries at most."""
SNOOZE_S = 540.0
"""Nine minutes, as alarm clocks have it since their gears allowed no ten."""


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of the schedule."""

    schedule: Schedule
    entries: tuple[Entry, ...]
    """Those that were set or changed, as they are now; those that were cancelled or stopped, as
    they were."""
    happenings: tuple[Happening, ...]


def set_timer(schedule: Schedule, now: Now, duration_s: object, name: object = "") -> Change:
    """Set a timer of 1 s .. 7 days, with a name of at most 60 characters."""
    seconds = _seconds(duration_s, "duration_s")
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise TimerError(
            f"a timer takes 1 second to 7 days, not {seconds:g} s: set an alarm with a date for "
            "what is later"
        )
    name = _line(name, "name", LONGEST_NAME)
    entry = Entry(0, "timer", name, countdown=Countdown.begin(seconds, now))
    return _added(schedule, now, entry)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody says of an alarm; it may be anything."""

    time: object
    """Local, "HH:MM"."""
    date: object = None
    """On that day, "YYYY-MM-DD"."""
    weekdays: object = ()
    """Such as ["mon", "fri"]: again and again on those days."""
    name: object = ""
    """At most 60 characters."""
    text: object = ""
    """Said when it rings, at most 500 characters: it is a reminder."""


def set_alarm(schedule: Schedule, now: Now, wish: Wish) -> Change:
    """Set an alarm or a reminder: for the next time that it is that time, if no day is named."""
    appointment = _appointment(now, _time(wish.time), _day(wish.date), _weekdays(wish.weekdays))
    name = _line(wish.name, "name", LONGEST_NAME)
    text = _line(wish.text, "text", LONGEST_TEXT)
    kind: Kind = "reminder" if text else "alarm"
    return _added(schedule, now, Entry(0, kind, name, text, appointment=appointment))


def cancel(schedule: Schedule, now: Now, which: object) -> Change:
    """Take away the one with this number or name; one that rings is stopped."""
    return _cancelled(schedule, now, (chosen(schedule.entries, _which(which), now),))


def cancel_all(schedule: Schedule, now: Now) -> Change:
    """Take away all there are, be it none."""
    return _cancelled(schedule, now, schedule.entries)


def change(
    schedule: Schedule,
    now: Now,
    which: object,
    add_s: object = None,
    at: object = None,
    stopped: Sequence[Entry] = (),
) -> Change:
    """Give a timer more seconds (or fewer: less than 0), or an alarm another time "HH:MM".

    One that rings, or is one of ``stopped``, as it rang, rings again after ``add_s``. An alarm for
    a named day stays on that day.
    """
    there = {entry.id: entry for entry in schedule.entries}
    rang = {entry.id: entry for entry in stopped}
    entry = chosen(list({**rang, **there}.values()), _which(which), now)
    if (add_s is None) == (at is None):
        raise TimerError("say either add_s, the seconds to add, or time, the new time as HH:MM")
    if at is not None:
        successor = _at_another_time(entry, now, _time(at))
    elif entry.id in rang:
        successor = _again(entry, now, _left_then(_seconds(add_s, "add_s"), 0.0))
    else:
        successor = _later(entry, now, _seconds(add_s, "add_s"))
    if entry.id not in there:
        schedule = replace(schedule, entries=(*schedule.entries, entry))
        entry = replace(entry, ringing=None)
    return _changed(schedule, now, ((entry, successor),))


def snooze(schedule: Schedule, now: Now, which: object = None, for_s: object = SNOOZE_S) -> Change:
    """Let what rings (all of it, or one) ring again after a while: 1 s .. 7 days."""
    seconds = _seconds(for_s, "for_s")
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise TimerError(f"snooze for 1 second to 7 days, not {seconds:g} s")
    ringing = _ringing(schedule, now, which)
    if not ringing:
        raise TimerError(f"nothing rings that could be snoozed; {listed(schedule.entries, now)}")
    return _changed(schedule, now, tuple((entry, _again(entry, now, seconds)) for entry in ringing))


def stop(schedule: Schedule, now: Now, which: object = None) -> Change:
    """Stop what rings: all of it, be it nothing, or one. What repeats goes on to its next day."""
    stopped = _ringing(schedule, now, which)
    for entry in stopped:
        schedule = schedule.replaced(entry, rested(entry))
    return Change(schedule, stopped, tuple(_happening("stopped", each, now) for each in stopped))


# --- what they have in common --------------------------------------------------------------------


def _added(schedule: Schedule, now: Now, entry: Entry) -> Change:
    if len(schedule.entries) >= MOST_ENTRIES:
        raise TimerError(
            f"there are {MOST_ENTRIES} timers and alarms already: cancel some of them; "
            f"{listed(schedule.entries, now)}"
        )
    entry = replace(entry, id=_free_id(schedule))
    schedule = Schedule((*schedule.entries, entry), entry.id)
    return Change(schedule, (entry,), (_happening("set", entry, now),))


def _free_id(schedule: Schedule) -> int:
    taken = {entry.id for entry in schedule.entries}
    number = schedule.last_id
    while (number := number % LAST_ID + 1) in taken:
        pass
    return number


def _cancelled(schedule: Schedule, now: Now, gone: tuple[Entry, ...]) -> Change:
    happenings: list[Happening] = []
    for entry in gone:
        if entry.rings(now):
            happenings.append(_happening("stopped", entry, now))
        happenings.append(_happening("cancelled", entry, now))
        schedule = schedule.replaced(entry, None)
    return Change(schedule, gone, tuple(happenings))


def _changed(schedule: Schedule, now: Now, pairs: tuple[tuple[Entry, Entry], ...]) -> Change:
    happenings: list[Happening] = []
    for entry, successor in pairs:
        if entry.rings(now):
            happenings.append(_happening("stopped", entry, now))
        happenings.append(_happening("changed", successor, now))
        schedule = schedule.replaced(entry, successor)
    return Change(schedule, tuple(successor for _, successor in pairs), tuple(happenings))


def _happening(what: What, entry: Entry, now: Now) -> Happening:
    return Happening(what, entry, entry.due_s(now))


def _ringing(schedule: Schedule, now: Now, which: object) -> tuple[Entry, ...]:
    ringing = tuple(entry for entry in schedule.entries if entry.rings(now))
    if which is None:
        return ringing
    if not ringing:
        raise TimerError(f"nothing rings now; {listed(schedule.entries, now)}")
    return (chosen(ringing, _which(which), now),)


# --- another time --------------------------------------------------------------------------------


def _again(entry: Entry, now: Now, seconds: float) -> Entry:
    return replace(entry, ringing=None, countdown=Countdown.begin(seconds, now))


def _later(entry: Entry, now: Now, seconds: float) -> Entry:
    if entry.ringing is not None:
        return _again(entry, now, _left_then(seconds, 0.0))
    if entry.countdown is not None:
        left = entry.countdown.left(now)
        if left is None:
            raise TimerError(_NOT_KNOWN)
        return _again(entry, now, _left_then(seconds, left))
    appointment = entry.appointment
    if appointment is not None and appointment.weekdays:
        raise TimerError(
            f"{entry.id} rings again and again at {appointment.at:%H:%M}: give it a new time "
            "instead of seconds, or set a timer"
        )
    if appointment is None or appointment.day is None or not now.trusted:
        raise TimerError(_NOT_KNOWN)
    if abs(seconds) > _ALARM_MOVES_S:
        raise TimerError(
            "add_s moves an alarm by a year at most: give it a new time or set another"
        )
    due_s = moment(appointment.day, appointment.at, now.zone)
    left = _left_then(seconds, due_s - now.wall_s, longest=math.inf)
    then = datetime.fromtimestamp(due_s + seconds, now.zone)
    if then.fold:
        # No local time means the second of two.
        return replace(entry, appointment=None, countdown=Countdown.begin(left, now))
    moved = replace(appointment, at=then.time().replace(microsecond=0), day=then.date())
    return replace(entry, appointment=moved)


_ALARM_MOVES_S = 366 * 86_400.0
_NOT_KNOWN = (
    "the speaker has not learned the time of day since it was started, so nobody knows how long "
    "is left: cancel it and set another"
)


def _left_then(more: float, left: float, longest: float = LONGEST_S) -> float:
    if left + more < SHORTEST_S:
        raise TimerError(
            f"it has {in_words(left)} left, nothing would remain: take less off, or cancel it"
        )
    if left + more > longest:
        raise TimerError("it would have more than 7 days left: set an alarm with a date instead")
    return left + more


def _at_another_time(entry: Entry, now: Now, at: time) -> Entry:
    if entry.kind == "timer":
        raise TimerError(
            f"{entry.id} is a timer, which has no time of day: use add_s, or set an alarm for "
            f"{at:%H:%M}"
        )
    before = entry.appointment or Appointment(at)
    day = before.day if before.dated else None
    # One that was snoozed on its named day is for the next time that it is that time.
    appointment = _appointment(now, at, day, before.weekdays)
    return replace(entry, countdown=None, ringing=None, appointment=appointment)


def _appointment(now: Now, at: time, day: date | None, weekdays: tuple[int, ...]) -> Appointment:
    if day is not None and weekdays:
        raise TimerError("an alarm has a date or weekdays, not both: leave one of them out")
    if day is not None and now.trusted and moment(day, at, now.zone) <= now.wall_s:
        today = now.today
        raise TimerError(f"{day} {at:%H:%M} is in the past, today is {today}: say a later date")
    asked = Appointment(
        at,
        day,
        dated=day is not None,
        weekdays=weekdays,
        asked_boot_id=now.boot_id,
        asked_boot_s=now.boot_s,
    )
    return asked.followed(now)


# --- what was said -------------------------------------------------------------------------------


def _seconds(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TimerError(f"{name} is {_shown(value)}: say a number of seconds")
    # A whole number may be larger than any float.
    if isinstance(value, int) and abs(value) > 1e12:
        raise TimerError(f"{name} is far too large: say a number of seconds up to 7 days")
    if not math.isfinite(value):
        raise TimerError(f"{name} is {value}: say a number of seconds")
    return float(value)


_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def _time(value: object) -> time:
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise TimerError(f"time is {_shown(value)}: say it as HH:MM, 00:00 to 23:59")
    return time(int(found[1]), int(found[2]))


def _day(value: object) -> date | None:
    if value is None:
        return None
    if isinstance(value, str) and (found := _DATE.fullmatch(value.strip())):
        try:
            day = date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            raise TimerError(f"there is no {value.strip()}: say another date") from None
        if 1970 <= day.year <= LAST_YEAR:
            return day
    raise TimerError(f"date is {_shown(value)}: say it as YYYY-MM-DD, up to the year {LAST_YEAR}")


def _weekdays(value: object) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise TimerError(f"weekdays are {_shown(value)}: say a list such as mon, fri")
    for each in value:
        if each not in WEEKDAYS:
            raise TimerError(
                f"weekdays has {_shown(each)}: say them as mon, tue, wed, thu, fri, sat, sun"
            )
    return tuple(sorted({WEEKDAYS.index(each) for each in value}))


def _line(value: object, name: str, longest: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TimerError(f"{name} is {_shown(value)}: say a text")
    line = " ".join(printable(value).split())
    if len(line) > longest:
        raise TimerError(f"{name} has {len(line)} characters: say it in at most {longest}")
    return line


def _which(value: object) -> int | str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one kind of number
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TimerError(f"{_shown(value)} is neither a number nor a name: say one of a timer")
    return value


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    return f"'{printable(value, 60)}'" if isinstance(value, str) else f"<{type(value).__name__}>"
