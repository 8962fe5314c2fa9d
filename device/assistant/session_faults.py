"""What goes wrong with a session, as faults: which begin, and which are over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from device.events import EventBus, PublicEvent
from device.faults import Faults
from device.ports import Failure, FailureKind

LOOK_AGAIN_S = 2.0
"""Between two looks for a network, or the time of day, that was missing. Nothing is sent."""

REPLACED = "model_replaced"
"""Kind of the fault that is none: another model answers than the configured one."""


class Troubles:
    """Used from the event loop's thread only."""

    def __init__(
        self, faults: Faults, bus: EventBus, hindrance: Callable[[], Failure | None]
    ) -> None:
        """`hindrance` says what keeps any connection from being tried now, if anything does."""
        self.apologies = 0
        """How often the server was silent until the user's patience was over."""
        self._faults = faults
        self._bus = bus
        self._hindrance = hindrance

    def failed(self, failure: Failure) -> None:
        """A session failed: the newest failure is the one in force."""
        # Only one thing at a time keeps a session from working, as far as we know.
        self._faults.clear(*(kind for kind in FailureKind if kind is not failure.kind))
        fatal = not failure.retryable
        self._faults.begin(failure.kind, failure.message, fatal=fatal, again=True)

    def connected(self, model: str, configured: str) -> None:
        """A session works, over this model."""
        self._faults.clear(*FailureKind)
        if model == configured:
            self._faults.clear(REPLACED)

    def replaced(self, gone: str, successor: str) -> None:
        """Another model answers from now on: told once, in writing, since it does answer."""
        message = (
            f"the server does not have the model {gone} any more, {successor} answers instead: "
            f"set live.model to {successor}"
        )
        self._faults.begin(REPLACED, message)

    def unanswered(self) -> None:
        """The server owed an answer, was nudged and left, and still none came."""
        self.apologies += 1
        reason = "the server has stopped answering; the next question tries a new session"
        fields = {"what": "apologised", "reason": reason}
        self._bus.publish(PublicEvent("stall", time.monotonic(), fields))
        self.failed(Failure(FailureKind.TIMEOUT, reason, retryable=True))

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
