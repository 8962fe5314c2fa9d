"""A wake detector hears wake words, real or simulated.

Tested in tests/test_ports.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from device.frames import Frame
from device.news import KeepWakes, Post


@dataclass(frozen=True, slots=True)
class WakeScores:
    """How the wake word networks are doing, for status."""

    last: Mapping[str, float]
    """The newest score of each word, 0..1."""
    hop_ms_p50: float
    hop_ms_max: float
    """How long a hop's inference took, over the last 20 s; the budget is 80 ms."""


class WakeDetector(Protocol):
    """Hears wake words and, while asked to, speech. Used from the event loop's thread only."""

    @property
    def words(self) -> Sequence[str]:
        """The names of the wake words it listens for."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """``hops`` (heard), ``quiet`` (those of them that no network looked at), ``gaps``.

        And ``dropped``: frames it could not keep up with.
        """
        ...

    @property
    def hears(self) -> bool:
        """Whether a word that begins now would be heard: its networks have heard enough before."""
        ...

    @property
    def scores(self) -> WakeScores:
        """The last score of each word, and how long the hops take."""
        ...

    async def run(self, post: Post) -> None:
        """Own the worker thread until cancelled; raises what the worker raised."""
        ...

    def feed(self, frame: Frame, far_end: bytes | None = None, *, near: bool = False) -> None:
        """Take the next frame; returns at once. A gap in ``first_sample`` restarts the warm-up.

        ``far_end``: what of our own sound arrives in this frame, as it was played (s16le, 16 kHz,
        as long as the frame); None while nothing of ours can be heard. ``near``: whether somebody
        else is heard in it over our own sound.
        """
        ...

    def track_speech(self, on: bool) -> None:
        """Set whether to run speech detection too, and post SpeechChanged."""
        ...

    def listen_for_stop(self, on: bool) -> None:
        """Set whether to listen for "stop" without a wake word too, and post StopWord."""
        ...

    def keep_clips(self, which: KeepWakes) -> None:
        """Set of which wakes to post the clips, WakeClip, too."""
        ...
