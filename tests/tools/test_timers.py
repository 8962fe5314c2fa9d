"""The timer functions as a model calls them: what is declared, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from device.errors import TimerError
from device.timers.answers import ANSWERS
from device.tools import timers
from device.tools.registry import Registry


class Clock:
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.taken_back: list[Mapping[str, Any]] = []
        self.trouble = ""

    async def answer(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.trouble:
            raise TimerError(self.trouble)
        self.asked.append((name, arguments))
        return {"set": {"id": 1}}

    @property
    def registry(self) -> Registry:
        return Registry(timers.functions(self.answer, self.taken_back.append))


def test_there_are_as_many_as_are_done() -> None:
    """Each by the name under which it is answered, and one ability for all."""
    registry = Clock().registry
    assert [each.name for each in registry.declared] == list(ANSWERS)
    assert list(registry.abilities) == ["set timers or alarms"]
    assert not any(each.slow for each in registry.declared)


@pytest.mark.parametrize(
    ("name", "arguments", "meant"),
    [
        ("set_timer", {"duration_s": 540, "name": "pasta"}, {"duration_s": 540, "name": "pasta"}),
        ("set_timer", {"duration_s": 0, "name": ""}, {"duration_s": 0}),
        (
            "set_alarm",
            {"time": "06:30", "weekdays": ["mon", "fri"], "date": "", "text": ""},
            {"time": "06:30", "weekdays": ("mon", "fri")},
        ),
        ("list_timers", {}, {}),
        ("cancel_timer", {"all": True, "id": 0, "name": ""}, {"all": True}),
        ("cancel_timer", {"id": 3, "all": False}, {"id": 3}),
        ("change_timer", {"id": 3, "add_s": -60, "time": ""}, {"id": 3, "add_s": -60}),
        ("change_timer", {"name": "work", "add_s": 0, "time": "07:00"}, {"name": "work"}),
    ],
)
async def test_what_a_model_leaves_empty_it_does_not_mean(
    name: str, arguments: dict[str, Any], meant: dict[str, Any]
) -> None:
    """Many fill in every argument, with nothing."""
    clock = Clock()
    assert await clock.registry.run(name, arguments) == {"output": {"set": {"id": 1}}}
    ((called, given),) = clock.asked
    assert called == name
    assert given == meant | ({"time": "07:00"} if arguments.get("time") == "07:00" else {})


@pytest.mark.parametrize(
    ("name", "arguments", "mistake"),
    [
        ("set_timer", {}, "duration_s: field required"),
        ("set_timer", {"duration_s": "nine minutes"}, "duration_s: input should be a valid number"),
        ("set_alarm", {"time": "07:00", "weekdays": ["monday"]}, "weekdays.0: input should be"),
        ("change_timer", {"which": 1}, "which: extra inputs are not permitted"),
    ],
)
async def test_a_wrong_call_is_told_what_is_wrong(
    name: str, arguments: dict[str, Any], mistake: str
) -> None:
    """And nothing is asked for."""
    clock = Clock()
    assert mistake in (await clock.registry.run(name, arguments))["error"]
    assert clock.asked == []


async def test_what_cannot_be_done_is_told_in_the_clocks_words() -> None:
    """They say what to ask for instead."""
    clock = Clock()
    clock.trouble = "no timer or alarm is called 'tea'; none is set"
    assert await clock.registry.run("cancel_timer", {"name": "tea"}) == {"error": clock.trouble}


async def test_only_what_was_set_is_taken_back() -> None:
    """Nobody knows how a changed one was before."""
    clock = Clock()
    registry = clock.registry
    for name in ANSWERS:
        registry.undo(name, {"output": {"set": {"id": 1}}})
    registry.undo("set_timer", {"error": "it was not set"})
    assert clock.taken_back == [{"set": {"id": 1}}] * 2
