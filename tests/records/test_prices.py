"""Tokens and searches become money: exact, rounded up once, never below what it is worth."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.records.bills import KINDS, Bill
from device.records.prices import (
    FREE_SEARCHES,
    KEYS,
    MOST,
    TABLE,
    Cost,
    Prices,
    bare,
    converted,
    cost,
    micro,
    paid_searches,
    prices_of,
)

LIVE = "gemini-3.1-flash-live-preview"
PAGE = {"text_in": "0.75", "audio_in": "3", "image_in": "1", "text_out": "4.5", "audio_out": "12"}
"""Dollars a million tokens, as the price page has them; searches are 14 a thousand."""

tokens = st.integers(0, 10**7)
bills = st.builds(Bill, *([tokens] * len(KINDS)))
amounts = st.decimals(0, 100_000, places=6)
prices = st.builds(Prices, *([st.integers(0, 100_000 * 10**6)] * len(KEYS)))
rates = st.decimals("0.000001", 1_000, places=6).map(float)


def in_dollars(bill: Bill, searches: int, price: dict[str, Decimal], search: Decimal) -> Decimal:
    """What a bill costs, as one would write it down: dollars, with all their decimals."""
    into = max(price["text_in"], price["audio_in"], price["image_in"])
    out = max(price["text_out"], price["audio_out"])
    each = (
        *((bill.text_in, price["text_in"]), (bill.audio_in, price["audio_in"])),
        *((bill.image_in, price["image_in"]), (bill.other_in, into)),
        *((bill.text_out, price["text_out"]), (bill.audio_out, price["audio_out"])),
        *((bill.other_out, out), (bill.thoughts, price["audio_out"])),
    )
    with localcontext(prec=60):
        return sum((n * a / 10**6 for n, a in each), Decimal(0)) + searches * search / 1_000


def up(amount: Decimal) -> int:
    """In millionths, rounded up."""
    with localcontext(prec=60):
        return int((amount * 10**6).to_integral_value(ROUND_CEILING))


@given(bills, st.integers(0, 10_000))
def test_the_table_charges_what_the_price_page_says(bill: Bill, searches: int) -> None:
    """To the millionth of a dollar, rounded up once for all of a turn."""
    page = {key: Decimal(amount) for key, amount in PAGE.items()}
    exact = in_dollars(bill, searches, page, Decimal(14))
    assert cost(bill, TABLE[LIVE], searches) == Cost(up(exact), up(exact))


@given(bills, st.integers(0, 100), st.lists(amounts, min_size=6, max_size=6), rates)
def test_any_prices_and_any_currency_are_exact(
    bill: Bill, searches: int, written: list[Decimal], per_usd: float
) -> None:
    """The owner's decimals are meant as they are written; converted before it is rounded."""
    own = dict(zip(KEYS, map(float, written), strict=True))
    priced = prices_of("mine", {"mine": own})
    assert priced.known
    meant = dict(zip(KEYS, written, strict=True))
    exact = in_dollars(bill, searches, meant, meant["search_per_1000"])
    with localcontext(prec=60):
        theirs = up(exact * Decimal(str(per_usd)))
    found = cost(bill, priced.prices, searches, per_usd)
    assert found == Cost(min(up(exact), MOST), min(theirs, MOST))


@given(bills, st.integers(0, 10**6), prices, rates)
def test_no_cost_is_below_the_exact_one_or_a_millionth_above(
    bill: Bill, searches: int, price: Prices, per_usd: float
) -> None:
    """Up to the largest amount there is."""
    found = cost(bill, price, searches, per_usd)
    exact = (
        Fraction(bill.text_in * price.text_in, 10**6)
        + Fraction(bill.audio_in * price.audio_in, 10**6)
        + Fraction(bill.image_in * price.image_in, 10**6)
        + Fraction(bill.other_in * price.dearest_in, 10**6)
        + Fraction(bill.text_out * price.text_out, 10**6)
        + Fraction((bill.audio_out + bill.thoughts) * price.audio_out, 10**6)
        + Fraction(bill.other_out * price.dearest_out, 10**6)
        + Fraction(searches * price.search_per_1000, 1_000)
    )
    for amount, wanted in ((found.usd, exact), (found.own, exact * Fraction(str(per_usd)))):
        assert amount == MOST or wanted <= amount < wanted + 1
        assert wanted >= MOST or amount < MOST or wanted > MOST - 1


def test_what_is_of_no_modality_costs_the_dearest_of_its_side() -> None:
    """Whichever that is."""
    odd = Prices(5, 4, 9, 8, 2, 0)
    assert (odd.dearest_in, odd.dearest_out) == (9, 8)
    assert cost(Bill(other_in=10**6), odd).usd == 9
    assert cost(Bill(other_out=10**6), odd).usd == 8
    assert cost(Bill(thoughts=10**6), odd).usd == 2


def test_a_turn_is_rounded_once_and_a_token_costs_something() -> None:
    """Three tokens of text are 2.25 millionths: three, not three times one."""
    assert cost(Bill(text_in=3), TABLE[LIVE]).usd == 3
    assert cost(Bill(text_in=1), TABLE[LIVE]).usd == 1
    assert cost(Bill(), TABLE[LIVE]) == Cost(0, 0)
    assert cost(Bill(text_in=1, text_out=1), TABLE[LIVE]).usd == 6


def test_no_amount_is_larger_than_a_row_holds() -> None:
    """A hostile count, at the highest price, in the weakest currency."""
    hostile = Bill(*([5 * 10**9] * len(KINDS)))
    dearest = prices_of("x", {"x": dict.fromkeys(KEYS, 100_000.0)}).prices
    found = cost(hostile, dearest, 100, 1_000_000.0)
    assert found == Cost(MOST, MOST)
    assert 9_000 * MOST < 2**63


@pytest.mark.parametrize(
    ("amount", "whole"),
    [
        (0.1, 100_000),
        (0.01, 10_000),
        (1e-05, 10),
        (3, 3_000_000),
        (0.00000049, 0),
        (2.675, 2675000),
    ],
)
def test_decimals_are_meant_as_they_are_written(amount: float, whole: int) -> None:
    """Though no binary fraction is a tenth."""
    assert micro(amount) == whole


@given(st.integers(0, 10**12), rates)
def test_another_currency_is_rounded_up(usd: int, per_usd: float) -> None:
    """To the next millionth."""
    with localcontext(prec=60):
        exact = usd * Decimal(str(per_usd))
    assert exact <= converted(usd, per_usd) < exact + 1
    assert converted(usd, 1.0) == usd


# --- whose prices ---------------------------------------------------------------------------------


def test_a_model_of_the_table_has_its_own_price() -> None:
    """Whatever the name is written with."""
    for name in TABLE:
        for written in (name, f"models/{name}"):
            found = prices_of(written, {})
            assert (found.prices, found.known) == (TABLE[name], True)
            assert bare(written) == name


@given(
    st.dictionaries(
        st.sampled_from((*TABLE, "a", "b")),
        st.dictionaries(st.sampled_from(KEYS), st.floats(0, 100_000), max_size=6),
        max_size=4,
    )
)
def test_a_model_without_a_price_is_no_cheaper_than_any(own: dict[str, dict[str, float]]) -> None:
    """Of the table, and of what the owner has written; key by key."""
    found = prices_of("nobody-knows-it", own)
    assert not found.known
    for key in KEYS:
        charged = getattr(found.prices, key)
        assert all(charged >= getattr(each, key) for each in TABLE.values())
        assert all(charged >= micro(written[key]) for written in own.values() if key in written)
        known = [getattr(each, key) for each in TABLE.values()]
        known += [micro(written[key]) for written in own.values() if key in written]
        assert charged in known


def test_what_the_owner_writes_counts_and_the_rest_is_as_it_was() -> None:
    """Cheaper, dearer or nothing at all."""
    own = {f"models/{LIVE}": {"audio_in": 0.5, "text_out": 0.0}}
    found = prices_of(LIVE, own)
    assert found.known
    assert (found.prices.audio_in, found.prices.text_out) == (500_000, 0)
    assert found.prices.audio_out == TABLE[LIVE].audio_out
    part = prices_of("new", {"new": {"audio_out": 99.0}})
    assert not part.known
    assert part.prices.audio_out == 99_000_000
    assert part.prices.audio_in == 3_000_000
    whole = prices_of("new", {"new": dict.fromkeys(KEYS, 0.25)})
    assert whole.known
    assert whole.prices == Prices(*([250_000] * len(KEYS)))


# --- searches -------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4_000), max_size=10))
def test_searches_beyond_the_free_ones_are_paid_one_by_one(more: list[int]) -> None:
    """Counted by hand over a month: the 5,001st is the first."""
    before = paid = 0
    for searches in more:
        expected = sum(
            number > FREE_SEARCHES for number in range(before + 1, before + searches + 1)
        )
        assert paid_searches(before, searches) == expected
        before += searches
        paid += expected
    assert paid == max(0, sum(more) - 5_000)
