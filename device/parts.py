"""How each part of a speaker is made: the recipe that the command line gives to the hub."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from device.board.button import GpioButton
from device.board.profiles import Profile
from device.config import Config
from device.live.session import LiveSession
from device.ports import Lights, Microphone, Post, Speaker, WakeDetector


@dataclass(frozen=True, slots=True)
class Parts:
    """Every function may be called again: after a reload, or for the next conversation."""

    microphone: Callable[[Config], Microphone]
    speaker: Callable[[Config], Speaker]
    detector: Callable[[Config], Awaitable[WakeDetector]]
    """With its networks loaded; raises WakeModelError."""
    profile: Callable[[Config, str | None], Profile]
    """The board, from the configuration and the name of the microphone that is open (if any)."""
    lights: Callable[[Config, Profile], Lights]
    """Raises BoardError."""
    button: Callable[[Config, Profile], GpioButton | None]
    """Raises BoardError."""
    session: Callable[[Config, int, Iterator[int], Post], LiveSession]
    """By its number and the counter of turns; raises CredentialError."""
    missing_key: str = ""
    """Why no session can be opened, known from the start: told before anybody asks in vain."""
