"""`Audit` puts on record what leaves the device and which functions are called, as it happens.

It is told of each departure by the session, before and after it is handed to a connection, and of
the parts' news; what a record holds is in `device.records.audit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from device.assistant.stretches import Line, Stretch, Stretches, why
from device.assistant.talk import Talk
from device.conversation.states import PLAYING, UPLINK_OPEN
from device.live.departures import Departure, PictureLeaves, TextLeaves
from device.news import (
    News,
    SessionClosed,
    SessionFailed,
    SessionOpened,
    SpeechChanged,
    ToolNews,
    Transcript,
)
from device.records import audit as kept
from device.records.audit import CALL, PICTURE, SOUND, TEXT, Place, Sums
from device.records.rows import Row, Scalar, Table
from device.records.since import since
from device.records.store import Records
from device.text import printable
from device.timers.clocks import local_zone

NAME_CHARACTERS = 64
"""Of a function or a server, as they are kept."""
OPEN_CALLS = 100
"""How many calls may wait for their outcome; the oldest is forgotten, and has none on record."""


class Audit:
    """Used from the event loop's thread only; what it is told it takes at once, and never fails."""

    def __init__(
        self,
        records: Records,
        talk: Talk,
        whose: Callable[[int], str],
        server_of: Callable[[str], str | None],
    ) -> None:
        """`whose` tells the persona of a session, `server_of` the MCP server of a function."""
        self._records = records
        self._talk = talk
        self._whose = whose
        self._server_of = server_of
        self._before = talk.now
        self._lines: dict[int, Line] = {}
        """The newest connection of each session that is not over."""
        self._keys: dict[tuple[int, int], tuple[str, float]] = {}
        """Of the picture or text of each session that is on its way."""
        self._calls: list[tuple[Row, int]] = []
        """Those whose outcome is not known, and their sessions."""
        self._stretches = Stretches(records.now, records.fresh_key, self._note_stretch)

    # --- what happens ----------------------------------------------------------------------------

    def note(self, news: News) -> None:
        """Take news, once the conversation has taken its step and before that has any effect."""
        before, self._before = self._before, self._talk.now
        cause = why(before, self._before, news)
        if cause is not None:
            self._stretches.goes_up_for(cause, anew=before.state not in UPLINK_OPEN)
        match news:
            case SessionOpened(session=session):
                where = (news.model, news.host, session, news.connection)
                self._lines[session] = Line(*where, self._whose(session))
            case SessionClosed(session=session) | SessionFailed(session=session):
                self._over(session)
            case SpeechChanged(speaking=True) if self._before.state not in PLAYING:
                self._stretches.spoken()
            case Transcript(session=session, who="user", text=text) if text.strip():
                self._stretches.understood(session)
            case ToolNews(session=session, what="called", name=name):
                self._called(name, session, by_hand=False)
            case ToolNews(session=session, what=outcome, name=name):
                self._is_called(name, session, outcome)

    def leaves(self, departure: Departure) -> None:
        """Take note of what leaves, or has left."""
        session = departure.session
        line = self._lines.get(session) or Line("", "", session, 0, self._whose(session))
        match departure:
            case PictureLeaves():
                sizes: dict[str, Scalar] = {
                    "bytes": departure.bytes,
                    "width": departure.width,
                    "height": departure.height,
                    "reason": departure.reason,
                }
                self._beside_sound(PICTURE, departure, line, sizes)
            case TextLeaves():
                sizes = {
                    "characters": departure.characters,
                    "again": int(departure.again),
                    "ours": int(departure.ours),
                }
                self._beside_sound(TEXT, departure, line, sizes)
            case _:
                self._stretches.leaves(departure, line)

    def by_hand(self, name: str) -> Callable[[str], None]:
        """Take note that the owner calls a function; the result takes how it came out."""
        row = self._called(name, 0, by_hand=True)

        def ended(outcome: str) -> None:
            self._end_call(row, outcome)

        return ended

    # --- what is asked ---------------------------------------------------------------------------

    async def page(self, since: float, after: Place) -> tuple[list[dict[str, Any]], Place | None]:
        """Return what left since then, behind a place, and where to go on.

        It may take as long as the disk does.
        """
        self._stretches.settle()
        zone, growing = local_zone(), self._stretches.growing
        return await self._records.ask(
            lambda connection: kept.page(connection, since, after, zone, growing=growing)
        )

    async def sums(self, since: float) -> Sums:
        """Return how much left since then, what leaves at this moment too."""
        self._stretches.settle()
        return await self._records.ask(lambda connection: kept.sums(connection, since))

    @property
    def now(self) -> float:
        """The time as the books have it, in Unix seconds."""
        return self._records.now()

    async def today(self) -> Sums:
        """Return how much left since midnight, what leaves at this moment too."""
        return await self.sums(since("today", self.now, local_zone()))

    # --- rows ------------------------------------------------------------------------------------

    def _over(self, session: int) -> None:
        self._lines.pop(session, None)
        for place in [each for each in self._keys if each[0] == session]:
            del self._keys[place]
        self._calls = [each for each in self._calls if each[1] != session]

    def _note_stretch(self, stretch: Stretch) -> None:
        cause = stretch.why
        values: dict[str, Scalar] = {
            "ended": stretch.ended,
            "frames": stretch.frames,
            "bytes": stretch.bytes,
            "again_frames": stretch.again,
            "words": int(stretch.words),
            "over": int(stretch.over),
            "why": cause.cause,
            "word": cause.word,
            "score": cause.score,
            "over_reply": int(cause.over_reply),
            "rang": int(cause.rang),
            **_on(stretch.line),
        }
        self._records.note(Row(SOUND, stretch.key, stretch.began, values))

    def _beside_sound(
        self,
        table: Table,
        departure: PictureLeaves | TextLeaves,
        line: Line,
        sizes: dict[str, Scalar],
    ) -> None:
        place = (departure.session, departure.number)
        key, at = self._keys.get(place) or (self._records.fresh_key(), self._records.now())
        if departure.left:
            self._keys.pop(place, None)
        else:
            self._keys[place] = (key, at)
        values = {**sizes, "whole": int(departure.left), **_on(line)}
        self._records.note(Row(table, key, at, values))

    def _called(self, name: str, session: int, *, by_hand: bool) -> Row:
        server = self._server_of(name)
        values: dict[str, Scalar] = {
            "name": printable(name, NAME_CHARACTERS),
            "server": server and printable(server, NAME_CHARACTERS),
            "by_hand": int(by_hand),
            "outcome": None,
            "session": session or None,
            "persona": None if by_hand else self._whose(session),
        }
        row = Row(CALL, self._records.fresh_key(), self._records.now(), values)
        self._records.note(row)
        if not by_hand:
            self._calls = [*self._calls[-OPEN_CALLS + 1 :], (row, session)]
        return row

    def _is_called(self, name: str, session: int, outcome: str) -> None:
        shown = printable(name, NAME_CHARACTERS)
        for place, (row, whose) in enumerate(self._calls):
            if (row.values["name"], whose) == (shown, session):
                del self._calls[place]
                self._end_call(row, outcome)
                return

    def _end_call(self, row: Row, outcome: str) -> None:
        self._records.note(Row(row.table, row.key, row.at, {**row.values, "outcome": outcome}))


def _on(line: Line) -> dict[str, Scalar]:
    return {
        "model": line.model,
        "host": line.host,
        "session": line.session,
        "connection": line.connection,
        "persona": line.persona,
    }
