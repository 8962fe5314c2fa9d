"""`enclosed` takes the picture that came with a question, if it is one that may go up. Pure.

Whoever sends it has made it small already (`parley ask --image`). Here it is not decoded, which
would be work and danger for the speaker, but its header is read: how large it is, and that it is a
whole JPEG (ITU-T T.81, annex B).
"""

from __future__ import annotations

from device.errors import ControlError
from device.news import Enclosed

MOST_BYTES = 360_000
"""`LONGEST_PX` by as much of white noise have 355,000 as a JPEG of quality 75; a photograph 90,000.
"""
LONGEST_PX = 768
"""More is not looked at by the Live API."""

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_SCAN = 0xDA


def enclosed(jpeg: bytes) -> Enclosed:
    """Return a picture that may go up. Raises ControlError for anything else."""
    if len(jpeg) > MOST_BYTES:
        raise ControlError(f"the picture has {len(jpeg)} bytes; at most {MOST_BYTES} can be sent")
    size = _size(jpeg) if jpeg[:2] == b"\xff\xd8" and jpeg[-2:] == b"\xff\xd9" else None
    if size is None:
        raise ControlError("the picture is no whole JPEG: send one, as parley ask --image does")
    width, height = size
    if not 0 < max(size) <= LONGEST_PX or not min(size):
        told = f"the picture has {width} by {height} pixels"
        raise ControlError(f"{told}; at most {LONGEST_PX} each way can be sent")
    return Enclosed(jpeg, width, height)


def _size(jpeg: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _FRAMES:
            height, width = (int.from_bytes(jpeg[at + p : at + p + 2]) for p in (5, 7))
            return width, height
        elif marker == _SCAN:
            return None
        else:
            at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return None
