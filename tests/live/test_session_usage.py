"""What a session tells of tokens and searches is what the server bills, whenever it counts.

The stand-in keeps the count of each turn; here it is held against the session's own news, over TLS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device.news import SessionOpened, ToolNews, TurnComplete, Usage
from device.ports import Declaration
from device.simulator.script import Event, Script, TellUsage, ToolCall, Turn
from device.simulator.turns import Told
from tests.live.talk import Talk, talking

THREE_ONE, THREE_EIGHT = "gemini-3.1-flash-live-preview", "gemini-3.8-live"
EXTENDED = "gemini-3.8-live-extended-thinking"
MODELS = (THREE_ONE, THREE_EIGHT, EXTENDED)
TOLD: tuple[Told | None, ...] = (None, "late", "repeated", "chunks")
ANSWER = Turn(says="it is sunny and warm", audio=2_000, pace="burst", plays_out=False)


class Lamp:
    """A function that is carried out at once."""

    declared: Sequence[Declaration] = (
        Declaration("lamp", "Switch the lamp.", {"type": "object"}, ability="switch the lamp"),
    )
    abilities: Sequence[str] = ("switch the lamp",)
    facts: str = ""

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"output": f"{name} is on"}

    def undo(self, name: str, answer: Mapping[str, Any]) -> None:
        raise AssertionError(f"{name} was not to be undone: {answer}")


def billed(talk: Talk) -> list[dict[str, int]]:
    """What the server has counted of each turn, under the names of the news."""
    return [_named(count) for count in talk.server.connections[0].counts]


def _named(count: Mapping[str, Any]) -> dict[str, int]:
    kinds = {
        "promptTokenCount": "prompt",
        "responseTokenCount": "response",
        "toolUsePromptTokenCount": "tool_use",
        "thoughtsTokenCount": "thoughts",
    }
    named = {name: count[key] for key, name in kinds.items() if key in count}
    details = {
        f"{name}_{each['modality'].lower()}": each["tokenCount"]
        for side, name in (("prompt", "prompt"), ("response", "response"))
        for each in count.get(f"{side}TokensDetails", [])
    }
    details |= {
        f"tool_use_{each['modality'].lower()}": each["tokenCount"]
        for each in count.get("toolUsePromptTokensDetails", [])
    }
    return named | {"total": sum(named.values())} | details


def told(talk: Talk) -> list[dict[str, int]]:
    """The newest that the session has told of each turn."""
    newest = {news.turn: dict(news.tokens) for news in talk.ear.all(Usage)}
    return [newest[turn] for turn in sorted(newest)]


async def settled(talk: Talk, turns: int) -> None:
    """Wait until so many turns are told as they were billed."""
    await talk.ear.when(lambda: len(told(talk)) == turns and told(talk) == billed(talk))


async def asked(talk: Talk, turn: int, text: str = "what is the weather?") -> None:
    talk.session.send_text(text)
    await talk.ear.until(TurnComplete, turn)


@pytest.mark.parametrize("usage", TOLD)
@pytest.mark.parametrize("model", MODELS)
async def test_every_turn_is_told_as_it_is_billed(
    tmp_path: Path, model: str, usage: Told | None
) -> None:
    """With turn after turn reading more; once, late, several times, or in pieces before."""
    script = Script(turns=(replace(ANSWER, usage=usage),))
    async with talking(tmp_path, script, model=model, thinking_level="low") as talk:
        await talk.ear.until(SessionOpened)
        for turn in (1, 2, 3):
            await asked(talk, turn)
            await settled(talk, turn)
        counts = told(talk)
        assert [count["response"] for count in counts] == [50, 50, 50]
        assert [count["prompt_audio"] for count in counts[1:]] == [50, 100]
        assert all(count["thoughts"] > 0 for count in counts)
        assert all(count["total"] > count["prompt"] + count["response"] for count in counts)
        await talk.close()
        assert told(talk) == billed(talk)


@pytest.mark.parametrize("model", MODELS)
async def test_what_is_never_counted_is_never_told(tmp_path: Path, model: str) -> None:
    """The turns end all the same, and the next one that is counted is told alone."""
    script = Script(turns=(replace(ANSWER, usage="never"), ANSWER))
    async with talking(tmp_path, script, model=model, thinking_level="low") as talk:
        await asked(talk, 1)
        await asked(talk, 2)
        news = await talk.ear.until(Usage)
        assert news.turn == 2
        assert news.tokens == billed(talk)[1]
        await talk.close()
        assert {each.turn for each in talk.ear.all(Usage)} == {2}


@pytest.mark.parametrize("model", MODELS)
async def test_a_count_before_the_first_turn_adds_nothing_to_it(tmp_path: Path, model: str) -> None:
    """It is of the turn to come, whose own count is the larger."""
    script = Script(turns=(ANSWER,), events=(Event("ready", TellUsage()),))
    async with talking(tmp_path, script, model=model, thinking_level="low") as talk:
        await asked(talk, 1)
        await settled(talk, 1)


@pytest.mark.parametrize("usage", TOLD)
@pytest.mark.parametrize("model", [THREE_ONE, THREE_EIGHT])
async def test_all_turns_of_a_call_come_to_what_they_are_billed(
    tmp_path: Path, model: str, usage: Told | None
) -> None:
    """3.8 bills the call and the answer each with the whole context; 3.1 both as one turn."""
    calls = replace(ANSWER, calls=(ToolCall("lamp", {"on": True}),), usage=usage)
    counts = 1 if model == THREE_ONE else 2
    async with talking(
        tmp_path, Script(turns=(calls, ANSWER)), model=model, functions=Lamp()
    ) as talk:
        await asked(talk, counts, "turn it on")
        assert [news.what for news in talk.ear.all(ToolNews)] == ["called", "answered"]
        await settled(talk, counts)
        assert told(talk)[-1]["tool_use"] > 0
        if model == THREE_EIGHT:
            assert told(talk)[0].get("response_audio", 0) == 0
        await asked(talk, counts + 1)
        await settled(talk, counts + 1)
        assert "tool_use" not in told(talk)[-1]


@pytest.mark.parametrize("usage", TOLD)
@pytest.mark.parametrize("model", [THREE_ONE, THREE_EIGHT])
async def test_counts_that_a_script_gives_can_be_summed_by_hand(
    tmp_path: Path, model: str, usage: Told | None
) -> None:
    """Whatever was said, and however often they come."""
    counts = {
        "promptTokenCount": 522,
        "responseTokenCount": 42,
        "thoughtsTokenCount": 136,
        "totalTokenCount": 564,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 332},
            {"modality": "AUDIO", "tokenCount": 165},
        ],
    }
    script = Script(turns=(replace(ANSWER, audio=1_680, usage=usage, counts=counts),))
    async with talking(tmp_path, script, model=model) as talk:
        for turn in (1, 2):
            await asked(talk, turn)
            await talk.ear.when(lambda: [each["total"] for each in told(talk)] == [700] * turn)  # noqa: B023 - awaited here
        assert told(talk)[0]["prompt_audio"] == 165


@pytest.mark.parametrize("model", [THREE_ONE, THREE_EIGHT])
async def test_each_query_of_a_turn_is_one_search_however_often_it_is_named(
    tmp_path: Path, model: str
) -> None:
    """With each piece of the answer and once more; a turn without one has none."""
    searches = replace(ANSWER, searches=("weather berlin", "berlin today"))
    script = Script(turns=(searches, ANSWER, searches))
    async with talking(tmp_path, script, model=model, google_search=True) as talk:
        for turn in (1, 2, 3):
            await asked(talk, turn)
            await settled(talk, turn)
        found = {news.turn: news.searches for news in talk.ear.all(Usage)}
        assert found == {1: 2, 2: 0, 3: 2}


async def test_without_search_in_the_setup_none_is_told(tmp_path: Path) -> None:
    """Whatever the script would have had it look up."""
    script = Script(turns=(replace(ANSWER, searches=("weather berlin",)),))
    async with talking(tmp_path, script) as talk:
        await asked(talk, 1)
        await settled(talk, 1)
        assert [news.searches for news in talk.ear.all(Usage)] == [0]
