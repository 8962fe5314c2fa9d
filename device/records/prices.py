"""The table of prices says what tokens and searches cost, and `cost` what a bill comes to. Pure.

Money is counted in millionths of a currency (micro-units) as whole numbers, rounded up once a turn;
prices are whole micro-units a million tokens. All of it is an estimate: what is paid is what the
provider's invoice says.

Source: Google's price page for the Gemini API, as several reports of September 2026 have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from device.records.bills import Bill

AS_OF: Final = date(2026, 9, 21)
MICRO: Final = 1_000_000
MOST: Final = 10**15
"""The largest amount of a turn, a thousand million of a currency; what costs more costs this. The
records hold whole numbers of 64 bits, and the sum of nine thousand turns must be one too."""
FREE_SEARCHES: Final = 5_000
"""So many a month cost nothing, of all models of a project together."""
DOLLAR: Final = "USD"
"""What prices are in."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Micro-dollars a million tokens; of searches, micro-dollars a thousand."""

    text_in: int
    audio_in: int
    image_in: int
    text_out: int
    audio_out: int
    """Thoughts cost the same."""
    search_per_1000: int

    @property
    def dearest_in(self) -> int:
        """The price of what is of no known modality on the way in."""
        return max(self.text_in, self.audio_in, self.image_in)

    @property
    def dearest_out(self) -> int:
        """The same on the way out."""
        return max(self.text_out, self.audio_out)


KEYS: Final = tuple(each.name for each in fields(Prices))

_LIVE_3 = Prices(
    text_in=750_000,
    audio_in=3_000_000,
    image_in=1_000_000,
    text_out=4_500_000,
    audio_out=12_000_000,
    search_per_1000=14_000_000,
)

TABLE: Final[Mapping[str, Prices]] = MappingProxyType(
    {
        "gemini-3.8-live": _LIVE_3,
        "gemini-3.8-live-extended-thinking": _LIVE_3,
        "gemini-3.1-flash-live-preview": _LIVE_3,
    }
)
"""By the model's name. Of no other Live model a price was found."""

Own = Mapping[str, Mapping[str, float]]
"""The owner's prices, in dollars, by model and key; what is left out is as in the table."""


def micro(amount: float) -> int:
    """Return an amount in micro-units, to the nearest; what is written in decimals is meant so."""
    return round(Fraction(str(amount)) * MICRO)


def bare(model: str) -> str:
    """Return the model's name as the table has it."""
    return model.removeprefix("models/")


@dataclass(frozen=True, slots=True)
class Priced:
    """The prices of a model, and whether they are known to be its own."""

    prices: Prices
    known: bool


def prices_of(model: str, own: Own) -> Priced:
    """Return what a model costs; one without a price costs what the dearest does, key by key."""
    theirs = {bare(name): dict(written) for name, written in own.items()}
    name = bare(model)
    listed, written = TABLE.get(name), theirs.get(name, {})
    every = [*TABLE.values(), *(_changed(_LIVE_3, each) for each in theirs.values())]
    dearest = Prices(*(max(getattr(each, key) for each in every) for key in KEYS))
    prices = _changed(listed or dearest, written)
    return Priced(prices, listed is not None or len(written) == len(KEYS))


def _changed(prices: Prices, written: Mapping[str, float]) -> Prices:
    return Prices(
        *(micro(written[key]) if key in written else getattr(prices, key) for key in KEYS)
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a turn costs."""

    usd: int
    """Micro-dollars."""
    own: int
    """Micro-units of the owner's currency."""


def cost(bill: Bill, prices: Prices, searches: int = 0, per_usd: float = 1.0) -> Cost:
    """Return what a bill and so many searches beyond the free ones cost, rounded up, up to `MOST`.

    ``per_usd``: units of the owner's currency a dollar.
    """
    of_tokens = (
        bill.text_in * prices.text_in
        + bill.audio_in * prices.audio_in
        + bill.image_in * prices.image_in
        + bill.other_in * prices.dearest_in
        + bill.text_out * prices.text_out
        + (bill.audio_out + bill.thoughts) * prices.audio_out
        + bill.other_out * prices.dearest_out
    )
    exact = Fraction(of_tokens, MICRO) + Fraction(searches * prices.search_per_1000, 1_000)
    return Cost(min(_up(exact), MOST), min(converted(exact, per_usd), MOST))


def converted(usd: Fraction | int, per_usd: float) -> int:
    """Return micro-dollars in micro-units of another currency, rounded up."""
    return _up(usd * Fraction(str(per_usd)))


def _up(amount: Fraction) -> int:
    return -(-amount.numerator // amount.denominator)


def paid_searches(before: int, more: int) -> int:
    """Return how many of ``more`` searches cost something, where there were so many this month."""
    return max(0, before + more - max(before, FREE_SEARCHES))
