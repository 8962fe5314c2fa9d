"""Lights are the LEDs of a board, a terminal's, or none.

Tested in tests/test_ports.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255 each."""


class Lights(Protocol):
    """A row or ring of RGB LEDs. Used from the event loop's thread only."""

    brightness: int
    """0..100 percent, from the next `show` on."""

    @property
    def count(self) -> int:
        """How many LEDs; 0 when there are none."""
        ...

    def open(self) -> None:
        """Claim the hardware and switch all LEDs off. Raises BoardError."""
        ...

    def show(self, colours: Sequence[Colour]) -> None:
        """Set every LED; ``len(colours) == count``. Raises BoardError."""
        ...

    def close(self) -> None:
        """All LEDs off, then let the hardware go. Harmless when closed; never raises."""
        ...


@runtime_checkable
class Pointing(Protocol):
    """LEDs around microphones that tell where a voice comes from: some Lights are this as well."""

    def direction(self) -> float | None:
        """Return where somebody speaks: 0..1 around the ring, from its first LED in their order.

        None while that is not known, or was not for a while. Returns at once; to ask is what makes
        the array look.
        """
        ...
