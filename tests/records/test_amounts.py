"""Amounts as a person reads them: no rounding hides any, and none reaches a limit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.records.amounts import ceiling, money, spent


def period(spent_: float, limit: float | None = None, allowed: float = 0.0) -> dict[str, Any]:
    most = None if limit is None else round(limit + allowed, 6)
    level = "reached" if most is not None and spent_ >= most else ""
    return {"spent": spent_, "limit": limit, "allowed": allowed, "level": level}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.00"),
        (0.000_001, "under 0.0001"),
        (0.000_099, "under 0.0001"),
        (0.000_1, "0.0001"),
        (0.000_3, "0.0003"),
        (0.004, "0.004"),
        (0.01, "0.01"),
        (0.015, "0.015"),
        (0.03, "0.03"),
        (0.099_99, "0.10"),
        (0.1, "0.10"),
        (0.421_3, "0.42"),
        (12.0, "12.00"),
        (1_234.5, "1,234.50"),
        (1_000_000.0, "1,000,000.00"),
    ],
)
def test_an_amount_has_as_many_digits_as_it_needs(value: float, shown: str) -> None:
    """Hundredths, as money has; more only where those would say nothing."""
    assert money(value) == shown


@pytest.mark.parametrize(
    ("about", "shown"),
    [
        (period(0.421_3), "0.42 USD"),
        (period(0.421_3, 1.0), "0.42 of 1.00 USD"),
        (period(0.0, 0.5), "0.00 of 0.50 USD"),
        (period(0.000_3, 0.5), "0.0003 of 0.50 USD"),
        (period(0.499_9, 0.5), "0.4999 of 0.50 USD"),
        (period(0.499_999, 0.5), "0.499999 of 0.50 USD"),
        (period(0.009_9, 0.01), "0.0099 of 0.01 USD"),
        (period(0.5, 0.5), "0.50 of 0.50 USD"),
        (period(0.504, 0.5), "0.50 of 0.50 USD"),
        (period(0.3, 0.1, 0.2), "0.30 of 0.30 USD"),
        (period(2.0, 0.5, 2.0), "2.00 of 2.50 USD"),
    ],
)
def test_what_was_spent_stands_beside_what_may_be(about: dict[str, Any], shown: str) -> None:
    """Both look the same only where the limit is reached."""
    assert spent(about, "USD") == shown


def test_what_may_be_spent_is_the_limit_and_what_was_allowed() -> None:
    """As decimals, whatever the processor makes of their sum; without a limit it is anything."""
    assert ceiling(period(0.0, 0.1, 0.2)) == 0.3
    assert ceiling(period(0.0)) is None


@given(st.integers(1, 10**13), st.integers(10_000, 10**12))
def test_no_rounding_reaches_a_limit(micro: int, most: int) -> None:
    """Read as numbers: what is less than the limit looks less, and something never as nothing."""
    shown, limit, _ = (
        spent(period(micro / 10**6, most / 10**6), "EUR").replace(" of", "").rsplit(" ", 2)
    )
    number = float(shown.replace(",", "").removeprefix("under "))
    assert number > 0
    assert float(limit.replace(",", "")) == most / 10**6
    assert (number >= most / 10**6) == (micro >= most)
    assert abs(number - micro / 10**6) < 0.0051


@given(st.integers(9_000, 2_000_000), st.integers(-30, 30))
def test_nor_does_it_close_to_one(most: int, beyond: int) -> None:
    """A few millionths below it, at it, and beyond it."""
    micro = most + beyond
    shown, limit, _ = (
        spent(period(micro / 10**6, most / 10**6), "EUR").replace(" of", "").rsplit(" ", 2)
    )
    assert (float(shown.replace(",", "")) >= float(limit.replace(",", ""))) == (micro >= most)
