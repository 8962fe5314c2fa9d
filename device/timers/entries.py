"""An entry is one timer, alarm or reminder; it knows when it is due, by which clock. Pure.

Theory of operation. Two clocks tell when something is due. CLOCK_BOOTTIME counts from the start of
the computer, goes on while it sleeps, and nobody sets it: a `Countdown` follows it, so a timer of
ten minutes takes ten minutes whatever happens to the time of day. The wall clock is set by people
and by time servers: an `Appointment` follows it, in the zone that is in force when somebody looks.

CLOCK_BOOTTIME ends with the computer. So a countdown also knows its moment by the wall clock, and
what was left of it when it was last written down. After a reboot it goes by the wall clock; but it
can have no more left than it had then, less the time since the computer was started, however wrong
that clock is.

A Raspberry Pi has no clock of its own: after a start it believes it is the time of its last
shutdown, or 1970, until a time server answers. `Now.trusted` tells whether the time of day is
known; until it is, nothing that depends on it rings, nor is it missed. An alarm that is set without
a date meanwhile gets its date when the time is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, time, timedelta, tzinfo
from typing import Literal

from device.timers.local_time import first_day_after, local_day, moment

PATIENCE_S = 600.0
"""After the start of the computer; then a time of day that is plausible is believed although no
time server has confirmed it: there is no network, and an alarm that waits for one is none. A power
cut takes the router down as well, and the slow ones take four minutes until they let anybody out.
"""

PUT_BACK_S = 3_600.0
"""A clock that is put back by more, to an earlier day, was wrong by a day: what rang then rings
again. By less, what rang just now would ring twice."""

STEP_S = 1.0
"""A smaller change of the wall clock is worth no write."""

Kind = Literal["timer", "alarm", "reminder"]


@dataclass(frozen=True, slots=True)
class Now:
    """Every clock at one moment."""

    boot_id: str
    """Another one after each start of the computer."""
    boot_s: float
    """CLOCK_BOOTTIME."""
    wall_s: float
    """Unix time, right or wrong."""
    zone: tzinfo
    """The local one."""
    plausible: bool
    """Whether a computer that runs this code can have this time."""
    synchronised: bool
    """Whether a time server, or a person, has set the wall clock since the start."""

    @property
    def trusted(self) -> bool:
        """Whether the time of day is known."""
        return self.plausible and (self.synchronised or self.boot_s >= PATIENCE_S)

    @property
    def today(self) -> date:
        """The local day by the wall clock."""
        return local_day(self.wall_s, self.zone)


@dataclass(frozen=True, slots=True)
class Countdown:
    """So many seconds from a moment on, by CLOCK_BOOTTIME as long as the computer runs."""

    boot_id: str
    due_boot_s: float
    due_s: float | None
    """When it is over by the wall clock; None: the time of day was not known so far."""
    left_s: float
    """What was left when it was written last; says something after a reboot only."""

    @classmethod
    def begin(cls, seconds: float, now: Now) -> Countdown:
        """Begin one now."""
        due_s = now.wall_s + seconds if now.trusted else None
        return cls(now.boot_id, now.boot_s + seconds, due_s, seconds)

    def left(self, now: Now) -> float | None:
        """Return the seconds left, negative when it is over; None while nobody can know."""
        if self.boot_id == now.boot_id:
            return self.due_boot_s - now.boot_s
        at_most = self.left_s - now.boot_s
        if self.due_s is None:
            return at_most
        return min(self.due_s - now.wall_s, at_most) if now.trusted else None

    def followed(self, now: Now) -> Countdown:
        """Return it as this start of the computer counts it, where that is known."""
        left = self.left(now)
        if left is None:
            return self
        due_s = self.due_s if self.boot_id == now.boot_id else None
        if now.trusted and (due_s is None or abs(now.wall_s + left - due_s) > STEP_S):
            due_s = now.wall_s + left
        if self.boot_id == now.boot_id and due_s == self.due_s:
            return self
        return Countdown(now.boot_id, now.boot_s + left, due_s, left)

    def written(self, now: Now) -> Countdown:
        """Return it as it is to be written down now."""
        if self.boot_id != now.boot_id:
            return self
        return replace(self, left_s=self.due_boot_s - now.boot_s)


@dataclass(frozen=True, slots=True)
class Appointment:
    """A local time of day: once, or again and again on some weekdays."""

    at: time
    day: date | None = None
    """Of what rings once; None with weekdays, and as long as the time of day is not known."""
    dated: bool = False
    """Whether a person has named the day."""
    weekdays: tuple[int, ...] = ()
    """0 is Monday, in order; empty: once."""
    after: date | None = None
    """Of what rings again and again: the day that is done with. Only later ones count, so that a
    day rings once, wherever the clock is set; None: the time of day was not known so far."""
    marked_s: float = 0.0
    """When `after` was noted, by the wall clock."""
    asked_boot_id: str = ""
    asked_boot_s: float = 0.0
    """When it was asked for, by CLOCK_BOOTTIME."""

    @property
    def is_known(self) -> bool:
        """Whether it is clear which days it means."""
        return self.day is not None or self.after is not None

    def followed(self, now: Now) -> Appointment:
        """Return it with the days that it means, where the time of day is known."""
        if not now.trusted:
            return self
        if not self.is_known:
            waited = now.boot_s - self.asked_boot_s if self.asked_boot_id == now.boot_id else 0.0
            return self._from(now.wall_s - waited, now.zone)
        if self.after is None or now.wall_s >= self.marked_s - PUT_BACK_S:
            return self
        # That day rang by a clock that was wrong: it is still to come.
        return self._from(now.wall_s, now.zone) if now.today < self.after else self

    def _from(self, asked_s: float, zone: tzinfo) -> Appointment:
        earliest = local_day(asked_s, zone) - timedelta(days=1)
        day = first_day_after(asked_s, self.at, self.weekdays, zone, earliest=earliest)
        if self.weekdays:
            return replace(self, after=day - timedelta(days=1), marked_s=asked_s)
        return replace(self, day=day)

    def next_s(self, now: Now) -> float | None:
        """Return when it is due next, by the wall clock; None while nobody can know."""
        if self.day is not None:
            return moment(self.day, self.at, now.zone)
        if self.after is None or not now.trusted:
            return None
        earliest = self.after + timedelta(days=1)
        day = first_day_after(now.wall_s, self.at, self.weekdays, now.zone, earliest=earliest)
        return moment(day, self.at, now.zone)


@dataclass(frozen=True, slots=True)
class Ringing:
    """It rings, until somebody stops it or its time is over."""

    due_s: float | None
    """What it rings for, by the wall clock; None: the time of day was not known."""
    end: Countdown


@dataclass(frozen=True, slots=True)
class Entry:
    """One timer, alarm or reminder. At least one of the last three is there."""

    id: int
    """1..999."""
    kind: Kind
    name: str = ""
    text: str = ""
    """What a reminder says when it rings."""
    countdown: Countdown | None = None
    """Of a timer, and of whatever was snoozed."""
    appointment: Appointment | None = None
    """Of an alarm or a reminder that has not rung yet, or will again."""
    ringing: Ringing | None = None

    @property
    def repeats(self) -> bool:
        """Whether it rings again and again on some weekdays."""
        return self.appointment is not None and bool(self.appointment.weekdays)

    def rings(self, now: Now) -> bool:
        """Tell whether it rings; what rang before a reboot does when that has been decided."""
        return self.ringing is not None and self.ringing.end.boot_id == now.boot_id

    def due_s(self, now: Now) -> float | None:
        """Return when it is due, or was if it rings, by the wall clock; None: nobody can know."""
        if self.ringing is not None:
            return self.ringing.due_s
        known = []
        if self.countdown is not None:
            left = self.countdown.left(now)
            known.append(now.wall_s + left if left is not None and now.trusted else None)
        if self.appointment is not None:
            known.append(self.appointment.next_s(now))
        return min((each for each in known if each is not None), default=None)

    def left_s(self, now: Now) -> float | None:
        """Return the seconds until then, by whichever clock knows; None: nobody does."""
        if self.ringing is not None:
            return 0.0
        known = []
        if self.countdown is not None:
            known.append(self.countdown.left(now))
        if self.appointment is not None and now.trusted:
            due_s = self.appointment.next_s(now)
            known.append(None if due_s is None else due_s - now.wall_s)
        return min((max(each, 0.0) for each in known if each is not None), default=None)

    def order(self, now: Now) -> tuple[bool, float, int]:
        """Return what to sort by: what rings, what is due next, at the end what nobody knows."""
        left = self.left_s(now)
        return (left is None, left or 0.0, self.id)
