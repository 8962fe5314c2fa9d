"""(pure) Pictures of `realtimeInput.video` are read as the server reads them: one a second.

Live API: the guides name JPEG (``image/jpeg``) at one picture a second, 768 x 768 recommended. What
the real server does with more is not written down; nobody reports a refusal, and frameworks drop
what is faster. So the stand-in looks at no more than one a second on the average, and keeps of the
others that they came: a client that sends them is seen, and pays for nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from device.simulator.schema import INVALID_ARGUMENT, RefusedError

MIME_TYPE = "image/jpeg"
MOST_BYTES = 20_000_000
"""Live API: the limit of a request with data in it."""
BURST = 3
"""So many may come at once after a pause: two looks and one of a stream are no stream."""
TOKENS = {
    "MEDIA_RESOLUTION_LOW": 64,
    "MEDIA_RESOLUTION_MEDIUM": 256,
    "MEDIA_RESOLUTION_HIGH": 256,
}
"""Live API: of a picture, by what the setup says."""
TOKENS_UNTOLD = 258
"""Live API: where the setup says nothing."""

_SHAPES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG: the markers that tell height and width (SOF0 to SOF15)."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""JPEG: the markers without a length."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a picture is, pixels."""

    width: int
    height: int


def shape_of(jpeg: bytes) -> Shape:
    """Return the size of a JPEG. Raises RefusedError (1007) for what is not a whole one."""
    if not jpeg.startswith(b"\xff\xd8") or not jpeg.rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise RefusedError(1007, INVALID_ARGUMENT)
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", jpeg, at + 2)
        if marker in _SHAPES and length >= 8 and at + 9 <= len(jpeg):
            height, width = struct.unpack_from(">HH", jpeg, at + 5)
            if width and height:
                return Shape(width, height)
        if marker in (0xD9, 0xDA) or length < 2:
            break
        at += 2 + length
    raise RefusedError(1007, INVALID_ARGUMENT)


def described(says: str, shown: Shape | None) -> str:
    """Return what a turn says, with the size of the newest picture in place of ``{picture}``."""
    seen = f"{shown.width} by {shown.height} pixels" if shown is not None else "nothing"
    return says.replace("{picture}", seen)


class Pace:
    """How many pictures may be looked at now; times are seconds of any clock."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._at = 0.0

    def allows(self, now: float) -> bool:
        """Count a picture; return whether it is looked at."""
        self._left = min(BURST, self._left + max(0.0, now - self._at))
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
