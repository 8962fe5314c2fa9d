"""Patterns: in range, told apart by rhythm alone, truthful about streaming."""

from __future__ import annotations

import colorsys
import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from device.board.lights import (
    BLACK,
    FRAME_S,
    MOTIONS,
    WHITE,
    Pattern,
    is_static,
    period_s,
    picture,
    render,
    scale,
)
from device.ports import Colour

COUNTS = [1, 3, 12]
SPAN_S = 18.0
TIMES = np.arange(0.0, SPAN_S, FRAME_S)
MOVING = [pattern for pattern in Pattern if not is_static(pattern)]
STILL = [pattern for pattern in Pattern if is_static(pattern)]


def luminance(colour: Colour) -> float:
    """How bright a colour is to an eye that sees no colour (Rec. 709), 0..255."""
    red, green, blue = colour
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def signature(
    pattern: Pattern, *, count: int, led: int, streaming: bool = False
) -> NDArray[np.float64]:
    """Luminance of one LED over time."""
    return np.array([luminance(render(pattern, t, count, streaming=streaming)[led]) for t in TIMES])


def likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Highest correlation of two signatures over all shifts in time: 1 when one rhythm."""
    one = (one - one.mean()) / (one.std() * len(one))
    other = (other - other.mean()) / other.std()
    return float(max(np.roll(one, shift) @ other for shift in range(len(one))))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("pattern", Pattern)
def test_every_pattern_gives_a_colour_to_every_led(pattern: Pattern, count: int) -> None:
    """Whatever the time and the loudness, it is one colour per LED, each part in 0..255."""
    for elapsed_s in (0.0, 0.01, 0.999, 7.3, 86_400.5):
        for level, streaming in itertools.product((-1.0, 0.0, 0.1, 5.0, math.nan), (False, True)):
            colours = render(pattern, elapsed_s, count, streaming=streaming, level=level)
            assert len(colours) == count
            assert all(type(part) is int and 0 <= part <= 255 for led in colours for part in led)


def test_a_board_without_leds_gets_no_colours() -> None:
    """No LED is no division by zero."""
    assert render(Pattern.LISTENING, 1.0, 0, streaming=True) == ()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(MOVING, 2)))
def test_moving_patterns_are_told_apart_without_colour(
    one: Pattern, other: Pattern, count: int
) -> None:
    """Each LED by itself has its pattern's own rhythm, however the two are shifted in time."""
    for led in range(count):
        first, second = signature(one, count=count, led=led), signature(other, count=count, led=led)
        assert likeness(first, second) < 0.7


@pytest.mark.parametrize("pattern", MOVING)
def test_a_pattern_is_like_itself(pattern: Pattern) -> None:
    """The measure that tells patterns apart knows the same one again, later in time."""
    mine = signature(pattern, count=3, led=0)
    assert likeness(mine, np.roll(mine, 37)) > 0.99


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("pattern", MOVING)
def test_moving_patterns_cannot_be_taken_for_steady_ones(pattern: Pattern, count: int) -> None:
    """Every LED goes from nearly full to nearly dark and back."""
    for led in range(count):
        seen = signature(pattern, count=count, led=led)
        assert seen.min() < 0.2 * seen.max()


def test_steady_patterns_are_told_apart_by_how_bright_they_are() -> None:
    """Off is dark, idle nearly so, muted plainly lit: each at least five times the one before."""
    assert STILL == [Pattern.OFF, Pattern.IDLE, Pattern.MUTED]
    off, idle, muted = (max(render(pattern, 0.0, 1)[0]) for pattern in STILL)
    assert off == 0
    assert 0 < idle <= 12
    assert muted >= 5 * idle


FAULTS = [pattern for pattern in Pattern if pattern.value.startswith("fault")]


def flashes_s(pattern: Pattern) -> list[float]:
    """How long an LED is lit, flash by flash, in one period."""
    steps = round(period_s(pattern) / FRAME_S)
    lit = [render(pattern, (step + 0.5) * FRAME_S, 1)[0] != BLACK for step in range(steps)]
    runs = [len(list(run)) for on, run in itertools.groupby(lit) if on]
    return [run * FRAME_S for run in runs]


def test_every_fault_is_a_blink_code_of_its_own() -> None:
    """It can be counted and told over the telephone: twice, three times, long and short, long."""
    codes = {
        pattern: ["long" if flash >= 0.5 else "short" for flash in flashes_s(pattern)]
        for pattern in FAULTS
    }
    assert codes == {
        Pattern.FAULT: ["short"] * 2,
        Pattern.FAULT_NETWORK: ["short"] * 3,
        Pattern.FAULT_ACCOUNT: ["long", "short"],
        Pattern.FAULT_SERVICE: ["long"],
    }
    for pattern in FAULTS:
        assert len({render(pattern, t, 3) for t in TIMES}) == 2, "on or off"
        for length_s in flashes_s(pattern):
            assert not 0.25 < length_s < 0.5, "neither long nor short"


@pytest.mark.parametrize("pattern", FAULTS)
def test_a_blink_code_ends_with_a_second_of_darkness(pattern: Pattern) -> None:
    """Whoever counts knows where it begins."""
    lit = [render(pattern, t, 1)[0] != BLACK for t in TIMES]
    dark = [len(list(run)) * FRAME_S for on, run in itertools.groupby(lit) if not on]
    pauses = [length_s for length_s in dark if length_s > 0.3]
    assert min(pauses[:-1]) >= 1.0
    assert len(pauses) == pytest.approx(SPAN_S / period_s(pattern), abs=1)


def hue(colour: Colour) -> float:
    """Place on the wheel of colours, degrees."""
    return colorsys.rgb_to_hsv(*(part / 255 for part in colour))[0] * 360


def test_the_colours_of_the_faults_are_told_apart_after_gamma_too() -> None:
    """As an LED is driven, no two hues of faults lie closer than 20 degrees."""
    driven = [hue(scale([MOTIONS[pattern].colour], 100)[0]) for pattern in FAULTS]
    for one, other in itertools.combinations(driven, 2):
        assert 20 < abs(one - other) < 340


def test_muted_is_steady_and_fault_blinks() -> None:
    """Both are red, so they differ in the one thing that everybody sees."""
    muted = {render(Pattern.MUTED, t, 1)[0] for t in TIMES}
    fault = {render(Pattern.FAULT, t, 1)[0] for t in TIMES}
    assert len(muted) == 1
    assert BLACK in fault
    assert len(fault) == 2
    for red, green, blue in muted | fault - {BLACK}:
        assert red > 2 * max(green, blue)


def test_colours_differ_too() -> None:
    """Whoever sees colours need not wait for the rhythm."""
    colours = [motion.colour for motion in MOTIONS.values()]
    assert len(set(colours)) == len(Pattern) == len(MOTIONS)
    assert WHITE not in colours


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("pattern", MOVING)
def test_a_change_of_pattern_shows_at_once(pattern: Pattern, count: int) -> None:
    """The first picture already has an LED at full brightness: no fading in."""
    assert max(max(led) for led in render(pattern, 0.0, count)) == max(MOTIONS[pattern].colour)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("pattern", [pattern for pattern in Pattern if pattern is not Pattern.OFF])
def test_streaming_is_marked_on_every_led_every_second(pattern: Pattern, count: int) -> None:
    """A white spark passes each LED once a second, whatever is shown: bytes go up."""
    for start_s in (0.0, 1.0, 12.0):
        second = [start_s + step * FRAME_S for step in range(20)]
        frames = [render(pattern, t, count, streaming=True) for t in second]
        for led in range(count):
            assert 2 <= sum(frame[led] == WHITE for frame in frames) <= 4


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("pattern", Pattern)
def test_nothing_white_is_shown_while_nothing_is_sent(pattern: Pattern, count: int) -> None:
    """The mark of streaming never appears without it, not even nearly."""
    for t in TIMES:
        for led in render(pattern, t, count, level=1.0):
            assert min(led) < 0.3 * 255


@pytest.mark.parametrize("pattern", [pattern for pattern in Pattern if pattern is not Pattern.OFF])
def test_streaming_shows_without_colour(pattern: Pattern) -> None:
    """The spark is far brighter than the brightest moment of what it runs over."""
    streaming = signature(pattern, count=1, led=0, streaming=True)
    beside = streaming[streaming < luminance(WHITE)]
    assert beside.max() < 0.6 * luminance(WHITE)


def test_lights_that_are_off_stay_off() -> None:
    """Off means dark, streaming or not."""
    for t in TIMES:
        assert render(Pattern.OFF, t, 3, streaming=True, level=1.0) == (BLACK,) * 3


def test_the_spark_runs_along_the_leds() -> None:
    """One LED after the other, once around in a second."""
    lit = [
        next(
            i
            for i, led in enumerate(render(Pattern.LISTENING, n / 12, 12, streaming=True))
            if led == WHITE
        )
        for n in range(2, 10)
    ]
    assert lit == sorted(lit)
    assert len(set(lit)) == 8


def test_the_comet_of_connecting_runs_and_thinking_runs_back() -> None:
    """On a ring the direction tells them apart at a glance."""

    def brightest(pattern: Pattern, t: float) -> int:
        luminances = [luminance(led) for led in render(pattern, t, 12)]
        return luminances.index(max(luminances))

    forward = [brightest(Pattern.CONNECTING, 1.2 * n / 12 + 0.001) for n in range(12)]
    backward = [brightest(Pattern.THINKING, 0.6 * n / 12) for n in range(12)]
    assert forward == list(range(12))
    assert backward == [0, *range(11, 0, -1)]


def test_a_loud_voice_brightens_speaking_and_nothing_else() -> None:
    """The light follows the voice that is heard; quiet words show as well."""

    def mean(pattern: Pattern, level: float) -> float:
        return float(np.mean([luminance(render(pattern, t, 1, level=level)[0]) for t in TIMES]))

    assert mean(Pattern.SPEAKING, 0.0) < mean(Pattern.SPEAKING, 0.01) < mean(Pattern.SPEAKING, 0.2)
    for pattern in Pattern:
        if pattern is not Pattern.SPEAKING:
            assert mean(pattern, 0.0) == mean(pattern, 0.2)


@pytest.mark.parametrize("count", [6, 12])
def test_a_ring_gets_shorter_as_the_time_to_speak_runs_out(count: int) -> None:
    """A third of the time is a third of the LEDs; the last one stays until the end."""
    for left, lit in ((1.0, count), (0.5, count // 2), (0.01, 1), (0.0, 1)):
        colours = render(Pattern.LISTENING, 0.0, count, left=left)
        assert [max(colour) > 0 for colour in colours] == [True] * lit + [False] * (count - lit)


@pytest.mark.parametrize("count", [1, 3])
def test_few_leds_get_dimmer_instead(count: int) -> None:
    """And are never dark."""
    levels = [max(render(Pattern.LISTENING, 0.0, count, left=left)[-1]) for left in (1.0, 0.5, 0.0)]
    assert levels[0] > levels[1] > levels[2] > 0


def test_only_listening_counts_down() -> None:
    """Nothing else waits for the user to begin."""
    for pattern in set(Pattern) - {Pattern.LISTENING}:
        assert render(pattern, 0.1, 12, left=0.1) == render(pattern, 0.1, 12)


@pytest.mark.parametrize("pattern", MOVING)
@pytest.mark.parametrize("count", COUNTS)
def test_patterns_repeat_after_their_period(pattern: Pattern, count: int) -> None:
    """A caller may draw one period and know the rest; 0.001 s in, away from the jumps."""
    for t in TIMES[:20]:
        later = render(pattern, t + 0.001 + period_s(pattern), count)
        for now, then in zip(render(pattern, t + 0.001, count), later, strict=True):
            assert all(abs(a - b) <= 1 for a, b in zip(now, then, strict=True))


@pytest.mark.parametrize("pattern", STILL)
def test_what_is_static_need_not_be_redrawn(pattern: Pattern) -> None:
    """One drawing is enough, unless a spark runs over it."""
    assert period_s(pattern) == 0.0
    assert len({render(pattern, t, 3) for t in TIMES}) == 1
    assert is_static(pattern, streaming=True) == (pattern is Pattern.OFF)


def test_scaling_keeps_the_ends() -> None:
    """Full is full, dark is dark, and brightness 0 is dark."""
    assert scale([WHITE, BLACK], 100) == (WHITE, BLACK)
    assert scale([WHITE, (1, 2, 3)], 0) == (BLACK, BLACK)
    assert scale([WHITE], 250) == (WHITE,)
    assert scale([WHITE], -5) == (BLACK,)


def test_what_is_lit_stays_lit_and_steps_look_even() -> None:
    """Gamma 2.2: half as bright to the eye is 22 % of the current; the faintest stays lit."""
    assert scale([(128, 128, 128)], 100)[0][0] == pytest.approx(0.2195 * 255, abs=1)
    assert scale([WHITE], 50)[0][0] == pytest.approx(0.2176 * 255, abs=1)
    for brightness in (1, 10, 40, 100):
        ramp = [scale([(value, 0, 0)], brightness)[0][0] for value in range(256)]
        assert ramp == sorted(ramp)
        assert ramp[1] >= 1


def test_the_picture_shows_every_pattern_over_time() -> None:
    """One line per LED, as wide as asked, with names, and blank where it is dark."""
    lines = picture(3, span_s=2.0, columns=40).splitlines()
    assert len(lines) == 3 * (len(Pattern) + 1)
    assert {len(line) for line in lines} == {14 + 1 + 40 + 1}
    named = {line[:14].strip(): line[15:-1] for line in lines if line[:14].strip()}
    assert {*Pattern, "+ streaming"} == set(named)
    assert set(named["off"]) == {" "}
    assert set(named["idle"]) == {"·"}
    assert "█" in named["fault"]
    assert " " in named["fault"]
    assert "streaming" not in picture(1)
