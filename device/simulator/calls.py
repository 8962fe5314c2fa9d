"""(pure) A connection keeps its function calls, and finds the one that an answer is for.

Live API: a blocking call holds the model up until it is answered; new speech cancels it. A call
that does not block is answered when its result is there, and the answer says when the model may
speak of it: at once (``INTERRUPT``), when it is idle (``WHEN_IDLE``), or not at all (``SILENT``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Scheduling = Literal["SILENT", "WHEN_IDLE", "INTERRUPT"]
_STRENGTH: tuple[Scheduling, ...] = ("SILENT", "WHEN_IDLE", "INTERRUPT")


@dataclass(eq=False, slots=True)
class Call:
    """One call that was sent."""

    id: str
    """Empty: it was sent without one."""
    name: str
    blocking: bool
    sent_at: float
    state: Literal["open", "answered", "cancelled"] = "open"
    scheduling: Scheduling = "WHEN_IDLE"
    """What its answers asked for; always WHEN_IDLE for a blocking call."""


class Calls:
    """Every call of one connection."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    @property
    def open(self) -> list[Call]:
        """The calls that are not answered, in the order they were sent."""
        return [call for call in self._calls if call.state == "open"]

    def add(self, call: Call) -> None:
        """Take a call that is being sent."""
        self._calls.append(call)

    def find(self, response: Mapping[str, Any]) -> Call | None:
        """Return the call that a function response is for, open or not; None for no call.

        A call without an id is found by its name: by a response without an id too, or with one that
        the client made up.
        """
        id_, name = response.get("id", ""), response.get("name")
        for call in self._calls:
            if call.id and call.id == id_:
                return call
        nameless = [call for call in self.open if not call.id and call.name == name]
        return nameless[0] if nameless else None

    def answer(self, call: Call, response: Mapping[str, Any]) -> None:
        """Take the response to an open call; with ``willContinue`` the call stays open.

        Live API: ``willContinue`` and ``scheduling`` are ignored for a blocking call. Guides put
        ``scheduling`` inside ``response``, the reference beside it.
        """
        if not call.blocking:
            asked = response.get("scheduling") or response["response"].get("scheduling")
            call.scheduling = asked if asked in _STRENGTH else call.scheduling
        if call.blocking or not response.get("willContinue"):
            call.state = "answered"

    def cancel(self, *, blocking_only: bool = False) -> list[str]:
        """Cancel the open calls, or only those that block; return the ids of those that have one.

        Late answers to them are ignored.
        """
        cancelled = [call for call in self.open if call.blocking or not blocking_only]
        for call in cancelled:
            call.state = "cancelled"
        return [call.id for call in cancelled if call.id]


def strongest(calls: list[Call]) -> Scheduling:
    """Return when the model speaks of the answers to calls that came in one message."""
    return max((call.scheduling for call in calls), key=_STRENGTH.index)
