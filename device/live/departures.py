"""Departures are what leaves the device over a session, told as it is handed to a connection.

Each is told twice where it can fail in between: when it is about to be handed over, and when it
was. So whoever keeps a record of them has it before the first byte is out, and a process that is
killed in between has hidden nothing. What they hold is how much it was, never what was in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from device.live.messages import ActivityEnd, Audio, AudioEnd, Message, Nudge, Picture, Text


@dataclass(frozen=True, slots=True)
class SoundLeaves:
    """Microphone sound is about to be handed to a connection that has had none since its pause."""

    session: int
    connection: int
    """Counts the connections of the session, from 1."""
    time: float


@dataclass(frozen=True, slots=True)
class SoundLeft:
    """A message of microphone sound was handed to a connection."""

    session: int
    connection: int
    frames: int
    bytes: int
    """Of PCM."""
    again: int
    """How many of the frames had been handed to a connection before."""
    captured: tuple[float, ...]
    """When those frames were recorded that nothing had held back, CLOCK_MONOTONIC."""
    time: float


@dataclass(frozen=True, slots=True)
class SoundEnds:
    """The sound on a connection pauses, or the connection is over."""

    session: int
    connection: int
    time: float


@dataclass(frozen=True, slots=True)
class PictureLeaves:
    """A picture is about to be handed to a connection, or (``left``) was."""

    session: int
    connection: int
    number: int
    """The same for both; counts what leaves in the session beside sound."""
    bytes: int
    """Of JPEG."""
    width: int
    height: int
    reason: str
    """As `device.news.PictureSent` tells it."""
    left: bool
    time: float


@dataclass(frozen=True, slots=True)
class TextLeaves:
    """A text is about to be handed to a connection, or (``left``) was."""

    session: int
    connection: int
    number: int
    """As a picture's."""
    characters: int
    again: bool
    """Whether it had been handed to a connection before."""
    ours: bool
    """Whether the speaker itself says it, to a server that keeps silent."""
    left: bool
    time: float


Departure = SoundLeaves | SoundLeft | SoundEnds | PictureLeaves | TextLeaves
Sent = Callable[[Departure], None]
"""Told of each departure; returns at once, never raises."""


class Departures:
    """Those of one session. Used from the event loop's thread only."""

    def __init__(self, session: int, tell: Sent) -> None:
        self._session = session
        self._tell = tell
        self._connection = 0
        self._sounding = False
        self._number = 0
        """Of what leaves now, or left last, beside sound."""

    def opened(self) -> None:
        """Another connection stands."""
        self._connection += 1

    def leaving(self, message: Message) -> None:
        """Tell of a message that is about to be handed to the connection."""
        match message:
            case Audio() if not self._sounding:
                self._sounding = True
                self._tell(SoundLeaves(self._session, self._connection, time.monotonic()))
            case Picture() | Text() | Nudge():
                self._number += 1
                self._beside_sound(message, left=False)

    def left(self, message: Message, captured: list[float], again: int) -> None:
        """Tell of a message that was handed over, with `again` frames that had been before."""
        match message:
            case Audio(frames=frames):
                size = sum(map(len, frames))
                told = (len(frames), size, again, tuple(captured), time.monotonic())
                self._tell(SoundLeft(self._session, self._connection, *told))
            case AudioEnd() | ActivityEnd():
                self.paused()
            case Picture() | Text() | Nudge():
                self._beside_sound(message, left=True)

    def paused(self) -> None:
        """Tell that no sound goes on over this connection, if any did."""
        if self._sounding:
            self._sounding = False
            self._tell(SoundEnds(self._session, self._connection, time.monotonic()))

    def _beside_sound(self, message: Picture | Text | Nudge, *, left: bool) -> None:
        where, now = (self._session, self._connection, self._number), time.monotonic()
        if isinstance(message, Picture):
            size, width, height = len(message.jpeg), message.width, message.height
            self._tell(PictureLeaves(*where, size, width, height, message.reason, left, now))
        else:
            ours = isinstance(message, Nudge)
            again = isinstance(message, Text) and message.again
            self._tell(TextLeaves(*where, len(message.text), again, ours, left, now))
