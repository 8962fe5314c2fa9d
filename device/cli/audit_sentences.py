"""These sentences tell a person what left the device.

What is told comes from a speaker or its file, as `device.records.audit` has it, and is printable
by now.

Tested in tests/cli/test_audit.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

Entry = dict[str, Any]


def head(told: Entry) -> list[str]:
    """Return what stands before the list."""
    since = f"since {_day(told['since'])}" if told["since"] else "since the beginning"
    lines = [f"What left this device {since}:" if told["entries"] else f"Nothing left it {since}."]
    if not told["live"]:
        lines.insert(0, "No speaker runs here: this is what it has written.")
    if told["camera"]:
        lines.append("The camera is on: the model may ask for a picture in a talk.")
    return lines


def table(entries: Sequence[Entry]) -> Table:
    """Return every entry, a row each."""
    made = Table(box=None, pad_edge=False)
    for name in ("when", "what", "how much", "why", "to whom"):
        made.add_column(name, overflow="fold")
    for entry in entries:
        made.add_row(_when(entry), *_row(entry))
    return made


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
    persona = f" ({entry['persona']})" if entry["persona"] else ""
    where = f"{entry['model'] or 'unknown'}{persona} at {entry['host'] or 'unknown'}"
    return f"{where}, connection {entry['session']}.{entry['connection']}"


def _when(entry: Entry) -> str:
    begin = datetime.fromisoformat(entry["start"])
    return f"{begin:%m-%d %H:%M:%S}"


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
