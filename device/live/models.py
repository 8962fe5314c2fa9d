"""One table holds what each Live model takes, so that nothing is sent that it refuses. Pure.

A field that a model does not know is not answered with a clear error: the server closes with 1007
or 1000, or never answers the setup at all. So everything that differs from model to model is asked
of a profile, and a name that is not in the table gets a profile that takes only what every Live
model ever took.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum


class Calls(StrEnum):
    """How a model runs the functions it calls."""

    BLOCKING = "blocking"
    """It stays silent until the answer is there."""
    EITHER = "either"
    """Each declaration says so itself."""
    NON_BLOCKING = "non-blocking"
    """It talks on meanwhile; a blocking declaration is refused."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """A model that another one replaces."""

    successor: str
    ended: date | None = None
    """The day it was switched off; None while no day is announced."""


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What one Live model takes. Live API: model pages and the Live API skill of 2026-09."""

    name: str
    """Without the prefix ``models/``."""
    known: bool = False
    """Whether the name is in the table."""
    thinking_levels: frozenset[str] = frozenset()
    """What ``thinking_level`` may be; empty: the whole thinking config must not be sent."""
    lowest_level: str | None = None
    """What a model that must be told a level is told where it does not take the one wanted."""
    takes_language: bool = False
    """Whether a speech language code may be sent."""
    turn_coverage: str = "TURN_INCLUDES_ONLY_ACTIVITY"
    """Sent as it is: documentation and SDK name different defaults."""
    content_any_time: bool = False
    """Whether client content may be sent after the first turn."""
    calls: Calls = Calls.BLOCKING
    answers_in_same_turn: bool = False
    """Whether its turn goes on after the answer to a call; else that begins a new turn, or nobody
    knows."""
    takes_scheduling: bool = False
    """Whether a function's answer may say when the model may speak of it."""
    takes_sound_during_calls: bool = True
    """Whether the microphone may go up while a call is not answered; else that ends the connection
    (1008)."""
    sees_during_calls: bool = False
    """Whether a picture may go up while a call is not answered, and belongs to the turn then."""
    takes_media_resolution: bool = False
    """Whether it may be told how closely to look at pictures."""
    search_beside_functions: bool = False
    """Whether Google Search and functions of ours may be declared together."""
    may_stay_silent: bool = False
    """Whether it decides by itself that speech was not meant for it, and does not answer."""
    ends_by_status: bool = False
    """Whether ``interactionStatus: IDLE`` ends its work, not ``turnComplete``."""
    retirement: Retirement | None = None

    def thinking_level(self, wanted: str) -> str | None:
        """Return what to send for the level wanted, None to send nothing.

        A model that must be told a level, and does not take the one wanted, is told its lowest.
        """
        level = wanted.lower()
        return level if level in self.thinking_levels else self.lowest_level

    @property
    def warning(self) -> str | None:
        """What the owner should know about this choice of model, None when nothing."""
        if self.retirement is None:
            return None
        successor = self.retirement.successor
        if self.retirement.ended is not None:
            return (
                f"{self.name} was switched off on {self.retirement.ended.isoformat()}: "
                f"set live.model to {successor}"
            )
        return (
            f"{self.name} is replaced by {successor} (no end date was announced by "
            f"{_CHECKED.isoformat()}): set live.model to {successor} when it suits you"
        )


_CHECKED = date(2026, 9, 21)
_AUDIO_ACTIVITY = "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"

_LIVE_38 = ModelProfile(
    name="gemini-3.8-live",
    known=True,
    takes_language=True,
    turn_coverage=_AUDIO_ACTIVITY,
    content_any_time=True,
    calls=Calls.EITHER,
    takes_scheduling=True,
    sees_during_calls=True,
    takes_media_resolution=True,
    search_beside_functions=True,
    may_stay_silent=True,
)

_EXTENDED_38 = replace(
    _LIVE_38,
    name="gemini-3.8-live-extended-thinking",
    # Live API: the skill lists `minimal` too; the model page says it is not supported.
    thinking_levels=frozenset({"low", "medium", "high"}),
    lowest_level="low",
    calls=Calls.NON_BLOCKING,
    takes_scheduling=False,
    ends_by_status=True,
)

_FLASH_31 = ModelProfile(
    name="gemini-3.1-flash-live-preview",
    known=True,
    thinking_levels=frozenset({"minimal", "low", "medium", "high"}),
    takes_language=True,
    turn_coverage=_AUDIO_ACTIVITY,
    sees_during_calls=True,
    takes_media_resolution=True,
    search_beside_functions=True,
    answers_in_same_turn=True,
    retirement=Retirement("gemini-3.8-live"),
)

# Live API: it counts thoughts by `thinkingBudget`, and closes with 1000 on a language code.
_NATIVE_25 = ModelProfile(
    name="gemini-2.5-flash-native-audio-latest",
    known=True,
    content_any_time=True,
    calls=Calls.EITHER,
    answers_in_same_turn=True,
    takes_scheduling=True,
    takes_sound_during_calls=False,
    takes_media_resolution=True,
    retirement=Retirement("gemini-3.8-live"),
)

_SWITCHED_OFF = Retirement("gemini-3.8-live", date(2025, 12, 9))

_PROFILES = {
    known.name: known
    for known in (
        _LIVE_38,
        _EXTENDED_38,
        _FLASH_31,
        _NATIVE_25,
        replace(_NATIVE_25, name="gemini-2.5-flash-native-audio-preview-12-2025"),
        replace(_NATIVE_25, name="gemini-live-2.5-flash-preview", retirement=_SWITCHED_OFF),
        ModelProfile("gemini-2.0-flash-live-001", known=True, retirement=_SWITCHED_OFF),
    )
}

NAMES = tuple(_PROFILES)
"""Every model of the table, the one to use first."""


def profile(name: str) -> ModelProfile:
    """Return what the model of this name takes, with or without the prefix ``models/``."""
    bare = name.removeprefix("models/")
    return _PROFILES.get(bare) or ModelProfile(bare)


def misspelt(name: str) -> str | None:
    """Return the model of the table that differs from a name in case and signs only, if any."""
    bare = name.removeprefix("models/")
    return None if bare in _PROFILES else _BY_LETTERS.get(_letters(bare))


def unknown(name: str) -> str | None:
    """Return what the owner should know of a model that is not in the table; None where it is."""
    if profile(name).known:
        return None
    near = difflib.get_close_matches(name[:80].lower(), NAMES, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}? " if near else ""
    return (
        f"{name} is no model that this version knows, so it is sent only what every model takes: "
        f"{hint}known are {', '.join(NAMES)}"
    )


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


_BY_LETTERS = {_letters(name): name for name in _PROFILES}
