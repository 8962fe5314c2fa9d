"""When a connection gives way to the next one of the same session.

The server ends every connection after about ten minutes. It announces that with ``goAway`` and a
time; it may also forget to. So a connection is given up in a quiet moment, when the announcement
came or when it has grown old by our own clock, and at the latest a margin before the server would
cut it, as announced or as usual. Live API: a third of the notice, 1.5 to 10 s, is the margin others
found sufficient.
"""

from __future__ import annotations

import re

ROTATE_AFTER_S = 540.0
"""Nine of the ten minutes that the server gives a connection."""
_FORCED_AFTER_S = 40.0
"""How long an old connection waits for a quiet moment. Live API: 590 s is the shortest life seen of
one that was not left in time."""
_AT_LEAST_S = 1.0
"""A server that ends every connection as soon as it is open is not hurried along."""
_UNTOLD_S = 10.0
"""The shortest notice seen, for a goAway whose time cannot be read."""


class Rotation:
    """The plan for one connection. Pure: every time is CLOCK_MONOTONIC seconds, handed in."""

    def __init__(self, opened_at: float, rotate_after_s: float = ROTATE_AFTER_S) -> None:
        self._not_before = opened_at + _AT_LEAST_S
        self._wanted_from = opened_at + rotate_after_s
        self._deadline = self._wanted_from + _FORCED_AFTER_S

    def go_away(self, now: float, time_left_s: float) -> None:
        """Take the server's announcement; the earliest deadline counts."""
        margin_s = min(max(time_left_s / 3, 1.5), 10.0)
        deadline = now + max(time_left_s - margin_s, 0.0)
        self._wanted_from = min(self._wanted_from, now)
        self._deadline = min(self._deadline, deadline)

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
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s", duration or "")
    return float(found[1]) if found else _UNTOLD_S
