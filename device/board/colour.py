"""Colours become what LEDs are driven with, at a brightness. Pure.

Tested in tests/board/test_usb_picture.py.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

from device.ports import Colour

BLACK: Colour = (0, 0, 0)

GAMMA = 2.2
"""Exponent between what looks even and the current an LED needs (that of the sRGB display)."""

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


def scale(colours: Iterable[Colour], brightness_percent: float) -> tuple[Colour, ...]:
    """Return what to drive LEDs with, 0..255 of full current, to show colours at a brightness.

    Even steps of ``brightness_percent`` (0..100) look even. What is lit at all stays lit, unless
    the brightness is 0.
    """
    curve = _curve(brightness_percent)
    return tuple((curve[red], curve[green], curve[blue]) for red, green, blue in colours)


@functools.lru_cache(maxsize=8)
def _curve(brightness_percent: float) -> bytes:
    share = min(100.0, max(0.0, brightness_percent)) / 100.0
    faintest = 1 if share > 0 else 0
    lit = (max(faintest, round(255 * (value / 255 * share) ** GAMMA)) for value in range(1, 256))
    return bytes([0, *lit])
