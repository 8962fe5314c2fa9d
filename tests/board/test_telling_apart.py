"""No two light patterns can be taken for each other, whoever looks and whatever LEDs there are."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from device.lights.drivers import GpioLights
from device.lights.patterns import MOTIONS, Pattern
from device.lights.render import FRAME_S, WHITE, render
from device.ports import Colour
from tests.rig.eyes import EYES, Signal, likeness, luminance

COUNTS = [1, 3, 12]
TIMES = np.arange(0.0, 72.0, FRAME_S)
AMOUNTS = [0.2, 0.4, 0.6, 0.8, 1.0]

MOVING = [pattern for pattern in Pattern if MOTIONS[pattern].period_s]
WAVING = [pattern for pattern in MOVING if pattern is not Pattern.VOLUME]
STILL = [pattern for pattern in Pattern if pattern not in MOVING]

ALIKE = 0.7
"""From here on two rhythms may be taken for each other. One and the same has 1."""


@functools.cache
def frames(pattern: Pattern, count: int, amount: float = 0.0) -> tuple[tuple[Colour, ...], ...]:
    return tuple(render(pattern, t, count, amount=amount) for t in TIMES)


@functools.cache
def seen(pattern: Pattern, count: int, eyes: str = "all cones", amount: float = 0.0) -> Signal:
    """Luminance by LED and time."""
    shade = functools.cache(luminance)
    rows = [[shade(colour, eyes) for colour in frame] for frame in frames(pattern, count, amount)]
    return np.array(rows).T


@functools.cache
def switched(pattern: Pattern, amount: float = 0.0) -> Signal:
    """What an LED on pins that cannot be dimmed does."""
    lights = GpioLights((1, 2, 3), brightness=40)
    lit = [any(lights.on_or_off(frame[0])) for frame in frames(pattern, 1, amount)]
    return np.array([lit], dtype=np.float64)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(WAVING, 2)))
def test_moving_patterns_are_told_apart_without_colour(
    one: Pattern, other: Pattern, count: int
) -> None:
    """Each LED by itself has its pattern's own rhythm, however the two are shifted in time."""
    first, second = seen(one, count), seen(other, count)
    for led in range(count):
        assert likeness(first[led : led + 1], second[led : led + 1]) < ALIKE


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("other", WAVING)
def test_the_volume_is_told_from_all_else_without_colour(other: Pattern, count: int) -> None:
    """By the whole row, whatever the volume is."""
    for amount in AMOUNTS:
        assert likeness(seen(Pattern.VOLUME, count, amount=amount), seen(other, count)) < ALIKE


@pytest.mark.parametrize("other", MOVING)
def test_a_ring_that_points_is_told_from_all_else_without_colour(other: Pattern) -> None:
    """It still breathes: it is like itself without a direction, and like nothing else."""
    pointing = [render(Pattern.LISTENING, t, 12, direction=0.25) for t in TIMES]
    mine = np.array([[luminance(colour) for colour in frame] for frame in pointing]).T
    alike = likeness(mine, seen(other, 12, amount=0.6))
    assert alike > 0.8 if other is Pattern.LISTENING else alike < ALIKE


@pytest.mark.parametrize("count", COUNTS)
def test_volumes_are_told_from_each_other_without_colour(count: int) -> None:
    """The louder, the more light there is; a fifth more is plain to see."""
    light = [seen(Pattern.VOLUME, count, amount=amount).mean() for amount in [0.0, *AMOUNTS]]
    for less, more in itertools.pairwise(light):
        assert more > 1.1 * less


@pytest.mark.parametrize("pattern", MOVING)
def test_a_pattern_is_like_itself(pattern: Pattern) -> None:
    """The measure that tells patterns apart knows the same one again, later in time."""
    mine = seen(pattern, 3, amount=0.4)
    assert likeness(mine, np.roll(mine, 37, axis=1)) > 0.99


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("pattern", WAVING)
def test_moving_patterns_cannot_be_taken_for_steady_ones(
    pattern: Pattern, count: int, eyes: str
) -> None:
    """Every LED goes from nearly full to nearly dark and back, to all eyes; it is never faint."""
    light = seen(pattern, count, eyes)
    idle = seen(Pattern.IDLE, 1, eyes).max()
    for led in light:
        assert led.min() < 0.2 * led.max()
        assert led.max() > 5 * idle


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("amount", AMOUNTS)
def test_the_volume_cannot_be_taken_for_a_steady_light(count: int, amount: float) -> None:
    """The tip of the arc blinks, also when the ring is full."""
    light = seen(Pattern.VOLUME, count, amount=amount)
    assert any(led.min() < 0.5 * led.max() for led in light)


@pytest.mark.parametrize("eyes", EYES)
def test_steady_patterns_are_told_apart_by_how_bright_they_are(eyes: str) -> None:
    """Off is dark, idle nearly so, muted plainly lit: five times as bright, to all eyes."""
    assert STILL == [Pattern.OFF, Pattern.IDLE, Pattern.MUTED]
    off, idle, muted = (seen(pattern, 1, eyes).max() for pattern in STILL)
    assert off == 0
    assert 0 < idle <= 12
    assert muted >= 5 * idle


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("pattern", Pattern)
def test_a_spark_stands_out_to_all_eyes(pattern: Pattern, eyes: str) -> None:
    """It is far brighter than the brightest moment of what it runs over."""
    frames = [render(pattern, t, 1, streaming=True, amount=1.0)[0] for t in TIMES[:400]]
    beside = {luminance(colour, eyes) for colour in frames if colour != WHITE}
    assert max(beside) < 0.66 * luminance(WHITE, eyes)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(WAVING, 2)))
def test_an_led_that_is_on_or_off_tells_patterns_apart(one: Pattern, other: Pattern) -> None:
    """By when it is on."""
    assert likeness(switched(one), switched(other)) < ALIKE


@pytest.mark.parametrize("other", WAVING)
def test_an_led_that_is_on_or_off_tells_the_volume(other: Pattern) -> None:
    """From all else; and how loud it is by how often it flashes."""
    for fifth, amount in enumerate(AMOUNTS, 1):
        mine = switched(Pattern.VOLUME, amount)
        assert likeness(mine, switched(other)) < ALIKE
        once = mine[0][: round(1.5 / FRAME_S)]
        flashes = sum(now > before for before, now in itertools.pairwise([0.0, *once]))
        assert flashes == fifth


def test_an_led_that_is_on_or_off_stands_still_for_what_does() -> None:
    """On for muted; dark for idle, as for off: at rest nothing needs to be told."""
    lit = {pattern: set(switched(pattern)[0]) for pattern in STILL}
    assert lit == {Pattern.OFF: {0.0}, Pattern.IDLE: {0.0}, Pattern.MUTED: {1.0}}
    for pattern in WAVING:
        assert set(switched(pattern)[0]) == {0.0, 1.0}
