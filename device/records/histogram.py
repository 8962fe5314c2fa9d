"""`Histogram` counts durations on a logarithmic scale, for percentiles that can be added up. Pure.

Theory of operation. A decade has 48 buckets, each 4.9 % wider than the one before it. Of a bucket
it is only known how many durations fell into it; the value told of them is as far from both of its
edges, relative to them: 2.4 % wrong at most. What was counted in two hours is added bucket by
bucket, and so has the percentiles of both, which figures that were percentiles already could not.
Source: Masson, Rim, Lee, "DDSketch" (VLDB 2019).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

PER_DECADE: Final = 48
LEAST_MS: Final = 1.0
MOST_MS: Final = 1_000_000.0
"""A quarter of an hour. What is shorter than the least, or longer, counts as that."""
_LAST: Final = 6 * PER_DECADE
_ROUNDING: Final = 1e-9
"""Of a logarithm: a duration on an edge is in the bucket below it."""


def edge_ms(bucket: int) -> float:
    """Return the upper edge of a bucket, which belongs to it."""
    return float(10.0 ** (bucket / PER_DECADE))


def _told_ms(bucket: int) -> float:
    upper, lower = edge_ms(bucket), edge_ms(bucket - 1)
    return 2.0 * upper * lower / (upper + lower)


class Histogram:
    """Durations in milliseconds; 289 buckets at most, of which an hour has some ten."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many durations there are."""
        return sum(self._counts.values())

    @property
    def sum_ms(self) -> float:
        """What they come to, 2.4 % wrong at most; it never falls while durations are added."""
        return sum(_told_ms(bucket) * count for bucket, count in sorted(self._counts.items()))

    def add(self, duration_ms: float) -> None:
        """Count a duration. What is no number counts as none."""
        if math.isnan(duration_ms):
            return
        within = min(max(duration_ms, LEAST_MS), MOST_MS)
        bucket = math.ceil(math.log10(within) * PER_DECADE - _ROUNDING)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1

    def merge(self, other: Histogram) -> None:
        """Add what another one has counted."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count

    def percentile_ms(self, percent: float) -> float | None:
        """Return the duration that so many percent (0 < percent <= 100) do not exceed.

        The nearest rank, as `device.service.latency` has it; None where there is none.
        """
        rank = math.ceil(percent / 100 * self.count)
        for bucket, count in sorted(self._counts.items()):
            rank -= count
            if rank <= 0:
                return _told_ms(bucket)
        return None

    def up_to(self, buckets: range) -> Iterator[tuple[float, int]]:
        """For each of these buckets yield its upper edge (ms), and how many are not above it."""
        for bucket in buckets:
            yield edge_ms(bucket), sum(n for each, n in self._counts.items() if each <= bucket)

    def as_text(self) -> str:
        """Return it as a row of the database has it: ``142:3 150``, a single one without count."""
        return " ".join(
            f"{bucket}:{count}" if count > 1 else f"{bucket}"
            for bucket, count in sorted(self._counts.items())
        )

    @classmethod
    def of(cls, text: str) -> Histogram:
        """Return what `as_text` has made into a text. Raises ValueError."""
        made = cls()
        for word in text.split():
            bucket, _, count = word.partition(":")
            place, many = int(bucket), int(count or 1)
            if not 0 <= place <= _LAST or many < 1:
                raise ValueError(f"{word} is no bucket: 0..{_LAST}, and how many")
            made._counts[place] = made._counts.get(place, 0) + many
        return made
