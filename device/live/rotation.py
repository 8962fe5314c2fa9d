"""A rotation gives a connection up in time for the next one of the same session.

The server ends every connection after about ten minutes. It announces that with ``goAway`` and a
time; it may also forget to. So a connection is given up in a quiet moment, when the announcement
came or when it has grown old by our own clock, and at the latest a margin before the server would
cut it, as announced or as usual. Live API: a third of the notice, 1.5 to 10 s, is the margin others
found sufficient.

`Rotation` says from when and until when; `Moment` knows what disturbs nobody: no turn of the model,
no sentence of the user, no call to answer, and a handle that knows all that was said.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from device.live.calls import Calls
from device.live.downlink import Downlink
from device.live.reconnect import Recovery
from device.live.repeat import Unanswered

if TYPE_CHECKING:
    from google.genai import types

ROTATE_AFTER_S = 540.0
"""Nine of the ten minutes that the server gives a connection."""
_FORCED_AFTER_S = 40.0
"""How long an old connection waits for a quiet moment. Live API: 590 s is the shortest life seen of
one that was not left in time."""
_BEFORE_EXPIRY_S = 5.0
"""How long before the end of its token a connection is given up at the latest: the clocks of two
machines, and the way of a message, lie in between."""
_AT_LEAST_S = 1.0
"""A server that ends every connection as soon as it is open is not hurried along."""
_UNTOLD_S = 10.0
"""The shortest notice seen, for a goAway whose time cannot be read."""
HANDLE_CHARACTERS = 4_096
"""Of a session handle that is kept: it goes into every setup, and into a small file. Live API:
theirs have some hundreds."""


class Rotation:
    """The plan for one connection. Pure: every time is CLOCK_MONOTONIC seconds, handed in."""

    def __init__(
        self, opened_at: float, rotate_after_s: float = ROTATE_AFTER_S, ends_at: float = math.inf
    ) -> None:
        """``ends_at``: when the token that it was made with expires."""
        self._not_before = opened_at + _AT_LEAST_S
        self._wanted_from = opened_at + rotate_after_s
        self._deadline = self._wanted_from + _FORCED_AFTER_S
        if ends_at < math.inf:
            left_s = max(ends_at - opened_at, 0.0)
            last_s = left_s - min(_BEFORE_EXPIRY_S, left_s / 4)
            self._deadline = min(self._deadline, opened_at + last_s)
            wanted_s = max(last_s - _FORCED_AFTER_S, left_s / 2)
            self._wanted_from = min(self._wanted_from, opened_at + wanted_s)

    def go_away(self, now: float, time_left_s: float) -> None:
        """Take the server's announcement; the earliest deadline counts."""
        margin_s = min(max(time_left_s / 3, 1.5), 10.0)
        deadline = now + max(time_left_s - margin_s, 0.0)
        self._wanted_from = min(self._wanted_from, now)
        self._deadline = min(self._deadline, deadline)

    def leave(self, now: float) -> None:
        """Want the connection given up from now on, in a quiet moment."""
        self._wanted_from = min(self._wanted_from, now)

    def due(self, quiet_from: float | None) -> float:
        """Return when to rotate.

        ``quiet_from``: since or from when it is quiet, None while it is not.
        """
        due = self._deadline
        if quiet_from is not None:
            due = min(due, max(self._wanted_from, quiet_from))
        return max(due, self._not_before)


def seconds(duration: str | None) -> float:
    """Return a protobuf duration ("9.5s") in seconds, a short one when it cannot be read."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,9})?)s", duration or "")
    return float(found[1]) if found else _UNTOLD_S


_ANSWER_S = 5.0
"""How long an answer to what the user said is expected; then it is quiet enough to rotate."""
_HANDLE_S = 1.0
"""How long after a turn its handle is expected. Live API: 20-70 ms were measured."""


class Moment:
    """For one connection after the other. Times are CLOCK_MONOTONIC seconds."""

    def __init__(
        self,
        recovery: Recovery,
        downlink: Downlink,
        calls: Calls,
        unanswered: Unanswered,
        *,
        resumes: bool,
    ) -> None:
        self._recovery = recovery
        self._downlink = downlink
        self._calls = calls
        self._unanswered = unanswered
        self._resumes = resumes
        self._rotation = Rotation(0.0)
        self._resumable = True
        self._handle_at: float | None = None
        self._begins_anew = False
        """Whether no handle of this connection is worth anything: the next is told in words."""
        self.speaking = False
        """Whether the user is in mid-sentence."""

    def opened(self, rotation: Rotation) -> None:
        """A new connection begins, with its plan to give way to the next."""
        self._rotation = rotation
        self._resumable = True
        self._begins_anew = False

    def go_away(self, now: float, time_left_s: float) -> None:
        """The server has announced the end of the connection."""
        self._rotation.go_away(now, time_left_s)

    def leave(self, now: float) -> None:
        """Give the connection up at the next quiet moment."""
        self._rotation.leave(now)

    def begin_anew(self) -> None:
        """Let the next connection begin a fresh session, whatever handle may still come."""
        self._recovery.handle = None
        self._begins_anew = True

    def take_handle(self, update: types.LiveServerSessionResumptionUpdate, now: float) -> bool:
        """Take what the server says of resuming; return whether there is a new handle."""
        if self._begins_anew:
            return False
        # Live API: empty and not resumable while the model speaks; the older handle stays good.
        handle = update.new_handle or ""
        self._resumable = bool(update.resumable) and 0 < len(handle) <= HANDLE_CHARACTERS
        if self._resumable:
            self._recovery.handle = handle
            self._handle_at = now
        return self._resumable

    def due(self) -> float:
        """Return when it is, as far as is known now."""
        return self._rotation.due(self._quiet_from())

    def _quiet_from(self) -> float | None:
        """Return since or from when a new connection disturbs nobody, None until more is known."""
        if self._downlink.busy or self.speaking or self._calls.open:
            return None
        if self._unanswered.pending:
            # The user has finished, and the server has not noticed or not answered yet.
            return None
        resumes = self._resumes and not self._begins_anew
        if resumes and not (self._resumable and self._recovery.handle):
            return None
        quiet_from = 0.0
        if self._downlink.asked_at is not None:
            quiet_from = self._downlink.asked_at + _ANSWER_S
        if self._handle_at is not None and self._handle_at < self._downlink.ended_at:
            quiet_from = max(quiet_from, self._downlink.ended_at + _HANDLE_S)
        return quiet_from
