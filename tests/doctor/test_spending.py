"""What the doctor says of limits of money, and of prices that are not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from device.doctor.checklist import CHECKS
from device.doctor.result import Verdict
from device.doctor.scene import Scene
from device.doctor.spending import spending
from tests.cli.test_spending import BOTH, FINE, NEAR, QUIET, REACHED
from tests.rig.scene import machine, only

SIX = "{text_in: 1, audio_in: 1, image_in: 1, text_out: 1, audio_out: 1, search_per_1000: 1}"


def speaker(folder: Path, told: dict[str, Any], config: str = "") -> Scene:
    """A machine whose running speaker tells this."""
    return machine(folder, config=config, status={"spending": told})


@pytest.mark.parametrize(
    ("told", "figure"),
    [
        (QUIET, "today 0.00 USD without a limit, this month 0.00 USD without a limit"),
        (FINE, "today 0.22 of 0.50 USD, this month 3.10 of 10.00 USD"),
        (
            NEAR,
            "the limit of the day is near: today 0.4999 of 0.50 USD, this month 3.10 of 10.00 USD",
        ),
    ],
)
def test_what_was_spent_of_what_may_be_is_told(
    tmp_path: Path, told: dict[str, Any], figure: str
) -> None:
    """As the running speaker has it; a limit that is near is as it should be."""
    found = only(spending(speaker(tmp_path, told)))
    assert (found.name, found.verdict) == ("spending", Verdict.FINE)
    assert found.figure == f"{figure}, an estimate"
    assert found.figures == {
        "day": told["day"]["spent"],
        "month": told["month"]["spent"],
        "currency": "USD",
    }


def test_a_limit_that_is_reached_is_a_hint_with_what_to_do(tmp_path: Path) -> None:
    """Its owner wanted it so: nothing is broken. Two are told together."""
    one = only(spending(speaker(tmp_path, REACHED)))
    assert one.verdict is Verdict.HINT
    assert one.figure.startswith("the limit of the day is reached: today 0.52 of 0.50 USD, this")
    assert one.advice == (
        "allow more, such as parley spending allow 2.00, or write another spending.day"
    )
    both = only(spending(speaker(tmp_path, BOTH)))
    assert both.figure.startswith("the limits of the day and of the month are reached: today 3.50")
    assert both.advice.endswith("or write another spending.day or spending.month")
    assert both.figures["currency"] == "EUR"


def test_without_a_speaker_nothing_is_said_of_money(tmp_path: Path) -> None:
    """Its books are asked by nobody else."""
    found = only(spending(machine(tmp_path)))
    assert (found.name, found.verdict) == ("spending", Verdict.SKIPPED)


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        (
            "live: {model: own-live}",
            "own-live, text_in, audio_in, image_in, text_out, audio_out, search_per_1000",
        ),
        ("live: {fallback_models: [models/own-live]}", "own-live, text_in, audio_in, image_in"),
        ("personas: {puck: {model: own-live}}", "own-live, text_in, audio_in, image_in"),
        (
            "live: {model: own-live}\nspending: {prices: {own-live: {audio_in: 1, text_in: 1}}}",
            "own-live, image_in, text_out, audio_out, search_per_1000",
        ),
        (
            "live: {model: own-live}\nspending: {prices: {models/own-live: {audio_in: 1}}}",
            "own-live, text_in, image_in, text_out, audio_out, search_per_1000",
        ),
    ],
)
def test_a_model_without_a_price_is_told_with_what_is_missing(
    tmp_path: Path, config: str, missing: str
) -> None:
    """Whoever may answer: the model, those in its place, a persona's; also without a speaker."""
    standing, found = spending(speaker(tmp_path, QUIET, config))
    assert standing.verdict is Verdict.FINE
    assert (found.name, found.verdict) == ("prices", Verdict.HINT)
    assert found.figure == (
        "not every price of own-live is known: what is missing counts as the dearest"
    )
    assert f"spending.prices, {missing}" in found.advice
    assert found.figures == {"model": "own-live"}
    _, silent = spending(machine(tmp_path, config=config))
    assert silent == found


def test_prices_of_the_owners_are_enough(tmp_path: Path) -> None:
    """Where all are there."""
    config = f"live: {{model: own-live}}\nspending: {{prices: {{own-live: {SIX}}}}}"
    assert only(spending(speaker(tmp_path, FINE, config))).verdict is Verdict.FINE


def test_the_doctor_looks_at_it() -> None:
    """It is one of the checks."""
    [check] = [each for each in CHECKS if each.look is spending]
    assert (check.group, check.name) == ("service", "spending")
