"""Answers are what a function of the model is told about timers and alarms: short plain objects.

`ANSWERS` has a function for each that the model can call; `snooze` and `stop` are for commands of
the owner. Each takes the arguments as they came, and raises TimerError, whose message is the answer
then, where they are wrong or cannot be done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from device.errors import TimerError
from device.text import printable
from device.timers.alarm_clock import AlarmClock
from device.timers.changes import SNOOZE_S
from device.timers.entries import Entry, Now
from device.timers.local_time import WEEKDAYS, in_words, iso

NOT_KEPT = "it cannot be written down: a restart of the speaker would lose it"

Arguments = Mapping[str, object]
Answer = dict[str, Any]


async def set_timer(alarm_clock: AlarmClock, arguments: Arguments) -> Answer:
    """Answer `set_timer`: `duration_s`, `name`."""
    given = _only(arguments, "duration_s", "name")
    entry = await alarm_clock.set_timer(given.get("duration_s"), given.get("name"))
    return _done(alarm_clock, {"set": about(entry, alarm_clock.now)})


async def set_alarm(alarm_clock: AlarmClock, arguments: Arguments) -> Answer:
    """Answer `set_alarm`: `time`, `date`, `weekdays`, `name`, `text`."""
    given = _only(arguments, "time", "date", "weekdays", "name", "text")
    entry = await alarm_clock.set_alarm(
        given.get("time"),
        date=given.get("date"),
        weekdays=given.get("weekdays"),
        name=given.get("name"),
        text=given.get("text"),
    )
    return _done(alarm_clock, {"set": about(entry, alarm_clock.now)})


async def list_timers(alarm_clock: AlarmClock, arguments: Arguments) -> Answer:
    """Answer `list_timers`: what rings first, then what is due next."""
    _only(arguments)
    now = alarm_clock.now
    answer: Answer = {"timers": [about(entry, now) for entry in alarm_clock.entries]}
    if stopped := [_named(entry) for entry in alarm_clock.stopped]:
        answer["stopped_just_now"] = stopped
    return answer


async def cancel_timer(alarm_clock: AlarmClock, arguments: Arguments) -> Answer:
    """Answer `cancel_timer`: `id`, `name` or `all`.

    Whoever is woken by an alarm wants it to stop, and not that it never rings again.
    """
    given = _only(arguments, "id", "name", "all")
    if given.get("all") is True:
        gone = await alarm_clock.cancel_all()
        return _done(alarm_clock, {"cancelled": [_named(entry) for entry in gone]})
    which = _which(given)
    if any(entry.repeats for entry in alarm_clock.ringing):
        try:
            stopped = await alarm_clock.stop(which)
        except TimerError:
            pass  # it is none of those that ring
        else:
            answer = _stopped(alarm_clock, stopped)
            note = {"note": "it rings again then; to take it away for good, cancel it again"}
            return _done(alarm_clock, answer | note if "still_set" in answer else answer)
    gone = [await alarm_clock.cancel(which)]
    return _done(alarm_clock, {"cancelled": [_named(entry) for entry in gone]})


async def change_timer(alarm_clock: AlarmClock, arguments: Arguments) -> Answer:
    """Answer `change_timer`: `id` or `name`, `add_s` or `time`."""
    given = _only(arguments, "id", "name", "add_s", "time")
    entry = await alarm_clock.change(
        _which(given), add_s=given.get("add_s"), time=given.get("time")
    )
    return _done(alarm_clock, {"changed": about(entry, alarm_clock.now)})


async def snooze(alarm_clock: AlarmClock, arguments: Arguments) -> Answer:
    """Let what rings ring again: after `for_s`; all of it, or `id` or `name`.

    Where nothing rings it is what was stopped just now: nobody is too late to snooze it.
    """
    given = _only(arguments, "for_s", "id", "name")
    which, for_s = given.get("id", given.get("name")), given.get("for_s", SNOOZE_S)
    stopped = alarm_clock.stopped
    if alarm_clock.ringing or which is not None or not stopped:
        entries = await alarm_clock.snooze(which, for_s)
    elif len(stopped) == 1:
        entries = [await alarm_clock.change(stopped[0].id, add_s=for_s)]
    else:
        several = ", ".join(str(entry.id) for entry in stopped)
        raise TimerError(
            f"nothing rings, and several were stopped just now ({several}): give one of them "
            "more time, such as parley timers add ID 9m"
        )
    now = alarm_clock.now
    return _done(alarm_clock, {"snoozed": [about(entry, now) for entry in entries]})


async def stop(alarm_clock: AlarmClock, arguments: Arguments) -> Answer:
    """Stop what rings: all of it, be it nothing, or `id` or `name`."""
    given = _only(arguments, "id", "name")
    stopped = await alarm_clock.stop(given.get("id", given.get("name")))
    return _done(alarm_clock, _stopped(alarm_clock, stopped))


ANSWERS: dict[str, Callable[[AlarmClock, Arguments], Awaitable[Answer]]] = {
    "set_timer": set_timer,
    "set_alarm": set_alarm,
    "list_timers": list_timers,
    "cancel_timer": cancel_timer,
    "change_timer": change_timer,
}
"""By the name of the function."""


def about(entry: Entry, now: Now) -> Answer:
    """Return what there is to say of an entry; what is not known, or empty, is left out."""
    answer = _named(entry)
    if entry.rings(now):
        return answer | {"ringing": True}
    left_s, due_s = entry.left_s(now), entry.due_s(now)
    if left_s is not None:
        answer |= {"left_s": round(left_s), "left": in_words(left_s)}
    if due_s is not None:
        answer["due"] = iso(due_s, now.zone)
    appointment = entry.appointment
    if appointment is not None and due_s is None:
        answer["time"] = f"{appointment.at:%H:%M}"
    if left_s is None and due_s is None and appointment is None:
        answer["note"] = "how long is left is not known until the time of day is: it rings then"
    if appointment is not None and not appointment.is_known:
        answer["note"] = "the time of day is not known yet: it rings the next time that it is that"
    if appointment is not None and appointment.weekdays:
        answer["weekdays"] = [WEEKDAYS[day] for day in appointment.weekdays]
    if entry.text:
        answer["text"] = entry.text
    return answer


def _named(entry: Entry) -> Answer:
    answer: Answer = {"id": entry.id, "kind": entry.kind}
    return answer | {"name": entry.name} if entry.name else answer


def _stopped(alarm_clock: AlarmClock, stopped: Sequence[Entry]) -> Answer:
    """Return what was stopped, and what of it rings again on another day."""
    now, numbers = alarm_clock.now, {entry.id for entry in stopped}
    left = [about(entry, now) for entry in alarm_clock.entries if entry.id in numbers]
    answer: Answer = {"stopped": [_named(entry) for entry in stopped]}
    return answer | {"still_set": left} if left else answer


def _done(alarm_clock: AlarmClock, answer: Answer) -> Answer:
    return answer if alarm_clock.is_kept else answer | {"warning": NOT_KEPT}


def _only(arguments: Arguments, *names: str) -> dict[str, object]:
    """Return the arguments that were given, where they have no other names than these."""
    for name in arguments:
        if name not in names:
            known = ", ".join(names) or "none"
            raise TimerError(
                f"there is no argument '{printable(str(name), 60)}'; there are: {known}"
            )
    return {name: value for name, value in arguments.items() if value is not None}


def _which(given: dict[str, object]) -> object:
    which = given.get("id", given.get("name"))
    if which is None:
        raise TimerError("say which: an id or a name, as list_timers has them")
    return which
