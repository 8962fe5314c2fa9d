"""A pattern is what the lights can say: a colour, a wave, and how the wave runs. Pure.

One wave per pattern gives the brightness over one period; `turns` says how often it lies around the
ring (or along the row), so that a wave which is a flash on one LED is a comet on twelve. What
blinks a code is given by its flashes instead. No two patterns share a rhythm: they can be told
apart without seeing colour, and even on an LED that can only be on or off.

Colours here are as the eye sees them (128 looks half as bright as 255); `lights.scale` turns them
into what an LED must be driven with.

Tested in tests/lights/test_picture.py.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from device.board.colour import BLACK
from device.ports import Colour


class Pattern(StrEnum):
    """What the lights can say; `OFF` is nothing at all.

    A fault of the device itself is `FAULT`; others look like what there is to look after. The
    `STANDING` ones are the same codes in a calm voice: it is still so, and nobody has asked.
    `MISTAKE` is as calm: the speaker works, but its owner should see to something some day.
    """

    OFF = "off"
    IDLE = "idle"
    CONNECTING = "connecting"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    VOLUME = "volume"
    PICTURE = "picture"
    RINGING = "ringing"
    MUTED = "muted"
    FAULT = "fault"
    FAULT_NETWORK = "fault_network"
    FAULT_ACCOUNT = "fault_account"
    FAULT_SERVICE = "fault_service"
    STANDING = "standing"
    STANDING_NETWORK = "standing_network"
    STANDING_ACCOUNT = "standing_account"
    STANDING_SERVICE = "standing_service"
    MISTAKE = "mistake"


Flashes = tuple[tuple[float, float], ...]
"""When each flash of a period begins and ends, seconds; in order."""


@dataclass(frozen=True, slots=True)
class Motion:
    """How one pattern looks."""

    means: str
    """For its owner."""
    colour: Colour
    """At full brightness."""
    period_s: float = 0.0
    """0: it does not move."""
    wave: Callable[[float], float] = lambda _phase: 1.0
    """Brightness 0..1 over the phase 0..1 of a period; high at 0, so that it shows at once."""
    flashes: Flashes = ()
    """On in these and dark between, in place of a wave."""
    turns: int = 0
    """How many waves lie along the LEDs (negative: running backwards); 0: all LEDs together."""
    follows_level: bool = False
    """Whether a loud voice brightens it."""
    counts_down: bool = False
    """Whether it shows how much time is left."""
    points: bool = False
    """Whether it shows where a voice comes from."""
    measures: bool = False
    """Whether it shows an amount: by an arc, or where there is one LED by a number of flashes."""

    def brightness(self, elapsed_s: float, place: float) -> float:
        """Return 0..1, at a place 0..1 along the LEDs, this long after the pattern began."""
        if self.period_s == 0.0:
            return 1.0
        if self.flashes:
            moment_s = elapsed_s % self.period_s
            return float(any(begin_s <= moment_s < end_s for begin_s, end_s in self.flashes))
        return self.wave((elapsed_s / self.period_s - self.turns * place) % 1.0)


def _breath(phase: float) -> float:
    return 0.55 + 0.45 * math.cos(math.tau * phase)


def _fading_flash(phase: float) -> float:
    return math.pow(1.0 - phase, 1.5)


def _pulse(phase: float) -> float:
    return math.pow(0.5 + 0.5 * math.cos(math.tau * phase), 1.5)


def _babble(phase: float) -> float:
    return 0.5 + 0.25 * math.cos(2 * math.tau * phase) + 0.25 * math.cos(5 * math.tau * phase)


# Two short flashes, three, a long and a short one, a single long one: as the chimes sound. And
# four short ones, of which nothing sounds.
_DEVICE: Flashes = ((0.0, 0.15), (0.35, 0.5))
_NETWORK: Flashes = ((0.0, 0.15), (0.3, 0.45), (0.6, 0.75))
_ACCOUNT: Flashes = ((0.0, 0.65), (0.9, 1.05))
_SERVICE: Flashes = ((0.0, 0.9),)
_MISTAKE: Flashes = ((0.0, 0.15), (0.3, 0.45), (0.6, 0.75), (0.9, 1.05))

# And five, while something rings.
_ALARM: Flashes = (*_MISTAKE, (1.2, 1.35))

_CALM = 0.45
"""Bright enough for an LED that can only be on or off, and no more than a reminder."""


def _calm(colour: Colour) -> Colour:
    red, green, blue = colour
    return round(red * _CALM), round(green * _CALM), round(blue * _CALM)


_ORANGE: Colour = (255, 70, 0)
_AMBER: Colour = (255, 190, 0)
_PINK: Colour = (255, 0, 170)
_LIME: Colour = (150, 255, 0)
_SKY: Colour = (60, 150, 255)

MOTIONS: dict[Pattern, Motion] = {
    Pattern.OFF: Motion("nothing: the lights are off", BLACK),
    Pattern.IDLE: Motion("it waits for the wake word", (0, 4, 8)),
    Pattern.CONNECTING: Motion(
        "it has heard you, and connects", (0, 190, 255), 1.2, _fading_flash, turns=1
    ),
    Pattern.LISTENING: Motion(
        "it listens; the light gets less as the time to begin runs out",
        (0, 110, 255),
        3.0,
        _breath,
        counts_down=True,
        points=True,
    ),
    Pattern.THINKING: Motion("it waits for the answer", (170, 60, 255), 0.6, _pulse, turns=-1),
    Pattern.SPEAKING: Motion("it speaks", (0, 255, 80), 1.8, _babble, follows_level=True),
    Pattern.VOLUME: Motion("the volume was set to this", (40, 255, 170), 1.5, measures=True),
    Pattern.PICTURE: Motion(
        "a picture is taken: the camera looks", (255, 240, 60), 0.4, _fading_flash
    ),
    Pattern.RINGING: Motion("a timer or an alarm rings", (255, 200, 60), 2.55, flashes=_ALARM),
    Pattern.MUTED: Motion("it is muted: the microphone is closed", (120, 0, 0)),
    Pattern.FAULT: Motion(
        "microphone or loudspeaker failed: look after the device", _ORANGE, 2.0, flashes=_DEVICE
    ),
    Pattern.FAULT_NETWORK: Motion(
        "no way to the server: look after the network", _AMBER, 2.25, flashes=_NETWORK
    ),
    Pattern.FAULT_ACCOUNT: Motion(
        "the key or its account was refused: look after the account", _PINK, 3.2, flashes=_ACCOUNT
    ),
    Pattern.FAULT_SERVICE: Motion(
        "the server does not answer: wait, or look at live.model", _LIME, 2.0, flashes=_SERVICE
    ),
    Pattern.STANDING: Motion(
        "microphone or loudspeaker still fails", _calm(_ORANGE), 7.0, flashes=_DEVICE
    ),
    Pattern.STANDING_NETWORK: Motion(
        "there is still no way to the server", _calm(_AMBER), 8.0, flashes=_NETWORK
    ),
    Pattern.STANDING_ACCOUNT: Motion(
        "the key or its account is still refused", _calm(_PINK), 9.0, flashes=_ACCOUNT
    ),
    Pattern.STANDING_SERVICE: Motion(
        "the server did not answer the last time", _calm(_LIME), 10.0, flashes=_SERVICE
    ),
    Pattern.MISTAKE: Motion(
        "the configuration has a mistake, and the last good one is in force, or something cannot "
        "be kept (records, clips of wakes, figures for Prometheus): parley doctor; or a limit of "
        "spending is near: parley spending",
        _calm(_SKY),
        11.0,
        flashes=_MISTAKE,
    ),
}

OF_A_TALK = frozenset({Pattern.CONNECTING, Pattern.LISTENING, Pattern.THINKING, Pattern.SPEAKING})
"""What can have the hue of whoever talks; everything else always looks the same."""


def colour_of(pattern: Pattern, hue: int | None) -> Colour:
    """Return the colour of a pattern, turned to a hue of 0..359 degrees where it can have one.

    How pale and how bright it is stays, and so does its wave: which pattern it is can be told
    without seeing colour at any hue. None: no hue is wanted.
    """
    colour = MOTIONS[pattern].colour
    if hue is None or pattern not in OF_A_TALK:
        return colour
    _, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    red, green, blue = colorsys.hsv_to_rgb(hue / 360, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
