"""The spending's rows keep what each turn used and cost, and what was allowed beyond the limits.

Rows are made and read here. Amounts are micro-units, times Unix seconds. What was spent in another
currency than the one asked for counts by its dollars, and so does what has no amount that makes
sense. A value that makes none counts as nothing, the rest of its row as ever: a file that was
damaged ends nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from device.records.bills import KINDS, Bill
from device.records.budget import PERIODS, Period, Span
from device.records.prices import MICRO, MOST, converted
from device.records.rows import LATEST_S, Row, Table

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


def _whole(column: str) -> str:
    """Return SQL for a column's value: 0 for what is none, such as a text, which SQLite adds up."""
    return f"CASE WHEN {column} BETWEEN 0 AND {MOST} THEN {column} ELSE 0 END"


_OURS = f"currency = :currency AND cost BETWEEN 0 AND {MOST}"
_SPENT = (
    f"total(CASE WHEN {_OURS} THEN cost ELSE 0 END), "
    f"total(CASE WHEN {_OURS} THEN 0 ELSE {_whole('usd')} END)"
)
"""In the currency, and what there is only in dollars. `total` knows no overflow, and is exact up to
nine thousand million of a currency."""
_IN = (
    "at >= :begins AND at < :latest AND (at < :ends OR "
    "rowid > (SELECT coalesce(max(rowid), 0) FROM usage WHERE at < :begins))"
)
"""What counts in a period: `device.records.budget` has the theory. Rows are numbered as they
come, and keep their number when another takes their place."""


def _of(span: Span, currency: Currency) -> dict[str, str | float]:
    times = {"begins": span.begins, "ends": span.ends, "latest": LATEST_S}
    return {**times, "currency": currency.name}


def _micro(own: float, usd: float, currency: Currency) -> int:
    return round(own) + converted(round(usd), currency.per_usd)


def books(
    connection: sqlite3.Connection, spans: Mapping[Period, Span], currency: Currency
) -> Books:
    """Return what is on record of these periods."""
    found = connection.execute(
        f"SELECT total({_whole('searches')}) FROM usage WHERE {_IN}",  # noqa: S608 - of names above
        _of(spans["month"], currency),
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
        round(found.fetchone()[0]),
    )


def _spent(connection: sqlite3.Connection, span: Span, currency: Currency) -> int:
    found = connection.execute(
        f"SELECT {_SPENT} FROM usage WHERE {_IN}",  # noqa: S608 - of names above
        _of(span, currency),
    )
    own, usd = found.fetchone()
    return _micro(own, usd, currency)


def _allowed(connection: sqlite3.Connection, span: Span, currency: Currency) -> int:
    """What was allowed in another currency is gone with it: nobody has said how much that is."""
    found = connection.execute(
        f"SELECT total({_whole('amount')}) FROM budget"  # noqa: S608 - of names above
        " WHERE what = ? AND period = ? AND span = ? AND currency = ?",
        (ALLOWED, span.period, span.name, currency.name),
    )
    return round(float(found.fetchone()[0]))


_KINDS_AND_SEARCHES = (*KINDS, "searches")


def by_model(
    connection: sqlite3.Connection, span: Span, currency: Currency
) -> list[dict[str, Any]]:
    """Return what each model and persona has used and cost in a period, the dearest first."""
    sums = ", ".join(f"total({_whole(name)})" for name in _KINDS_AND_SEARCHES)
    # As bytes: a text that is none would be raised by the fetching.
    whose = "CAST(model AS BLOB), CAST(persona AS BLOB)"
    found = connection.execute(
        f"SELECT {whose}, count(*), total(guessed = 1), total(priced = 0), "  # noqa: S608 - of names above
        f"{_SPENT}, {sums} FROM usage WHERE {_IN} GROUP BY 1, 2",
        _of(span, currency),
    )
    entries = [_entry(currency, *row) for row in found]
    return sorted(entries, key=lambda entry: (-entry["cost"], entry["model"], entry["persona"]))


def _entry(
    currency: Currency, model: bytes | None, persona: bytes | None, *sums: float
) -> dict[str, Any]:
    turns, guessed, unpriced, own, usd, *rest = sums
    counts = dict(zip(_KINDS_AND_SEARCHES, map(round, rest), strict=True))
    return {
        "model": (model or b"").decode("utf-8", "replace"),
        "persona": (persona or b"").decode("utf-8", "replace"),
        "turns": round(turns),
        "guessed": round(guessed),
        "price_known": not unpriced,
        "searches": counts.pop("searches"),
        "tokens": counts,
        "cost": _micro(own, usd, currency) / MICRO,
    }
