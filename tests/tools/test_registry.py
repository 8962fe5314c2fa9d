"""Whatever a model calls, it gets a short answer, and nothing is raised at it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from device.errors import FunctionError
from device.tools.registry import Arguments, Function, NoArguments, Registry, schema


class Oven(Arguments):
    degrees: Annotated[int, Field(ge=0, le=250, description="How hot.")]
    title: str = ""
    mode: Literal["fan", "grill"] = "fan"


async def heat(asked: Oven) -> Mapping[str, Any]:
    if asked.degrees == 13:
        raise FunctionError("not 13 degrees: ask for another")
    return {"degrees": asked.degrees, "given": sorted(asked.given)}


async def break_down(_: NoArguments) -> Mapping[str, Any]:
    raise ZeroDivisionError


async def hang(_: NoArguments) -> Mapping[str, Any]:
    await asyncio.Event().wait()
    return {}


REGISTRY = Registry(
    [
        Function("oven", "Heat the oven.", "heat the oven", Oven, heat),
        Function("hang", "Hang.", "heat the oven", NoArguments, hang, deadline_s=0.01, slow=True),
        Function("break", "Break down.", "heat the oven", NoArguments, break_down),
    ]
)


def test_a_declaration_says_what_a_model_needs_and_no_more() -> None:
    """It is billed with every turn."""
    oven, hanging, _ = REGISTRY.declared
    assert oven.parameters == {
        "type": "object",
        "properties": {
            "degrees": {"type": "integer", "minimum": 0, "maximum": 250, "description": "How hot."},
            "title": {"type": "string"},
            "mode": {"type": "string", "enum": ["fan", "grill"]},
        },
        "required": ["degrees"],
    }
    assert (oven.slow, hanging.slow) == (False, True)
    assert schema(NoArguments) == {"type": "object", "properties": {}}
    assert REGISTRY.abilities == ["heat the oven"]


async def test_a_call_is_done() -> None:
    """Numbers may come as models write them."""
    assert await REGISTRY.run("oven", {"degrees": 180.0}) == {
        "output": {"degrees": 180, "given": ["degrees"]}
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, ["degrees", "required"]),
        ({"degrees": 300}, ["degrees", "250", "it was 300"]),
        ({"degrees": "hot"}, ["degrees", "integer", '"hot"']),
        ({"degrees": 1, "colour": "red"}, ["colour", "not permitted"]),
        ({"degrees": 1, "mode": "boil"}, ["mode", "'fan' or 'grill'"]),
        ({"degrees": 13}, ["not 13 degrees: ask for another"]),
    ],
)
async def test_wrong_arguments_are_told_to_the_model(
    arguments: dict[str, Any], words: list[str]
) -> None:
    """Which, what is wrong with it, and what it was."""
    (error,) = (await REGISTRY.run("oven", arguments)).values()
    assert all(word in error for word in words), error
    assert len(error) < 400


async def test_an_unknown_function_is_told_with_those_that_there_are() -> None:
    """So that it does not guess."""
    (error,) = (await REGISTRY.run("radio", {})).values()
    assert '"radio"' in error
    assert "oven, hang" in error


async def test_what_takes_too_long_is_given_up() -> None:
    """The talk goes on."""
    (error,) = (await REGISTRY.run("hang", {})).values()
    assert "took longer than 0.01 s" in error


@given(
    st.dictionaries(
        st.text(max_size=10),
        st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5),
    )
)
def test_no_arguments_raise_anything(arguments: dict[str, Any]) -> None:
    """They are a model's, and a server's."""
    answer = asyncio.run(REGISTRY.run("oven", arguments))
    assert len(answer) == 1
    assert next(iter(answer)) in {"output", "error"}


async def test_only_what_was_done_can_be_undone() -> None:
    """And only where there is a way back."""
    undone: list[Any] = []
    function = Function("f", "", "", NoArguments, hang, undo=undone.append)
    registry = Registry([function])
    registry.undo("f", {"error": "it failed"})
    registry.undo("g", {"output": 1})
    REGISTRY.undo("oven", {"output": 1})
    registry.undo("f", {"output": {"before": 1}})
    assert undone == [{"before": 1}]


async def test_what_nobody_expected_is_answered_too(caplog: pytest.LogCaptureFixture) -> None:
    """A call without an answer would wedge the talk; the journal has the rest."""
    answer = await REGISTRY.run("break", {})
    assert "break failed inside this speaker" in answer["error"]
    assert "ZeroDivisionError" in caplog.text
