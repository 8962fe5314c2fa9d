"""What is refused in the declarations of functions."""

from __future__ import annotations

from typing import Any

import pytest

from device.simulator import declarations
from device.simulator.schema import INVALID_ARGUMENT, RefusedError, read_message

OBJECT = {"type": "object", "properties": {"duration_s": {"type": "number"}}}
PLACE = "* BidiGenerateContentRequest.setup.tools[0].function_declarations[0]."


def tools(*functions: dict[str, Any]) -> list[dict[str, Any]]:
    """Return these declarations as the server reads them from a setup."""
    setup = {"model": "models/m", "tools": [{"function_declarations": list(functions)}]}
    read: list[dict[str, Any]] = read_message({"setup": setup})[1]["tools"]
    return read


@pytest.mark.parametrize(
    "function",
    [
        {"name": "set_timer", "parameters_json_schema": OBJECT, "behavior": "BLOCKING"},
        {"name": "home_a.b:c-d", "parametersJsonSchema": OBJECT | {"required": ["duration_s"]}},
        {"name": "_" + "x" * 127, "parameters_json_schema": {"type": "object"}},
        {"name": "f", "parameters_json_schema": {"properties": {"an-odd name": {}}}},
        {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a_1": {}}}},
        {"name": "f", "description": "has no parameters"},
    ],
)
def test_what_the_reference_allows_is_taken(function: dict[str, Any]) -> None:
    """Field names in both spellings, any JSON Schema of an object."""
    declarations.check(tools(function), "3.8")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ({}, PLACE + "name: [FIELD_INVALID] Invalid function name."),
        ({"name": "1st"}, PLACE + "name: [FIELD_INVALID]"),
        ({"name": "turn on"}, PLACE + "name: [FIELD_INVALID]"),
        ({"name": "x" * 129}, PLACE + "name: [FIELD_INVALID]"),
        ({"name": "f", "parameters": OBJECT, "parameters_json_schema": OBJECT}, INVALID_ARGUMENT),
        ({"name": "f", "response": {}, "response_json_schema": {}}, INVALID_ARGUMENT),
        ({"name": "f", "parameters_json_schema": {"type": "string"}}, INVALID_ARGUMENT),
        ({"name": "f", "parameters_json_schema": []}, INVALID_ARGUMENT),
        (
            {"name": "f", "parameters_json_schema": OBJECT | {"required": ["duration_s", "b"]}},
            PLACE + "parameters_json_schema.required[1]: property is not defined",
        ),
        (
            {"name": "f", "parameters": {"type": "OBJECT", "properties": {}}},
            PLACE + "parameters.properties: should be non-empty for OBJECT type",
        ),
        ({"name": "f", "parameters": {"properties": {"a-b": {}}}}, INVALID_ARGUMENT),
    ],
)
def test_what_is_wrong_in_one_is_refused(function: dict[str, Any], reason: str) -> None:
    """With 1007, in Google's words where they are known."""
    with pytest.raises(RefusedError) as refused:
        declarations.check(tools(function), "3.8")
    assert refused.value.code == 1007
    assert refused.value.reason.startswith(reason)


def test_two_functions_of_one_name_are_refused() -> None:
    """Also where they stand in two tools."""
    with pytest.raises(RefusedError, match="Duplicate function declaration found: f"):
        declarations.check([*tools({"name": "f"}), *tools({"name": "f"})], "3.1")


@pytest.mark.parametrize(
    ("family", "behavior", "fine"),
    [
        ("3.1", None, True),
        ("3.1", "BLOCKING", True),
        ("3.1", "NON_BLOCKING", False),
        ("3.8", None, True),
        ("3.8", "BLOCKING", True),
        ("3.8", "NON_BLOCKING", True),
        ("3.8x", None, True),
        ("3.8x", "BLOCKING", False),
        ("3.8x", "NON_BLOCKING", True),
    ],
)
def test_a_behavior_must_be_one_of_the_model(family: str, behavior: str | None, fine: bool) -> None:
    """None has to be declared; the model's own is the default."""
    declared = tools({"name": "f"} | ({"behavior": behavior} if behavior else {}))
    if fine:
        declarations.check(declared, family)
        assert declarations.behavior(declared, "f") == (behavior or "")
    else:
        with pytest.raises(RefusedError, match=INVALID_ARGUMENT):
            declarations.check(declared, family)


def test_a_behavior_left_open_is_none() -> None:
    """As is that of a function nobody declared."""
    declared = tools({"name": "f", "behavior": "UNSPECIFIED"})
    assert [declarations.behavior(declared, name) for name in ("f", "g")] == ["", ""]
