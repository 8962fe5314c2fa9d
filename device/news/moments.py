"""Time passes, and the owner changes settings.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal


class Debt(Enum):
    """What the session owes the user when a timer runs out."""

    NONE = auto()
    OWED = auto()
    """An answer to what was said, of which the server has told nothing."""
    UNDERSTOOD = auto()
    """An answer to what the server has told that it understood."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The timer with this number ran out."""

    clock: int
    debt: Debt


@dataclass(frozen=True, slots=True)
class StillWaiting:
    """A second has passed since an answer was asked for again, and this timer is still in force."""

    clock: int


@dataclass(frozen=True, slots=True)
class HabitsChanged:
    """The owner wants the conversation to go like this from now on."""

    follow_up: Literal["always", "questions", "never"]
    """After which answers it listens on."""
    resume_reply: bool
    """Whether an answer that a wake word paused goes on when nobody says anything."""


@dataclass(frozen=True, slots=True)
class SessionAged:
    """The session is as old as the owner allows."""

    session: int


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """What a session is set up with has changed: the one there is has the old settings."""


@dataclass(frozen=True, slots=True)
class PersonasChanged:
    """These personas can be talked to from now on, beside nobody in particular."""

    first: str
    """Who answers where neither a word nor a name says who; empty: nobody in particular."""
    known: frozenset[str]


Moment = TimedOut | StillWaiting | HabitsChanged | SessionAged | SettingsChanged | PersonasChanged
