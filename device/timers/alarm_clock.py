"""`AlarmClock` is what the speaker keeps timers with: it is told what to ring, and tells when.

It holds the schedule, writes it down after each change, and posts `TimerNews` of all that happens.
What is asked for is done when the call returns: it is in force, told, and on the disk (where a disk
takes anything). What rings is told at once and written behind it. A crash between the two is a
crash in the middle of ringing: after it the entry rings on.
"""

from __future__ import annotations

import logging
import time as time_of_system
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

from device.news import TimerNews
from device.timers import changes
from device.timers.changes import SNOOZE_S, Change, Wish
from device.timers.clocks import Clocks
from device.timers.entries import Entry, Now
from device.timers.local_time import iso
from device.timers.memory import TimerMemory
from device.timers.schedule import Happening, Schedule, looked, next_look

log = logging.getLogger(__name__)

SNOOZABLE_S = 300.0
"""How long after it was stopped: a wake word stops what rings, and whoever wants it to ring again
in ten minutes says so after that."""


class AlarmClock:
    """Timers, alarms and reminders of one speaker. Used from the event loop's thread only.

    Every method that changes something raises TimerError where it cannot be done; where it is
    cancelled the change stands. `run` is what lets things ring in their time.
    """

    def __init__(
        self,
        clocks: Clocks,
        memory: TimerMemory,
        *,
        zone: Callable[[], tzinfo],
        ring_s: Callable[[], float],
        post: Callable[[TimerNews], None],
    ) -> None:
        """Load what was kept; blocks for the disk.

        ``zone`` tells the local zone and ``ring_s`` how long something rings, each time anew;
        ``post`` is told what happens.
        """
        self._clocks = clocks
        self._memory = memory
        self._zone = zone
        self._ring_s = ring_s
        self._post = post
        self._schedule = memory.load()
        self._rang = {entry.id for entry in self.ringing}
        """What rang before a restart of the program, and was not told of since."""
        self._stopped: dict[int, tuple[Entry, float]] = {}
        """What was stopped lately: as it rang, and when by CLOCK_BOOTTIME."""
        self.is_kept = True
        """Whether the last change is on the disk; a disk that takes nothing is a journal's line."""

    async def run(self) -> None:
        """Let everything ring in its time, until cancelled."""
        try:
            while True:
                self._look()
                await self._clocks.wait()
        finally:
            self._clocks.close()

    # --- what there is ---

    @property
    def now(self) -> Now:
        """What every clock shows."""
        return self._clocks.read(self._zone())

    @property
    def entries(self) -> list[Entry]:
        """All there are: what rings first, then what is due next."""
        now = self.now
        return sorted(self._schedule.entries, key=lambda entry: entry.order(now))

    @property
    def ringing(self) -> list[Entry]:
        """What rings now, in the order in which it was set."""
        rang = [entry for entry in self._schedule.entries if entry.ringing is not None]
        if not rang:
            # Asked for at each change of state: the clocks need not be.
            return []
        now = self.now
        return [entry for entry in rang if entry.rings(now)]

    @property
    def next_due(self) -> datetime | None:
        """When something rings next, local time; None: nothing is known to."""
        now = self.now
        due = (entry.due_s(now) for entry in self._schedule.entries if entry.ringing is None)
        first = min((each for each in due if each is not None), default=None)
        return datetime.fromtimestamp(round(first), now.zone) if first is not None else None

    @property
    def stopped(self) -> list[Entry]:
        """What was stopped in the last `SNOOZABLE_S`, and may be snoozed still: as it rang."""
        return self._snoozable(self.now)

    # --- what can be asked for ---

    async def set_timer(self, duration_s: object, name: object = "") -> Entry:
        """Set a timer, as `changes.set_timer` has it."""
        return (await self._do(changes.set_timer, duration_s, name))[0]

    async def set_alarm(
        self,
        time: object,
        *,
        date: object = None,
        weekdays: object = (),
        name: object = "",
        text: object = "",
    ) -> Entry:
        """Set an alarm or (with a text) a reminder, as `changes.Wish` has it."""
        return (await self._do(changes.set_alarm, Wish(time, date, weekdays, name, text)))[0]

    async def cancel(self, which: object) -> Entry:
        """Take away the one with this number or name; return it as it was."""
        return (await self._do(changes.cancel, which))[0]

    async def cancel_all(self) -> Sequence[Entry]:
        """Take away all there are; return them as they were."""
        return await self._do(changes.cancel_all)

    async def change(self, which: object, *, add_s: object = None, time: object = None) -> Entry:
        """Give a timer more or fewer seconds, or an alarm another time.

        What was stopped lately rings again after ``add_s``: nobody is too late to snooze it.
        """
        stopped = self._snoozable(self.now)
        return (await self._do(changes.change, which, add_s, time, stopped))[0]

    async def snooze(self, which: object = None, for_s: object = SNOOZE_S) -> Sequence[Entry]:
        """Let what rings (all of it, or one) ring again after a while."""
        return await self._do(changes.snooze, which, for_s)

    async def stop(self, which: object = None) -> Sequence[Entry]:
        """Stop what rings (all of it, or one); return it as it was. Nothing may ring."""
        return await self._do(changes.stop, which)

    def silence(self) -> None:
        """Stop all that rings, at once; it is written behind."""
        now = self._look()
        self._change(changes.stop(self._schedule, now), now)

    def take_back(self, number: int) -> None:
        """Take away what was set by mistake, at once; harmless when it is gone."""
        now = self._look()
        if any(entry.id == number for entry in self._schedule.entries):
            self._change(changes.cancel(self._schedule, now, number), now)

    async def kept(self) -> bool:
        """Wait until everything is written; tell whether it is on the disk."""
        self.is_kept = await self._memory.saved()
        return self.is_kept

    def look(self) -> None:
        """Look at the clocks, since the zone or how long something rings may have changed.

        What happens by itself needs no call.
        """
        self._look()

    # --- how it is done ---

    async def _do(self, change: Callable[..., Change], *arguments: object) -> Sequence[Entry]:
        now = self._look()
        done = change(self._schedule, now, *arguments)
        self._change(done, now)
        await self.kept()
        return done.entries

    def _change(self, done: Change, now: Now) -> None:
        self._take(done.schedule, done.happenings, now)
        for happening in done.happenings:
            entry = happening.entry
            if happening.what == "stopped":
                self._stopped[entry.id] = entry, now.boot_s
            else:
                # It was set anew, snoozed or taken away: that is how it is from now on.
                self._stopped.pop(entry.id, None)
        self._clocks.arm(next_look(self._schedule, now))

    def _snoozable(self, now: Now) -> list[Entry]:
        since_s = now.boot_s - SNOOZABLE_S
        self._stopped = {key: each for key, each in self._stopped.items() if each[1] > since_s}
        return [entry for entry, _ in self._stopped.values()]

    def _look(self) -> Now:
        now = self.now
        schedule, happenings = looked(self._schedule, now, self._ring_s())
        self._take(schedule, happenings, now)
        for entry in schedule.entries:
            if entry.id in self._rang and entry.rings(now):
                self._tell(Happening("ringing", entry, entry.due_s(now)), now)
        self._rang.clear()
        self._clocks.arm(next_look(schedule, now))
        return now

    def _take(self, schedule: Schedule, happenings: Sequence[Happening], now: Now) -> None:
        if schedule != self._schedule:
            self._schedule = schedule
            self._memory.save(schedule, now)
        for happening in happenings:
            self._tell(happening, now)

    def _tell(self, happening: Happening, now: Now) -> None:
        entry, due_s = happening.entry, happening.due_s
        due = iso(due_s, now.zone) if due_s is not None else None
        at = time_of_system.monotonic()
        # Not its name: that was said to the speaker, which is for no journal.
        log.info("%s %d: %s, due %s", entry.kind, entry.id, happening.what, due or "nobody knows")
        self._post(TimerNews(happening.what, entry.id, entry.name, due, entry.kind, entry.text, at))
