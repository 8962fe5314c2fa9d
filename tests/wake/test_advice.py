"""Which threshold labelled clips speak for, and when they speak for none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.wake.advice import ENOUGH, HIGHEST, Sample, advise, lasting
from device.wake.near_miss import SHARE


def samples(said: list[float], not_said: list[float], threshold: float = 0.5) -> list[Sample]:
    return [
        Sample(score, threshold, score >= threshold, said=is_said)
        for scores, is_said in ((said, True), (not_said, False))
        for score in scores
    ]


def test_missed_calls_speak_for_a_lower_threshold() -> None:
    """The middle of where all are heard and nothing else wakes it."""
    advice = advise(0.5, samples([0.3, 0.35, 0.4, 0.7, 0.9], [0.12, 0.14, 0.15, 0.16, 0.2]))
    assert advice.verdict == "lower"
    assert advice.best == 0.25
    by = {each.threshold: (each.missed, each.woken) for each in advice.outcomes}
    assert by == {
        0.1: (0, 5), 0.2: (0, 1), 0.25: (0, 0), 0.3: (0, 0), 0.4: (2, 0), 0.5: (3, 0),
        0.6: (3, 0), 0.7: (3, 0), 0.8: (4, 0), 0.9: (4, 0),
    }  # fmt: skip
    assert advice.lowest == SHARE * 0.5
    assert advice.hits_kept


def test_false_wakes_speak_for_a_higher_one() -> None:
    """As near to the one in force as is as good as any."""
    advice = advise(0.5, samples([0.9] * 5, [0.52, 0.55, 0.3, 0.3, 0.6]))
    assert (advice.verdict, advice.best) == ("raise", 0.75)


def test_the_one_in_force_stays_where_it_is_as_good_as_any() -> None:
    """Nobody turns a knob for nothing, whether it is on the grid or not."""
    for threshold in (0.5, 0.4567):
        advice = advise(threshold, samples([0.9] * 5, [0.2] * 5))
        assert (advice.verdict, advice.best) == ("keep", threshold)


@pytest.mark.parametrize(
    ("said", "not_said"), [(ENOUGH - 1, 20), (20, ENOUGH - 1), (0, 0)], ids=str
)
def test_few_labels_speak_for_nothing(said: int, not_said: int) -> None:
    """The figures are there all the same."""
    advice = advise(0.5, samples([0.4] * said, [0.3] * not_said))
    assert (advice.verdict, advice.best) == ("too_few", None)
    assert [each.missed for each in advice.outcomes if each.threshold == 0.5] == [said]


def test_nothing_is_said_of_what_was_not_kept() -> None:
    """With a threshold of 0.9 in force once, nothing below a fifth of that has a clip."""
    found = samples([0.3] * 5, [0.25] * 5, threshold=0.9)
    advice = advise(0.5, found)
    assert advice.lowest == pytest.approx(SHARE * 0.9)
    assert all(each.threshold >= advice.lowest for each in advice.outcomes)
    assert not advice.hits_kept


def test_clips_without_a_label_are_counted_and_left_out() -> None:
    """Nobody knows what they are."""
    found = [*samples([0.9] * 5, [0.2] * 5), *[Sample(0.7, 0.5, True, None)] * 3]
    advice = advise(0.5, found)
    assert (advice.said, advice.not_said, advice.unlabelled) == (5, 5, 3)
    assert advice.best == 0.5


def test_a_score_has_to_last_for_as_long_as_the_patience_asks() -> None:
    """The best of so many hops in a row; what is shorter than that lasts for nothing."""
    track = (0.1, 0.9, 0.3, 0.6, 0.5, 0.2)
    assert [lasting(track, patience) for patience in (1, 2, 3, 6, 7)] == [0.9, 0.5, 0.3, 0.1, 0.0]


SCORES = st.lists(st.floats(0, 1), min_size=ENOUGH, max_size=20)


@given(said=SCORES, not_said=SCORES, threshold=st.floats(0.01, 1))
def test_no_threshold_within_reach_is_better_than_the_best(
    said: list[float], not_said: list[float], threshold: float
) -> None:
    """Compared with each of a fine grid, and with the one in force where that lies on it."""
    advice = advise(threshold, samples(said, not_said, threshold))
    assert advice.best is not None

    def cost(at: float) -> int:
        return sum(score < at for score in said) + sum(score >= at for score in not_said)

    grid = [step / 100 for step in range(1, 96) if advice.lowest <= step / 100 <= HIGHEST]
    assert cost(advice.best) <= min(map(cost, grid)) or advice.verdict == "keep"
    assert advice.best == threshold or advice.best in grid
    costs = {each.threshold: each.missed + each.woken for each in advice.outcomes}
    assert costs[advice.best] == cost(advice.best)
