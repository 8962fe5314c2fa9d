"""`money` writes an amount for a person, `spent` what a limit has left, `enough` what helps. Pure.

No rounding makes something look like nothing, or a limit reached that is not. What is asked about
is told by a speaker, as `device.assistant.spending.Spending.as_dict` has a day and a month.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from device.records.budget import LEAST_ALLOWED, MOST_ALLOWED

_CENTS: Final = 2
_DIGITS: Final = 4
_ALL_DIGITS: Final = 6
"""Amounts are counted in millionths."""
_SMALL: Final = 0.1
"""Below it hundredths tell too little."""

Period = Mapping[str, Any]


def money(value: float) -> str:
    """Return an amount in hundredths, one below a tenth in up to four digits: never as 0.00."""
    value = round(value, _ALL_DIGITS)
    if not 0 < value < _SMALL:
        return f"{value:,.{_CENTS}f}"
    least = 10.0**-_DIGITS
    return f"under {least:.{_DIGITS}f}" if value < least else _trimmed(value, _DIGITS)


def _trimmed(value: float, digits: int) -> str:
    """Return a value in so many digits, without the zeros at its end beyond hundredths."""
    text = f"{value:,.{digits}f}"
    return text[: _CENTS - digits] + text[_CENTS - digits :].rstrip("0")


def ceiling(about: Period) -> float | None:
    """Return how much may be spent in all in a period; None: anything."""
    limit, allowed = about["limit"], about["allowed"]
    return None if limit is None else round(limit + allowed, _ALL_DIGITS)


def spent(about: Period, currency: str) -> str:
    """Return what was spent in a period, and of how much, such as ``0.42 of 1.00 USD``."""
    most, value = ceiling(about), about["spent"]
    shown = money(value)
    if most is None:
        return f"{shown} {currency}"
    digits = _DIGITS if value < _SMALL else _CENTS
    reached = about["level"] == "reached"
    while (round(value, digits) >= most) != reached and digits < _ALL_DIGITS:
        digits += 1
        shown = _trimmed(value, digits)
    return f"{shown} of {_trimmed(most, _ALL_DIGITS)} {currency}"


def enough(about: Period) -> str:
    """Return what to allow at a limit: as much again as that, and what was spent far beyond it."""
    limit, beyond = about["limit"], about["spent"] - (ceiling(about) or 0.0)
    wanted = limit if 2 * beyond < limit else limit + beyond
    cents = math.ceil(round(100 * wanted, 4)) / 100
    return f"{min(max(cents, LEAST_ALLOWED), MOST_ALLOWED):.2f}"
