"""Microphone and loudspeaker come, go and run dry, and somebody talks over a reply.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from device.errors import DeviceTrouble


@dataclass(frozen=True, slots=True)
class MicrophoneOpened:
    """The microphone's device is open; nothing was delivered yet."""

    time: float


@dataclass(frozen=True, slots=True)
class MicrophoneDelivers:
    """The first frame came since the microphone was opened."""

    time: float


@dataclass(frozen=True, slots=True)
class MicrophoneLost:
    """The microphone cannot be used; it is tried again by whoever keeps it open."""

    trouble: DeviceTrouble
    message: str
    time: float


@dataclass(frozen=True, slots=True)
class TalkedOver:
    """Somebody is heard over the reply; whether they interrupt it is not clear yet."""

    heard_at: float
    """When the frame was recorded in which they were first heard, CLOCK_MONOTONIC."""
    time: float


@dataclass(frozen=True, slots=True)
class BargedIn:
    """They speak on: the user interrupts the reply."""

    first_sample: int
    """The microphone's sample at which they were first heard."""
    time: float


@dataclass(frozen=True, slots=True)
class FellSilent:
    """It was a cough, a noise, a word or less: nobody interrupts."""

    time: float


@dataclass(frozen=True, slots=True)
class DuplexDecided:
    """It was measured whether the microphone can be listened to while a reply plays."""

    mode: Literal["full", "half"]
    why: str
    time: float


MicrophoneNews = (
    MicrophoneOpened
    | MicrophoneDelivers
    | MicrophoneLost
    | TalkedOver
    | BargedIn
    | FellSilent
    | DuplexDecided
)


@dataclass(frozen=True, slots=True)
class FirstSound:
    """The card took the first sample of a turn."""

    turn: int
    time: float
    queue_s: float = 0.0
    """What was on its way to the card before it: so much later it is heard."""


@dataclass(frozen=True, slots=True)
class PlaybackDrained:
    """A turn was ended and the card has taken (and, by its latency, played) all of it."""

    turn: int
    played_ms: int
    time: float


@dataclass(frozen=True, slots=True)
class PlaybackStarved:
    """The buffer ran empty in the middle of a turn that has not ended."""

    turn: int
    time: float


@dataclass(frozen=True, slots=True)
class SpeakerOpened:
    """The loudspeaker's device is open."""

    time: float


@dataclass(frozen=True, slots=True)
class SpeakerLost:
    """The loudspeaker cannot be used; it is tried again by whoever keeps it open."""

    message: str
    time: float


PlaybackNews = FirstSound | PlaybackDrained | PlaybackStarved
SpeakerNews = PlaybackNews | SpeakerOpened | SpeakerLost
