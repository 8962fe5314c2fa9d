"""What is wrong right now: each fault is told once when it begins and once when it is over."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

from device.events import EventBus, PublicEvent

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not work, in words for the owner."""

    kind: str
    message: str
    fatal: bool
    """Whether only the owner can mend it: trying again will not help."""
    since: float
    """CLOCK_MONOTONIC seconds."""


class Faults:
    """The faults in force, by kind, and the last one there was."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._active: dict[str, Fault] = {}
        self.last: Fault | None = None

    @property
    def active(self) -> list[Fault]:
        """The faults in force, oldest first."""
        return list(self._active.values())

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds in force, the one that was told last at the end."""
        return tuple(sorted(self._active, key=lambda kind: self._active[kind].since))

    def in_force(self, *kinds: str) -> bool:
        """Whether there is a fault of any of these kinds."""
        return any(kind in self._active for kind in kinds)

    def begin(self, kind: str, message: str, *, fatal: bool = False, again: bool = False) -> None:
        """Tell a fault; one that is in force already only `again` (somebody has met it anew)."""
        before = self._active.get(kind)
        if before is not None and before.message == message and not again:
            return
        fault = Fault(kind, message, fatal, time.monotonic())
        self._active[kind] = self.last = fault
        log.error("%s: %s", kind, message, extra={"FAULT": kind})
        self._tell(fault, fault.since, cleared=False)

    def clear(self, *kinds: str) -> None:
        """Tell that these are over, where they were in force."""
        for kind in kinds:
            fault = self._active.pop(kind, None)
            if fault is None:
                continue
            log.info("%s: fine again", kind, extra={"FAULT": kind})
            self._tell(fault, time.monotonic(), cleared=True)

    def _tell(self, fault: Fault, at: float, *, cleared: bool) -> None:
        about = {"kind": fault.kind, "message": fault.message, "fatal": fault.fatal}
        self._bus.publish(PublicEvent("fault", at, {**about, "cleared": cleared}))

    def as_dict(self) -> dict[str, Any]:
        """For `status`: the faults in force and the last one, with their age in seconds."""
        now = time.monotonic()

        def shown(fault: Fault) -> dict[str, Any]:
            age = round(now - fault.since, 1)
            about = {"kind": fault.kind, "message": fault.message, "fatal": fault.fatal}
            return {**about, "age_s": age}

        return {
            "active": [shown(fault) for fault in self.active],
            "last": shown(self.last) if self.last else None,
        }
