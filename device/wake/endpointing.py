"""`Endpointing` decides from the probability of speech when someone began and ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass

SPEECH_MS = 120
"""How much of it makes speech: longer than a click or a cough, shorter than a "no"."""
ON = 0.5
OFF = 0.35
"""Silero VAD: recommends a threshold of 0.5, and 0.15 less to come back from it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Speech began or ended."""

    speaking: bool
    sample: int
    """Where it really did; it takes ``SPEECH_MS`` or ``silence_ms`` more to be sure."""


class Endpointing:
    """Two thresholds against flutter, two lengths against blips. Counts samples, not the clock."""

    def __init__(self, silence_ms: int, rate_hz: int) -> None:
        """``silence_ms``: how long nobody may speak before it has ended."""
        self._needed = {False: SPEECH_MS * rate_hz // 1000, True: silence_ms * rate_hz // 1000}
        self._speaking = False
        self._voiced = False
        self._changed_at = 0

    def judge(self, probability: float, first_sample: int, end_sample: int) -> Edge | None:
        """Take the probability (0..1) of the samples in between; the edge it makes certain."""
        voiced = probability >= (OFF if self._voiced else ON)
        if voiced != self._voiced:
            self._voiced, self._changed_at = voiced, first_sample
        if voiced == self._speaking or end_sample - self._changed_at < self._needed[self._speaking]:
            return None
        self._speaking = voiced
        return Edge(voiced, self._changed_at)

    def cut(self, sample: int) -> Edge | None:
        """The stream broke off before ``sample``: start afresh; what was being said ended there."""
        ended = Edge(speaking=False, sample=sample) if self._speaking else None
        self._speaking = self._voiced = False
        return ended
