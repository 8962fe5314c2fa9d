"""`Spending` keeps the speaker within what its owner allows, and tells them how it stands.

Theory of operation. What was spent is the ledger's; here is what follows from it. At 80 % of a
limit its owner is told once, by the lights until it was said aloud after an answer. At the limit
the conversation is told (`device.conversation.limit` says what becomes of it), and it is a fault
until the day or the month is over, the owner allows more, or sets another limit. A day ends at
local midnight by the wall clock, also where that is set or the zone is another one: the clocks wake
us up then, and nothing runs before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from device.assistant.ledger import Ledger
from device.errors import ControlError
from device.events import EventBus, EventName, PublicEvent
from device.faults import Faults
from device.news import Post, SpendingLimit
from device.records.amounts import enough, spent
from device.records.budget import PERIODS, Level, Period, Standing, allowance, raised
from device.records.prices import AS_OF, MICRO
from device.signals import SPENDING, SPENDING_NEAR
from device.timers.clocks import Clocks, local_zone
from device.timers.schedule import Look

log = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
"""So long the start waits for the books, where there is a limit: they are read in milliseconds."""
LATE_S: Final = 0.05
"""A day is over for sure so much after its end."""
_UNTIL: Final = {"day": "midnight", "month": "the first of the month"}


class Spending:
    """Used from the event loop's thread only."""

    def __init__(
        self,
        ledger: Ledger,
        clocks: Callable[[], Clocks],
        faults: Faults,
        bus: EventBus,
        post: Post,
    ) -> None:
        """`clocks` makes some that are for nobody else: they wake up one at a time."""
        self._ledger = ledger
        self._clocks = clocks
        self._faults = faults
        self._bus = bus
        self._post = post
        self._levels: dict[Period, Level] = dict.fromkeys(PERIODS, "")
        self._reached = False
        self._known = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    # --- life ------------------------------------------------------------------------------------

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Read the books, and again whenever a day ends, in tasks of `tasks`."""
        self._tasks = tasks
        tasks.create_task(self._follow_the_calendar(), name="spending")

    async def known(self) -> None:
        """Return when the books were read, where there is a limit; it may take `PATIENCE_S`."""
        if all(each.limit is None for each in self._ledger.standings.values()):
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._known.wait()
        except TimeoutError:
            log.warning("the disk does not tell what was spent: it counts from nothing until then")

    async def _follow_the_calendar(self) -> None:
        clocks = self._clocks()
        try:
            while True:
                await self._look()
                ends = self._ledger.spans["day"].ends + LATE_S
                now = clocks.read(local_zone())
                left_s = max(ends - self._ledger.now(), 0.0)
                clocks.arm(Look(now.boot_s + left_s, ends))
                await clocks.wait()
        finally:
            clocks.close()

    async def _look(self) -> None:
        await self._ledger.read()
        self._known.set()
        self.judge()

    def changed(self) -> None:
        """Put other limits, prices or another currency into force."""
        if self._tasks is not None:
            self._tasks.create_task(self._look(), name="spending changed")

    # --- how it stands ---------------------------------------------------------------------------

    @property
    def refusal(self) -> str:
        """Why the model is asked nothing, for the owner; empty: it may be asked."""
        standings = self._ledger.standings
        # A limit that was taken away a moment ago is none, though that is not told yet.
        reached = (each for each in PERIODS if self._is_reached(each) and standings[each].ceiling)
        told = [self._refused(each, standings[each]) for each in reached]
        return "; ".join(told)

    def _is_reached(self, period: Period) -> bool:
        return self._levels[period] == "reached"

    def _refused(self, period: Period, standing: Standing) -> str:
        more = enough(_shown(standing))
        return (
            f"the spending limit of the {period} is reached ({self._figures(standing)}): allow "
            f"more with `parley spending allow {more}`, set another spending.{period}, or wait "
            f"until {_UNTIL[period]}"
        )

    def _figures(self, standing: Standing) -> str:
        return f"{spent(_shown(standing), self._ledger.currency.name)}, an estimate"

    def judge(self) -> None:
        """Tell what has changed: a limit is near, reached, or neither any more."""
        standings = self._ledger.standings
        for period in PERIODS:
            self._judge(period, standings[period])
        if refusal := self.refusal:
            self._faults.begin(SPENDING, refusal)
        else:
            self._faults.clear(SPENDING)
        if near := self.untold_near:
            about = (f"of the {each} ({self._figures(standings[each])})" for each in near)
            message = f"the spending limit is near: that {' and that '.join(about)}"
            self._faults.begin(SPENDING_NEAR, message)
        else:
            self._faults.clear(SPENDING_NEAR)
        reached = any(map(self._is_reached, PERIODS))
        if reached != self._reached:
            self._reached = reached
            self._post(SpendingLimit(reached, time.monotonic()))

    def _judge(self, period: Period, standing: Standing) -> None:
        before, level = self._levels[period], standing.level
        if level == before:
            return
        self._levels[period] = level
        if level == "near" and before == "":
            if period not in self._ledger.told_near:
                self._tell("near", period, standing)
        else:
            self._tell(level if level == "reached" else "cleared", period, standing)

    def _tell(self, what: str, period: Period, standing: Standing) -> None:
        fields = {
            "what": what,
            "period": period,
            "spent": standing.spent / MICRO,
            "limit": None if standing.ceiling is None else standing.ceiling / MICRO,
            "currency": self._ledger.currency.name,
        }
        self._bus.publish(PublicEvent(EventName.SPENDING, time.monotonic(), fields))

    # --- the person ------------------------------------------------------------------------------

    def met(self) -> None:
        """Tell the limit anew: somebody has met it."""
        self._faults.begin(SPENDING, self.refusal, again=True)

    @property
    def untold_near(self) -> list[Period]:
        """Of which limits that are near nobody was told aloud."""
        told = self._ledger.told_near
        return [each for each in PERIODS if self._levels[each] == "near" and each not in told]

    def say_near(self, say: Callable[[str], None]) -> None:
        """Say once that a limit is near, where one is; `say` says the sentence of a kind."""
        if near := self.untold_near:
            say(SPENDING_NEAR)
            self._ledger.tell_near(near)
            self.judge()

    async def allow(self, given: object, period: object = None) -> dict[str, Any]:
        """Allow so much more, in the currency in force, until the day or the month is over.

        Without a period that is for the limits that are reached, else for the day's, else for the
        month's. Returns how it stands then. Raises ControlError.
        """
        try:
            micro_units = allowance(given)
        except ValueError as error:
            raise ControlError(str(error)) from error
        periods = self._raised(period)
        await self._ledger.allow(periods, micro_units)
        self.judge()
        name = self._ledger.currency.name
        log.info("%.2f %s more may be spent: %s", micro_units / MICRO, name, " and ".join(periods))
        done = {"amount": micro_units / MICRO, "periods": list(periods)}
        return {"allowed": done, **self.as_dict()}

    def _raised(self, period: object) -> tuple[Period, ...]:
        standings = self._ledger.standings
        limited = [each for each in PERIODS if standings[each].limit is not None]
        if not limited:
            raise ControlError(
                "there is no limit that could be raised: spending.day and spending.month are null"
            )
        if period is None:
            return raised(standings)
        if period not in limited:
            there = " and ".join(limited)
            raise ControlError(f"there is no limit of {repr(period)[:40]}: there is one of {there}")
        return tuple(each for each in PERIODS if each == period)

    async def report(self) -> dict[str, Any]:
        """Return all that `parley spending` shows. Raises RecordsError."""
        by_model = await self._ledger.by_model()
        return {**self.as_dict(), "by_model": by_model}

    def as_dict(self) -> dict[str, Any]:
        """Return how it stands, for `status`; its names are a contract."""
        standings, spans = self._ledger.standings, self._ledger.spans
        return {
            "estimate": True,
            "prices_as_of": AS_OF.isoformat(),
            "currency": self._ledger.currency.name,
            "searches_this_month": self._ledger.searches,
            **{each: {"name": spans[each].name, **_shown(standings[each])} for each in PERIODS},
        }


def _shown(standing: Standing) -> dict[str, Any]:
    amounts = {
        "spent": standing.spent,
        "limit": standing.limit,
        "allowed": standing.allowed,
        "left": standing.left,
    }
    return {
        **{name: None if each is None else each / MICRO for name, each in amounts.items()},
        "level": standing.level,
    }
