"""The wake room hears words and speech.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass


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


WakeNews = Detection | NearMiss | SpeechChanged | SpeechJudged | StopWord
