"""The command `stats` of the control socket, given to a hub of fakes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from device.control.commands import LASTING
from device.errors import ControlError
from tests.control.test_commands import Desk
from tests.rig.fakes import Hub


async def test_the_last_days_are_told_with_what_has_just_happened() -> None:
    """Seven, where nobody says how many; it is JSON."""
    hub = Hub()
    async with hub.running():
        await hub.wake()
        told = await Desk(hub).result("stats")
        assert json.loads(json.dumps(told)) == told
        assert len(told["spans"]) == 7
        assert told["sums"]["talks"] == told["spans"][-1]["talks"] == 1
        assert sum(each["wakes"] for each in told["hours"]) == 1
        assert len((await Desk(hub).result("stats", days=366, by="month"))["spans"]) in {12, 13}


async def test_a_year_of_days_fits_into_an_answer() -> None:
    """However much there was on each of them."""
    hub = Hub()
    async with hub.running():
        day = (await Desk(hub).result("stats", days=1))["spans"][0]
    day["words"] = {"w" * 64 + str(n): 10**9 for n in range(3)}
    day["faults"] = {f"some kind of fault {n}": 10**6 for n in range(20)}
    assert len(json.dumps([day] * 366)) < 16 * 65_536


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"days": 0}, "days is 0: give a whole number from 1 to 366"),
        ({"days": 367}, "days is 367: give a whole number from 1 to 366"),
        ({"days": "7"}, "days is '7': give a whole number from 1 to 366"),
        ({"days": True}, "days is True: give a whole number from 1 to 366"),
        ({"days": 1.5}, "days is 1.5: give a whole number from 1 to 366"),
        ({"by": "hour"}, "by is 'hour': give day, week or month"),
        ({"by": ["day"]}, "by is ['day']: give day, week or month"),
    ],
)
async def test_what_makes_no_sense_is_told(request_: dict[str, Any], message: str) -> None:
    """With what does."""
    hub = Hub()
    async with hub.running():
        with pytest.raises(ControlError) as told:
            await Desk(hub).result("stats", **request_)
    assert str(told.value) == message


def test_it_leaves_room_for_mute_and_stop() -> None:
    """It may take as long as a disk."""
    assert "stats" in LASTING
