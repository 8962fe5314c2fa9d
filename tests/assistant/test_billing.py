"""What a turn has used and cost is on record from its first sound on, and right at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from device.records.prices import TABLE
from device.records.reader import read_records
from device.records.tables import TABLES
from tests.rig.till import LIVE_31, LIVE_38, Till, open_till
from tests.timers.jumping import at

NOON = at("2026-11-10 12:00")
COUNTED = {"prompt": 600, "prompt_text": 350, "prompt_audio": 220, "response": 50}
COUNTED |= {"response_audio": 50, "thoughts": 10, "total": 660}
COSTS = 350 * 0.75 + 220 * 3 + 30 * 3 + 60 * 12
"""In millionths of a dollar; 30 tokens of the prompt are of no modality."""


def rows(folder: Path) -> list[dict[str, Any]]:
    """The turns on record, as any other process reads them."""
    found = read_records(folder, folder / "run", TABLES)
    try:
        cursor = found.execute("SELECT * FROM usage ORDER BY turn")
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]
    finally:
        found.close()


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")


async def test_what_the_server_counts_is_what_a_turn_costs(tmp_path: Path) -> None:
    """Rounded up once; told with the count, by model and persona on record."""
    async with open_till(tmp_path, NOON) as till:
        till.personas[1] = "anna"
        till.opened(1, f"models/{LIVE_31}")
        told = till.turn(1, COUNTED)
        assert (told.cost, told.currency) == (1_733 / 1e6, "USD")
        assert till.spent() == await till.on_record() == (1_733, 1_733)
    (row,) = rows(tmp_path)
    assert -(-COSTS // 1) == row["cost"] == row["usd"] == 1_733
    assert (row["model"], row["persona"], row["at"]) == (LIVE_31, "anna", NOON)
    assert (row["guessed"], row["priced"], row["searches"]) == (0, 1, 0)
    assert (row["text_in"], row["audio_in"], row["other_in"]) == (350, 220, 30)


async def test_a_killed_process_has_hidden_no_turn(tmp_path: Path) -> None:
    """A guess is there from the first sound on, and grows every five seconds."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        till.sent(1, 4.0)
        till.text(1, 20)
        till.picture(1)
        till.says(1, 7, 0.04)
        (first,) = rows(tmp_path)
        assert (first["audio_in"], first["text_in"], first["image_in"]) == (100, 10, 258)
        assert (first["audio_out"], first["guessed"]) == (1, 1)
        for _ in range(10):
            till.says(1, 7, 1.0)
        (later,) = rows(tmp_path)
        assert later["audio_out"] == 251
        assert later["audio_in"] == 100
        assert till.spent()[0] == later["cost"] > first["cost"]


async def test_the_count_takes_the_place_of_the_guess_though_it_is_less(tmp_path: Path) -> None:
    """Nothing is added to it, and nothing is left of the guess."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        till.sent(1, 600.0)
        till.says(1, 1, 60.0)
        guessed = till.spent()[0]
        till.ends(1, 1)
        till.counted(1, 1, COUNTED)
        assert till.spent() == await till.on_record() == (1_733, 1_733)
        assert guessed > 1_733
    assert [row["guessed"] for row in rows(tmp_path)] == [0]


async def test_a_late_count_is_of_its_turn_and_tells_all_of_it(tmp_path: Path) -> None:
    """Also after the next turn has begun, and after the session's end."""
    async with open_till(tmp_path, NOON) as till:
        till.personas[1] = "anna"
        till.opened(1)
        till.says(1, 1, 1.0)
        till.ends(1, 1)
        till.says(1, 2, 1.0)
        del till.personas[1]
        told = till.counted(1, 1, COUNTED)
        assert told.cost == 1_733 / 1e6
        more = till.counted(1, 1, {**COUNTED, "response": 100, "response_audio": 100})
        assert more.cost == (1_733 + 600) / 1e6
    first, second = rows(tmp_path)
    assert (first["turn"], first["persona"], first["guessed"]) == (1, "anna", 0)
    assert (second["turn"], second["guessed"]) == (2, 1)


async def test_a_turn_that_was_cut_off_costs_the_dearer_of_count_and_guess(tmp_path: Path) -> None:
    """Each side by itself; it is marked where the guess is in it."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        till.says(1, 1, 10.0)
        till.ends(1, 1, cut_off=True)
        till.counted(1, 1, {"prompt": 400, "prompt_audio": 400, "response": 20, "total": 420})
        till.says(1, 2, 0.1)
        till.ends(1, 2, cut_off=True)
        long = {"prompt": 9_000, "prompt_audio": 9_000, "response": 20, "response_audio": 20}
        till.counted(1, 2, {**long, "total": 9_020})
    first, second = rows(tmp_path)
    assert (first["audio_in"], first["audio_out"], first["guessed"]) == (400, 250, 1)
    assert (second["audio_in"], second["audio_out"], second["guessed"]) == (9_000, 20, 0)


async def test_a_guess_reads_what_the_turn_before_has_left_in_the_context(tmp_path: Path) -> None:
    """Of this session only."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        till.turn(1, {"prompt": 500, "prompt_audio": 500, "response": 40, "response_audio": 40})
        till.sent(1, 1.0)
        till.says(1, 900_000, 1.0)
        till.opened(2)
        till.says(2, 900_001, 1.0)
    _, guess, another = rows(tmp_path)
    assert (guess["audio_in"], guess["audio_out"]) == (500 + 40 + 25, 25)
    assert another["audio_in"] == 0


async def test_a_turn_without_a_prompt_count_is_guessed_on_that_side(tmp_path: Path) -> None:
    """A count of what was said is no count of what was read."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        till.sent(1, 8.0)
        till.says(1, 1, 1.0)
        till.counted(1, 1, {"response": 30, "response_audio": 30, "total": 30})
    (row,) = rows(tmp_path)
    assert (row["audio_in"], row["audio_out"], row["guessed"]) == (200, 30, 1)


async def test_a_turn_whose_sound_was_not_counted_is_guessed_on_that_side(tmp_path: Path) -> None:
    """Its prompt is what the server says, also where a guess would be more."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        till.sent(1, 100.0)
        till.says(1, 1, 2.0)
        till.ends(1, 1)
        till.counted(1, 1, {"prompt": 30, "prompt_audio": 30, "total": 30})
        till.ends(1, 2)
        till.counted(1, 2, {"prompt": 40, "prompt_audio": 40, "total": 40})
    heard, silent = rows(tmp_path)
    assert (heard["audio_in"], heard["audio_out"], heard["guessed"]) == (30, 50, 1)
    assert (silent["audio_in"], silent["audio_out"], silent["guessed"]) == (40, 0, 0)


async def test_searches_cost_nothing_up_to_the_free_ones_of_the_month(tmp_path: Path) -> None:
    """And 14 dollars a thousand beyond, over restarts."""
    nothing = {"prompt": 1, "prompt_text": 1}
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        for _ in range(50):
            assert till.turn(1, nothing, searches=99).cost == 1 / 1e6
        assert till.ledger.searches == 4_950
    async with open_till(tmp_path, NOON + 86_400) as till:
        assert till.ledger.searches == 4_950
        till.opened(1)
        told = till.turn(1, nothing, searches=60)
        assert told.cost == (1 + 10 * 14_000) / 1e6
        assert till.turn(1, nothing, searches=1).cost == 14_001 / 1e6
        assert till.ledger.searches == 5_011
    assert [row["paid_searches"] for row in rows(tmp_path)[-2:]] in ([10, 1], [1, 10])
    async with open_till(tmp_path, at("2026-12-01 00:00")) as till:
        assert till.ledger.searches == 0


async def test_searches_that_come_one_after_the_other_are_counted_once(tmp_path: Path) -> None:
    """Each message tells of all so far."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        for searches in (1, 2, 2, 1):
            till.counted(1, 1, {"prompt": 1}, searches)
        assert till.ledger.searches == 2


async def test_a_model_without_a_price_costs_as_the_dearest_and_is_marked(tmp_path: Path) -> None:
    """So does a session whose model nobody has told."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1, "gemini-9-live")
        assert till.turn(1, COUNTED).cost == 1_733 / 1e6
        assert till.turn(2, COUNTED).cost == 1_733 / 1e6
    assert [(row["model"], row["priced"]) for row in rows(tmp_path)] == [
        ("gemini-9-live", 0),
        ("", 0),
    ]


async def test_prices_of_the_owner_are_in_force_at_once_in_their_currency(tmp_path: Path) -> None:
    """What is on record in another counts by its dollars."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        till.turn(1, COUNTED)
        till.configure(
            "spending: {currency: EUR, per_usd: 0.5, prices: {gemini-3.8-live: {audio_out: 24}}}"
        )
        assert await till.on_record() == (867, 867)
        told = till.turn(1, COUNTED)
        # 1,732.5 and 60 tokens more at 12 dollars, by half.
        assert (told.cost, told.currency) == (1_227 / 1e6, "EUR")
        assert till.spent() == await till.on_record() == (867 + 1_227, 867 + 1_227)


async def test_a_currency_that_changes_in_mid_turn_counts_that_turn_once(tmp_path: Path) -> None:
    """By the same rate, to a millionth."""
    async with open_till(tmp_path, NOON) as till:
        till.opened(1)
        till.counted(1, 1, COUNTED)
        till.configure("spending: {currency: EUR, per_usd: 0.5}")
        await till.ledger.read()
        till.counted(1, 1, {**COUNTED, "response": 100, "response_audio": 100})
        running = till.spent()[0]
        assert abs(running - (await till.on_record())[0]) <= 1
        assert running == pytest.approx((1_732.5 + 600) / 2, abs=1)


async def test_a_long_life_keeps_no_turn_for_ever(tmp_path: Path) -> None:
    """Memory is bounded; of a turn that is forgotten a count is a turn of its own."""
    async with open_till(tmp_path, NOON) as till:
        for session in range(1, 200):
            till.opened(session)
            till.turn(session, {"prompt": 1, "prompt_text": 1})
        assert len(till.billing._accounts) <= 32
        assert len(till.billing._sessions) <= 4
        assert (await till.on_record())[0] == 199
    assert len(rows(tmp_path)) == 199


def test_the_till_of_these_tests_has_the_models_of_the_facts() -> None:
    """Both are in the table of prices."""
    assert {LIVE_31, LIVE_38} <= set(TABLE)
    assert Till(None, NOON).spent() == (0, 0)
