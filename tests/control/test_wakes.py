"""What the command `wakes` of the control socket does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from device.control import wakes
from device.errors import ControlError
from device.frames import MICROPHONE_RATE_HZ, REPLY_RATE_HZ
from device.state.wake_clips import ClipFolder
from device.timers.alarm_clock import AlarmClock
from tests.rig.fakes import Hub
from tests.state.clips import NOW, fill, kept, wake_clip


class House:
    """A hub, and a folder with clips."""

    def __init__(self, state: Path) -> None:
        self.hub = Hub("wake: {keep: all, patience: 1}", state=state)
        self.state = state

    async def ask(self, action: str = "list", **more: Any) -> dict[str, Any]:
        request = {"command": "wakes", "action": action, **more}
        told = await wakes.answer(self.hub.assistant, request)
        found: dict[str, Any] = json.loads(json.dumps(told))
        return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    async with house.hub.running():
        yield house


async def test_every_clip_is_listed(house: House) -> None:
    """Those that wait for the disk too, the oldest first, with what its owner may want to know."""
    fill(house.state, kept("aaaaa", NOW - 86_400, said=True, over_our_own=True))
    house.hub.assistant.post(wake_clip("alexa", 0.91234567, woke=True))
    told = await house.ask()
    assert told["keep"] == "all"
    assert (told["damaged"], told["foreign"]) == ([], [])
    old, new = told["clips"]
    at = old.pop("at")
    assert at.startswith("2026-09-")
    assert old == {
        "id": "aaaaa",
        "word": "hey_jarvis",
        "score": 0.4,
        "threshold": 0.5,
        "kept": "near_miss",
        "over_our_own": True,
        "said": True,
        "seconds": 3.2,
        "exact": True,
        "scores": {"hey_jarvis": 0.4},
    }
    assert (new["word"], new["score"], new["kept"], new["said"]) == ("alexa", 0.9123, "hit", None)


async def test_a_clip_is_labelled(house: House) -> None:
    """On the disk, at once."""
    fill(house.state, kept("aaaaa"))
    assert (await house.ask("label", id="aaaaa", said=False))["said"] is False
    assert ClipFolder(house.state).clip("aaaaa").said is False


async def test_a_clip_is_played_as_loud_as_it_was(house: House) -> None:
    """At the loudspeaker's rate, over nothing else."""
    clip = kept("aaaaa")
    fill(house.state, clip)
    assert (await house.ask("play", id="aaaaa"))["id"] == "aaaaa"
    (played,) = house.hub.speaker.announced
    assert len(played) == len(clip.clip.pcm) * REPLY_RATE_HZ // MICROPHONE_RATE_HZ


async def test_no_clip_is_played_into_a_talk(house: House) -> None:
    """Nor where nobody would hear it."""
    fill(house.state, kept("aaaaa"))
    await house.hub.wake()
    with pytest.raises(ControlError, match=r"aaaaa is not played in a talk.*parley stop"):
        await house.ask("play", id="aaaaa")
    assert house.hub.speaker.announced == []


async def test_no_clip_is_played_while_something_rings(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would understand it."""
    fill(house.state, kept("aaaaa"))
    monkeypatch.setattr(AlarmClock, "ringing", ["an alarm"])
    with pytest.raises(ControlError, match="aaaaa is not played while something rings"):
        await house.ask("play", id="aaaaa")
    monkeypatch.undo()
    assert house.hub.speaker.announced == []


async def test_without_a_loudspeaker_nothing_is_played(house: House) -> None:
    """It is said, instead of nothing happening."""
    fill(house.state, kept("aaaaa"))
    house.hub.speaker.device = None
    with pytest.raises(ControlError, match="aaaaa cannot be played: no loudspeaker is open"):
        await house.ask("play", id="aaaaa")


async def test_all_clips_are_cleared(house: House) -> None:
    """How many is told."""
    fill(house.state, kept("aaaaa"))
    house.hub.assistant.post(wake_clip())
    assert await house.ask("clear") == {"removed": 2}
    assert (await house.ask())["clips"] == []


async def test_one_clip_is_cleared(house: House) -> None:
    """The one that is named."""
    fill(house.state, kept("aaaaa"), kept("bbbbb"))
    assert await house.ask("clear", id="aaaaa") == {"removed": 1}
    assert [each["id"] for each in (await house.ask())["clips"]] == ["bbbbb"]


async def test_advice_is_by_the_settings_in_force(house: House) -> None:
    """For each word that is listened for; what says nothing of it is counted."""
    said = [kept(f"aaaa{each}", said=True, score=0.4) for each in "23456"]
    not_said = [kept(f"bbbb{each}", said=False, score=0.2) for each in "23456"]
    others = [kept("ccccc", word="alexa"), kept("ddddd", over_our_own=True)]
    fill(house.state, *said, *not_said, *others)
    told = await house.ask("advise")
    assert (told["of_other_words"], told["over_our_own"]) == (1, 1)
    advice = told["words"]["hey_jarvis"]
    assert (advice["verdict"], advice["best"]) == ("lower", 0.3)
    assert (advice["said"], advice["not_said"], advice["unlabelled"]) == (5, 5, 0)
    in_force = [each for each in advice["outcomes"] if each["threshold"] == 0.5]
    assert in_force == [{"threshold": 0.5, "missed": 5, "woken": 0}]


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"action": "burn"}, "action 'burn' of wakes is not known; there are: list, label, play"),
        ({"action": 3}, "action 3 of wakes"),
        ({"action": "play"}, "id is None: give the name of a clip"),
        ({"action": "label", "id": "aaaaa"}, "said is None: say whether the word was said"),
        ({"action": "label", "id": "aaaaa", "said": "yes"}, "said is 'yes'"),
        ({"action": "label", "id": "nnnnn", "said": True}, "there is no clip 'nnnnn'"),
        ({"action": "clear", "id": "nnnnn"}, "there is no clip 'nnnnn'"),
        ({"action": "clear", "id": None}, "id is None: give the name of a clip"),
        ({"action": "play", "id": "../mute.json"}, "there is no clip '../mute.json'"),
    ],
)
async def test_what_cannot_be_done_is_told(
    house: House, request_: dict[str, Any], why: str
) -> None:
    """With the value that was given."""
    with pytest.raises(ControlError) as told:
        await wakes.answer(house.hub.assistant, request_)
    assert why in str(told.value)


async def test_the_map_says_what_every_field_is(house: House) -> None:
    """Scripts are written by it."""
    text = (Path(wakes.__file__).parents[1] / "README.md").read_text()
    told = text.split("## What `parley wakes --json` says")[1].split("\n## ")[0]
    fill(house.state, kept("aaaaa", said=True))
    listed, advice = await house.ask(), await house.ask("advise")
    word = advice["words"]["hey_jarvis"]
    for record in (listed, listed["clips"][0], advice, word, word["outcomes"][0]):
        for name in record:
            assert f"`{name}`" in told
