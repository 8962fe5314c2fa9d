"""Where to point, from what an array tells: speech only, no wild leaps, and not for ever."""

from __future__ import annotations

import itertools

import pytest

from device.board.bearing import (
    GLIDE_S,
    HELD_S,
    Bearing,
    Direction,
    Mounting,
    Reading,
)

STEP_S = 0.05


def speech(angle_deg: int, at_s: float = 0.0) -> Reading:
    return Reading(Direction(angle_deg, speech=True), at_s)


def noise(angle_deg: int, at_s: float = 0.0) -> Reading:
    return Reading(Direction(angle_deg, speech=False), at_s)


@pytest.fixture
def bearing() -> Bearing:
    return Bearing(Mounting())


@pytest.mark.parametrize(
    ("mounting", "angle_deg", "place"),
    [
        (Mounting(), 0, 0.0),
        (Mounting(), 90, 0.25),
        (Mounting(), 359, 359 / 360),
        (Mounting(30), 90, 1 / 3),
        (Mounting(90), 300, 30 / 360),
        (Mounting(-90), 0, 0.75),
        (Mounting(0, mirrored=True), 90, 0.75),
        (Mounting(0, mirrored=True), 0, 0.0),
        (Mounting(30, mirrored=True), 90, 300 / 360),
    ],
)
def test_directions_on_the_leds(mounting: Mounting, angle_deg: int, place: float) -> None:
    """Turned by what the owner says, and the other way round if need be."""
    assert mounting.place(angle_deg) == pytest.approx(place)
    assert Bearing(mounting).look(speech(angle_deg), 0.0) == pytest.approx(place)


def test_nobody_has_spoken(bearing: Bearing) -> None:
    """Nothing was told, or no speech: it points nowhere."""
    assert bearing.look(None, 0.0) is None
    assert bearing.look(noise(90), 0.0) is None


@pytest.mark.parametrize("angle_deg", [-1, 360, 65_535])
def test_an_angle_that_is_none_is_ignored(bearing: Bearing, angle_deg: int) -> None:
    """Whatever the chip meant by it."""
    assert bearing.look(speech(angle_deg), 0.0) is None


def test_it_stays_while_a_breath_is_taken_and_no_longer(bearing: Bearing) -> None:
    """What is told without speech changes nothing, and keeps nothing alive."""
    bearing.look(speech(90), 0.0)
    assert bearing.look(noise(270, 1.0), HELD_S - 0.1) == pytest.approx(0.25)
    assert bearing.look(noise(270, HELD_S), HELD_S + 0.1) is None


def test_the_same_reading_is_no_news(bearing: Bearing) -> None:
    """An array that does not answer any more keeps nothing alive either."""
    old = speech(90)
    bearing.look(old, 0.0)
    assert bearing.look(old, HELD_S) == pytest.approx(0.25)
    assert bearing.look(old, HELD_S + 0.1) is None


def test_who_speaks_after_a_while_is_pointed_at_at_once(bearing: Bearing) -> None:
    """Where nothing is shown nothing needs to glide."""
    bearing.look(speech(90), 0.0)
    assert bearing.look(speech(270, 5.0), 5.0) == pytest.approx(0.75)


def test_it_glides_the_shorter_way(bearing: Bearing) -> None:
    """Across the first LED too; nearly there after three time constants."""
    bearing.look(speech(350), 0.0)
    places = []
    for step in range(1, 10):
        place = bearing.look(speech(10, step * STEP_S), step * STEP_S)
        assert place is not None
        places.append((place + 0.5) % 1.0)
    for one, other in itertools.pairwise(places):
        assert 0 < other - one < 20 / 360 * STEP_S / GLIDE_S
    assert places[-1] == pytest.approx(0.5 + 10 / 360, abs=0.005)


def test_one_wild_leap_is_not_believed(bearing: Bearing) -> None:
    """An echo from the wall behind, for a tenth of a second."""
    bearing.look(speech(90), 0.0)
    assert bearing.look(speech(270, 0.1), 0.1) == pytest.approx(0.25)
    assert bearing.look(speech(92, 0.2), 0.2) == pytest.approx(0.25, abs=0.01)
    # Each leap elsewhere is another one.
    assert bearing.look(speech(220, 0.3), 0.3) == pytest.approx(0.25, abs=0.01)
    assert bearing.look(speech(330, 0.4), 0.4) == pytest.approx(0.25, abs=0.01)


def test_who_answers_from_the_other_side_is_believed_when_told_twice(bearing: Bearing) -> None:
    """A tenth of a second later."""
    bearing.look(speech(90), 0.0)
    bearing.look(speech(270, 0.1), 0.1)
    bearing.look(speech(280, 0.2), 0.2)
    assert bearing.look(speech(280, 0.3), 2.0) == pytest.approx(280 / 360, abs=0.005)


def test_a_clock_that_stands_still_moves_nothing(bearing: Bearing) -> None:
    """Two looks at the same moment are the same picture."""
    bearing.look(speech(0), 1.0)
    first = bearing.look(speech(60, 1.5), 1.5)
    assert bearing.look(None, 1.5) == first
    assert bearing.look(None, 1.4) == first
