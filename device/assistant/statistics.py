"""`Statistics` keeps what the speaker does on record by the hour, and tells Prometheus of it.

Theory of operation. What happens is counted in memory. An hour's counts are one row, which is
noted when a talk ends, when somebody asks, and when the hour is over, and grows under its key: so
the disk is not written once more for it. A process that starts in the middle of an hour goes on
with its row. Whether there is one it has to ask first; what it notes until it knows, and what
belongs to an hour that a clock was set back into, is a row beside. A process that is killed loses
what was counted since the last talk ended, or the hour began.

Nothing here wakes up by itself: `beat` is called by whoever is awake every few seconds anyway.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, Final

from device import __version__
from device.assistant.gauges import Gauges
from device.assistant.prometheus import PrometheusFile
from device.assistant.tally import Tally
from device.errors import RecordsError
from device.events import EventName, PublicEvent
from device.records import statistics as kept
from device.records.exposition import exposition
from device.records.figures import STATISTICS, Figures
from device.records.rows import Row
from device.records.store import Records
from device.service.latency import Kind, Latency
from device.timers.clocks import local_zone

SAMPLE_S: Final = 600.0
"""How often memory and temperature are looked at, and at rest the file for Prometheus written."""
CHANGED_S: Final = 300.0
"""So soon after the last time, where something has happened at rest."""


class Hour:
    """The hour that counts go to, by when it began (Unix seconds)."""

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self.key: str | None = None
        """Of its row; None until it has one."""
        self.figures = Figures()
        self.noted = True
        """Whether its row has everything."""

    @property
    def end(self) -> float:
        """When it is over."""
        return self.begin + kept.HOUR_S

    def add(self, figures: Figures) -> None:
        """Take what was counted in it."""
        self.figures.merge(figures)
        self.noted = False


class Statistics:
    """Used from the event loop's thread only; what it is told it takes at once, and never fails."""

    def __init__(
        self,
        records: Records,
        latency: Latency,
        gauges: Gauges,
        prometheus: PrometheusFile,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`latency` knows how long answers take, and is told of everything before this is."""
        self._records = records
        self._latency = latency
        self._gauges = gauges
        self._prometheus = prometheus
        self._monotonic = monotonic
        self._tally = Tally()
        self._total = Figures()
        """Since the process began."""
        self._now = Figures()
        """The newest readings of memory and temperature."""
        self._hour = Hour(kept.hour_of(records.now(), local_zone()))
        self._newest = math.inf
        """When the newest hour began that has a row; infinite: nobody knows yet."""
        self._answers = 0
        self._began = records.now()
        self._sample_at = self._export_at = self._exported_at = monotonic()
        self._tally.figures.numbers["starts"] = 1

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Go on with the row of this hour, if there is one, in a task of `tasks`."""
        tasks.create_task(self._recall(), name="statistics")

    # --- what happens ----------------------------------------------------------------------------

    def happens(self, event: PublicEvent) -> None:
        """Count an event, after whatever it follows from was told to others."""
        self._turn_the_hour()
        talked = self._tally.talks
        self._tally.count(event)
        if event.event in {EventName.REPLY, EventName.ACTIVITY}:
            answers, newest_ms = self._latency.newest_ms(Kind.ANSWER_TOTAL)
            if answers != self._answers and newest_ms is not None:
                self._tally.figures.timed["answer"].add(newest_ms)
            self._answers = answers
        if talked and not self._tally.talks:
            self._note()
            self._records.save()
            self.export()
        elif self._tally.figures:
            self._export_at = min(self._export_at, self._exported_at + CHANGED_S)

    def sent(self, frames: int) -> None:
        """Count frames that have left the device."""
        self._tally.figures.numbers["up_frames"] += frames

    def near_miss(self) -> None:
        """Count what was nearly a wake word."""
        self._turn_the_hour()
        self._tally.figures.numbers["near_misses"] += 1

    def beat(self) -> None:
        """Look whether an hour is over or anything is to be looked at; called every few seconds."""
        self._turn_the_hour()
        now = self._monotonic()
        if now >= self._sample_at:
            self._sample_at = now + SAMPLE_S
            self._now = Figures()
            self._gauges.look(self._now)
            self._tally.figures.merge(self._now)
            self._export_at = now
        if now >= self._export_at:
            self.export()

    # --- what is asked ---------------------------------------------------------------------------

    async def report(self, days: int, by: str = "day") -> dict[str, Any]:
        """Return what the speaker did on the last days (1..366), up to this moment.

        It may take as long as the disk does. Raises RecordsError.
        """
        self._turn_the_hour()
        self._note()
        now, zone = self._records.now(), local_zone()
        return await self._records.ask(lambda database: kept.report(database, now, days, zone, by))

    def export(self) -> None:
        """Have the file for Prometheus hold what is known now; none where none is wanted."""
        self._exported_at = self._monotonic()
        self._export_at = math.inf
        self._prometheus.follow()
        if self._prometheus.wanted is None:
            return
        self._fold()
        kinds = self._prometheus.kinds()
        text = exposition(self._total, self._now, kinds, self._began, __version__)
        self._prometheus.write(text)

    async def kept(self) -> None:
        """Note the last counts, before the books are closed; remove the file for Prometheus."""
        self._note()
        await self._prometheus.closed()

    # --- hours -----------------------------------------------------------------------------------

    def _fold(self) -> None:
        """Give the hour what was counted since the last time."""
        self._gauges.passed(self._tally.figures)
        if fresh := self._tally.take():
            self._total.merge(fresh)
            self._hour.add(fresh)

    def _turn_the_hour(self) -> None:
        """Begin another hour where this one is over, or the clock was set."""
        now = self._records.now()
        if not self._hour.begin <= now < self._hour.end:
            self._note()
            self._hour = Hour(kept.hour_of(now, local_zone()))

    def _note(self) -> None:
        self._fold()
        hour = self._hour
        if hour.noted:
            return
        if hour.key is None:
            is_new = hour.begin > self._newest
            hour.key = kept.key_of(hour.begin) if is_new else self._records.fresh_key()
            self._newest = max(self._newest, hour.begin)
        hour.noted = True
        self._records.note(Row(STATISTICS, hour.key, hour.begin, hour.figures.values()))

    async def _recall(self) -> None:
        try:
            newest = await self._records.ask(kept.newest)
        except RecordsError:
            return  # Its trouble is told; each hour has a row of its own beside what may be there.
        # The clock may have learned from the books what time it is not.
        self._turn_the_hour()
        self._newest = newest.begin if newest is not None else -math.inf
        hour = self._hour
        if newest is not None and newest.begin == hour.begin and hour.key is None:
            hour.key = newest.key
            hour.add(newest.figures)
