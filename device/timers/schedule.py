"""The schedule is all entries, and what happens to them as the clocks go on. Pure.

`looked` is the one place where something begins to ring, ends or is missed. It may be called at any
time and as often as anybody likes: what has happened already does not happen again. `next_look`
says when it must be called next; nothing happens before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from device.timers.entries import PATIENCE_S, Countdown, Entry, Now, Ringing
from device.timers.local_time import last_day_until, moment

LATE_S = 3_600.0
"""What is later than this does not ring any more: whoever wanted to be woken is up."""

MISSED_S = 60.0
"""What is later than this is told as missed, even if it rings: longer than a restart takes."""

LOOK_AGAIN_S = 2.0
"""Between two looks whether the time of day is known by now, while something waits for it."""

What = Literal["set", "changed", "cancelled", "ringing", "stopped", "missed"]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something happened to an entry."""

    what: What
    entry: Entry
    """As it was then: ringing, if that is what happened; before it was gone."""
    due_s: float | None
    """When it was or is due, by the wall clock; None: the time of day is not known."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every entry there is, in the order in which they were set."""

    entries: tuple[Entry, ...] = ()
    last_id: int = 0
    """The number given last: 0..999."""

    def replaced(self, entry: Entry, successor: Entry | None) -> Schedule:
        """Return the schedule with another entry, or none, in an entry's place."""
        successors = (successor if each.id == entry.id else each for each in self.entries)
        return replace(self, entries=tuple(each for each in successors if each is not None))


@dataclass(frozen=True, slots=True)
class Look:
    """When somebody must look next, by both clocks; None: that clock need not wake anybody."""

    boot_s: float | None
    wall_s: float | None


def looked(schedule: Schedule, now: Now, ring_s: float) -> tuple[Schedule, list[Happening]]:
    """Return the schedule of now, and what has happened since the last look.

    ``ring_s`` is how long what begins to ring does, unless somebody stops it.
    """
    entries: list[Entry] = []
    happenings: list[Happening] = []
    for entry in schedule.entries:
        successor, happened = _looked(entry, now, ring_s)
        happenings += happened
        if successor is not None:
            entries.append(successor)
    return replace(schedule, entries=tuple(entries)), happenings


def _looked(entry: Entry, now: Now, ring_s: float) -> tuple[Entry | None, list[Happening]]:
    entry = _followed(entry, now)
    happenings: list[Happening] = []
    ringing = entry.ringing
    if ringing is not None:
        left = ringing.end.left(now)
        entry = _without_passed_days(entry, now)
        if left is None or (entry.rings(now) and left > 0):
            return entry, []
        rest_s = 0.0 if entry.rings(now) else _rest_s(ringing, left, now)
        if rest_s > 0:
            end = Countdown.begin(rest_s, now)
            entry = replace(entry, ringing=replace(ringing, end=end))
            return entry, [Happening("ringing", entry, ringing.due_s)]
        happenings.append(Happening("stopped", entry, ringing.due_s))
        entry = replace(entry, ringing=None)
    while entry.ringing is None:
        entry, due_s, late_s = _due(entry, now)
        if late_s is None:
            break
        if late_s > MISSED_S:
            happenings.append(Happening("missed", entry, due_s))
        if late_s <= LATE_S:
            ringing = Ringing(due_s, Countdown.begin(ring_s, now))
            # What was snoozed rings now, for whichever reason.
            entry = replace(_without_passed_days(entry, now), countdown=None, ringing=ringing)
            happenings.append(Happening("ringing", entry, due_s))
    return (entry if _is_left(entry) else None), happenings


def _without_passed_days(entry: Entry, now: Now) -> Entry:
    """What comes due while an entry rings is what it rings for: it does not ring for it again."""
    appointment = entry.appointment
    if appointment is None or appointment.after is None or not now.trusted:
        return entry
    at, after, weekdays = appointment.at, appointment.after, appointment.weekdays
    day = last_day_until(now.wall_s, at, weekdays, now.zone, after=after)
    if day is None:
        return entry
    return replace(entry, appointment=replace(appointment, after=day, marked_s=now.wall_s))


def _rest_s(ringing: Ringing, left: float, now: Now) -> float:
    """Return how long something rings on that rang when the computer went down."""
    if left > 0:
        return left
    # Perhaps nobody has heard it yet: what was left then is left now.
    is_late = ringing.due_s is not None and now.wall_s - ringing.due_s > LATE_S
    return 0.0 if is_late else ringing.end.left_s


def _followed(entry: Entry, now: Now) -> Entry:
    countdown, appointment, ringing = entry.countdown, entry.appointment, entry.ringing
    if countdown is not None:
        countdown = countdown.followed(now)
    if appointment is not None:
        appointment = appointment.followed(now)
    # What rang when the power went away is another decision than how much of it is left.
    if ringing is not None and entry.rings(now):
        ringing = replace(ringing, end=ringing.end.followed(now))
    return replace(entry, countdown=countdown, appointment=appointment, ringing=ringing)


def _due(entry: Entry, now: Now) -> tuple[Entry, float | None, float | None]:
    """Return the entry without what is due of it, when that was due, and how late it is."""
    if entry.countdown is not None:
        left = entry.countdown.left(now)
        if left is not None and left <= 0:
            due_s = now.wall_s + left if now.trusted else None
            return replace(entry, countdown=None), due_s, -left
    appointment = entry.appointment
    if appointment is None or not now.trusted:
        return entry, None, None
    at, after = appointment.at, appointment.after
    if after is None:
        day = appointment.day
    else:
        # Of several days that went by only the last counts: nobody wants to hear of the others.
        day = last_day_until(now.wall_s, at, appointment.weekdays, now.zone, after=after)
    if day is None or (then_s := moment(day, at, now.zone)) > now.wall_s:
        return entry, None, None
    repeated = None if after is None else replace(appointment, after=day, marked_s=now.wall_s)
    return replace(entry, appointment=repeated), then_s, now.wall_s - then_s


def _is_left(entry: Entry) -> bool:
    return any(each is not None for each in (entry.countdown, entry.appointment, entry.ringing))


def rested(entry: Entry) -> Entry | None:
    """Return what is left of an entry that rings no more; None: nothing."""
    entry = replace(entry, ringing=None)
    return entry if _is_left(entry) else None


def next_look(schedule: Schedule, now: Now) -> Look:
    """Return when something can happen next, after a look at this moment."""
    boot_s = [each.due_boot_s for each in _countdowns(schedule, now)]
    wall_s: list[float] = []
    if now.trusted:
        appointments = (each.appointment for each in schedule.entries if each.ringing is None)
        times = (each.next_s(now) for each in appointments if each is not None)
        wall_s = [each for each in times if each is not None]
    # After that the clock is believed; and one that is absurd will be set, which wakes everybody.
    elif now.boot_s < PATIENCE_S and any(_waits(entry, now) for entry in schedule.entries):
        boot_s.append(min(now.boot_s + LOOK_AGAIN_S, PATIENCE_S))
    return Look(min(boot_s, default=None), min(wall_s, default=None))


def _countdowns(schedule: Schedule, now: Now) -> Iterable[Countdown]:
    """What ends by CLOCK_BOOTTIME, of this start of the computer."""
    for entry in schedule.entries:
        end = entry.countdown if entry.ringing is None else entry.ringing.end
        if end is not None and end.boot_id == now.boot_id:
            yield end


def _waits(entry: Entry, now: Now) -> bool:
    """Whether anything of an entry depends on what the time of day is."""
    end = entry.countdown if entry.ringing is None else entry.ringing.end
    is_unknown = end is not None and (end.boot_id != now.boot_id or end.due_s is None)
    return is_unknown or entry.appointment is not None
