"""`Health` tells systemd that the speaker is alive, as far as what it hears shows it.

A speaker whose process lives but whose microphone delivers nothing is dead to its owner, and no
supervisor can see it from outside. So the watchdog is fed only when microphone frames *and* wake
word hops have advanced since the last time; a process that cannot hear is restarted by
systemd. Two silences are excused, because they are known and told: the microphone is muted, or it
is a fault that somebody is working on.

READY means that a wake word would be heard. One start is different: where no microphone can be had,
which is a told fault, READY is sent all the same after `MISSING_S`. Else the unit would stay
"activating" for as long as somebody takes to plug one in, and with it multi-user.target and whoever
waits for that. What is told of hearing stays true: the status line, the lights, the fault's event
and ``ready`` in `parley status` say that it does not.

A process that grows without end is ended here, before the machine swaps itself to death: the unit's
MemoryMax= does nothing on a Raspberry Pi, whose firmware starts the kernel with
``cgroup_disable=memory``. How much is too much follows the machine's memory. Where it swaps all the
same, the watchdog is given more patience (see `device.service.swap`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from device.errors import OutgrownError
from device.service.notify import Notify
from device.service.swap import PATIENCE_USEC, SwapStorm

log = logging.getLogger(__name__)

LONGEST_INTERVAL_S = 5.0
MISSING_S = 30.0
"""A start without a microphone is over after so long. An array on USB is there 5 to 20 s after the
machine is, and the networks of a small Pi take 20 s from a cold card: it is up within a minute."""
LARGEST_BYTES = 350 * 2**20
"""More than twice what a speaker takes (137 MB after a conversation, measured on amd64), and less
than the unit's MemoryMax=."""
LARGEST_SHARE = 0.55
"""Of the machine's memory: a board with 512 MB has 426 for its programs, of which the system itself
takes 190."""
LEAST_BYTES = 220 * 2**20
"""What a speaker may take on any machine: less, and a healthy one would be ended again and again.
It has 170 MB after a conversation, a reply that waits 30 and the longest message 26."""


def resident_bytes(statm: Path = Path("/proc/self/statm")) -> int:
    """Return how much of the machine's memory this process has now (proc(5))."""
    return int(statm.read_text().split()[1]) * resource.getpagesize()


def ceiling_bytes(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Return how much this process may grow to on this machine (proc(5))."""
    try:
        found = re.search(r"^MemTotal:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found is None:
        return LARGEST_BYTES
    share = int(int(found[1]) * 1024 * LARGEST_SHARE)
    return max(min(share, LARGEST_BYTES), LEAST_BYTES)


class Signs(Protocol):
    """What shows that the speaker hears."""

    @property
    def counts(self) -> tuple[int, int]:
        """Microphone frames and wake word hops so far; a new part begins anew."""
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
        storm: SwapStorm | None = None,
    ) -> None:
        """`resident` tells our size in bytes.

        `resident` tells our size in bytes; `watchdog_usec` is what systemd set (WATCHDOG_USEC);
        `storm` notices when the machine swaps.
        """
        self._resident = resident
        self._ceiling = ceiling_bytes()
        self._storm = storm if storm is not None else SwapStorm()
        self._storms = False
        self._watchdog_usec = watchdog_usec
        self._notify = notify
        self._signs = signs
        self._seen = (0, 0)
        self._status = ""
        self._stopping = False
        # sd_watchdog_enabled(3): notify at half the interval, or more often.
        half_s = int(watchdog_usec) / 2e6 if watchdog_usec else LONGEST_INTERVAL_S
        self.interval_s = min(half_s, LONGEST_INTERVAL_S)
        self.missing_s = MISSING_S
        """How long a start waits for a microphone that is a told fault."""
        self.ready = False
        """Whether a wake word would have been heard since the start, or its owner wants it deaf."""
        self._up = False

    def hears(self) -> None:
        """A wake word would be heard, or its owner wants it deaf: from now on we are ready."""
        self.ready = True
        self._start_is_over()

    def _start_is_over(self) -> None:
        if not self._up:
            self._up = True
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

    def _be_patient(self, *, storms: bool) -> None:
        """Have the watchdog wait longer while the machine swaps (sd_notify(3), WATCHDOG_USEC)."""
        if self._watchdog_usec is not None and storms is not self._storms:
            self._notify(f"WATCHDOG_USEC={PATIENCE_USEC if storms else self._watchdog_usec}")
        self._storms = storms

    async def run(self, beat: Callable[[], None] = lambda: None) -> None:
        """Check as often as the watchdog wants it, until cancelled. Raises OutgrownError.

        `beat` is called each time: whoever has something to do now and then need not wake up for
        it. It returns at once.
        """
        began = time.monotonic()
        while True:
            await asyncio.sleep(self.interval_s)
            if (size := self._resident()) > self._ceiling:
                raise OutgrownError(
                    f"the speaker has grown to {size >> 20} MB, more than {self._ceiling >> 20} MB:"
                    " it ends, and systemd starts a fresh one"
                )
            self._be_patient(storms=self._storm.lasts())
            self.check()
            beat()
            if not self._up and self._signs.excused:
                self._wait_for_a_microphone(time.monotonic() - began)

    def _wait_for_a_microphone(self, waited_s: float) -> None:
        """Nothing to hear with is a told fault and no hang: systemd need not wait, nor give up."""
        if waited_s < self.missing_s:
            self._notify(f"EXTEND_TIMEOUT_USEC={int(self.interval_s * 4e6)}")
            return
        log.warning(
            "started without a microphone: it hears nothing until there is one (see: parley status)"
        )
        self._start_is_over()


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
