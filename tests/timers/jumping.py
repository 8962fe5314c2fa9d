"""Clocks that jump: a computer that is switched off, sleeps, and whose clock anybody sets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from device.timers.entries import Entry, Now
from device.timers.schedule import Happening, Look, Schedule, looked, next_look

BERLIN = ZoneInfo("Europe/Berlin")
EARLIEST_S = datetime(2026, 11, 1, tzinfo=UTC).timestamp()


def at(text: str, zone: tzinfo = BERLIN) -> float:
    """Unix time of "2026-12-01 07:00" in a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


class JumpingClocks:
    """`Clocks` that stand still until a test moves them. They begin right, an hour after boot."""

    def __init__(self, wall_s: float = at("2026-12-01 12:00")) -> None:
        self.boot = 1
        self.boot_s = 3_600.0
        self.wall_s = wall_s
        self.synchronised = True
        self.look = Look(None, None)
        self.closed = False
        self._moved = asyncio.Event()

    def read(self, zone: tzinfo) -> Now:
        plausible = self.wall_s >= EARLIEST_S
        boot_id = f"boot {self.boot}"
        return Now(boot_id, self.boot_s, self.wall_s, zone, plausible, self.synchronised)

    def arm(self, look: Look) -> None:
        self.look = look

    async def wait(self) -> None:
        while not self._is_due():
            await self._moved.wait()
            self._moved.clear()

    def close(self) -> None:
        self.closed = True

    def _is_due(self) -> bool:
        boot_s, wall_s = self.look.boot_s, self.look.wall_s
        return (boot_s is not None and self.boot_s >= boot_s) or (
            wall_s is not None and self.wall_s >= wall_s
        )

    def until_due(self) -> float | None:
        """Seconds until somebody is woken; None: never."""
        boot_s, wall_s = self.look.boot_s, self.look.wall_s
        lefts = [each - now for each, now in ((boot_s, self.boot_s), (wall_s, self.wall_s)) if each]
        return min((max(left, 0.0) for left in lefts), default=None)

    def go_on(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self.boot_s += seconds
        self.wall_s += seconds
        self._moved.set()

    def reboot(self, wall_s: float, *, after_s: float = 20.0, synchronised: bool = False) -> None:
        """Start the computer anew; its clock shows ``wall_s`` when it is asked first."""
        self.boot += 1
        self.boot_s = after_s
        self.wall_s = wall_s
        self.synchronised = synchronised

    def synchronise(self, wall_s: float) -> None:
        """A time server answers."""
        self.wall_s = wall_s
        self.synchronised = True
        self._moved.set()


class Life:
    """A schedule that is looked at when it asks for it, and what happened, with the wall time."""

    RING_S = 300.0

    def __init__(self, wall_s: float = at("2026-12-01 12:00"), zone: tzinfo = BERLIN) -> None:
        self.clocks = JumpingClocks(wall_s)
        self.zone = zone
        self.schedule = Schedule()
        self.happened: list[tuple[float, Happening]] = []

    @property
    def now(self) -> Now:
        return self.clocks.read(self.zone)

    def look(self) -> list[Happening]:
        self.schedule, happenings = looked(self.schedule, self.now, self.RING_S)
        self.happened += [(self.clocks.wall_s, each) for each in happenings]
        self.clocks.arm(next_look(self.schedule, self.now))
        return happenings

    def go_on(self, seconds: float) -> None:
        """Let time pass, and look exactly when it is asked for, at least at the end."""
        left = seconds
        self.look()
        while (until := self.clocks.until_due()) is not None and until <= left:
            self.clocks.go_on(until)
            left -= until
            self.look()
        self.clocks.go_on(left)
        self.look()

    def told(self) -> list[str]:
        """What happened since this was asked last: "12:10:00 ringing 1"."""
        told = [
            f"{datetime.fromtimestamp(wall_s, self.zone):%H:%M:%S} {each.what} {each.entry.id}"
            for wall_s, each in self.happened
        ]
        self.happened.clear()
        return told

    @property
    def ringing(self) -> list[Entry]:
        return [entry for entry in self.schedule.entries if entry.rings(self.now)]
