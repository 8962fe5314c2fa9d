"""Messages are what can go up to the server, each kind of it. Pure.

Tested in tests/live/test_uplink.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
class Text:
    """Words of the user, typed."""

    text: str
    again: bool = False
    """Whether they went up before, over a connection that took them with it."""


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

    @property
    def failed(self) -> bool:
        """Whether the function could not be run."""
        return "error" in self.response


Message = Audio | AudioEnd | ActivityStart | ActivityEnd | Text | Answer | Nudge
Said = bytes | str | ActivityStart | ActivityEnd
"""What can be said again."""

Item = bytes | AudioEnd | Undecided | ActivityStart | ActivityEnd | Text
"""What can wait in the queue."""
