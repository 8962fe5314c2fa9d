"""Faults are what is wrong right now; each is told once when it begins and once when it is over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from device.events import EventBus, EventName, PublicEvent
from device.news import Failure, FailureKind

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
        """Tell whether there is a fault of any of these kinds."""
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
        self._bus.publish(PublicEvent(EventName.FAULT, at, {**about, "cleared": cleared}))

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


LOOK_AGAIN_S = 2.0
"""Between two looks for a network, or the time of day, that was missing. Nothing is sent."""

REPLACED = "model_replaced"
"""Kind of the fault that is none: another model answers than the configured one."""


class SessionFaults:
    """What goes wrong with sessions, as faults: which begin, and which are over.

    Used from the event loop's thread only.
    """

    def __init__(
        self, faults: Faults, bus: EventBus, hindrance: Callable[[], Failure | None]
    ) -> None:
        """`hindrance` says what keeps any connection from being tried now, if anything does."""
        self.apologies = 0
        """How often the server was silent until the user's patience was over."""
        self.unheard: Counter[str] = Counter()
        """How many turns were no answer that could be heard, by why."""
        self._faults = faults
        self._bus = bus
        self._hindrance = hindrance
        self._gone: dict[str, str] = {}
        """What is told of each model that is gone, by the key that names it."""
        self._at_token_server: FailureKind | None = None
        """The kind of what is in force, where it was met at the token server."""

    def met(self, failure: Failure) -> None:
        """Tell a failure that somebody has met: the newest is the one in force."""
        # Only one thing at a time keeps a session from working, as far as we know.
        self._faults.clear(*(kind for kind in FailureKind if kind is not failure.kind))
        self._at_token_server = failure.kind if failure.at_token_server else None
        fatal = not failure.retryable
        self._faults.begin(failure.kind, failure.message, fatal=fatal, again=True)

    def connected(self, model: str, configured: str, key: str) -> None:
        """Clear what kept a session from working: one works, over this model.

        `key` names the configured one; what is told of others is not over by that.
        """
        self._faults.clear(*FailureKind)
        self._at_token_server = None
        if model == configured and self._gone.pop(key, None) is not None:
            self._tell_gone()

    def asks_for_no_tokens(self) -> None:
        """Clear what was wrong with tokens, or at the server that lent them: none is wanted."""
        kind, self._at_token_server = self._at_token_server, None
        self._faults.clear(FailureKind.TOKEN, *([kind] if kind else []))

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget the models that other keys named: they are not written any more."""
        if forgotten := self._gone.keys() - set(keys):
            for key in forgotten:
                del self._gone[key]
            self._tell_gone()

    def replaced(self, gone: str, successor: str, key: str) -> None:
        """Tell once, in writing since it does answer, that another model answers from now on.

        `key` is where the configuration names the one that is gone.
        """
        self._gone[key] = (
            f"the server does not have the model {gone} any more, {successor} answers instead: "
            f"set {key} to {successor}"
        )
        self._tell_gone()

    def _tell_gone(self) -> None:
        if self._gone:
            self._faults.begin(REPLACED, "; ".join(self._gone.values()))
        else:
            self._faults.clear(REPLACED)

    def apologise(self) -> None:
        """Tell that the server owed an answer, was nudged and left, and still none came."""
        self.apologies += 1
        reason = "the server has stopped answering; the next question tries a new session"
        fields = {"what": "apologised", "reason": reason}
        self._bus.publish(PublicEvent(EventName.STALL, time.monotonic(), fields))
        self.met(Failure(FailureKind.TIMEOUT, reason, retryable=True))

    def give_up(self, why: str, key: str) -> None:
        """Tell that the question was asked again and again, and no answer could be heard.

        `key` is where the configuration names the model that was asked.
        """
        if why == "nothing":
            self.apologise()
            return
        message = (
            f"the server's answers cannot be heard ({why.replace('_', ' ')}), also not when asked "
            f"again and over a fresh session: try again later, or another {key}"
        )
        self.met(Failure(FailureKind.TIMEOUT, message, retryable=True))

    async def watch(self) -> None:
        """Tell a missing network or time of day from the start, and when it is there; for ever."""
        local = (FailureKind.OFFLINE, FailureKind.CLOCK)
        first = True
        while True:
            if first or self._faults.in_force(*local):
                failure = self._hindrance()
                self._faults.clear(*(k for k in local if failure is None or failure.kind is not k))
                if failure is not None:
                    self._faults.begin(failure.kind, failure.message)
            first = False
            await asyncio.sleep(LOOK_AGAIN_S)
