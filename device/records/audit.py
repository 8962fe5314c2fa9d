"""The audit keeps what left the device and what was called, and answers questions about it.

A row for each stretch of sound, each picture, each text and each call of a function; of none of
them what was in it. Rows are made here and read here; when they are made is for
`device.assistant.audit` to say. Times are Unix seconds.

Tested in tests/assistant/test_audit.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from device.frames import FRAME_BYTES, FRAME_MS
from device.records.rows import Table

_LINE = ("model", "host", "session", "connection", "persona")
"""Over which connection something left, and in whose talk."""

SOUND = Table(
    "sound",
    (
        *("ended", "frames", "bytes", "again_frames", "words", "over"),
        *("why", "word", "score", "over_reply", "rang", *_LINE),
    ),
)
"""A stretch of microphone sound over one connection. ``over``: 0 while it may grow."""
PICTURE = Table("picture", ("bytes", "width", "height", "reason", "whole", *_LINE))
"""A picture. ``whole``: 0 until all of it was handed to the connection."""
TEXT = Table("typed", ("characters", "again", "ours", "whole", *_LINE))
"""A text, by its length. ``ours``: whether the speaker itself has said it to a silent server."""
CALL = Table("call", ("name", "server", "by_hand", "outcome", "session", "persona"))
"""A call of a function, by its name."""

_TABLES = (SOUND, PICTURE, TEXT, CALL)

LONGEST_S = 86_400.0
"""No stretch lasts longer: a connection lives for a quarter of an hour. So much earlier may one
have begun that was still going on at some time."""

PAGE_ENTRIES = 500
"""As many are answered at once: 0.2 MB of JSON."""

_BEGAN = "at >= :since - :longest AND (at >= :since OR ended >= :since)"
_KINDS = {
    "sound": ("sound", _BEGAN),
    "picture": ("picture", "at >= :since"),
    "text": ("typed", "at >= :since"),
    "call": ("call", "at >= :since"),
}
"""The table of each kind of entry, and which rows of it concern the time from ``since`` on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of entries ended; the next one begins behind it."""

    at: float
    key: str


START = Place(float("-inf"), "")
"""Before the first entry."""


@dataclass(frozen=True, slots=True)
class Sums:
    """How much there was of everything."""

    stretches: int
    frames: int
    bytes: int
    """Of sound."""
    again_frames: int
    pictures: int
    picture_bytes: int
    texts: int
    characters: int
    calls: int

    @property
    def seconds(self) -> float:
        """Of sound."""
        return self.frames * FRAME_MS / 1000

    def as_dict(self) -> dict[str, Any]:
        """Return it for the command and its ``--json``."""
        return {
            "stretches": self.stretches,
            "sound_s": self.seconds,
            "frames": self.frames,
            "bytes": self.bytes,
            "again_frames": self.again_frames,
            "again_bytes": self.again_frames * FRAME_BYTES,
            "pictures": self.pictures,
            "picture_bytes": self.picture_bytes,
            "texts": self.texts,
            "characters": self.characters,
            "calls": self.calls,
        }


def sums(connection: sqlite3.Connection, since: float) -> Sums:
    """Return how much there was since then; a stretch that went on then counts whole."""
    asked = {"since": since, "longest": LONGEST_S}

    def one(what: str, kind: str) -> tuple[int, ...]:
        table, concerned = _KINDS[kind]
        found = connection.execute(f"SELECT {what} FROM {table} WHERE {concerned}", asked)  # noqa: S608 - of names above
        return tuple(int(each or 0) for each in found.fetchone())

    return Sums(
        *one("COUNT(*), SUM(frames), SUM(bytes), SUM(again_frames)", "sound"),
        *one("COUNT(*), SUM(bytes)", "picture"),
        *one("COUNT(*), SUM(characters)", "text"),
        *one("COUNT(*)", "call"),
    )


def page(
    connection: sqlite3.Connection,
    since: float,
    after: Place,
    zone: tzinfo,
    *,
    growing: Collection[str] = (),
    most: int = PAGE_ENTRIES,
) -> tuple[list[dict[str, Any]], Place | None]:
    """Return the entries behind `after`, the oldest first, and where to go on; None at the end.

    ``growing``: the keys of stretches that are open at this moment.
    """
    asked = {"since": since, "longest": LONGEST_S, "at": after.at, "key": after.key, "most": most}
    parts = [
        f"SELECT at, key, '{kind}' AS kind FROM {table} "  # noqa: S608 - of names above
        f"WHERE {concerned} AND (at, key) > (:at, :key)"
        for kind, (table, concerned) in _KINDS.items()
    ]
    query = f"{' UNION ALL '.join(parts)} ORDER BY at, key LIMIT :most"
    places = connection.execute(query, asked).fetchall()
    entries = [_entry(connection, kind, key, zone, growing) for _, key, kind in places]
    if len(places) < most:
        return entries, None
    return entries, Place(places[-1][0], places[-1][1])


def _entry(
    connection: sqlite3.Connection, kind: str, key: str, zone: tzinfo, growing: Collection[str]
) -> dict[str, Any]:
    table = next(each for each in _TABLES if each.name == _KINDS[kind][0])
    columns = ("at", *table.columns)
    found = connection.execute(
        f"SELECT {', '.join(columns)} FROM {table.name} WHERE key = ?",  # noqa: S608 - of names above
        (key,),
    )
    row = dict(zip(columns, found.fetchone(), strict=True))
    entry: dict[str, Any] = {"kind": kind, "start": _iso(row.pop("at"), zone)}
    match kind:
        case "sound":
            whole = bool(row.pop("over"))
            frames, again = row.pop("frames"), row.pop("again_frames")
            sizes = {"bytes": row.pop("bytes"), "again_frames": again}
            return {
                **entry,
                "end": _iso(row.pop("ended"), zone),
                "seconds": frames * FRAME_MS / 1000,
                "frames": frames,
                **sizes,
                "again_bytes": again * FRAME_BYTES,
                "words": bool(row.pop("words")),
                "open": key in growing,
                "at_least": not whole,
                **row,
                "over_reply": bool(row["over_reply"]),
                "rang": bool(row["rang"]),
            }
        case "picture":
            return {**entry, "at_most": not row.pop("whole"), **row}
        case "text":
            whole = bool(row.pop("whole"))
            by = "speaker" if row.pop("ours") else "owner"
            return {**entry, "by": by, "at_most": not whole, **row, "again": bool(row["again"])}
        case _:
            return {**entry, "by": "owner" if row.pop("by_hand") else "model", **row}


def moment_of(at: float, zone: tzinfo) -> str | None:
    """Return a moment as ISO 8601; None for the beginning of all."""
    return _iso(at, zone) if at > 0 else None


def _iso(at: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).isoformat(timespec="milliseconds")
