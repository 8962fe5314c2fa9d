"""Nobody is left in silence without a word, whatever the server does instead of answering."""

from __future__ import annotations

import asyncio

import pytest

from tests.rig.bad_days import DAYS, MODELS, WAYS, WHERES, Case, Outcome, ask_all, cases, wanted

AT_A_TIME = 4
THREE = range(3)


def some() -> list[Case]:
    """Each day three times, so that each state and each way is in it, and both models."""
    chosen = [
        (day, WHERES[(place + each) % 3], MODELS[(place + each) % 2], WAYS[(place + 2 * each) % 3])
        for place, day in enumerate(DAYS)
        for each in THREE
    ]
    return [case for case in chosen if case in cases()]


CASES = some()


def name(case: Case) -> str:
    day, where, model, way = case
    return f"{day.name}, {where}, {model.split('-')[1]}, {way}".replace(", ", "-").replace(" ", "_")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What came of all of them, asked side by side: most of the time is waiting."""
    return asyncio.run(ask_all(CASES, tmp_path_factory.mktemp("days"), AT_A_TIME))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("place", range(len(CASES)), ids=map(name, CASES))
def test_it_is_answered_or_told(outcomes: list[Outcome], place: int) -> None:
    """By at most three requests, and never by the sound of the end alone."""
    assert wanted(CASES[place], outcomes[place]), outcomes[place]
