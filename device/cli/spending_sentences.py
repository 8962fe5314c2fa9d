"""These sentences tell a person what was spent, what is left, and what to do at a limit.

What is told comes from a speaker, as `device.assistant.spending.Spending.as_dict` has it, and is
printable by now.

Tested in tests/cli/test_spending.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from device.records.amounts import ceiling, enough, money, spent
from device.records.prices import FREE_SEARCHES

Told = Mapping[str, Any]

TITLES: Final = {"day": "today", "month": "this month"}
UNTIL: Final = {"day": "midnight", "month": "the month is over"}


def summary(told: Told) -> str:
    """Return how it stands in a line; empty where nothing was spent and there is no limit."""
    periods = [each for each in TITLES if told[each]["limit"] is not None or told[each]["spent"]]
    return ", ".join(f"{TITLES[period]} {amount(told, period)}" for period in periods)


def amount(told: Told, period: str) -> str:
    """Return what was spent in a period, and of how much, such as ``0.42 of 1.00 USD``."""
    return spent(told[period], told["currency"])


def share(about: Told) -> float:
    """Return how much of its limit a period has spent, 0 to 1; 1 only where that is reached."""
    most = ceiling(about)
    if about["level"] == "reached":
        return 1.0
    return min(about["spent"] / most, 0.999) if most else 0.0


def percent(about: Told) -> str:
    """Return the same for people, with what was spent beyond the limit."""
    most = ceiling(about)
    if not most:
        return "no limit"
    part = share(about) if about["level"] != "reached" else max(about["spent"] / most, 1.0)
    # Of 0.29 of 1.00 the processor makes 28.999….
    whole = math.floor(100 * part + 1e-9)
    return f"{whole:,} %" if whole or not about["spent"] else "under 1 %"


def outlook(told: Told) -> Iterator[tuple[str, str]]:
    """Yield what follows from it, each with the level that it tells of; a command is indented."""
    reached = [period for period in TITLES if told[period]["level"] == "reached"]
    for period in reached:
        until = f"until {UNTIL[period]}, or until you allow more:"
        asked = f"is reached: the model is asked nothing {until}"
        yield "reached", f"The limit of {TITLES[period]} {asked}"
        which = f" --period {period}" if len(reached) > 1 else ""
        yield "reached", f"  parley spending allow {enough(told[period])}{which}"
    for period in TITLES:
        about, currency = told[period], told["currency"]
        if about["level"] == "near":
            left = f"{money(about['left'])} {currency} are left until {UNTIL[period]}"
            yield "near", f"The limit of {TITLES[period]} is near: {left}."
        if about["limit"] is not None and about["allowed"]:
            more = f"{money(about['allowed'])} {currency} are allowed"
            beyond = f"beyond the limit of {money(about['limit'])} {currency}"
            yield "", f"{TITLES[period].capitalize()} {more} {beyond}."
    if all(told[period]["limit"] is None for period in TITLES):
        yield "", "No limit is set. One can be: spending.day or spending.month in config.yaml."


def granted(told: Told) -> Iterator[str]:
    """Yield what an allowance has come to."""
    currency, given = told["currency"], told["allowed"]
    least = math.inf
    for period in given["periods"]:
        more = f"{money(given['amount'])} {currency} more for {TITLES[period]}"
        left = told[period]["left"]
        least = min(least, left)
        yield f"{more}, until {UNTIL[period]}: {money(left)} {currency} are left."
    for period in TITLES:
        about = told[period]
        if about["level"] == "reached":
            yield f"The limit of {TITLES[period]} is still reached, {amount(told, period)}:"
            yield f"  parley spending allow {enough(about)} --period {period}"
        elif period not in given["periods"] and about["left"] is not None and about["left"] < least:
            yield f"Of the limit of {TITLES[period]} {money(about['left'])} {currency} are left."


def notes(told: Told) -> Iterator[str]:
    """Yield how sure all this is, and what was counted in which way."""
    yield (
        f"An estimate: the tokens that the server counts, by the prices of {told['prices_as_of']} "
        "or your own. What is paid is what the invoice says."
    )
    entries = told["by_model"]["month"]
    for model in sorted({entry["model"] for entry in entries if not entry["price_known"]}):
        if not model:
            yield "Which model gave some of the answers is not known: they count as the dearest."
            continue
        yield (
            f"Not every price of the model {model} was known: what is missing counts as the "
            "dearest. Yours can be written: spending.prices in config.yaml."
        )
    if guessed := sum(entry["guessed"] for entry in entries):
        turns = "1 answer was" if guessed == 1 else f"{guessed:,} answers were"
        yield f"This month {turns} not counted to the end by the server, and guessed by the sound."
    if searches := told["searches_this_month"]:
        free = f"{FREE_SEARCHES:,} a month are free"
        yield f"Searches with Google this month: {searches:,}; {free}."
