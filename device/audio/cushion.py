"""`Cushion` says how much of a reply waits before it sounds: nothing, on an even network. Pure.

A reply that begins at once is the quickest, and on a good link it never runs dry. Each time one
does, the next wait is longer; when some replies in a row went well it gets shorter again.
"""

from __future__ import annotations

STEPS_MS = (0, 80, 160, 320, 500)
CALM_TURNS = 5
"""So many turns without running dry make the cushion one step thinner."""


class Cushion:
    """Belongs to a loudspeaker for life: the network stays the same when the card is reopened."""

    def __init__(self) -> None:
        self._step = 0
        self._calm_turns = 0

    @property
    def ms(self) -> int:
        """How much is to wait before a turn begins or goes on."""
        return STEPS_MS[self._step]

    def starved(self) -> None:
        """A turn ran dry and more of it came: it came too late."""
        self._step = min(self._step + 1, len(STEPS_MS) - 1)
        self._calm_turns = 0

    def turn_over(self, *, starved: bool) -> None:
        """A turn was played to its end; whether it ``starved`` on the way."""
        self._calm_turns = 0 if starved else self._calm_turns + 1
        if self._calm_turns == CALM_TURNS:
            self._step = max(0, self._step - 1)
            self._calm_turns = 0
