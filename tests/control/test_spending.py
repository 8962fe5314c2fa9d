"""The command `spending` of the control socket, given to a hub of fakes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from device.control.commands import LASTING
from device.errors import ControlError
from tests.assistant.test_spending import PRICED, Spender
from tests.control.test_commands import Desk
from tests.rig.fakes import MODEL, Hub

NOTHING = {"spent": 0.0, "limit": None, "allowed": 0.0, "left": None, "level": ""}
MONTHLY = PRICED.replace("day: 0.05", "month: 10")
BOTH = PRICED.replace("day: 0.05", "day: 0.05, month: 0.05")


async def test_what_was_spent_is_told_as_the_map_says() -> None:
    """Every name of it, and that is JSON; the status says the same without models."""
    hub = Spender(PRICED)
    async with hub.running():
        await hub.wake()
        hub.answer(1, cents=2)
        desk = Desk(hub)
        told = await desk.result("spending")
        assert json.loads(json.dumps(told)) == told
        assert {**told["day"], "name": ""} == {
            "name": "",
            "spent": 0.02,
            "limit": 0.05,
            "allowed": 0.0,
            "left": 0.03,
            "level": "",
        }
        assert told["month"].items() >= {**NOTHING, "spent": 0.02}.items()
        by_model = told.pop("by_model")
        assert by_model["day"] == by_model["month"]
        [entry] = by_model["day"]
        kinds = {"text_in", "audio_in", "image_in", "other_in", "text_out", "audio_out"}
        assert set(entry.pop("tokens")) == kinds | {"other_out", "thoughts"}
        assert entry == {
            "model": MODEL,
            "persona": "",
            "turns": 1,
            "guessed": 1,  # of what it said nothing was counted
            "price_known": False,
            "searches": 0,
            "cost": 0.02,
        }
        assert set(told) == {
            *("estimate", "prices_as_of", "currency", "searches_this_month", "day", "month"),
        }
        assert (await desk.result("status"))["spending"] == told


async def test_nothing_spent_is_told_as_well() -> None:
    """Without a limit, and without a row."""
    hub = Hub()
    async with hub.running():
        told = await Desk(hub).result("spending")
    assert told["day"].items() >= NOTHING.items()
    assert told["by_model"] == {"day": [], "month": []}


async def test_more_is_allowed_of_the_limit_there_is() -> None:
    """The day's where nobody says which; text is taken as numbers are."""
    hub = Spender(PRICED)
    async with hub.running():
        desk = Desk(hub)
        told = await desk.result("spending", allow=2)
        assert told["allowed"] == {"amount": 2.0, "periods": ["day"]}
        assert "by_model" not in told
        assert (told["day"]["limit"], told["day"]["left"]) == (0.05, 2.05)
        told = await desk.result("spending", allow="0.50", period="day")
        assert (told["day"]["allowed"], told["day"]["left"]) == (2.5, 2.55)
        assert (await desk.result("spending"))["day"]["allowed"] == 2.5
        assert (await desk.result("spending", allow=1, period=None))["day"]["allowed"] == 3.5


async def test_of_one_limit_that_is_the_one() -> None:
    """A month's, too."""
    hub = Spender(MONTHLY)
    async with hub.running():
        told = await Desk(hub).result("spending", allow=2.0)
    assert told["allowed"]["periods"] == ["month"]
    assert (told["month"]["left"], told["day"]["left"]) == (12.0, None)


async def test_every_limit_that_is_reached_is_raised() -> None:
    """Else the owner would have to ask again at once; `period` raises one of them only."""
    hub = Spender(BOTH)
    async with hub.running():
        await hub.wake()
        hub.answer(1, cents=5)
        desk = Desk(hub)
        told = await desk.result("spending", allow=1.0, period="month")
        assert (told["day"]["level"], told["month"]["level"]) == ("reached", "")
        with pytest.raises(ControlError, match="limit of the day is reached"):
            await desk.give("ask", text="hello")
        told = await desk.result("spending", allow=1.0)
        assert told["allowed"]["periods"] == ["day"], "the other is not reached any more"
    hub = Spender(BOTH)
    async with hub.running():
        await hub.wake()
        hub.answer(1, cents=5)
        told = await Desk(hub).result("spending", allow=0.01)
        assert told["allowed"]["periods"] == ["day", "month"]
        assert {told[each]["level"] for each in ("day", "month")} == {"near"}


AMOUNTS = "is no amount: give one from 0.01 to 1000000, such as 2.00"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"allow": None}, f"'None' {AMOUNTS}"),
        ({"allow": True}, f"'True' {AMOUNTS}"),
        ({"allow": 0}, f"'0' {AMOUNTS}"),
        ({"allow": -1}, f"'-1' {AMOUNTS}"),
        ({"allow": 0.001}, f"'0.001' {AMOUNTS}"),
        ({"allow": 1e9}, f"'1000000000.0' {AMOUNTS}"),
        ({"allow": float("nan")}, f"'nan' {AMOUNTS}"),
        ({"allow": float("inf")}, f"'inf' {AMOUNTS}"),
        ({"allow": "abc"}, f"'abc' {AMOUNTS}"),
        ({"allow": "2,00"}, f"'2,00' {AMOUNTS}"),
        ({"allow": [2.0]}, f"'[2.0]' {AMOUNTS}"),
        ({"allow": {"amount": 2}}, AMOUNTS),
        ({"allow": "\x1b[2J" + "9" * 50_000}, AMOUNTS),
        ({"allow": 10**400}, AMOUNTS),
        ({"allow": 2, "period": "month"}, "there is no limit of 'month': there is one of day"),
        ({"allow": 2, "period": "week"}, "there is no limit of 'week': there is one of day"),
        ({"allow": 2, "period": ["day"]}, "there is no limit of ['day']: there is one of day"),
        ({"allow": 2, "period": {}}, "there is no limit of {}: there is one of day"),
        ({"allow": 2, "period": 1}, "there is no limit of 1: there is one of day"),
    ],
)
async def test_what_makes_no_sense_is_told(request_: dict[str, Any], message: str) -> None:
    """With what does, and nothing is allowed."""
    hub = Spender(PRICED)
    async with hub.running():
        desk = Desk(hub)
        with pytest.raises(ControlError) as told:
            await desk.result("spending", **request_)
        assert (await desk.result("spending"))["day"]["allowed"] == 0.0
    assert message in str(told.value)
    assert len(str(told.value)) < 200
    assert "\x1b" not in str(told.value)


async def test_without_a_limit_there_is_nothing_to_raise() -> None:
    """It is said which keys would be one."""
    hub = Hub()
    async with hub.running():
        for period in (None, "day"):
            with pytest.raises(ControlError) as told:
                await Desk(hub).result("spending", allow=2, period=period)
            assert str(told.value) == (
                "there is no limit that could be raised: spending.day and spending.month are null"
            )


def test_it_leaves_room_for_mute_and_stop() -> None:
    """It may take as long as a disk."""
    assert "spending" in LASTING
