"""`shown` picks the one pattern that the lights show of all that is so at once. Pure.

From the top:

1. a fault that somebody has just met, or that makes a conversation useless while it goes on
2. an alarm that rings, muted or not: whoever does not hear it sees it
3. muted, for as long as the microphone is closed, also while a typed question is answered
4. a picture, while it is taken and for a moment after that
5. the volume, for a moment after it was set
6. the conversation: speaking, thinking, listening, connecting (its state is one of them)
7. a fault that stands, in a calm voice: it keeps the speaker from what it is for, but nobody asks
8. what its owner should see to, in a calm voice too, while the speaker does all it is for: a
   configuration file with a mistake, records that cannot be written or were lost, a limit of
   spending that is near
9. idle

Two things are on no rung. That bytes leave the device, of sound or of pictures, is drawn over
whatever is shown (`device.lights.render`). And a fault that hinders nothing (a button that is
missing) is told in writing.

That a fault stands is rung 7 and not 1 because its being so is no news: somebody who speaks to the
speaker is shown that it heard, and whether it works this time. Under mute it is not shown at all:
whoever looks then wants to know that the microphone is closed. And what was met in a session, and
may have passed since without anybody seeing it, is taken to stand for ten minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from device.conversation.states import PATTERNS, RESTING, State
from device.lights.patterns import Pattern
from device.signals import ATTENDED, DEVICE, SIGNALS, Signal, newest


@dataclass(frozen=True, slots=True)
class Situation:
    """All that is so at once."""

    state: State
    rest: State
    """Where the conversation returns to: MUTED while the microphone is closed."""
    faults: tuple[str, ...] = ()
    """The kinds in force, the newest last."""
    alarming: bool = False
    """Whether the fault of the state FAULT has only just been met."""
    ringing: bool = False
    """Whether a timer or an alarm rings."""
    picture: bool = False
    """Whether a picture is taken, or has only just been."""
    volume: bool = False
    """Whether the volume has only just been set."""
    off: frozenset[str] = frozenset()
    """The patterns that the owner wants dark."""


def _alarm(now: Situation) -> str | None:
    if now.state is State.FAULT and now.alarming:
        return _signal(now).pattern
    useless = any(SIGNALS.get(kind) is DEVICE for kind in now.faults)
    return DEVICE.pattern if useless and now.state not in RESTING else None


def _ringing(now: Situation) -> str | None:
    return Pattern.RINGING if now.ringing else None


def _muted(now: Situation) -> str | None:
    return Pattern.MUTED if now.rest is State.MUTED else None


def _picture(now: Situation) -> str | None:
    return Pattern.PICTURE if now.picture else None


def _volume(now: Situation) -> str | None:
    return Pattern.VOLUME if now.volume else None


def _conversation(now: Situation) -> str | None:
    at_rest = now.state in RESTING and now.state is not State.STARTING
    return None if at_rest else PATTERNS[now.state]


def _standing(now: Situation) -> str | None:
    hinders = now.state is State.FAULT or newest(now.faults) is not None
    return _signal(now).standing if hinders else None


def _mistaken(now: Situation) -> str | None:
    return Pattern.MISTAKE if ATTENDED.intersection(now.faults) else None


def _idle(_now: Situation) -> str | None:
    return Pattern.IDLE


LADDER: tuple[Callable[[Situation], str | None], ...] = (
    _alarm,
    _ringing,
    _muted,
    _picture,
    _volume,
    _conversation,
    _standing,
    _mistaken,
    _idle,
)


def shown(now: Situation) -> Pattern:
    """Return what the lights show."""
    said = next(pattern for rung in LADDER if (pattern := rung(now)) is not None)
    return Pattern.OFF if said in now.off else Pattern(said)


def _signal(now: Situation) -> Signal:
    kind = newest(now.faults)
    return SIGNALS[kind] if kind else DEVICE
