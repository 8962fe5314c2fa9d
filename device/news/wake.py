"""The wake room hears words and speech.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

KeepWakes = Literal["none", "near", "all"]
"""Of which wakes clips are kept: of none, of what was nearly one, or of both."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A wake word was heard."""

    word: str
    score: float
    """0..1, of the hop that decided."""
    end_sample: int
    """Place in the microphone's stream (``Frame.first_sample``) just after that hop."""
    time: float
    persona: str = ""
    """Who answers to the word; empty: nobody in particular."""


@dataclass(frozen=True, slots=True)
class SpeechChanged:
    """The user began or stopped speaking (endpointing; counts audio, not the clock)."""

    speaking: bool
    end_sample: int
    time: float


@dataclass(frozen=True, slots=True)
class SpeechJudged:
    """How likely a stretch of the microphone holds speech; told of each while speech is tracked."""

    probability: float
    """0..1."""
    first_sample: int
    end_sample: int
    time: float


@dataclass(frozen=True, slots=True)
class StopWord:
    """Somebody said "stop", without a wake word; only listened for while something rings."""

    end_sample: int
    """Place in the microphone's stream just after the hop that decided."""
    time: float


@dataclass(frozen=True, slots=True)
class NearMiss:
    """Something was nearly a wake word: its score stayed below the threshold, but not far."""

    word: str
    score: float
    """0..1, the highest."""
    time: float


@dataclass(frozen=True, slots=True)
class WakeClip:
    """What the networks heard of a wake word, or of what was nearly one; only where wanted."""

    word: str
    score: float
    """0..1, the highest."""
    threshold: float
    """The one in force in that hop, 0..1."""
    woke: bool
    """Whether it woke the speaker."""
    over_our_own: bool
    """Whether it was said over our own sound, where another threshold is in force."""
    pcm: bytes = field(repr=False)
    """s16le mono 16 kHz, whole hops but for the first; as the networks heard it, without echo."""
    offset_samples: int
    """What the first hop lacks, 0..1279: so much of it is silence and was never heard."""
    from_the_start: bool
    """Whether the networks had heard nothing before it: their warm-up is part of it."""
    exact: bool
    """Whether scoring it again gives the same scores to the bit."""
    scores: Mapping[str, tuple[float, ...]] = field(repr=False)
    """Of every word, in the last hops of the clip."""
    time: float


WakeNews = Detection | NearMiss | SpeechChanged | SpeechJudged | StopWord | WakeClip
