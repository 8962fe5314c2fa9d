"""What a model can do with the speaker itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from device.tools.device import functions
from device.tools.registry import Registry


class Speaker:
    def __init__(self) -> None:
        self.volume = 60
        self.left: list[bool] = []

    def set_volume(self, percent: int) -> None:
        self.volume = min(max(percent, 0), 100)

    def leave(self, *, mutes: bool) -> None:
        self.left.append(mutes)

    async def report(self) -> Mapping[str, Any]:
        return {"wrong": "nothing"}


SPEAKER = Speaker()


async def done(name: str, speaker: Speaker = SPEAKER, **arguments: Any) -> Any:
    answer = await Registry(functions(speaker)).run(name, arguments)
    return answer.get("output", answer)


@pytest.mark.parametrize(
    ("arguments", "volume"),
    [({"percent": 30}, 30), ({"change": 20}, 80), ({"change": -90}, 0), ({"change": 0}, 60)],
)
async def test_the_volume_is_set_or_changed_and_told(
    arguments: dict[str, int], volume: int
) -> None:
    """As it is then; what is cancelled is taken back."""
    speaker = Speaker()
    answer = await done("set_volume", speaker, **arguments)
    assert answer == {"volume_percent": volume, "before": 60}
    assert speaker.volume == volume
    Registry(functions(speaker)).undo("set_volume", {"output": answer})
    assert speaker.volume == 60


@pytest.mark.parametrize("arguments", [{}, {"percent": 1, "change": 1}, {"percent": 101}])
async def test_a_volume_that_is_none_changes_nothing(arguments: dict[str, int]) -> None:
    """The model is told why."""
    speaker = Speaker()
    assert "error" in await done("set_volume", speaker, **arguments)
    assert speaker.volume == 60


async def test_muting_and_hanging_up_wait_for_the_last_words() -> None:
    """The answers tell the model what to say."""
    speaker = Speaker()
    assert "parley unmute" in (await done("mute_microphone", speaker))["microphone"]
    assert "goodbye" in (await done("end_conversation", speaker))["conversation"]
    assert speaker.left == [True, False]


async def test_the_time_is_that_of_now_here() -> None:
    """With its zone."""
    told = datetime.fromisoformat((await done("get_time"))["iso"])
    assert abs((told - datetime.now().astimezone()).total_seconds()) < 5


async def test_it_says_how_it_stands() -> None:
    """In its own words."""
    assert await done("get_status") == {"wrong": "nothing"}
