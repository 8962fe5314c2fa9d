"""How much of a reply waits before it sounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device.audio.cushion import CALM_TURNS, STEPS_MS, Cushion


def test_nothing_waits_at_first() -> None:
    """A good link is the rule."""
    assert Cushion().ms == 0


def test_it_grows_each_time_up_to_half_a_second() -> None:
    """Longer than that nobody waits for the first word."""
    cushion = Cushion()
    grown = []
    for _ in range(6):
        cushion.starved()
        grown.append(cushion.ms)
    assert grown == [80, 160, 320, 500, 500, 500]


def test_five_good_turns_in_a_row_make_it_one_step_thinner() -> None:
    """One that starved begins the count anew, and below nothing there is nothing."""
    cushion = Cushion()
    cushion.starved()
    cushion.starved()
    cushion.turn_over(starved=True)
    for _ in range(CALM_TURNS - 1):
        cushion.turn_over(starved=False)
    cushion.turn_over(starved=True)
    for _ in range(CALM_TURNS - 1):
        cushion.turn_over(starved=False)
    assert cushion.ms == 160
    cushion.turn_over(starved=False)
    assert cushion.ms == 80
    for _ in range(3 * CALM_TURNS):
        cushion.turn_over(starved=False)
    assert cushion.ms == 0


@given(st.lists(st.sampled_from(["starved", "rough", "calm"])))
def test_it_is_always_one_of_its_steps_and_moves_by_one(happened: list[str]) -> None:
    """It never falls when a turn starved and never rises when none did."""
    cushion = Cushion()
    for what in happened:
        before = STEPS_MS.index(cushion.ms)
        if what == "starved":
            cushion.starved()
        else:
            cushion.turn_over(starved=what == "rough")
        moved = STEPS_MS.index(cushion.ms) - before
        assert moved in {"starved": (0, 1), "rough": (0,), "calm": (-1, 0)}[what]
