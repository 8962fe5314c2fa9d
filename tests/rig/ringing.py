"""An alarm that rings in a simulated room, and voices that may tell it to stop.

The voices here are those that the network of `device.wake.stop_word` was never trained with:
`tests.benchmarks.stop_training` leaves them out, and who measures uses no others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from device.audio.chimes import ALARM_EVERY_S, alarm_gain, render
from device.frames import MICROPHONE_RATE_HZ
from device.simulator.acoustics import Acoustics
from tests.rig.overhearing import Samples, Speaker, spoken, whole

LOUDEST_S = 60.0
"""Long after its loudness has risen to the end."""
HELD_OUT = (
    *("en-gb+f5", "en-us+m3", "en-us+Andy", "en-gb+linda", "en-us+steph2"),
    *("en-gb-x-rp+belinda", "en-gb-scotland+edward", "en-us+grandpa"),
)
"""Voices of espeak-ng."""
CALLS = ("stop", "stop it", "okay stop", "alarm stop")


def ring(seconds: float, gain: float = 1.0, *, rung_s: float = LOUDEST_S) -> Samples:
    """So much of an alarm that has rung for a while; ``gain``: amplitude of the volume."""
    every = round(ALARM_EVERY_S * MICROPHONE_RATE_HZ)
    samples = round(seconds * MICROPHONE_RATE_HZ)
    sound = np.zeros(samples + every)
    for begin in range(0, samples, every):
        bar = render("alarm", MICROPHONE_RATE_HZ, alarm_gain(rung_s + begin / MICROPHONE_RATE_HZ))
        sound[begin : begin + len(bar)] += bar * gain
    return whole(sound[:samples])


def ringing(
    room: str | Acoustics,
    gain: float = 1.0,
    *,
    rung_s: float = LOUDEST_S,
    bout_s: float = 300.0,
    hears: bool = True,
) -> Speaker:
    """A speaker that rings, bout after bout, and listens for "stop"; nobody stops it.

    As loud as can be from the first bar on, which its echo canceller has heard nothing like, or
    (``rung_s`` 0) rising as the product's does.
    """
    bouts: Iterator[Samples] = itertools.repeat(ring(bout_s, gain, rung_s=rung_s))
    return Speaker(room, bouts, interruptible=False, hears=hears, news_s=0.5, stoppable=True)


def held_out_calls() -> list[Samples]:
    """Each of `CALLS` by each of the voices, at several speeds."""
    return [
        spoken(text, voice, 130 + 15 * (number % 4))
        for text in CALLS
        for number, voice in enumerate(HELD_OUT)
    ]
