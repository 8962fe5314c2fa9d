"""A person wishes something, by button or command.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tap:
    """The button asks to talk, to be silent or to end the talk, as the state has it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The button is held to talk."""


@dataclass(frozen=True, slots=True)
class Release:
    """The button that was held is let go."""

    heard: bool
    """Whether anybody was heard meanwhile."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A picture that the owner gives with a question: a JPEG, bounded in bytes and pixels."""

    jpeg: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Ask:
    """The owner typed a question."""

    text: str
    picture: Enclosed | None = None
    """What it is about."""
    persona: str | None = None
    """Who is asked; empty: nobody in particular; None: whoever talks, or else would be tapped."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The owner said stop, by command or by a button that is mapped to it."""


@dataclass(frozen=True, slots=True)
class Mute:
    """The microphone is to be closed."""


@dataclass(frozen=True, slots=True)
class Unmute:
    """The microphone is to be opened again."""


@dataclass(frozen=True, slots=True)
class MuteToggled:
    """The button mutes, or unmutes."""


@dataclass(frozen=True, slots=True)
class VolumeStepped:
    """The button makes it louder or softer."""

    by_percent: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """The model was asked to end the talk, or to mute the microphone: after what it says of it."""

    mutes: bool


Wish = Leaving | Tap | Hold | Release | Ask | Stop | Mute | Unmute | MuteToggled | VolumeStepped
