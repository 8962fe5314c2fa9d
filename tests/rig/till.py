"""The books of one speaker with money in them, on a disk, by a wall clock that a test sets."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from device.assistant.billing import Billing
from device.assistant.ledger import Ledger
from device.assistant.settings import Settings
from device.config import parse
from device.frames import REPLY_RATE_HZ
from device.live.departures import PictureLeaves, SoundLeft, TextLeaves
from device.news import ReplyAudio, SessionOpened, TurnComplete, Usage
from device.records.clock import RecordClock
from device.records.store import Records
from device.records.tables import TABLES
from device.records.writer import Place

LIVE_31, LIVE_38 = "gemini-3.1-flash-live-preview", "gemini-3.8-live"
_TURNS = itertools.count(1)


class Till:
    """One process' billing and ledger; `at` is what its wall clock shows, Unix seconds."""

    def __init__(self, folder: Path | None, at: float, config: str = "") -> None:
        self.at = at
        self.settings = Settings(parse(config, "test.yaml"))
        place = Place(folder, folder / "run" if folder is not None else None)
        clock = RecordClock(0.0, wall=lambda: self.at, monotonic=lambda: self.at, known=_known)
        self.records = Records(place, TABLES, lambda _news: None, lambda: 90, clock)
        self.ledger = Ledger(self.records, self.settings)
        self.personas: dict[int, str] = {}
        self.billing = Billing(
            self.records, self.ledger, self.settings, lambda number: self.personas.get(number, "")
        )

    def configure(self, config: str) -> None:
        self.settings.replace(parse(config, "test.yaml"))

    def spent(self) -> tuple[int, int]:
        """Of the day and of the month, in millionths."""
        standings = self.ledger.standings
        return standings["day"].spent, standings["month"].spent

    async def on_record(self) -> tuple[int, int]:
        """The same, as the books have it: they are asked anew."""
        await self.ledger.read()
        return self.spent()

    # --- what a session tells --------------------------------------------------------------------

    def opened(self, session: int, model: str = LIVE_38) -> None:
        self.billing.take(SessionOpened(session, 1.0, model, False, 0.0))

    def sent(self, session: int, seconds: float) -> None:
        frames = round(seconds * 50)
        self.billing.leaves(SoundLeft(session, 1, frames, frames * 640, 0, (), 0.0))

    def picture(self, session: int) -> None:
        for left in (False, True):
            self.billing.leaves(PictureLeaves(session, 1, 1, 9, 8, 8, "asked", left, 0.0))

    def text(self, session: int, characters: int) -> None:
        for left in (False, True):
            self.billing.leaves(TextLeaves(session, 1, 1, characters, False, False, left, 0.0))

    def says(self, session: int, turn: int, seconds: float) -> None:
        self.billing.take(ReplyAudio(session, turn, bytes(round(seconds * REPLY_RATE_HZ) * 2), 0.0))

    def ends(self, session: int, turn: int, *, cut_off: bool = False) -> None:
        self.billing.take(TurnComplete(session, turn, 0.0, False, cut_off))

    def counted(
        self, session: int, turn: int, tokens: Mapping[str, int], searches: int = 0
    ) -> Usage:
        """What the server counts of a turn; returns it with what that costs."""
        told = self.billing.take(Usage(session, turn, dict(tokens), 0.0, searches))
        assert isinstance(told, Usage)
        return told

    def turn(
        self, session: int, tokens: Mapping[str, int], searches: int = 0, *, heard_s: float = 0.0
    ) -> Usage:
        """A turn from its first sound to its count."""
        turn = next(_TURNS)
        self.says(session, turn, heard_s)
        self.ends(session, turn)
        return self.counted(session, turn, tokens, searches)


def _known() -> bool:
    return True


@asynccontextmanager
async def open_till(folder: Path | None, at: float, config: str = "") -> AsyncIterator[Till]:
    """Open the books, and close them as a speaker does that is switched off."""
    if folder is not None:
        (folder / "run").mkdir(exist_ok=True)
    async with asyncio.TaskGroup() as tasks:
        made = Till(folder, at, config)
        made.records.start(tasks)
        await made.ledger.read()
        try:
            yield made
        finally:
            await made.records.kept()
