"""A month of talks, written out, comes to what it comes to by hand."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.rig.till import LIVE_31, LIVE_38, Till, open_till
from tests.timers.jumping import at

DAYS = 30
FIRST = at("2026-11-01 00:00")
DAY_S = 86_400
SEARCHES_A_DAY = 167


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")


def day(till: Till, number: int) -> None:
    """What happens on one of the days, which are all alike."""
    till.personas = {2: "anna"}
    till.opened(1, LIVE_38)
    # A question by voice, and another over the same context: all of it is read again.
    till.turn(
        1, {"prompt": 522, "prompt_text": 332, "prompt_audio": 165, "response": 42, "thoughts": 136}
    )
    till.turn(
        1,
        {
            "prompt": 700,
            "prompt_text": 332,
            "prompt_audio": 368,
            "response": 60,
            "response_audio": 60,
        },
    )
    # A function is called: two turns, two bills.
    call = {"prompt": 820, "prompt_text": 400, "prompt_audio": 420, "thoughts": 20}
    till.turn(1, call, heard_s=0.0)
    till.turn(
        1, {**call, "tool_use": 40, "tool_use_text": 40, "response": 90, "response_audio": 90}
    )
    # Somebody else answers, and looks at a picture; what it looked up is counted late.
    till.opened(2, LIVE_31)
    till.picture(2)
    seen = {"prompt": 900, "prompt_text": 350, "prompt_audio": 292, "prompt_image": 258}
    till.says(2, 1_000 + number, 3.0)
    till.ends(2, 1_000 + number)
    till.counted(2, 1_000 + number, {**seen, "response": 30, "response_audio": 30})
    till.counted(2, 1_000 + number, {**seen, "response": 75, "response_audio": 75}, SEARCHES_A_DAY)


def by_hand() -> tuple[int, int]:
    """Nobody and anna, in millionths of a dollar: price times tokens, each turn rounded up."""
    turns = (
        # text 0.75, audio 3, of no modality 3 in and 12 out, audio out and thoughts 12
        332 * Fraction(3, 4) + 165 * 3 + 25 * 3 + 42 * 12 + 136 * 12,
        332 * Fraction(3, 4) + 368 * 3 + 60 * 12,
        400 * Fraction(3, 4) + 420 * 3 + 20 * 12,
        400 * Fraction(3, 4) + 420 * 3 + 20 * 12 + 40 * Fraction(3, 4) + 90 * 12,
    )
    nobody = sum(-(-turn.numerator // turn.denominator) for turn in turns)
    seen = 350 * Fraction(3, 4) + 292 * 3 + 258 * 1 + 75 * 12
    anna = -(-seen.numerator // seen.denominator)
    beyond = DAYS * SEARCHES_A_DAY - 5_000
    return DAYS * nobody, DAYS * anna + beyond * 14_000


async def test_the_books_of_a_month_are_right_to_the_millionth(tmp_path: Path) -> None:
    """Two models, a persona, pictures, late counts, 5,010 searches, and a restart each night."""
    for number in range(DAYS):
        async with open_till(tmp_path, FIRST + number * DAY_S + 12 * 3_600) as till:
            assert till.spent()[0] == 0
            day(till, number)
            running = till.spent()
            assert running == await till.on_record()
    nobody, anna = by_hand()
    async with open_till(tmp_path, at("2026-11-30 23:59")) as till:
        assert till.ledger.searches == 5_010
        assert till.spent()[1] == nobody + anna
        shares = {each["persona"]: each for each in (await till.ledger.by_model())["month"]}
        assert round(shares[""]["cost"] * 1e6) == nobody
        assert round(shares["anna"]["cost"] * 1e6) == anna
        assert (shares[""]["turns"], shares["anna"]["turns"]) == (4 * DAYS, DAYS)
        assert (shares[""]["guessed"], shares["anna"]["guessed"]) == (0, 0)
        print(f"{nobody} + {anna} = {nobody + anna} millionths of a dollar")
    async with open_till(tmp_path, at("2026-12-01 00:00")) as till:
        assert till.spent() == (0, 0)
