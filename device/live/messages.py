"""Messages are what can go up to the server, each kind of it. Pure.

Tested in tests/live/test_uplink.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from device import ports
from device.news import Enclosed


@dataclass(frozen=True, slots=True)
class Audio:
    """One frame, two, or up to 100 ms of a backlog, each s16le mono 16 kHz."""

    frames: tuple[bytes, ...]

    @property
    def pcm(self) -> bytes:
        """All of it."""
        return b"".join(self.frames)


@dataclass(frozen=True, slots=True)
class AudioEnd:
    """The microphone pauses."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """The button went down: what follows waits until it is known whether it is held."""


@dataclass(frozen=True, slots=True)
class ActivityStart:
    """The user's turn begins, says the button."""


@dataclass(frozen=True, slots=True)
class ActivityEnd:
    """The user's turn is over, says the button."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What the speaker sees, or its owner shows."""

    jpeg: bytes = field(repr=False)
    width: int
    height: int
    reason: Literal["asked", "stream", "typed"]
    """As `device.news.PictureSent` tells it."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words of the user, typed."""

    text: str
    again: bool = False
    """Whether they went up before, over a connection that took them with it."""
    picture: Picture | None = None
    """What they are about: it goes up before them, over the same connection."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """Words of ours that ask a silent server to go on."""

    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back for one call."""

    call_id: str
    name: str
    response: Mapping[str, Any]
    """Small: it enters the context and is billed again with every turn."""
    scheduling: str | None = None
    """When the model may speak of it, where it talks on meanwhile."""
    picture: Picture | None = None
    """What it is about: it goes up before it, over the same connection."""

    @property
    def failed(self) -> bool:
        """Whether the function could not be run."""
        return "error" in self.response


Message = Audio | AudioEnd | ActivityStart | ActivityEnd | Text | Answer | Nudge | Picture
Said = bytes | str | Text | ActivityStart | ActivityEnd
"""What can be said again; a text alone by its words."""

Item = bytes | AudioEnd | Undecided | ActivityStart | ActivityEnd | Text
"""What can wait in the queue."""


def of_camera(taken: ports.Picture, reason: Literal["asked", "stream"]) -> Picture:
    """Return a picture of the camera as it goes up."""
    return Picture(taken.jpeg, taken.width, taken.height, reason)


def of_owner(given: Enclosed | None) -> Picture | None:
    """Return a picture that the owner gave as it goes up, None where there is none."""
    return Picture(given.jpeg, given.width, given.height, "typed") if given is not None else None
