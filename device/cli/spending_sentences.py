"""These sentences tell a person what was spent.

What is told comes from a speaker, as `device.assistant.spending.Spending.as_dict` has it.

Tested in tests/cli/test_spending.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Told = Mapping[str, Any]

TITLES: Final = {"day": "today", "month": "this month"}


def summary(told: Told) -> str:
    """Return how it stands in a line; empty where nothing was spent and there is no limit."""
    periods = [each for each in TITLES if told[each]["limit"] is not None or told[each]["spent"]]
    return ", ".join(f"{TITLES[period]} {amount(told, period)}" for period in periods)


def amount(told: Told, period: str) -> str:
    """Return what was spent in a period, and of how much, such as ``0.42 of 1.00 USD``."""
    about, most = told[period], ceiling(told[period])
    of = "" if most is None else f" of {most:.2f}"
    return f"{about['spent']:.2f}{of} {told['currency']}"


def ceiling(about: Told) -> float | None:
    """Return how much may be spent in all in a period; None: anything."""
    return None if about["limit"] is None else float(about["limit"] + about["allowed"])
