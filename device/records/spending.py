"""The spending's rows keep what each turn used and cost, and what was allowed beyond the limits.

Rows are made and read here. Amounts are micro-units, times Unix seconds. What was spent in another
currency than the one asked for counts by its dollars.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from device.records.bills import KINDS, Bill
from device.records.budget import PERIODS, Period, Span
from device.records.prices import MICRO, converted
from device.records.rows import Row, Table

_KEPT_DAYS: Final = 62
"""The running month and the one before, whatever the owner wants: a limit of a month needs it."""

USAGE = Table(
    "usage",
    (
        *("session", "turn", "model", "persona", *KINDS, "searches", "paid_searches"),
        *("usd", "cost", "currency", "guessed", "priced"),
    ),
    least_days=_KEPT_DAYS,
)
"""A turn. ``guessed``: 1 where the server has not counted all of it; ``priced``: 0 where the model
has no price, and costs what the dearest does; ``paid_searches``: those beyond the free ones."""
BUDGET = Table("budget", ("what", "period", "span", "amount", "currency"), least_days=_KEPT_DAYS)
"""What happened to a limit in one of its periods: `ALLOWED` more, or told that it is `NEAR`."""

ALLOWED: Final = "allowed"
NEAR: Final = "near"


@dataclass(frozen=True, slots=True)
class Currency:
    """In what is counted."""

    name: str
    per_usd: float = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What is on record of one turn."""

    session: int
    turn: int
    model: str
    persona: str
    bill: Bill
    searches: int
    paid_searches: int
    usd: int
    cost: int
    currency: str
    guessed: bool
    priced: bool

    def row(self, key: str, at: float) -> Row:
        """Return its row; another of the same key takes its place."""
        return Row(
            USAGE,
            key,
            at,
            {
                "session": self.session,
                "turn": self.turn,
                "model": self.model,
                "persona": self.persona,
                **self.bill.as_dict(),
                "searches": self.searches,
                "paid_searches": self.paid_searches,
                "usd": self.usd,
                "cost": self.cost,
                "currency": self.currency,
                "guessed": int(self.guessed),
                "priced": int(self.priced),
            },
        )


def allowed(key: str, at: float, span: Span, amount: int, currency: str) -> Row:
    """Return the row of what is allowed beyond the limit of a period."""
    return _budget(ALLOWED, key, at, span, amount, currency)


def told_near(key: str, at: float, span: Span, currency: str) -> Row:
    """Return the row that says that the owner was told in this period."""
    return _budget(NEAR, key, at, span, 0, currency)


def _budget(what: str, key: str, at: float, span: Span, amount: int, currency: str) -> Row:
    values = {"what": what, "period": span.period, "span": span.name}
    return Row(BUDGET, key, at, {**values, "amount": amount, "currency": currency})


@dataclass(frozen=True, slots=True)
class Books:
    """What the records say of the running day and month."""

    spent: Mapping[Period, int]
    allowed: Mapping[Period, int]
    told: frozenset[Period]
    """Of which the owner was told that the limit is near."""
    searches: int
    """This month."""


def books(
    connection: sqlite3.Connection, spans: Mapping[Period, Span], currency: Currency
) -> Books:
    """Return what is on record of these periods."""
    found = connection.execute(
        "SELECT total(searches) FROM usage WHERE at >= ?", (spans["month"].begins,)
    )
    told = {
        period
        for period in PERIODS
        if connection.execute(
            "SELECT 1 FROM budget WHERE what = ? AND period = ? AND span = ?",
            (NEAR, period, spans[period].name),
        ).fetchone()
    }
    return Books(
        {period: _spent(connection, spans[period], currency) for period in PERIODS},
        {period: _allowed(connection, spans[period], currency) for period in PERIODS},
        frozenset(told),
        int(found.fetchone()[0]),
    )


def _spent(connection: sqlite3.Connection, span: Span, currency: Currency) -> int:
    found = connection.execute(
        "SELECT currency, sum(cost), sum(usd) FROM usage WHERE at >= ? GROUP BY currency",
        (span.begins,),
    )
    return sum(_in(currency, *row) for row in found)


def _in(wanted: Currency, currency: str, own: int | None, usd: int | None) -> int:
    if currency == wanted.name:
        return own or 0
    return converted(usd or 0, wanted.per_usd)


def _allowed(connection: sqlite3.Connection, span: Span, currency: Currency) -> int:
    """What was allowed in another currency is gone with it: nobody has said how much that is."""
    found = connection.execute(
        "SELECT sum(amount) FROM budget WHERE what = ? AND period = ? AND span = ?"
        " AND currency = ?",
        (ALLOWED, span.period, span.name, currency.name),
    )
    return found.fetchone()[0] or 0


def by_model(
    connection: sqlite3.Connection, span: Span, currency: Currency
) -> list[dict[str, Any]]:
    """Return what each model and persona has used and cost in a period, the dearest first."""
    sums = ", ".join(f"sum({kind})" for kind in (*KINDS, "searches", "guessed", "cost", "usd"))
    found = connection.execute(
        f"SELECT model, persona, currency, count(*), min(priced), {sums} FROM usage"  # noqa: S608 - of names above
        " WHERE at >= ? GROUP BY model, persona, currency",
        (span.begins,),
    )
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for model, persona, money, turns, priced, *rest in found:
        *tokens, searches, guessed, own, usd = rest
        entry = entries.setdefault((model, persona), _nothing(model, persona))
        entry["turns"] += turns
        entry["guessed"] += guessed
        entry["price_known"] = entry["price_known"] and bool(priced)
        entry["searches"] += searches
        for kind, count in zip(KINDS, tokens, strict=True):
            entry["tokens"][kind] += count
        entry["micro"] += _in(currency, money, own, usd)
    made = sorted(entries.values(), key=lambda entry: (-entry["micro"], entry["model"]))
    return [{**entry, "cost": entry.pop("micro") / MICRO} for entry in made]


def _nothing(model: str, persona: str) -> dict[str, Any]:
    return {
        "model": model,
        "persona": persona,
        "turns": 0,
        "guessed": 0,
        "price_known": True,
        "searches": 0,
        "tokens": dict.fromkeys(KINDS, 0),
        "micro": 0,
    }
