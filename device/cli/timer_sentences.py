"""Timers, alarms and reminders are told to a person at a terminal like this.

What is told comes from a speaker, as `device.timers.answers` has it, and is printable by now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from device.timers.local_time import WEEKDAYS, in_words

Told = Mapping[str, Any]

NONE_SET = "none is set"
NOT_KEPT = "not on the disk: a restart would lose them; see: parley doctor"
TO_STOP = "parley timers stop"
TO_SET = "parley timers set 10m pasta, or parley timers at 07:00 --on mon,tue,fri"

HAPPENED = {
    "set": "is set",
    "changed": "is changed",
    "cancelled": "is cancelled",
    "ringing": "rings",
    "stopped": "is stopped",
    "missed": "was missed",
}
"""What a `timer` event says of an entry."""
DUE_MATTERS = frozenset({"set", "changed", "missed"})

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


def named(entry: Told) -> str:
    """Return which one it is: "timer 3 'pasta'"."""
    name = entry.get("name")
    return f"{entry['kind']} {entry['id']}" + (f" '{name}'" if name else "")


def rings(entry: Told) -> str:
    """Return when one rings: "timer 3 'pasta' rings in 9 minutes, at 18:42"."""
    if entry.get("ringing"):
        return f"{named(entry)} rings now"
    due, note = entry.get("due"), entry.get("note")
    moment = at(due) if due is not None else f"at {entry['time']}" if "time" in entry else ""
    left = f"in {left_of(entry)}" if "left_s" in entry else ""
    told = ", ".join(filter(None, (left, moment))) or "when the time of day is known"
    again = f", and again every {days(entry)}" if entry.get("weekdays") else ""
    return f"{named(entry)} rings {told}{again}" + (f" ({note})" if note else "")


def left_of(entry: Told) -> str:
    """Return how long is left, no more exactly than somebody wants to know it."""
    seconds = entry["left_s"]
    unit = HOUR_S if seconds >= 2 * DAY_S else MINUTE_S if seconds >= HOUR_S else 1
    return in_words(round(seconds / unit) * unit)


def at(due: str) -> str:
    """Return a moment for a sentence: "at 18:42", "tomorrow at 07:00", "on Thu 24 Dec at 07:00"."""
    day, time = _day_and_time(due)
    return (
        f"{day} at {time}" if day == "tomorrow" else f"on {day} at {time}" if day else f"at {time}"
    )


def days(entry: Told) -> str:
    """Return on which weekdays it rings again and again."""
    named_days = list(entry["weekdays"])
    return "day" if named_days == list(WEEKDAYS) else ", ".join(named_days)


def table(entries: Sequence[Told]) -> Table:
    """Return all there are, one a line."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("id", "kind", "name", "due", "left"):
        grid.add_column(title, overflow="fold", justify="right" if title == "id" else "left")
    for entry in entries:
        called = ": ".join(filter(None, (entry.get("name"), entry.get("text"))))
        cells = (str(entry["id"]), entry["kind"], called, _due(entry))
        # Text is shown as it is, whatever brackets and colons are in it.
        grid.add_row(*map(Text, cells), _left(entry))
    return grid


def summary(figures: Told) -> str:
    """Return how it stands, from what `status` tells of timers."""
    parts = [f"{figures['set']} set" if figures["set"] else NONE_SET]
    if figures["ringing"]:
        numbers = ", ".join(map(str, figures["ringing"]))
        parts.append(f"rings now: {numbers} ({TO_STOP})")
    if figures["next_due"] is not None:
        parts.append(f"the next rings {at(figures['next_due'])}")
    return "; ".join(parts)


def happened(event: Told) -> str:
    """Return what a `timer` event tells."""
    due = event.get("due")
    told = f", due {at(due)}" if due is not None and event["what"] in DUE_MATTERS else ""
    return f"{named(event)} {HAPPENED.get(event['what'], event['what'])}{told}"


def done(answer: Told) -> Iterator[str]:
    """Yield a line for everything that was done."""
    for what in ("set", "changed"):
        if what in answer:
            yield rings(answer[what])
    for entry in answer.get("snoozed", ()):
        yield rings(entry)
    for what, nothing in (("stopped", "nothing rings"), ("cancelled", NONE_SET)):
        if what in answer:
            yield from [f"{what}: {named(entry)}" for entry in answer[what]] or [nothing]
    for entry in answer.get("still_set", ()):
        yield rings(entry)
    if "note" in answer:
        yield answer["note"]


def _due(entry: Told) -> str:
    again = f", every {days(entry)}" if entry.get("weekdays") else ""
    if entry.get("ringing"):
        return "now" + again
    if "due" in entry:
        return " ".join(filter(None, _day_and_time(entry["due"]))) + again
    return f"{entry.get('time', 'not known yet')}{again}"


def _left(entry: Told) -> Text:
    if entry.get("ringing"):
        return Text("rings", style="bold red")
    return Text(left_of(entry) if "left_s" in entry else "not known yet")


def _day_and_time(due: str) -> tuple[str, str]:
    """Return the day, empty for today, and the time, as the speaker's own zone has them."""
    try:
        then = datetime.fromisoformat(due)
    except ValueError:
        return "", due
    today = datetime.now(then.tzinfo).date()
    day = ""
    if then.date() != today:
        near = today < then.date() < today + timedelta(days=7)
        year = "" if then.year == today.year or near else f" {then.year}"
        day = f"{then:%a}" if near else f"{then:%a} {then.day} {then:%b}{year}"
    if then.date() == today + timedelta(days=1):
        day = "tomorrow"
    return day, f"{then:%H:%M}"
