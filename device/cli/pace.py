"""How long this machine takes to listen, and how much slower than life a demonstration must be."""

from __future__ import annotations

import math
import time
from statistics import median

import numpy as np

from device.simulator.voices import load
from device.wake.networks import HOP_MS
from device.wake.scoring import WakeScorer

SHARE = 0.5
"""Of the time, for the wake networks: the rest is for everything else."""
SHARE_IN_A_ROOM = 0.3
"""The same where echo is simulated and cancelled too."""


def hop_ms() -> float:
    """How many milliseconds the wake networks take for a hop, the median of a spoken sentence.

    Loads them; blocks for as long as that and two seconds of sound take.
    """
    scorer = WakeScorer(["hey_jarvis"])
    samples = np.frombuffer(load("ask_weather")[0], "<i2")
    took_ms = []
    began = time.perf_counter()
    for _ in scorer.feed(samples):
        ended = time.perf_counter()
        took_ms.append((ended - began) * 1000.0)
        began = ended
    return median(took_ms)


def slowness(took_ms: float, *, room: bool) -> int:
    """How many times slower than life a demonstration must be with so long a hop; 1: as life."""
    return max(1, math.ceil(took_ms / HOP_MS / (SHARE_IN_A_ROOM if room else SHARE)))
