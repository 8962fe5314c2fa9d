"""`Recordings` lets the wake word networks hear recordings, one after the other, as one stream.

With quiet between them, since the networks look back two seconds, and counted on as a microphone's
frames are: what is heard is what a speaker would have heard, patience and both kinds of network
included. Not thread-safe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from device.frames import FRAME_BYTES, FRAME_MS, FRAME_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.news import Detection
from device.wake.worker import Hearing

QUIET_S = 2.0
"""The networks look back so far."""


@dataclass(frozen=True, slots=True)
class Best:
    """The highest score of a word."""

    score: float
    """0..1."""
    at_s: float
    """When, from the beginning of the recording; the word has just been said."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in a recording."""

    best: Mapping[str, Best]
    """By word."""
    woke: Sequence[tuple[str, float]]
    """The words that would have woken a speaker, and when, in seconds."""


class Recordings:
    """One stream of recordings."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._sample = 0

    def hear(self, pcm: bytes) -> Heard:
        """Hear a recording (s16le mono 16 kHz). Takes a tenth of its length on a PC or less."""
        pause = bytes(FRAME_BYTES) * round(QUIET_S * 1000 / FRAME_MS)
        length = len(pcm) + -len(pcm) % FRAME_BYTES
        whole = pause + pcm.ljust(length, b"\0") + pause
        began = self._sample + len(pause) // 2
        length_s = len(pcm) / 2 / MICROPHONE_RATE_HZ
        best: dict[str, Best] = {}
        woke: list[tuple[str, float]] = []
        for place in range(0, len(whole), FRAME_BYTES):
            frame = Frame(whole[place : place + FRAME_BYTES], self._sample, 0.0)
            self._sample += FRAME_SAMPLES
            hops = self._hearing.hops
            news = list(self._hearing.hear(frame, track_speech=False))
            at_s = min(max(0.0, (frame.end_sample - began) / MICROPHONE_RATE_HZ), length_s)
            woke += [(each.word, at_s) for each in news if isinstance(each, Detection)]
            if self._hearing.hops == hops:
                continue
            for word, score in self._hearing.scores.last.items():
                if word not in best or score > best[word].score:
                    best[word] = Best(score, at_s)
        return Heard(best, woke)
