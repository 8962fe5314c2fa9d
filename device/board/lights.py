"""What the LEDs do over time: every pattern as a colour, a wave and how the wave runs.

One wave per pattern gives the brightness over one period; `turns` says how often it lies around the
ring (or along the row), so that a wave which is a flash on one LED is a comet on twelve. No two
patterns share a rhythm: they can be told apart without seeing colour, and even on an LED that can
only be on or off. While bytes really go up a white spark runs over whatever is shown; nothing else
is ever white.

Colours here are as the eye sees them (128 looks half as bright as 255); `scale` turns them into
what an LED must be driven with.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from device.ports import Colour

FRAME_S = 0.05
"""How often a moving pattern is worth redrawing: the shortest flash lasts three of these."""

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

GAMMA = 2.2
"""Exponent between what looks even and the current an LED needs (that of the sRGB display)."""

_SPARK_PERIOD_S = 1.0
_SPARK_WIDTH = 0.15
_DIMMED_BESIDE_SPARKS = 0.6
"""So that a spark stands out by brightness too, and from the brightest moment of a pattern."""


_SHORTENS_FROM_LEDS = 6
"""A row of fewer cannot show a time by its length."""
_FAINTEST_LEFT = 0.2


class Pattern(StrEnum):
    """What the lights can say. `OFF` is dark whatever happens; the others are the states.

    A fault of the device itself is `FAULT`; others look like what there is to look after.
    """

    OFF = "off"
    IDLE = "idle"
    CONNECTING = "connecting"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    MUTED = "muted"
    FAULT = "fault"
    FAULT_NETWORK = "fault_network"
    FAULT_ACCOUNT = "fault_account"
    FAULT_SERVICE = "fault_service"


@dataclass(frozen=True, slots=True)
class Motion:
    """How one pattern looks."""

    colour: Colour
    """At full brightness."""
    period_s: float = 0.0
    """0: it does not move."""
    wave: Callable[[float], float] = lambda _phase: 1.0
    """Brightness 0..1 over the phase 0..1 of a period; high at 0, so that it shows at once."""
    turns: int = 0
    """How many waves lie along the LEDs (negative: running backwards); 0: all LEDs together."""
    follows_level: bool = False
    """Whether a loud voice brightens it."""
    counts_down: bool = False
    """Whether it shows how much time is left."""


def _breath(phase: float) -> float:
    return 0.55 + 0.45 * math.cos(math.tau * phase)


def _fading_flash(phase: float) -> float:
    return math.pow(1.0 - phase, 1.5)


def _pulse(phase: float) -> float:
    return math.pow(0.5 + 0.5 * math.cos(math.tau * phase), 1.5)


def _babble(phase: float) -> float:
    return 0.5 + 0.25 * math.cos(2 * math.tau * phase) + 0.25 * math.cos(5 * math.tau * phase)


def _blink_code(*flashes: tuple[float, float]) -> Callable[[float], float]:
    """On from the first to the second phase of each flash, dark elsewhere."""
    return lambda phase: float(any(begin <= phase < end for begin, end in flashes))


MOTIONS: dict[Pattern, Motion] = {
    Pattern.OFF: Motion(BLACK),
    Pattern.IDLE: Motion((0, 4, 8)),
    Pattern.CONNECTING: Motion((0, 190, 255), 1.2, _fading_flash, turns=1),
    Pattern.LISTENING: Motion((0, 110, 255), 3.0, _breath, counts_down=True),
    Pattern.THINKING: Motion((170, 60, 255), 0.6, _pulse, turns=-1),
    Pattern.SPEAKING: Motion((0, 255, 80), 1.8, _babble, follows_level=True),
    Pattern.MUTED: Motion((90, 0, 0)),
    # Two short flashes, three, a long and a short one, a single long one: as the chimes sound.
    Pattern.FAULT: Motion((255, 70, 0), 2.0, _blink_code((0.0, 0.075), (0.175, 0.25))),
    Pattern.FAULT_NETWORK: Motion(
        (255, 190, 0), 2.25, _blink_code((0.0, 0.07), (0.14, 0.21), (0.28, 0.35))
    ),
    Pattern.FAULT_ACCOUNT: Motion((255, 0, 170), 3.2, _blink_code((0.0, 0.2), (0.28, 0.33))),
    Pattern.FAULT_SERVICE: Motion((150, 255, 0), 2.0, _blink_code((0.0, 0.45))),
}


def period_s(pattern: Pattern) -> float:
    """Return the seconds after which a pattern repeats itself; 0 when it does not move."""
    return MOTIONS[pattern].period_s


def is_static(pattern: Pattern, *, streaming: bool = False) -> bool:
    """Return whether drawing the pattern once is enough."""
    return pattern is Pattern.OFF or (not streaming and period_s(pattern) == 0.0)


def render(
    pattern: Pattern,
    elapsed_s: float,
    count: int,
    *,
    streaming: bool = False,
    level: float = 0.0,
    left: float = 1.0,
) -> tuple[Colour, ...]:
    """Return the colours of ``count`` LEDs, ``elapsed_s`` after the pattern began.

    ``streaming``: microphone audio is going up now. ``level``: RMS of what the speaker plays, 0..1
    of full scale; only patterns that follow it look. ``left``: how much of the time to begin to
    speak is left, 1..0; a pattern that counts it down gets shorter, or where there are few LEDs
    dimmer.
    """
    sparks = streaming and pattern is not Pattern.OFF
    places = [led / count for led in range(count)]
    return tuple(
        WHITE
        if sparks and _sparkles(elapsed_s, place)
        else _colour(
            MOTIONS[pattern],
            elapsed_s,
            place,
            level,
            share=(_DIMMED_BESIDE_SPARKS if sparks else 1.0) * _left(pattern, place, count, left),
        )
        for place in places
    )


def _left(pattern: Pattern, place: float, count: int, left: float) -> float:
    """How bright a place still is in a countdown."""
    if not MOTIONS[pattern].counts_down:
        return 1.0
    if count < _SHORTENS_FROM_LEDS:
        return _FAINTEST_LEFT + (1.0 - _FAINTEST_LEFT) * left
    # The last one goes on until the time is over.
    return float(place < max(left, 1 / count))


def scale(colours: Iterable[Colour], brightness_percent: float) -> tuple[Colour, ...]:
    """Return what to drive LEDs with, 0..255 of full current, to show colours at a brightness.

    Even steps of ``brightness_percent`` (0..100) look even. What is lit at all stays lit, unless
    the brightness is 0.
    """
    curve = _curve(brightness_percent)
    return tuple((curve[red], curve[green], curve[blue]) for red, green, blue in colours)


def picture(count: int, *, span_s: float = 4.0, columns: int = 64) -> str:
    """Return all patterns as text: time runs to the right, one line per LED, darker is blanker."""
    blocks = [
        _strip(pattern, count, streaming=streaming, step_s=span_s / columns, columns=columns)
        for pattern in Pattern
        for streaming in ((False, True) if pattern is Pattern.LISTENING else (False,))
    ]
    return "\n".join(line for block in blocks for line in block)


def _strip(
    pattern: Pattern, count: int, *, streaming: bool, step_s: float, columns: int
) -> list[str]:
    shades = " ·░▒▓█"
    frames = [render(pattern, step_s * i, count, streaming=streaming) for i in range(columns)]
    names = [pattern.value, "+ streaming" if streaming else "", *[""] * count]
    return [
        f"{names[led]:<14}|"
        + "".join(shades[math.ceil(max(frame[led]) / 255 * (len(shades) - 1))] for frame in frames)
        + "|"
        for led in range(count)
    ]


def _sparkles(elapsed_s: float, place: float) -> bool:
    return (elapsed_s / _SPARK_PERIOD_S - place) % 1.0 < _SPARK_WIDTH


def _colour(
    motion: Motion, elapsed_s: float, place: float, level: float, *, share: float
) -> Colour:
    share *= _brightness(motion, elapsed_s, place, level)
    red, green, blue = motion.colour
    return round(red * share), round(green * share), round(blue * share)


def _brightness(motion: Motion, elapsed_s: float, place: float, level: float) -> float:
    if motion.period_s == 0.0:
        return 1.0
    wave = motion.wave((elapsed_s / motion.period_s - motion.turns * place) % 1.0)
    if not motion.follows_level:
        return wave
    # Speech at a comfortable volume has an RMS of about 0.1; the root makes quiet words show too.
    loudness = min(1.0, 2.0 * math.sqrt(max(0.0, level)))
    return wave + (1.0 - wave) * 0.7 * loudness


@functools.lru_cache(maxsize=8)
def _curve(brightness_percent: float) -> bytes:
    share = min(100.0, max(0.0, brightness_percent)) / 100.0
    faintest = 1 if share > 0 else 0
    lit = (max(faintest, round(255 * (value / 255 * share) ** GAMMA)) for value in range(1, 256))
    return bytes([0, *lit])
