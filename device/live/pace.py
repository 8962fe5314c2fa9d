"""`Pace` says when the next picture of a stream may go up, so that sound is hardly ever late. Pure.

Sound and pictures share one connection, and what is said while a picture is on its way waits behind
it. How long a picture takes is seen by what the other end has not acknowledged yet; where that is
long, the next one comes so much later. With a picture of 60 kB each second, sound was late by (the
median, the most): over 1 Mbit/s 1.0 s and 1.7 s, so paced 0.02 s and 0.8 s; over 0.64 Mbit/s 3.7 s
and 7.2 s, paced 0.02 s and 1.1 s; over 8 Mbit/s 0.02 s and 0.2 s, where no picture is left out
(`tests/benchmarks/test_look.py`).
"""

from __future__ import annotations

FREE_S = 0.25
"""A picture that takes no longer may be followed by the next: a server waits longer for a word."""
PATIENCE = 20
"""One that takes longer is followed after so many times as long: sound is late a twentieth of the
time, and by no more than one picture."""
GONE_BYTES = 8_000
"""What may be on its way when a picture has gone: 0.2 s of sound."""


class Pace:
    """For one connection after the other. Times are seconds of any clock."""

    def __init__(self) -> None:
        self._sent_at: float | None = None
        self._beside_bytes = 0
        self._from = 0.0

    @property
    def waits(self) -> bool:
        """Whether a picture is on its way."""
        return self._sent_at is not None

    def allows(self, now: float) -> bool:
        """Tell whether the next picture may go up."""
        return not self.waits and now >= self._from

    def sends(self, now: float, unacknowledged_bytes: int) -> None:
        """A picture goes up; so much was on its way before."""
        self._sent_at = now
        self._beside_bytes = unacknowledged_bytes

    def look(self, now: float, unacknowledged_bytes: int) -> None:
        """Take note of how much is on its way now. Harmless while no picture is."""
        if self._sent_at is None or unacknowledged_bytes > GONE_BYTES + 2 * self._beside_bytes:
            return
        took_s = now - self._sent_at
        self._from = self._sent_at + (PATIENCE * took_s if took_s > FREE_S else 0.0)
        self._sent_at = None

    def opened(self) -> None:
        """A new connection begins; what was on its way on the old one is of no account."""
        self._sent_at = None
