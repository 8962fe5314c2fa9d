"""Percentiles of a logarithmic histogram against those of the sorted durations themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.records.histogram import LEAST_MS, MOST_MS, Histogram, edge_ms

WRONG = 0.025
"""What a percentile may be wrong by, of itself."""

durations = st.lists(st.floats(LEAST_MS, MOST_MS), min_size=1, max_size=200)


def counted(values: Sequence[float]) -> Histogram:
    made = Histogram()
    for value in values:
        made.add(value)
    return made


def nearest_rank(values: Sequence[float], percent: float) -> float:
    return sorted(values)[math.ceil(percent / 100 * len(values)) - 1]


@given(durations, st.sampled_from([1, 25, 50, 90, 95, 99, 100]))
def test_percentiles_are_nearly_those_of_the_sorted_durations(
    values: list[float], percent: int
) -> None:
    """Within 2.5 %, whatever the durations are."""
    told = counted(values).percentile_ms(percent)
    assert told is not None
    assert told == pytest.approx(nearest_rank(values, percent), rel=WRONG)


@given(durations, durations)
def test_what_two_have_counted_has_the_percentiles_of_both(a: list[float], b: list[float]) -> None:
    """Which no two percentiles would have."""
    both = counted(a)
    both.merge(counted(b))
    assert both.as_text() == counted(a + b).as_text()
    assert both.count == len(a) + len(b)


@given(durations)
def test_a_row_keeps_all_of_it(values: list[float]) -> None:
    """As a text; what is read is what was written."""
    made = counted(values)
    assert Histogram.of(made.as_text()).as_text() == made.as_text()
    assert Histogram.of(made.as_text()).percentile_ms(95) == made.percentile_ms(95)


@given(durations)
def test_the_sum_is_nearly_that_of_the_durations(values: list[float]) -> None:
    """So is a mean."""
    assert counted(values).sum_ms == pytest.approx(sum(values), rel=WRONG)


def test_it_is_small_whatever_it_counts() -> None:
    """A year of answers has no more buckets than there are."""
    made = counted([1.001**n for n in range(20_000)])
    assert len(made.as_text().split()) <= 289
    assert len(made.as_text()) < 3_000


@pytest.mark.parametrize(
    ("value", "told"), [(0.0, LEAST_MS), (-5.0, LEAST_MS), (math.inf, MOST_MS), (1e9, MOST_MS)]
)
def test_what_is_out_of_range_counts_as_its_end(value: float, told: float) -> None:
    """It is counted all the same."""
    assert counted([value]).percentile_ms(50) == pytest.approx(told, rel=WRONG)


def test_no_number_counts_as_none() -> None:
    """And where there is none there is no percentile."""
    made = counted([math.nan])
    assert made.count == 0
    assert made.percentile_ms(50) is None


@pytest.mark.parametrize("text", ["x", "1:2:3", "289", "-1", "5:0", "5:-1", "1.5"])
def test_a_text_that_is_none_of_ours_is_refused(text: str) -> None:
    """With what it should be, where it is a number at all."""
    with pytest.raises(ValueError, match=r"bucket|invalid literal"):
        Histogram.of(text)


def test_counts_up_to_an_edge_are_exact() -> None:
    """A duration on an edge belongs to the bucket below it."""
    made = counted([10.0, 10.01, 100.0, 99.0, 1000.0])
    edges, counts = zip(*made.up_to(range(48, 145, 48)), strict=True)
    assert edges == pytest.approx((10.0, 100.0, 1000.0))
    assert counts == (1, 4, 5)
    assert edge_ms(0) == 1.0
