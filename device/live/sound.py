"""`sound` writes and reads the two messages that nearly all of a talk consists of. Pure.

They are a piece of the microphone and a piece of the reply, many times a second. The SDK makes
objects of several models of each: 31 µs to write one and 80 to read one, where these take 2 and 24
(measured on amd64; a Pi takes five to ten times as long). Everything else is left to the SDK.
"""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from device.frames import MICROPHONE_RATE_HZ

_REALTIME_INPUT = (
    '{"realtime_input": {"audio": {"data": "%s", "mime_type": "audio/pcm;rate='
    + str(MICROPHONE_RATE_HZ)
    + '"}}}'
)


@dataclass(frozen=True, slots=True)
class Blob:
    """A part of the model's turn that is no text."""

    mime_type: str
    """As the server says it; empty where it does not."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Sound:
    """A message that holds nothing but parts of the model's turn, none of them text or thought."""

    parts: tuple[Blob, ...]


def realtime_input(pcm: bytes) -> str:
    """Return the message that takes some of the microphone (s16le mono 16 kHz) to the server.

    It is what the SDK makes of the same sound, to the letter.
    """
    return _REALTIME_INPUT % urlsafe_b64encode(pcm).decode()


def reply_sound(message: bytes) -> Sound | None:
    """Read a message of the server's, if it holds nothing but sound; None is left to the SDK.

    Whatever is odd about a message is left to the SDK too, so this raises nothing.
    """
    if b'"inlineData"' not in message:
        return None
    try:
        content = _alone(json.loads(message), "serverContent")
        turn = _alone(content, "modelTurn")
        parts = turn["parts"] if turn.keys() <= {"parts", "role"} else []
        blobs = tuple(_blob(_alone(part, "inlineData")) for part in parts)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return Sound(blobs) if blobs else None


def _alone(value: dict[str, Any], name: str) -> Any:
    """Return the value of that name. Raises ValueError where anything stands beside it."""
    if value.keys() != {name}:
        raise ValueError(name)
    return value[name]


def _blob(inline_data: dict[str, Any]) -> Blob:
    if not inline_data.keys() <= {"data", "mimeType"} or not inline_data["data"]:
        raise ValueError("inlineData")
    mime_type, data = inline_data.get("mimeType", ""), inline_data["data"]
    if not isinstance(mime_type, str) or not isinstance(data, str):
        raise TypeError("inlineData")
    return Blob(mime_type, b64decode(data, validate=True))
