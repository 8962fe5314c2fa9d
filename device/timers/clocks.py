"""`KernelClocks` tells the time by both clocks, and wakes up when one of them has come so far.

Theory of operation. The event loop's timers go by CLOCK_MONOTONIC, which stands still while the
computer sleeps and does not know that somebody has set the wall clock. So two timers of the kernel
(timerfd_create(2)) are files that the loop watches: one of CLOCK_BOOTTIME, one of CLOCK_REALTIME
with TFD_TIMER_CANCEL_ON_SET, which can be read at once when the wall clock is set, by whoever, or
when the computer wakes up. A third file (inotify(7)) tells that `/etc/localtime` was replaced: the
zone is another one. At rest nothing runs.

Whether the time of day is known. The kernel knows whether a time server keeps its clock
(adjtimex(2): TIME_ERROR until one does), whichever program does the talking. But the unit's
`ProtectClock=` refuses that call even for reading, so two other witnesses count as well:
systemd-timesyncd, which Raspberry Pi OS has, leaves a file when it has heard from a server; and a
wall clock that was put by more than a second while we watched was put by somebody who knew better.
None of them asks the network or starts a process. Where all are silent, `entries.PATIENCE_S` ends
the wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import math
import os
import time
from collections.abc import Callable
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from device.timers.entries import STEP_S, Now
from device.timers.record import LATEST_S
from device.timers.schedule import Look

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd(8): there once a server has been heard since the start."""
LOCALTIME = Path("/etc/localtime")

_ABSTIME, _CANCEL_ON_SET = 1, 2
"""TFD_TIMER_ABSTIME and TFD_TIMER_CANCEL_ON_SET of <sys/timerfd.h>."""
_CREATED, _MOVED_TO = 0x100, 0x80
"""IN_CREATE and IN_MOVED_TO of <sys/inotify.h>."""
_TIME_ERROR = 5
"""Of <sys/timex.h>: the clock is not synchronised."""
_TIMEX_BYTES = 512
"""`struct timex` has 208. All zeros: nothing is set."""


class Clocks(Protocol):
    """Both clocks, and what wakes up by them."""

    def read(self, zone: tzinfo) -> Now:
        """Return what every clock shows now."""

    def arm(self, look: Look) -> None:
        """Have `wait` return at these times, in place of those of an earlier call. Never early."""

    async def wait(self) -> None:
        """Return when one of the times has come, or the wall clock or the zone was set.

        May return for no reason. One caller at a time; may be cancelled.
        """

    def close(self) -> None:
        """Give back what the system lent."""


class _TimerSpec(ctypes.Structure):
    """`struct itimerspec`: seconds and nanoseconds, of an interval and of a first time."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class KernelClocks:
    """The clocks of this computer. Used from the event loop's thread only.

    Raises OSError where the kernel has no such timers.
    """

    def __init__(
        self,
        *,
        earliest_s: float,
        synchronised: Path = SYNCHRONISED,
        localtime: Path = LOCALTIME,
        libc: Any = None,
    ) -> None:
        """Begin to watch the clocks of the kernel.

        ``earliest_s``: no computer that runs this code can have an earlier Unix time.
        ``synchronised`` is there once a time server was heard, ``localtime`` names the zone, and
        ``libc`` has the calls of the C library; None: of this process's.
        """
        self._earliest_s = earliest_s
        self._synchronised = synchronised
        self._boot_id = BOOT_ID.read_text().strip()
        self._libc = ctypes.CDLL(None, use_errno=True) if libc is None else libc
        self._is_closed = False
        self._was_set = False
        self._offset_s = self._offset()
        self._files: list[int] = []
        try:
            self._boot = self._timer(time.CLOCK_BOOTTIME)
            self._wall = self._timer(time.CLOCK_REALTIME)
            # Armed for ever: only an armed timer tells that the clock is set.
            self.arm(Look(None, None))
        except OSError:
            self.close()
            raise
        self._watch_zone(localtime.parent)

    def read(self, zone: tzinfo) -> Now:
        """Return what every clock shows now."""
        wall_s = time.time()
        return Now(
            self._boot_id,
            time.clock_gettime(time.CLOCK_BOOTTIME),
            wall_s,
            zone,
            plausible=self._earliest_s <= wall_s < LATEST_S,
            synchronised=self._is_synchronised(),
        )

    def _is_synchronised(self) -> bool:
        if abs(self._offset() - self._offset_s) > STEP_S:
            self._was_set = True
        if self._was_set or self._synchronised.exists():
            return True
        told: int = self._libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        return 0 <= told < _TIME_ERROR

    def _offset(self) -> float:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    def arm(self, look: Look) -> None:
        """Have `wait` return at these times; does nothing once closed."""
        if self._is_closed:
            return
        self._set(self._boot, look.boot_s, _ABSTIME)
        far = LATEST_S if look.wall_s is None else look.wall_s
        self._set(self._wall, far, _ABSTIME | _CANCEL_ON_SET)

    async def wait(self) -> None:
        """Return when one of the times has come, or the wall clock or the zone was set."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        for file in self._files:
            loop.add_reader(file, woken.set)
        try:
            await woken.wait()
        finally:
            for file in self._files:
                loop.remove_reader(file)
                # ECANCELED says that the clock was set; EAGAIN that it was another file.
                with contextlib.suppress(OSError):
                    os.read(file, 4_096)

    def close(self) -> None:
        """Close the timers; the clocks can still be read."""
        if self._is_closed:
            return
        self._is_closed = True
        for file in self._files:
            os.close(file)

    def _timer(self, clock: int) -> int:
        # Their flags are those of open(2): timerfd_create(2).
        file: int = self._libc.timerfd_create(clock, os.O_NONBLOCK | os.O_CLOEXEC)
        if file < 0:
            raise _os_error("timerfd_create")
        self._files.append(file)
        return file

    def _set(self, file: int, at: float | None, flags: int) -> None:
        spec = _TimerSpec()
        if at is not None:
            # All zeros would disarm it; what is past is due at once.
            nanoseconds = max(math.ceil(at * 1e9), 1)
            spec.value_s, spec.value_ns = divmod(nanoseconds, 1_000_000_000)
        if self._libc.timerfd_settime(file, flags, ctypes.byref(spec), None) == 0:
            return
        # The clock was set since, which this call has told now, so that no read will; it is armed.
        if ctypes.get_errno() != errno.ECANCELED:
            raise _os_error("timerfd_settime")
        self._set(self._boot, 0.0, _ABSTIME)

    def _watch_zone(self, folder: Path) -> None:
        file: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if file < 0:
            log.warning("%s; another zone is noticed late", _os_error("inotify_init1"))
            return
        self._files.append(file)
        # The folder: a file that is replaced takes the watch on itself with it.
        if self._libc.inotify_add_watch(file, os.fsencode(folder), _CREATED | _MOVED_TO) < 0:
            log.warning("%s; another zone is noticed late", _os_error("inotify_add_watch"))


def _os_error(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")


def local_zone(place: Path = LOCALTIME) -> tzinfo:
    """Return the zone of this computer: by `TZ`, else by ``place``; UTC where neither tells."""
    ways: tuple[Callable[[], tzinfo], ...] = (
        lambda: ZoneInfo(os.environ["TZ"].removeprefix(":")),
        lambda: ZoneInfo(str(place.resolve(strict=True)).partition("/zoneinfo/")[2]),
        lambda: _zone_in(place),
    )
    for way in ways:
        # ZoneInfoNotFoundError is a KeyError.
        with contextlib.suppress(KeyError, ValueError, OSError):
            return way()
    return UTC


def _zone_in(place: Path) -> tzinfo:
    with place.open("rb") as file:
        return ZoneInfo.from_file(file)
