"""`render` turns a pattern and what is measured right now into the colour of each LED. Pure.

While bytes really go up a white spark runs over whatever is shown, even over dark lights; two do
while pictures are among them. Nothing else is ever white. Colours here are as the eye sees them;
`device.board.colour` turns them into what an LED must be driven with.
"""

from __future__ import annotations

import math

from device.lights.patterns import MOTIONS, Pattern, colour_of
from device.ports import Colour

__all__ = [
    "FRAME_S",
    "MOTIONS",
    "WHITE",
    "Pattern",
    "is_static",
    "next_change_s",
    "period_s",
    "render",
]

FRAME_S = 0.05
"""How often a moving pattern is worth redrawing: the shortest flash lasts three of these."""

WHITE: Colour = (255, 255, 255)

RING_FROM_LEDS = 6
"""A row of fewer cannot show a time by its length, nor a direction."""

_SPARK_PERIOD_S = 1.0
_SPARK_WIDTH = 0.15
_DIMMED_BESIDE_SPARKS = 0.6
"""So that a spark stands out by brightness too, and from the brightest moment of a pattern."""

_FAINTEST_LEFT = 0.2

_POINTER_WIDTH = 1 / 6
"""Of the ring, to each side: three or four LEDs of twelve, one of them the brightest."""
_DIMMED_BESIDE_POINTER = 0.3

_BLINK_S, _BLINK_ON_S = 0.3, 0.2
_FLASHES_AT_MOST = 5
"""That one LED counts an amount by: each is a fifth."""
_FAINT = 0.2
_FAINTEST_TIP = 0.5
"""So that it is seen to blink at a low brightness too."""

_AFTER_EDGE_S = 0.002
"""So that a clock that comes early does not draw the moment before an edge."""


def period_s(pattern: Pattern) -> float:
    """Return the seconds after which a pattern repeats itself; 0 when it does not move."""
    return MOTIONS[pattern].period_s


def is_static(pattern: Pattern, *, streaming: bool = False) -> bool:
    """Return whether drawing the pattern once is enough; ``streaming``: sparks run over it."""
    return not streaming and period_s(pattern) == 0.0


def next_change_s(pattern: Pattern, elapsed_s: float, *, streaming: bool = False) -> float | None:
    """Return in how many seconds a pattern looks different by itself; None: it never does.

    What only flashes is still between two edges, which may be seconds.
    """
    motion = MOTIONS[pattern]
    if is_static(pattern, streaming=streaming):
        return None
    if streaming or not motion.flashes:
        return FRAME_S
    moment_s = elapsed_s % motion.period_s
    edges_s = [edge_s for flash in motion.flashes for edge_s in flash]
    edges_s.append(motion.period_s + edges_s[0])
    return min(edge_s for edge_s in edges_s if edge_s > moment_s) - moment_s + _AFTER_EDGE_S


def render(  # noqa: PLR0913 - what is measured, each with the value it has when it is not
    pattern: Pattern,
    elapsed_s: float,
    count: int,
    *,
    streaming: bool = False,
    pictures: bool = False,
    level: float = 0.0,
    left: float = 1.0,
    direction: float | None = None,
    amount: float = 0.0,
    hue: int | None = None,
) -> tuple[Colour, ...]:
    """Return the colours of ``count`` LEDs, ``elapsed_s`` after the pattern began.

    ``streaming``: microphone audio is going up now; ``pictures``: pictures are. ``level``: RMS of
    what the speaker plays, 0..1 of full scale; only patterns that follow it look. ``left``: how
    much of the time to begin to speak is left, 1..0; a pattern that counts it down gets shorter, or
    where there are few LEDs dimmer. ``direction``: where a voice comes from, 0..1 around the ring
    from its first LED, None when that is not known; rings point there while they listen.
    ``amount``: 0..1, for a pattern that measures. ``hue``: that of whoever talks, 0..359 degrees,
    for the patterns of a talk.
    """
    motion, colour = MOTIONS[pattern], colour_of(pattern, hue)
    if count < RING_FROM_LEDS or not motion.points:
        direction = None
    sparks = 2 if pictures else int(streaming)
    beside = _DIMMED_BESIDE_SPARKS if sparks else 1.0
    colours = []
    for led in range(count):
        place = led / count
        if sparks and _sparkles(elapsed_s, place, sparks):
            colours.append(WHITE)
            continue
        if motion.measures:
            share = _measured(elapsed_s, led, count, amount)
        else:
            share = motion.brightness(elapsed_s, place)
            if motion.follows_level:
                share = _brightened(share, level)
            if motion.counts_down:
                share *= _left(place, count, left)
            if direction is not None:
                # It breathes as well, where the ring may be too dim to be seen to.
                pointer = (
                    _pointer(place, direction) * (1.0 + motion.brightness(elapsed_s, place)) / 2
                )
                share = max(_DIMMED_BESIDE_POINTER * share, pointer)
        colours.append(_dimmed(colour, beside * share))
    return tuple(colours)


def _dimmed(colour: Colour, share: float) -> Colour:
    red, green, blue = colour
    return round(red * share), round(green * share), round(blue * share)


def _left(place: float, count: int, left: float) -> float:
    """How bright a place still is in a countdown."""
    if count < RING_FROM_LEDS:
        return _FAINTEST_LEFT + (1.0 - _FAINTEST_LEFT) * left
    # The last one goes on until the time is over.
    return float(place < max(left, 1 / count))


def _pointer(place: float, direction: float) -> float:
    """How bright a place is that lies this far from where a voice comes from."""
    apart = abs((place - direction + 0.5) % 1.0 - 0.5)
    return max(0.0, 1.0 - apart / _POINTER_WIDTH)


def _measured(elapsed_s: float, led: int, count: int, amount: float) -> float:
    """How bright an LED is that shows an amount; the tip of an arc blinks, so none looks steady."""
    blinks = elapsed_s % _BLINK_S < _BLINK_ON_S
    if count == 1:
        flashes = math.ceil(_FLASHES_AT_MOST * amount)
        moment_s = elapsed_s % (_FLASHES_AT_MOST * _BLINK_S)
        return 1.0 if blinks and moment_s < flashes * _BLINK_S else _FAINT
    filled = amount * count
    tip = max(0, math.ceil(filled) - 1)
    if led != tip:
        return float(led < tip)
    return max(_FAINTEST_TIP, filled - tip) if blinks else 0.0


def _sparkles(elapsed_s: float, place: float, sparks: int) -> bool:
    return (elapsed_s / _SPARK_PERIOD_S - place) % (1.0 / sparks) < _SPARK_WIDTH


def _brightened(share: float, level: float) -> float:
    # Speech at a comfortable volume has an RMS of about 0.1; the root makes quiet words show too.
    loudness = min(1.0, 2.0 * math.sqrt(max(0.0, level)))
    return share + (1.0 - share) * 0.7 * loudness
