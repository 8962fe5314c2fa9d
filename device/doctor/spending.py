"""The doctor looks at the spending: how near the limits are, and whose price is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from device.assistant.billing import own_prices
from device.config import as_persona, personas_in_use
from device.doctor.result import Result, fine, hint, skipped
from device.doctor.scene import Scene
from device.records.budget import PERIODS
from device.records.prices import prices_of


def spending(scene: Scene) -> Iterator[Result]:
    """Report what was spent of what may be, as the running speaker has it."""
    told: Mapping[str, Any] | None = (scene.status or {}).get("spending")
    if told is None:
        yield skipped("spending", "no speaker runs that could tell")
    else:
        yield _standing(told)
    yield from _unpriced(scene)


def _standing(told: Mapping[str, Any]) -> Result:
    figures = {each: told[each]["spent"] for each in PERIODS} | {"currency": told["currency"]}
    shown = "; ".join(_shown(told, each) for each in PERIODS)
    for period in PERIODS:
        if told[period]["level"] == "reached":
            advice = f"parley spending allow 2.00, or another spending.{period}"
            reached = f"the limit of the {period} is reached: {shown}"
            return hint("spending", reached, advice, **figures)
    return fine("spending", f"{shown}, an estimate", **figures)


def _shown(told: Mapping[str, Any], period: str) -> str:
    about = told[period]
    spent = f"{about['spent']:.2f} {told['currency']} this {period}"
    if about["limit"] is None:
        return f"{spent}, without a limit"
    return f"{spent} of {about['limit'] + about['allowed']:.2f}"


def _unpriced(scene: Scene) -> Iterator[Result]:
    own = own_prices(scene.config.spending)
    in_use = {as_persona(scene.config, name).live.model for name in personas_in_use(scene.config)}
    for model in sorted(in_use):
        if not prices_of(model, own).known:
            advice = f"look it up, and write it: spending.prices.{model}"
            yield hint(
                "spending", f"no price of {model} is known: it counts as the dearest", advice
            )
