"""How long this machine takes to listen, and how much slower than life a demonstration must be."""

from __future__ import annotations

import math

from device.frames import FRAME_BYTES, FRAME_SAMPLES, Frame
from device.simulator.voices import load
from device.wake.networks import HOP_MS
from device.wake.worker import Hearing, Word

SHARE = 0.5
"""Of the time, for the wake networks: the rest is for everything else."""
SHARE_IN_A_ROOM = 0.3
"""The same where echo is simulated and cancelled too."""


def hop_ms() -> float:
    """How many milliseconds the wake networks take for a hop, the median of a spoken sentence.

    Loads them; blocks for as long as that and two seconds of sound take.
    """
    hearing = Hearing([Word("hey_jarvis")], 1, 0.0, 700)
    pcm, _ = load("ask_weather")
    for number in range(len(pcm) // FRAME_BYTES):
        begin = number * FRAME_BYTES
        frame = Frame(pcm[begin : begin + FRAME_BYTES], number * FRAME_SAMPLES, 0.0)
        # What it hears is of no interest; it listens while it is asked for that.
        list(hearing.hear(frame, track_speech=False))
    return hearing.scores.hop_ms_p50


def slowness(took_ms: float, *, room: bool) -> int:
    """How many times slower than life a demonstration must be with so long a hop; 1: as life."""
    return max(1, math.ceil(took_ms / HOP_MS / (SHARE_IN_A_ROOM if room else SHARE)))
