"""Pictures that are JPEG as far as their headers go: what only sends them looks no further."""

from __future__ import annotations

import base64
import random
import struct
import time
from typing import Any

from device.ports import Picture

START, END = b"\xff\xd8", b"\xff\xd9"


def jpeg(width: int = 640, height: int = 480, size_bytes: int = 4_000, *, seed: int = 1) -> bytes:
    """Return a JPEG of this size whose picture is noise."""
    frame = struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    head = START + b"\xff\xe0\x00\x10JFIF\x00" + bytes(9) + b"\xff\xc0" + frame
    head += b"\xff\xda\x00\x0c\x03" + bytes(9)
    noise = random.Random(seed).randbytes(size_bytes - len(head) - len(END))
    return head + noise.replace(b"\xff", b"\xfe") + END


def picture(width: int = 640, height: int = 480, *, seed: int = 1, dark: bool = False) -> Picture:
    """Return a picture as a camera gives it."""
    data = jpeg(width, height, seed=seed)
    return Picture(data, width, height, time.monotonic(), dark)


def video(data: bytes, mime_type: str = "image/jpeg") -> dict[str, Any]:
    """Return the message that takes a picture to the server."""
    blob = {"data": base64.b64encode(data).decode(), "mimeType": mime_type}
    return {"realtimeInput": {"video": blob}}
