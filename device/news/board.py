"""Button, mute switch, lights and plugs change.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ButtonEdge:
    """The button went down or up."""

    down: bool
    time: float


@dataclass(frozen=True, slots=True)
class Pressed:
    """A gesture on the button, by its name in `device.board.gestures`."""

    gesture: str
    time: float


@dataclass(frozen=True, slots=True)
class MuteSwitched:
    """The microphone's own mute switch is on, or off."""

    on: bool
    time: float


@dataclass(frozen=True, slots=True)
class PartLost:
    """A part of the board stopped working; the speaker goes on without it."""

    part: Literal["lights", "button"]
    message: str
    time: float


@dataclass(frozen=True, slots=True)
class Plugged:
    """A sound card or an array on USB was plugged in."""

    time: float


BoardNews = ButtonEdge | Pressed | MuteSwitched | PartLost | Plugged
