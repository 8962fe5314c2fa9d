"""What "alive" means: READY, STATUS and the watchdog, earned by frames and inferences.

A speaker whose process lives but whose microphone delivers nothing is dead to its owner, and no
supervisor can see it from outside. So the watchdog is fed only when microphone frames *and* wake
word inferences have advanced since the last time; a process that cannot hear is restarted by
systemd. Two silences are excused, because they are known and told: the microphone is muted, or it
is a fault that somebody is working on.

A process that grows without end is ended here, before the machine swaps itself to death: the unit's
MemoryMax= does nothing on a Raspberry Pi, whose firmware starts the kernel with
``cgroup_disable=memory``.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from device.errors import OutgrownError

Notify = Callable[[str], None]

LONGEST_INTERVAL_S = 5.0
LARGEST_BYTES = 350 * 2**20
"""More than twice what a speaker takes (137 MB after a conversation, measured on amd64), and less
than the unit's MemoryMax=."""


def notifier(environment: Mapping[str, str]) -> Notify:
    """The function that tells systemd; one that does nothing when systemd is not there."""
    if "NOTIFY_SOCKET" not in environment:
        return _nobody_listens
    from systemd.daemon import notify  # noqa: PLC0415 - only where systemd runs us

    tell: Notify = notify
    return tell


def resident_bytes(statm: Path = Path("/proc/self/statm")) -> int:
    """How much of the machine's memory this process has now (proc(5))."""
    return int(statm.read_text().split()[1]) * resource.getpagesize()


def _nobody_listens(message: str) -> None:
    """Stand in for systemd where it did not start us."""


class Signs(Protocol):
    """What shows that the speaker hears."""

    @property
    def counts(self) -> tuple[int, int]:
        """Microphone frames and wake word inferences so far; a new part begins anew."""
        ...

    @property
    def excused(self) -> bool:
        """Whether it is known and told that nothing is heard."""
        ...


class Health:
    """Counts the signs of life and reports them. Used from the event loop's thread only."""

    def __init__(
        self,
        notify: Notify,
        signs: Signs,
        resident: Callable[[], int],
        watchdog_usec: str | None = None,
    ) -> None:
        """`resident` tells our size in bytes.

        `watchdog_usec` is what systemd set (WATCHDOG_USEC).
        """
        self._resident = resident
        self._notify = notify
        self._signs = signs
        self._seen = (0, 0)
        self._status = ""
        self._stopping = False
        # sd_watchdog_enabled(3): notify at half the interval, or more often.
        half_s = int(watchdog_usec) / 2e6 if watchdog_usec else LONGEST_INTERVAL_S
        self.interval_s = min(half_s, LONGEST_INTERVAL_S)
        self.ready = False

    def hears(self) -> None:
        """The microphone has delivered: from the first time on we are ready."""
        if not self.ready:
            self.ready = True
            self._notify("READY=1")

    def status(self, text: str) -> None:
        """Show `text` in `systemctl status`, on one line: a second one would be another message.

        What a server answered may be in it; sd_notify(3) takes each line for an assignment.
        """
        text = " ".join(text.split())
        if text != self._status and not self._stopping:
            self._status = text
            self._notify(f"STATUS={text}")

    def stops(self) -> None:
        """The end has begun; whatever happens until then is no status."""
        self._stopping = True
        self._notify("STOPPING=1\nSTATUS=stopping")

    def check(self) -> bool:
        """Feed the watchdog if we deserve it; returns whether we did."""
        before, self._seen = self._seen, self._signs.counts
        alive = all(now != then for now, then in zip(self._seen, before, strict=True))
        if alive or self._signs.excused:
            self._notify("WATCHDOG=1")
            return True
        return False

    async def run(self) -> None:
        """Check as often as the watchdog wants it, until cancelled. Raises OutgrownError."""
        while True:
            await asyncio.sleep(self.interval_s)
            if (size := self._resident()) > LARGEST_BYTES:
                raise OutgrownError(
                    f"the speaker has grown to {size >> 20} MB, more than {LARGEST_BYTES >> 20} MB:"
                    " it ends, and systemd starts a fresh one"
                )
            self.check()
            if not self.ready and self._signs.excused:
                # Nothing to hear with is a told fault and no hang: more time to start, please.
                self._notify(f"EXTEND_TIMEOUT_USEC={int(self.interval_s * 4e6)}")


async def broken_callback(loop: asyncio.AbstractEventLoop) -> None:
    """Wait for an exception in a callback of the loop, which asyncio would only log, and raise it.

    Wake words, timers and the button arrive by callbacks: after an exception in one of them the
    conversation has half taken a step, and nothing is certain any more.
    """
    broken = loop.create_future()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        if "handle" in context and not broken.done():
            broken.set_exception(context["exception"])

    loop.set_exception_handler(handle)
    try:
        await broken
    finally:
        loop.set_exception_handler(None)
