"""`Ledger` knows what was spent and allowed in the running day and month, and keeps it on record.

Theory of operation. What the books hold is asked for at the start, when a day ends, when the clock
or the zone was set, and when the currency is another; in between each turn's cost is added as it
comes. The books answer questions in the order in which they are told, so what is added after a
question is not part of its answer, and counts beside it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from device.assistant.settings import Settings
from device.errors import RecordsError
from device.records import spending as kept
from device.records.budget import PERIODS, Period, Span, Standing, spans
from device.records.prices import micro
from device.records.spending import Books, Currency
from device.records.store import Records
from device.timers.clocks import local_zone

NOTHING: Final = Books(dict.fromkeys(PERIODS, 0), dict.fromkeys(PERIODS, 0), frozenset(), 0)


class Added:
    """What was spent in a day and a month since the books were asked about them."""

    def __init__(self, spans: dict[Period, Span]) -> None:
        self.spans = spans
        self.spent = dict.fromkeys(PERIODS, 0)
        self.searches = 0

    def add(self, at: float, micro_units: int, searches: int) -> None:
        """Take what was spent at a moment, in the periods that it counts in."""
        for period, span in self.spans.items():
            if span.holds(at):
                self.spent[period] += micro_units
        if self.spans["month"].holds(at):
            self.searches += searches


class Ledger:
    """Used from the event loop's thread only."""

    def __init__(self, records: Records, settings: Settings) -> None:
        self._records = records
        self._settings = settings
        self._books = NOTHING
        self._added = Added(spans(records.now(), local_zone()))
        self._next: Added | None = None
        """Since a question that is not answered."""
        self._told: set[Span] = set()
        self._one_at_a_time = asyncio.Lock()

    @property
    def currency(self) -> Currency:
        """What everything is counted in."""
        wanted = self._settings.now.spending
        return Currency(wanted.currency, wanted.per_usd or 1.0)

    def now(self) -> float:
        """Return the time of the books, Unix seconds."""
        return self._records.now()

    @property
    def spans(self) -> dict[Period, Span]:
        """The day and the month that are counted."""
        return self._added.spans

    @property
    def searches(self) -> int:
        """How many searches there were this month."""
        return self._books.searches + self._added.searches

    @property
    def told_near(self) -> frozenset[Period]:
        """Of which the owner was told that the limit is near."""
        said = {period for period, span in self.spans.items() if span in self._told}
        return self._books.told | said

    @property
    def standings(self) -> dict[Period, Standing]:
        """How the day and the month stand."""
        wanted = self._settings.now.spending
        limits = {"day": wanted.day, "month": wanted.month}
        return {
            period: Standing(
                self._books.spent[period] + self._added.spent[period],
                None if (limit := limits[period]) is None else micro(limit),
                self._books.allowed[period],
            )
            for period in PERIODS
        }

    def add(self, at: float, micro_units: int, searches: int = 0) -> None:
        """Take what was spent, dated in Unix seconds; it is on record already."""
        self._added.add(at, micro_units, searches)
        if self._next is not None:
            self._next.add(at, micro_units, searches)

    async def read(self) -> bool:
        """Ask the books, as of now; where they cannot be read, go on with what is known.

        Returns whether they were.
        """
        async with self._one_at_a_time:
            now = spans(self._records.now(), local_zone())
            fresh = self._next = Added(now)
            question = partial(kept.books, spans=now, currency=self.currency)
            try:
                self._books = await self._records.ask(question)
                self._added = fresh
            except RecordsError:
                self._begin_anew(fresh)
                return False
            else:
                return True
            finally:
                self._next = None

    def _begin_anew(self, fresh: Added) -> None:
        """Count from nothing what has begun; what still runs is as it was."""
        known, added = self._books, self._added
        runs = {period for period in PERIODS if fresh.spans[period] == added.spans[period]}
        for period in runs:
            fresh.spent[period] = added.spent[period]
        if "month" in runs:
            fresh.searches = added.searches
        self._books = Books(
            {period: known.spent[period] if period in runs else 0 for period in PERIODS},
            {period: known.allowed[period] if period in runs else 0 for period in PERIODS},
            known.told & runs,
            known.searches if "month" in runs else 0,
        )
        self._added = fresh

    async def allow(self, periods: Iterable[Period], micro_units: int) -> None:
        """Allow so much more in these, for as long as they last."""
        at, currency = self._records.now(), self.currency.name
        of = {period: self.spans[period] for period in periods}
        for span in of.values():
            key = self._records.fresh_key()
            self._records.note(kept.allowed(key, at, span, micro_units, currency))
        self._records.save()
        if not await self.read():
            # It is on its way to the disk; here it counts at once.
            more = {each: micro_units for each, span in of.items() if self.spans[each] == span}
            allowed = {each: n + more.get(each, 0) for each, n in self._books.allowed.items()}
            self._books = replace(self._books, allowed=allowed)

    def tell_near(self, periods: Iterable[Period]) -> None:
        """Put on record that the owner was told of these."""
        at, currency = self._records.now(), self.currency.name
        for period in periods:
            span = self.spans[period]
            self._told.add(span)
            key = self._records.fresh_key()
            self._records.note(kept.told_near(key, at, span, currency))

    async def by_model(self) -> dict[Period, list[dict[str, Any]]]:
        """Return what each model and persona has cost. Raises RecordsError."""
        now, currency = self.spans, self.currency

        def question(connection: sqlite3.Connection) -> dict[Period, list[dict[str, Any]]]:
            return {each: kept.by_model(connection, now[each], currency) for each in PERIODS}

        return await self._records.ask(question)
