"""These sentences tell a person what left the device.

What is told comes from a speaker or its file, as `device.records.audit` has it, and is printable
by now.

Tested in tests/cli/test_audit.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from string import ascii_uppercase
from typing import Any

from rich.table import Table

Entry = dict[str, Any]

WHOLE_COLUMNS = 180
"""A terminal of so many shows a row on one line, with the longest names of models and hosts."""


def head(told: Entry) -> list[str]:
    """Return what stands before the list."""
    since = f"since {_day(told['since'])}" if told["since"] else "since the beginning"
    lines = [] if told["live"] else ["No speaker runs here: this is what it has written."]
    if told["camera"]:
        lines.append("The camera is on: the model may ask for a picture in a talk.")
    if told.get("wake_clips") not in {None, "none"}:
        what = "near misses" if told["wake_clips"] == "near" else "wakes and near misses"
        lines.append(f"Clips of {what} are kept on this device and never leave it: parley wakes.")
    some = f"What left this device {since}:"
    return [*lines, some if told["entries"] else f"Nothing left this device {since}."]


def table(entries: Sequence[Entry], columns: int = WHOLE_COLUMNS) -> Table:
    """Return every entry, a row each.

    Where a terminal has fewer than `WHOLE_COLUMNS`, whom it went to is a letter and a connection:
    what `letters` tells behind it.
    """
    made = Table(box=None, pad_edge=False)
    whole = columns >= WHOLE_COLUMNS
    for name in ("when", "what", "how much", "why", "to whom" if whole else "to"):
        made.add_column(name, overflow="fold", no_wrap=not whole and name in {"when", "to"})
    known = {} if whole else _letters(entries)
    one_day = len({entry["start"][:10] for entry in entries}) == 1
    for entry in entries:
        what, much, why, whom = _row(entry)
        if whole:
            made.add_row(_when(entry), what, much, why, whom)
            continue
        begin = datetime.fromisoformat(entry["start"])
        when = f"{begin:%H:%M:%S}" if one_day else f"{begin:%m-%d %H:%M}"
        letter = known.get(_place(entry))
        made.add_row(when, what, much, why, f"{letter} {_connection(entry)}" if letter else whom)
    return made


def letters(entries: Sequence[Entry], columns: int) -> list[str]:
    """Return whom each letter of the table stands for; nothing where it has none."""
    if columns >= WHOLE_COLUMNS:
        return []
    return [f"{letter}: {place}" for place, letter in _letters(entries).items()]


def _letters(entries: Sequence[Entry]) -> dict[str, str]:
    places = dict.fromkeys(_place(entry) for entry in entries if entry["kind"] != "call")
    return {place: _letter(number) for number, place in enumerate(places)}


def _letter(number: int) -> str:
    """Count A, B … Z, AA, AB …"""
    more, last = divmod(number, len(ascii_uppercase))
    return (_letter(more - 1) if more else "") + ascii_uppercase[last]


def total(told: Entry) -> list[str]:
    """Return what it comes to."""
    sums = told["sums"]
    parts = [f"{sums['sound_s']:.1f} s of sound ({sums['bytes']:,} bytes)"]
    if sums["again_bytes"]:
        parts.append(f"of it {sums['again_frames'] * 0.02:.1f} s a second time")
    parts += [
        f"{_count(sums['pictures'], 'picture')} ({sums['picture_bytes']:,} bytes)",
        f"{_count(sums['texts'], 'text')} ({sums['characters']:,} characters)",
        _count(sums["calls"], "call"),
    ]
    return [f"In all {', '.join(parts)}."]


def _row(entry: Entry) -> tuple[str, str, str, str]:
    match entry["kind"]:
        case "sound":
            at_least = "at least " if entry["at_least"] else ""
            words = "words" if entry["words"] else "no words"
            again = f", {entry['again_frames'] * 0.02:.1f} s again" if entry["again_frames"] else ""
            much = f"{at_least}{entry['seconds']:.1f} s, {entry['bytes']:,} bytes{again}"
            return f"sound, {words}", much, _why(entry), _whom(entry)
        case "picture":
            much = f"{entry['width']} x {entry['height']}, {entry['bytes']:,} bytes"
            return "picture", much, str(entry["reason"]), _whom(entry)
        case "text":
            by = "typed" if entry["by"] == "owner" else "by the speaker"
            again = ", again" if entry["again"] else ""
            return "text", f"{entry['characters']} characters{again}", by, _whom(entry)
    server = f" of {entry['server']}" if entry["server"] else ""
    by = "by hand" if entry["by"] == "owner" else "by the model"
    return "call", f"{entry['name']}{server}", by, str(entry["outcome"] or "not known")


def _why(entry: Entry) -> str:
    why = str(entry["why"]).replace("_", " ")
    if entry["word"]:
        why = f"{entry['word']} ({entry['score']:.2f})"
    return f"{why}, over a reply" if entry["over_reply"] else why


def _whom(entry: Entry) -> str:
    return f"{_place(entry)}, connection {_connection(entry)}"


def _place(entry: Entry) -> str:
    if entry["kind"] == "call":
        return ""
    persona = f" ({entry['persona']})" if entry["persona"] else ""
    return f"{entry['model'] or 'unknown'}{persona} at {entry['host'] or 'unknown'}"


def _connection(entry: Entry) -> str:
    return f"{entry['session']}.{entry['connection']}"


def _when(entry: Entry) -> str:
    begin = datetime.fromisoformat(entry["start"])
    return f"{begin:%m-%d %H:%M:%S}"


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
