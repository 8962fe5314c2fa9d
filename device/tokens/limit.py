"""`Limit` says who may ask again, and when: so much an hour, and some of that at once. Pure."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

MOST_KNOWN = 1_024
"""How many are remembered, the newest: addresses can be made up without end."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Limit:
    """A bucket for each name: it holds ``at_once``, and fills by ``an_hour``.

    Times are CLOCK_MONOTONIC seconds. Used from the event loop's thread only.
    """

    def __init__(self, an_hour: float, at_once: int) -> None:
        self._per_s = an_hour / 3600
        self._most = float(at_once)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, name: str, now: float) -> float:
        """Return how many seconds it must wait until it may ask; 0: it may."""
        left = self._filled(name, now).left
        return 0.0 if left >= 1 else math.ceil((1 - left) / self._per_s)

    def count(self, name: str, now: float) -> None:
        """Count one request of this name."""
        self._filled(name, now).left -= 1

    def give_back(self, name: str, now: float) -> None:
        """Take back one `count`: nothing came of that request."""
        bucket = self._filled(name, now)
        bucket.left = min(bucket.left + 1, self._most)

    def _filled(self, name: str, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(name, _Bucket(self._most, now))
        self._buckets.move_to_end(name)
        bucket.left = min(bucket.left + (now - bucket.at) * self._per_s, self._most)
        bucket.at = now
        while len(self._buckets) > MOST_KNOWN:
            self._buckets.popitem(last=False)
        return bucket
