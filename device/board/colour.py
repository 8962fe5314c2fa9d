"""Splits a brightness between what LEDs have of their own and what their colours do. Pure."""

from __future__ import annotations

import math

from device.lights.render import GAMMA

BRIGHTEST = 31
"""The own level of an APA102 and of the XVF3000's ring goes from 0 to this."""


def split_brightness(brightness_percent: int, fewest_levels: int = 1) -> tuple[int, float]:
    """Split a brightness into the LEDs' own level and the percentage left to do by the colours.

    Dimming by the colours alone would leave few steps at a low brightness: at 40 % the brightest
    would be 34 of 255. The own level, ``fewest_levels``..31, depends on the setting only, never on
    the frame.
    """
    share = min(100, max(0, brightness_percent)) / 100
    level = max(fewest_levels, math.ceil(BRIGHTEST * math.pow(share, GAMMA)))
    return level, 100 * share * math.pow(BRIGHTEST / level, 1 / GAMMA)
