"""Names are how people say which timer they mean; this finds it, or says what there is. Pure.

"the Pâtes timer" is the one called "pates". What is said is compared in steps, each more generous
than the one before: exactly; without case, accents, spaces and punctuation; as a sentence with the
name in it; as a part of the name. The first step that finds anything decides, and it must find one.

Source: Unicode Standard Annex 15 (normal forms), and section 5.18 of the standard (case folding).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from device.errors import TimerError
from device.text import printable
from device.timers.entries import Entry, Now
from device.timers.local_time import in_words, iso

KINDS = {
    **dict.fromkeys(("timer", "timers", "countdown"), "timer"),
    **dict.fromkeys(("alarm", "alarms"), "alarm"),
    **dict.fromkeys(("reminder", "reminders"), "reminder"),
}
"""Words that say what kind of entry is meant."""

FILLERS = {*KINDS, "the", "a", "an", "my", "for", "called", "named", "one", "to"}
"""Words around a name that are no part of it."""

MOST_LISTED = 10
"""More entries than this are no answer to a person."""


def chosen(entries: Sequence[Entry], which: int | str, now: Now) -> Entry:
    """Return the entry with this number, or the one that is called so.

    Raises TimerError that lists what there is when there is none, or more than one.
    """
    if isinstance(which, int):
        by_number = [entry for entry in entries if entry.id == which]
        if not by_number:
            raise TimerError(f"no timer or alarm has that number; {listed(entries, now)}")
        return by_number[0]
    # A name may be a number as well, but the number of a timer comes first.
    by_number = [entry for entry in entries if str(entry.id) == which.strip()]
    if by_number:
        return by_number[0]
    found = _called(entries, which)
    if len(found) == 1:
        return found[0]
    said = printable(which.strip(), 60)
    if not found:
        raise TimerError(f"no timer or alarm is called '{said}'; {listed(entries, now)}")
    raise TimerError(f"'{said}' may be several: {_list(found, now)}; say the number of one")


def _called(entries: Sequence[Entry], said: str) -> list[Entry]:
    exact = unicodedata.normalize("NFC", said.strip().casefold())
    words = _words(said)
    plain = "".join(words)
    telling = set(words) - FILLERS

    def is_exact(entry: Entry) -> bool:
        return unicodedata.normalize("NFC", entry.name.casefold()) == exact

    def is_plain(entry: Entry) -> bool:
        return bool(plain) and "".join(_words(entry.name)) == plain

    def is_said(entry: Entry) -> bool:
        return set(_words(entry.name)) - FILLERS == telling and bool(telling)

    def is_in_it(entry: Entry) -> bool:
        name = set(_words(entry.name))
        return bool(name - FILLERS) and name <= set(words)

    def is_part(entry: Entry) -> bool:
        return bool(telling) and telling <= set(_words(entry.name))

    def is_kind(entry: Entry) -> bool:
        kinds = {KINDS[word] for word in words if word in KINDS}
        return not telling and entry.kind in kinds

    steps: tuple[Callable[[Entry], bool], ...] = (
        *(is_exact, is_plain, is_said, is_in_it, is_part, is_kind),
    )
    for step in steps:
        found = [entry for entry in entries if (entry.name or step is is_kind) and step(entry)]
        if found:
            return found
    return []


def _words(text: str) -> list[str]:
    """Return the words of a text without case, accents and punctuation."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = (c for c in folded if not unicodedata.combining(c))
    return "".join(" " if unicodedata.category(c)[0] in "PZC" else c for c in kept).split()


def listed(entries: Iterable[Entry], now: Now) -> str:
    """Say what there is, for the end of a sentence."""
    all_of_them = sorted(entries, key=lambda entry: entry.order(now))
    return f"there are: {_list(all_of_them, now)}" if all_of_them else "none is set"


def _list(entries: Sequence[Entry], now: Now) -> str:
    shown = [described(entry, now) for entry in entries[:MOST_LISTED]]
    if len(entries) > MOST_LISTED:
        shown.append(f"and {len(entries) - MOST_LISTED} more")
    return ", ".join(shown)


def described(entry: Entry, now: Now) -> str:
    """Return an entry in a few words: number, name, kind, and when."""
    called = f"{entry.id} '{entry.name}'" if entry.name else str(entry.id)
    return f"{called} ({entry.kind}, {_when(entry, now)})"


def _when(entry: Entry, now: Now) -> str:
    if entry.rings(now):
        return "ringing"
    left = entry.left_s(now)
    if entry.appointment is None or entry.countdown is not None:
        return f"{in_words(left)} left" if left is not None else "the time is not known yet"
    due_s = entry.due_s(now)
    if due_s is None:
        return f"{entry.appointment.at:%H:%M}, the day is not known yet"
    return iso(due_s, now.zone)[:16].replace("T", " ")
