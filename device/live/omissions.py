"""`Omissions` decides what the setups of one session go without, and when less is tried. Pure.

What a server does not take is remembered beyond the session, by `device.live.refusals`. Here is
what one session makes of it, and of a refusal that it meets itself: the question is to be answered
at once all the same, so the next setup goes without search where the key's plan is to blame, or
without all that can be left out.
"""

from __future__ import annotations

from collections.abc import Callable

from device.live.refusals import Field, Refusals
from device.live.symptoms import Family, Place, Symptom
from device.news import Failure, FailureKind

FREE_TIER = "free tier"
"""Live API: what the refusal of a plan's limits holds."""
PAID_ONLY = "search needs a paid key"

Tell = Callable[[Field, str, str], None]
"""Told of each field that is found to be refused: which, by which model, and why."""


class Omissions:
    """For one session. Times are seconds of the wall clock. From the event loop's thread only."""

    def __init__(self, refusals: Refusals, tell: Tell) -> None:
        self._refusals = refusals
        self._tell = tell
        self._sent: frozenset[Field] = frozenset()
        """What could have been left out of the newest setup."""
        self._bare = False
        """Whether setups go without all that can be left out."""
        self._without_search = False

    def of_next(self, model: str, fields: frozenset[Field], now: float) -> frozenset[Field]:
        """Return what of these the next setup goes without: what is refused, or in doubt.

        ``fields`` are those that the setup would have.
        """
        without = fields if self._bare else fields & self._refusals.left_out(model, now)
        if self._without_search:
            without |= fields & {Field.SEARCH}
        self._sent = fields - without
        return without

    def tries_less(self, symptom: Symptom, failure: Failure, model: str) -> bool:
        """Take note of a lost connection; return whether to try again with less in the setup.

        Each way is tried once for a session, so that no question is asked in a storm.
        """
        if symptom.place is not Place.SETUP or symptom.resuming or not self._sent:
            return False
        plan = failure.kind is FailureKind.QUOTA or FREE_TIER in symptom.text.lower()
        if plan and Field.SEARCH in self._sent and not self._without_search:
            self._without_search = True
            return True
        refused = failure.kind is FailureKind.SETTINGS and symptom.family is Family.CLOSED
        if not refused or self._bare:
            return False
        field = self._refusals.refuse(model, self._sent)
        if field is not None:
            self._tell(field, model, symptom.text)
        self._bare = field is None
        return True

    def opened(self, model: str, now: float) -> None:
        """Take note that the newest setup was confirmed: nothing in it is to blame."""
        if self._without_search and Field.SEARCH not in self._refusals.known(model, now):
            self._refusals.needs_another_plan(model, Field.SEARCH, now)
            self._tell(Field.SEARCH, model, PAID_ONLY)
        if not self._bare:
            self._refusals.open(model, self._sent)
