"""What the edges of a button mean: every gesture by its timing, and any edges in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.board.gestures import (
    DOUBLE_S,
    HOLD_S,
    LONG_HOLD_S,
    MAX_HOLD_S,
    SETTLE_S,
    Gesture,
    Gestures,
    Used,
)

PLAIN = Used()
DOUBLE = Used(double_tap=True)
TAPS_ONLY = Used(hold=False, long_hold=False)
NO_HOLD = Used(hold=False)

Script = list[tuple[float, str]]


def played(script: Script, used: Used = PLAIN, until: float = 200.0) -> list[tuple[str, float]]:
    """The gestures of a script and when they are told, with the timer that `due` asks for."""
    gestures, told = Gestures(), []
    for at, what in [*script, (until, "end")]:
        while (due := gestures.due(used)) is not None and due < at:
            told += [(gesture.value, round(due, 3)) for gesture in gestures.tick(used, due)]
        if what == "speech":
            gestures.spoke()
        elif what != "end":
            made = gestures.edge(used, down=what == "down", at=at)
            told += [(gesture.value, at) for gesture in made]
    return told


def names(script: Script, used: Used = PLAIN) -> list[str]:
    return [name for name, _ in played(script, used)]


def test_a_tap_is_told_when_the_finger_leaves_and_its_press_at_once() -> None:
    """No other meaning is waited for where none is used."""
    told = played([(1.0, "down"), (1.2, "up")])
    assert told == [("press", 1.0), ("tap", 1.2 + SETTLE_S)]


def test_a_double_tap_is_told_at_its_second_release() -> None:
    """And a tap, where there might be a second one, when none has come."""
    twice = [(1.0, "down"), (1.1, "up"), (1.3, "down"), (1.4, "up")]
    assert played(twice, DOUBLE) == [
        ("press", 1.0),
        ("press", 1.3),
        ("double_tap", 1.4 + SETTLE_S),
    ]
    assert played(twice[:2], DOUBLE) == [("press", 1.0), ("tap", 1.1 + DOUBLE_S)]
    assert names(twice) == ["press", "tap", "press", "tap"]
    late = [(1.0, "down"), (1.1, "up"), (1.1 + DOUBLE_S + 0.01, "down"), (2.0, "up")]
    assert names(late, DOUBLE) == ["press", "tap", "press", "tap"]


def test_three_taps_are_a_double_tap_and_a_tap() -> None:
    """There is no more to it."""
    thrice = [
        (n * 0.3 + after, what) for n in range(3) for after, what in ((0, "down"), (0.1, "up"))
    ]
    assert names(thrice, DOUBLE) == ["press", "press", "double_tap", "press", "tap"]


def test_a_hold_begins_at_its_threshold_and_ends_with_the_finger() -> None:
    """A release counts once it has lasted."""
    told = played([(1.0, "down"), (1.0, "speech"), (9.0, "up")])
    assert told == [("press", 1.0), ("hold", 1.0 + HOLD_S), ("release", 9.0 + SETTLE_S)]


def test_a_hold_in_silence_becomes_a_long_hold_and_one_with_words_never_does() -> None:
    """A long sentence must not mute the speaker that it is spoken to."""
    silent = [(1.0, "down"), (5.0, "up")]
    assert names(silent) == ["press", "hold", "long_hold", "release"]
    spoken = [(1.0, "down"), (1.0 + LONG_HOLD_S - 0.1, "speech"), (30.0, "up")]
    assert names(spoken) == ["press", "hold", "release"]
    again = [*spoken, *((at + 60, what) for at, what in silent)]
    assert names(again)[3:] == names(silent)


def test_a_tap_and_then_a_hold_are_a_hold() -> None:
    """Whoever thinks better of it wants to talk."""
    script = [(1.0, "down"), (1.1, "up"), (1.3, "down"), (2.5, "up")]
    assert names(script, DOUBLE) == ["press", "press", "hold", "release"]


def test_what_is_not_used_is_not_told() -> None:
    """A slow tap is a tap where there is no hold, and a long hold needs no hold before it."""
    slow = [(1.0, "down"), (9.0, "up")]
    assert names(slow, TAPS_ONLY) == ["press", "tap"]
    assert names(slow, NO_HOLD) == ["press", "long_hold", "release"]
    assert names([(1.0, "down"), (1.9, "up")], NO_HOLD) == ["press", "tap"]


def test_a_contact_that_bounces_is_one_press() -> None:
    """At either edge, and in the middle of a hold."""
    chatter = [(1 + n * 0.004, "up" if n % 2 else "down") for n in range(60)]
    assert names(chatter) == ["press", "tap"]
    shaky = [(1.0, "down"), (1.7, "up"), (1.72, "down"), (2.0, "up")]
    assert played(shaky)[-1] == ("release", 2.0 + SETTLE_S)
    assert names(shaky) == ["press", "hold", "release"]
    assert names([(1.0, "down"), (1.02, "down"), (1.2, "up")]) == ["press", "tap"]


def test_a_bounce_over_the_threshold_is_still_a_hold() -> None:
    """The moment of the threshold may lie within the bounce."""
    shaky = [(1.0, "down"), (1.48, "up"), (1.51, "down"), (2.0, "up")]
    assert names(shaky) == ["press", "hold", "release"]


def test_a_lost_press_says_nothing() -> None:
    """As a button that was held when the speaker started."""
    assert names([(1.0, "up"), (1.1, "up")]) == []


def test_a_lost_release_is_made_up_for_by_the_next_press_or_by_time() -> None:
    """No finger stays for ever."""
    assert names([(1.0, "down"), (1.3, "down"), (1.4, "up")]) == ["press", "tap", "press", "tap"]
    held = [(1.0, "down"), (9.0, "down"), (9.1, "up")]
    assert names(held) == ["press", "hold", "long_hold", "release", "press", "tap"]
    stuck = played([(1.0, "down"), (150.0, "up"), (151.0, "down"), (151.1, "up")])
    assert ("release", 1.0 + MAX_HOLD_S) in stuck
    assert [name for name, _ in stuck][-3:] == ["release", "press", "tap"]


def test_a_button_that_is_taken_away_ends_its_hold() -> None:
    """And only that: a tap that was not yet certain never is."""
    gestures = Gestures()
    assert gestures.lose() == []
    seen = []
    gestures.edge(PLAIN, down=True, at=1.0)
    seen.append(gestures.down)
    assert gestures.lose() == []
    seen.append(gestures.down)
    assert seen == [True, False]
    gestures.edge(PLAIN, down=True, at=2.0)
    assert gestures.tick(PLAIN, 3.0) == [Gesture.HOLD]
    assert gestures.lose() == [Gesture.RELEASE]
    assert gestures.due(PLAIN) is None


EDGES = st.lists(
    st.tuples(
        st.one_of(st.floats(0.0, 0.1), st.floats(0.0, 1.0), st.floats(-5.0, 90.0)),
        st.sampled_from(["down", "up", "speech", "tick", "lose"]),
    ),
    max_size=60,
)


@pytest.mark.parametrize("used", [PLAIN, DOUBLE, TAPS_ONLY, NO_HOLD, Used(True, True, False)])
@given(edges=EDGES)
def test_whatever_the_edges_every_hold_ends_once_and_nothing_ends_unbegun(
    used: Used, edges: list[tuple[float, str]]
) -> None:
    """Lost, doubled, late and out of order: a hold begins after a press, and has one release."""
    gestures, told, at = Gestures(), list[Gesture](), 100.0
    for step, what in edges:
        at += step
        match what:
            case "speech":
                gestures.spoke()
            case "tick":
                told += gestures.tick(used, at)
            case "lose":
                told += gestures.lose()
            case _:
                told += gestures.edge(used, down=what == "down", at=at)
    told += gestures.tick(used, at + 1000)
    assert gestures.due(used) is None
    assert not gestures.down
    open_hold, presses = False, 0
    for gesture in told:
        match gesture:
            case Gesture.PRESS:
                assert not open_hold
                presses += 1
            case Gesture.HOLD:
                assert presses
                assert not open_hold
                open_hold = True
            case Gesture.LONG_HOLD:
                assert presses
                assert open_hold is used.hold
                open_hold = True
            case Gesture.RELEASE:
                assert open_hold
                open_hold = False
            case Gesture.TAP | Gesture.DOUBLE_TAP:
                assert presses
                assert not open_hold
    assert not open_hold
    assert presses >= sum(g in {Gesture.TAP, Gesture.DOUBLE_TAP, Gesture.HOLD} for g in told)
