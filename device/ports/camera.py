"""A camera takes pictures, real or simulated.

Tested in tests/test_ports.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is sent."""

    jpeg: bytes = field(repr=False)
    """Upright, at most 768 px on its longer side."""
    width: int
    height: int
    taken_at: float
    """When the camera gave it, CLOCK_MONOTONIC."""
    dark: bool
    """Whether it is so dark that hardly anything can be seen."""


class Camera(Protocol):
    """Something that takes pictures. Used from the event loop's thread only.

    Between two pictures the device is let go, unless the next one comes soon.
    """

    @property
    def description(self) -> str:
        """What it is, for a person: "USB camera 'HD Webcam' (/dev/video0)"."""
        ...

    async def take(self, *, more_soon: bool = False) -> Picture:
        """Take one picture, a few seconds at most; one at a time. Cancelling gives it up.

        ``more_soon``: keep the device open, since another one is wanted within seconds. Raises
        CameraError: none there, busy, unplugged, not allowed, too slow, nothing readable.
        """
        ...

    async def close(self) -> None:
        """Let the device go. Harmless when it is not open; never raises."""
        ...
