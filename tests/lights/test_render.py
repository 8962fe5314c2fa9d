"""Patterns: in range, countable, truthful about streaming, and drawn no oftener than they move."""

from __future__ import annotations

import colorsys
import itertools
import math

import numpy as np
import pytest

from device.board.colour import BLACK, scale
from device.lights.patterns import OF_A_TALK, colour_of
from device.lights.render import (
    FRAME_S,
    MOTIONS,
    WHITE,
    Pattern,
    is_static,
    next_change_s,
    period_s,
    render,
)
from device.ports import Colour
from tests.rig.eyes import luminance

COUNTS = [1, 3, 12]
SPAN_S = 18.0
TIMES = np.arange(0.0, SPAN_S, FRAME_S)
MOVING = [pattern for pattern in Pattern if not is_static(pattern)]
STILL = [pattern for pattern in Pattern if is_static(pattern)]


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


FAULTS = [pattern for pattern in Pattern if pattern.value.startswith("fault")]
STANDING = [pattern for pattern in Pattern if pattern.value.startswith("standing")]
CODES = [*FAULTS, *STANDING, Pattern.MISTAKE, Pattern.RINGING]


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
        for pattern in CODES
    }
    families = [["short"] * 2, ["short"] * 3, ["long", "short"], ["long"]]
    assert codes == dict(
        zip(CODES, [*families, *families, ["short"] * 4, ["short"] * 5], strict=True)
    )
    for pattern in CODES:
        assert len({render(pattern, t, 3) for t in TIMES}) == 2, "on or off"
        for length_s in flashes_s(pattern):
            assert not 0.25 < length_s < 0.5, "neither long nor short"


@pytest.mark.parametrize(("met", "standing"), list(zip(FAULTS, STANDING, strict=True)))
def test_a_fault_that_stands_is_calm(met: Pattern, standing: Pattern) -> None:
    """The same code in the same hue, half as bright, and dark for seven eighths of the time."""
    loud, calm = MOTIONS[met].colour, MOTIONS[standing].colour
    assert abs(hue(loud) - hue(calm)) < 2
    assert luminance(calm) < luminance(loud) / 2
    assert flashes_s(met) == pytest.approx(flashes_s(standing))
    assert min(period_s(standing), period_s(Pattern.MISTAKE)) >= 7
    assert sum(flashes_s(standing)) <= period_s(standing) / 8


@pytest.mark.parametrize("pattern", CODES)
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
    first = render(pattern, 0.0, count, amount=1.0)
    assert max(max(led) for led in first) == max(MOTIONS[pattern].colour)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("pattern", Pattern)
def test_streaming_is_marked_on_every_led_every_second(pattern: Pattern, count: int) -> None:
    """A white spark passes each LED once a second, over whatever is shown, also over darkness."""
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
        for led in render(pattern, t, count, level=1.0, direction=t % 1.0, amount=1.0):
            assert min(led) < 0.3 * 255


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize("streaming", [False, True])
def test_pictures_are_marked_twice_as_often(
    pattern: Pattern, count: int, *, streaming: bool
) -> None:
    """Two sparks instead of one, whether sound goes up beside them or not."""
    for start_s in (0.0, 1.0, 12.0):
        second = [start_s + step * FRAME_S for step in range(20)]
        frames = [render(pattern, t, count, streaming=streaming, pictures=True) for t in second]
        for led in range(count):
            lit = [frame[led] == WHITE for frame in frames]
            assert 4 <= sum(lit) <= 8
            rises = sum(now and not before for before, now in itertools.pairwise(lit))
            assert rises + lit[0] in {2, 3}


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
    assert next_change_s(pattern, 3.0) is None
    assert not is_static(pattern, streaming=True)
    assert next_change_s(pattern, 3.0, streaming=True) == FRAME_S


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


@pytest.mark.parametrize("pattern", [pattern for pattern in MOVING if pattern not in CODES])
def test_what_moves_all_the_time_is_drawn_anew_each_frame(pattern: Pattern) -> None:
    """Twenty times a second."""
    assert next_change_s(pattern, 12.3) == FRAME_S


@pytest.mark.parametrize("pattern", CODES)
def test_a_blink_code_is_drawn_at_its_edges_only(pattern: Pattern) -> None:
    """Each drawing differs from the one before, and between two nothing was missed."""
    elapsed_s, drawn = 0.0, 0
    while elapsed_s < 3 * period_s(pattern):
        before = render(pattern, elapsed_s, 3)
        wait_s = next_change_s(pattern, elapsed_s)
        assert wait_s is not None
        for part in (0.1, 0.5, 0.9):
            assert render(pattern, elapsed_s + part * (wait_s - 0.002), 3) == before
        elapsed_s += wait_s
        drawn += 1
        assert render(pattern, elapsed_s, 3) != before
    assert drawn == 3 * 2 * len(MOTIONS[pattern].flashes)
    assert next_change_s(pattern, 0.0, streaming=True) == FRAME_S


def lit(colours: tuple[Colour, ...]) -> list[float]:
    """How bright each LED is, of what its colour can be."""
    most = max(MOTIONS[Pattern.LISTENING].colour)
    return [round(max(colour) / most, 2) for colour in colours]


@pytest.mark.parametrize("led", range(12))
def test_listening_points_at_who_speaks(led: int) -> None:
    """The LED there is the brightest, at all times; its neighbours less; the rest is a dim ring."""
    for t in TIMES:
        shown = lit(render(Pattern.LISTENING, t, 12, direction=led / 12))
        turned = shown[led:] + shown[:led]
        assert turned[0] >= 0.55
        assert turned[1] == turned[11] == pytest.approx(turned[0] / 2, abs=0.01)
        assert max(turned[2:11]) <= 0.3 < turned[0]
    assert lit(render(Pattern.LISTENING, 0.0, 12, direction=led / 12))[led] == 1.0


def test_the_pointer_moves_smoothly_between_leds() -> None:
    """Half-way between two LEDs both are lit alike; also where the ring closes."""
    shown = lit(render(Pattern.LISTENING, 0.0, 12, direction=23 / 24))
    assert shown[11] == shown[0] == 0.75
    steps = [lit(render(Pattern.LISTENING, 1.5, 12, direction=n / 240)) for n in range(240)]
    for one, next_one in itertools.pairwise([*steps, steps[0]]):
        assert max(abs(a - b) for a, b in zip(one, next_one, strict=True)) < 0.04


def test_the_ring_counts_down_beside_the_pointer() -> None:
    """Which stays where it is."""
    shown = lit(render(Pattern.LISTENING, 0.0, 12, left=0.25, direction=0.5))
    assert shown == [0.3, 0.3, 0.3, 0, 0, 0.5, 1.0, 0.5, 0, 0, 0, 0]


@pytest.mark.parametrize("count", [1, 3])
def test_few_leds_point_nowhere(count: int) -> None:
    """A row has no direction."""
    assert render(Pattern.LISTENING, 0.7, count, direction=0.4) == render(
        Pattern.LISTENING, 0.7, count
    )


def test_only_listening_points() -> None:
    """Nobody is to be looked at while it speaks."""
    for pattern in set(Pattern) - {Pattern.LISTENING}:
        assert render(pattern, 0.1, 12, direction=0.4) == render(pattern, 0.1, 12)


def volume(count: int, amount: float, t: float = 0.0) -> list[float]:
    most = max(MOTIONS[Pattern.VOLUME].colour)
    return [round(max(led) / most, 2) for led in render(Pattern.VOLUME, t, count, amount=amount)]


@pytest.mark.parametrize(
    ("amount", "arc"),
    [
        (0.0, [0.5] + [0.0] * 11),
        (0.01, [0.5] + [0.0] * 11),
        (0.25, [1.0] * 3 + [0.0] * 9),
        (0.32, [1.0] * 3 + [0.84] + [0.0] * 8),
        (0.5, [1.0] * 6 + [0.0] * 6),
        (1.0, [1.0] * 12),
    ],
)
def test_the_volume_is_an_arc(amount: float, arc: list[float]) -> None:
    """A twelfth is an LED, less of it a fainter one; silent is not dark."""
    assert volume(12, amount) == arc


def test_the_tip_of_the_arc_blinks() -> None:
    """Three times a second, so that a full ring is no steady light."""
    assert [volume(12, 1.0, t)[-1] for t in (0.0, 0.15, 0.25, 0.35)] == [1.0, 1.0, 0.0, 1.0]
    assert [volume(3, 0.5, t) for t in (0.0, 0.25)] == [[1.0, 0.5, 0.0], [1.0, 0.0, 0.0]]


@pytest.mark.parametrize(("amount", "flashes"), [(0.0, 0), (0.2, 1), (0.5, 3), (0.99, 5), (1.0, 5)])
def test_one_led_counts_the_volume(amount: float, flashes: int) -> None:
    """A flash for each fifth, over a faint light."""
    levels = [volume(1, amount, step * FRAME_S + 0.01)[0] for step in range(30)]
    assert set(levels) <= {0.2, 1.0}
    runs = [len(list(run)) for level, run in itertools.groupby(levels) if level == 1.0]
    assert runs == [4] * flashes


# --- the hue of who talks -------------------------------------------------------------------------

HUES = range(0, 360, 15)


@pytest.mark.parametrize("pattern", Pattern)
def test_only_what_a_talk_shows_has_a_hue(pattern: Pattern) -> None:
    """Mute, faults, alarms and the volume look the same whoever talks."""
    for t in TIMES[:60]:
        usual = render(pattern, t, 12, amount=0.6)
        turned = render(pattern, t, 12, amount=0.6, hue=30)
        assert (turned == usual) is (pattern not in OF_A_TALK or usual == (BLACK,) * 12)


@pytest.mark.parametrize("hue", HUES)
@pytest.mark.parametrize("pattern", sorted(OF_A_TALK))
def test_a_hue_is_that_hue_and_changes_neither_wave_nor_paleness(
    pattern: Pattern, hue: int
) -> None:
    """Whoever sees no colour tells the patterns apart as ever."""
    colour = colour_of(pattern, hue)
    found, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    assert (found * 360 - hue + 180) % 360 - 180 == pytest.approx(0.0, abs=1.0)
    _, usual_saturation, usual_value = colorsys.rgb_to_hsv(
        *(part / 255 for part in MOTIONS[pattern].colour)
    )
    assert (saturation, value) == pytest.approx((usual_saturation, usual_value), abs=0.01)
    for t in TIMES[:60]:
        usual = [max(led) for led in render(pattern, t, 12)]
        turned = [max(led) for led in render(pattern, t, 12, hue=hue)]
        assert turned == pytest.approx(usual, abs=1)


@pytest.mark.parametrize("hue", HUES)
@pytest.mark.parametrize("pattern", sorted(OF_A_TALK))
def test_bytes_that_leave_are_seen_at_any_hue(pattern: Pattern, hue: int) -> None:
    """The spark is white and brighter than all beside it, and nothing else is nearly white."""
    for t in TIMES[:40]:
        shown = render(pattern, t, 12, streaming=True, level=1.0, hue=hue)
        others = [led for led in shown if led != WHITE]
        assert len(others) < 12
        assert max(map(luminance, others)) < 0.7 * luminance(WHITE)
        assert all(min(led) < 0.3 * 255 for led in others)


def test_a_red_talk_is_not_taken_for_mute() -> None:
    """Muted is steady, and darker than any of it."""
    assert is_static(Pattern.MUTED)
    assert not any(is_static(pattern) for pattern in OF_A_TALK)
    muted = luminance(MOTIONS[Pattern.MUTED].colour)
    assert all(luminance(colour_of(pattern, 0)) > 1.5 * muted for pattern in OF_A_TALK)
