"""The section `spending`: what it takes, what its mistakes are told as, and that examples work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from device.config import Config, parse
from device.config.keys import ModelPrices, Spending
from device.errors import ConfigError
from device.records.prices import KEYS

ROOT = Path(__file__).parents[2]
MODEL = "gemini-3.8-live"


def spending(text: str) -> Spending:
    return parse(f"spending:\n  {text}", "c.yaml").spending


def mistakes(text: str) -> list[tuple[str, str]]:
    """Check a section: key below `spending` and message of each mistake."""
    with pytest.raises(ConfigError) as caught:
        spending(text)
    return [(each.where.removeprefix("spending."), each.message) for each in caught.value.mistakes]


def test_nothing_is_limited_where_nothing_is_said() -> None:
    """In dollars, by Parley's own prices."""
    nothing = Spending(currency="USD", per_usd=None, day=None, month=None, prices={})
    assert Config().spending == nothing
    for text in ("day:", "prices:", "prices: {}", "day: null", "month: ~", "currency: USD"):
        assert spending(text) == nothing


def test_the_worked_example_works() -> None:
    """That of the shipped file without its hashes in place of {}, and the README's."""
    shipped = (ROOT / "config" / "parley.yaml").read_text()
    [lines] = re.findall(r"(?m)^#   prices:\n(?:# {5,}.+\n)+", shipped)
    example = re.sub(r"(?m)^# ", "", lines)
    found = parse(shipped.replace("  prices: {}\n", example), "c.yaml").spending
    assert set(found.prices) == {MODEL}
    assert set(found.prices[MODEL].model_dump(exclude_none=True)) == set(KEYS)
    [shown] = re.findall(r"(?s)```yaml\n(spending:.*?)```", (ROOT / "README.md").read_text())
    limits = parse(shown, "c.yaml").spending
    assert (limits.currency, limits.day, limits.month) == ("USD", 0.5, 10.0)


def test_the_keys_of_prices_are_those_that_are_reckoned_with() -> None:
    """One that nobody reads would be a price that is not charged."""
    assert tuple(ModelPrices.model_fields) == KEYS


@pytest.mark.parametrize(
    ("text", "day"), [("day: 0.01", 0.01), ("day: 1", 1.0), ("day: 1e6", 1e6), ("day: 5e-2", 0.05)]
)
def test_limits_are_taken_from_a_cent_to_a_million(text: str, day: float) -> None:
    """Whole, decimal, or with an exponent."""
    assert spending(text).day == day


def test_any_model_may_have_prices_and_any_of_them() -> None:
    """What is left out is as in Parley's table, and nothing is a price as well."""
    found = spending("prices: {own: {audio_in: 0, text_out: 2}, models/other: , third: {}}").prices
    assert found["own"] == ModelPrices(audio_in=0.0, text_out=2.0)
    assert found["models/other"] == found["third"] == ModelPrices()


RANGE = "is not in 0.01..1000000: choose e.g."
DELETE = "delete this, or write spending.currency too"
ZERO = "0 leaves nothing to answer for: write 0.01 or more; null is no limit"


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("day: 0", "day", ZERO),
        ("month: 0.00", "month", ZERO),
        ("day: -1", "day", f"-1 {RANGE} 0.5"),
        ("month: -0.5", "month", f"-0.5 {RANGE} 10.0"),
        ("day: 0.001", "day", f"0.001 {RANGE} 0.5"),
        ("day: 1000001", "day", f"1000001 {RANGE} 0.5"),
        ("day: .nan", "day", "'.nan' is not a number: choose e.g. 0.5"),
        ("month: .inf", "month", "'.inf' is not a number: choose e.g. 10.0"),
        ("day: abc", "day", "'abc' is not a number: choose e.g. 0.5"),
        ("day: 2.00 EUR", "day", "'2.00 EUR' is not a number: choose e.g. 0.5"),
        ("day: 2,00", "day", "'2,00' has a comma: write 2.00"),
        ("day: '2.00'", "day", "'2.00' is text: write 2.00 without quotes"),
        ("day: true", "day", "true is not a number: choose e.g. 0.5"),
        ("day: off", "day", "'off' is not a number: choose e.g. 0.5"),
        ("day: [1]", "day", "a list is not a number: choose e.g. 0.5"),
        ("daily: 1", "daily", "unknown key: did you mean day?"),
        (
            "limit: 1",
            "limit",
            "unknown key: known here are currency, per_usd, day, month, prices",
        ),
        ("currency: usd", "currency", "'usd' is no currency: write USD"),
        ("currency: eur\n  per_usd: 0.92", "currency", "'eur' is no currency: write EUR"),
        ("currency: euro", "currency", "'euro' is no currency: write EUR"),
        ("currency: €", "currency", "'€' is no currency: write EUR"),
        (
            "currency: Franken",
            "currency",
            "'Franken' is no currency: write three capital letters such as USD or EUR",
        ),
        ("currency:", "currency", "has no value: write one, e.g. USD, or delete the line"),
        ("currency: 5", "currency", "5 is not text: write a text, in quotes if it is a number"),
        (
            "currency: EUR",
            "currency",
            "prices are in USD: write spending.per_usd too, how many EUR a US dollar is, e.g. 0.92",
        ),
        (
            "per_usd: 0.92",
            "per_usd",
            f"0.92 beside the currency USD: a US dollar is 1 USD: {DELETE}",
        ),
        ("currency: EUR\n  per_usd: 0", "per_usd", "0 is not above 0: choose e.g. 0.92"),
        ("currency: EUR\n  per_usd: -1", "per_usd", "-1 is not above 0: choose e.g. 0.92"),
        ("currency: EUR\n  per_usd: 0,92", "per_usd", "'0,92' has a comma: write 0.92"),
        ("prices: 5", "prices", "5 is not a section: write names, each with keys of its own"),
        (
            "prices: [1]",
            "prices",
            "a list is not a section: write names, each with keys of its own",
        ),
        (
            "prices: {my-live: 3}",
            "prices.my-live",
            f"3 is not a section: it has keys of its own ({', '.join(KEYS)})",
        ),
        (
            "prices: {my-live: {audio_inn: 3}}",
            "prices.my-live.audio_inn",
            "unknown key: did you mean audio_in?",
        ),
        (
            "prices: {my-live: {audio_in: -3}}",
            "prices.my-live.audio_in",
            "-3 is not in 0..100000: choose e.g. 3.0",
        ),
        (
            "prices: {my-live: {search_per_1000: 1e9}}",
            "prices.my-live.search_per_1000",
            "1000000000.0 is not in 0..100000: choose e.g. 14.0",
        ),
        (
            "prices: {my-live: {text_out: dear}}",
            "prices.my-live.text_out",
            "'dear' is not a number: choose e.g. 4.5",
        ),
        (
            "prices: {my live: {}}",
            "prices.'my live'",
            "'my live' is not a model's name: write e.g. gemini-3.8-live",
        ),
        (
            "prices: {models/my-live: {}, my-live: {}}",
            "prices.'models/my-live'",
            "'my-live' has prices too: delete one of them",
        ),
    ],
)
def test_a_mistake_is_told_once_with_what_to_write(text: str, key: str, message: str) -> None:
    """Under the name of its key."""
    assert mistakes(text) == [(key, message)]


def test_every_mistake_is_told_at_once() -> None:
    """Whoever mends one need not come back for the next."""
    found = mistakes("currency: usd\n  day: 0\n  prices: {own: {audio: 1}}")
    assert [key for key, _ in found] == ["currency", "day", "prices.own.audio"]


def test_another_currency_needs_only_its_rate() -> None:
    """One is fine for dollars, too: it changes nothing."""
    found = spending("currency: EUR\n  per_usd: 0.92")
    assert (found.currency, found.per_usd) == ("EUR", 0.92)
    assert spending("currency: USD\n  per_usd: 1").per_usd == 1.0
