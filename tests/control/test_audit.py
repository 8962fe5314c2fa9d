"""The command `audit` of the control socket, given to a hub of fakes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from device.control.commands import LASTING
from device.errors import ControlError
from device.live.departures import TextLeaves
from device.records import audit as kept
from tests.control.test_commands import Desk
from tests.rig.fakes import Hub


async def test_what_left_is_listed_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first; nothing is left out or told twice between two pages."""
    monkeypatch.setattr(kept.page, "__kwdefaults__", {"growing": (), "most": 2})
    hub = Hub("tools: {camera: on_request}")
    async with hub.running():
        desk = Desk(hub)
        for number in range(5):
            hub.assistant._sent(TextLeaves(1, 1, number, number, False, False, True, 1.0))
        found: list[dict[str, Any]] = []
        told = await desk.result("audit", since="today")
        while True:
            assert json.loads(json.dumps(told)) == told
            assert told["sums"]["texts"] == 5
            assert told["camera"]
            found += told["entries"]
            if told["next"] is None:
                break
            assert len(told["entries"]) == 2
            told = await desk.result("audit", since="today", after=told["next"])
    assert [each["characters"] for each in found] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"since": "tomorrow"}, "since: 'tomorrow' is no time: give 2h, 3d, today"),
        ({"since": 5}, "since is 5: give a text such as today"),
        ({"after": "x"}, "after is 'x': give the next of an answer, or null"),
        ({"after": [1]}, "after is [1]: give the next of an answer, or null"),
    ],
)
async def test_what_makes_no_sense_is_told(request_: dict[str, Any], message: str) -> None:
    """With what does."""
    hub = Hub()
    async with hub.running():
        with pytest.raises(ControlError) as told:
            await Desk(hub).result("audit", **request_)
    assert str(told.value).startswith(message)


def test_it_leaves_room_for_mute_and_stop() -> None:
    """It may take as long as a disk."""
    assert "audit" in LASTING
