"""The doctor looks at the spending: how near the limits are, and whose price is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from device.assistant.billing import own_prices
from device.config import as_persona, personas_in_use
from device.doctor.result import Result, fine, hint, skipped
from device.doctor.scene import Scene
from device.records.amounts import spent
from device.records.budget import PERIODS, Level, Period
from device.records.prices import KEYS, bare, prices_of

LEVELS: Final[tuple[Level, ...]] = ("near", "reached")
_WHEN: Final[Mapping[Period, str]] = {"day": "today", "month": "this month"}


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
    shown = ", ".join(_shown(told, each) for each in PERIODS)
    at = {level: [each for each in PERIODS if told[each]["level"] == level] for level in LEVELS}
    if at["reached"]:
        keys = " or ".join(f"spending.{each}" for each in at["reached"])
        advice = f"allow more, such as parley spending allow 2.00, or write another {keys}"
        reached = f"{_limits(at['reached'])} reached: {shown}, an estimate"
        return hint("spending", reached, advice, **figures)
    near = f"{_limits(at['near'])} near: " if at["near"] else ""
    return fine("spending", f"{near}{shown}, an estimate", **figures)


def _limits(periods: list[Period]) -> str:
    """Say ``the limit of the day is``, or that both are."""
    of = " and ".join(f"of the {each}" for each in periods)
    return f"the limits {of} are" if len(periods) > 1 else f"the limit {of} is"


def _shown(told: Mapping[str, Any], period: Period) -> str:
    without = " without a limit" if told[period]["limit"] is None else ""
    return f"{_WHEN[period]} {spent(told[period], told['currency'])}{without}"


def _unpriced(scene: Scene) -> Iterator[Result]:
    """Find models that may answer and have a price that is not known."""
    config = scene.config
    own = own_prices(config.spending)
    in_use = {as_persona(config, name).live.model for name in personas_in_use(config)}
    for model in sorted({bare(each) for each in (*in_use, *config.live.fallback_models)}):
        if not prices_of(model, own).known:
            written = own.get(model, {}).keys() | own.get(f"models/{model}", {}).keys()
            missing = ", ".join(key for key in KEYS if key not in written)
            unknown = f"not every price of {model} is known: what is missing counts as the dearest"
            advice = f"look them up, and write them: spending.prices, {model}, {missing}"
            yield hint("prices", unknown, advice, model=model)
