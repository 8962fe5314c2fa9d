"""(pure) The server refuses declarations of functions that do not keep to the reference.

Live API reference, ``FunctionDeclaration``, and the words in which Google's servers refuse one that
does not keep to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from device.simulator.schema import INVALID_ARGUMENT, RefusedError, snake

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def functions(tools: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each declared function with where it stands, as the server's words name the place."""
    for place, tool in enumerate(tools):
        for nested, function in enumerate(tool.get("functionDeclarations", [])):
            yield f"tools[{place}].function_declarations[{nested}]", function


def behavior(tools: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return the behavior declared for a function; empty when none is."""
    declared = {each.get("name"): each.get("behavior", "") for _, each in functions(tools)}
    found: str = declared.get(name, "")
    return "" if found == "UNSPECIFIED" else found


def check(tools: Sequence[Mapping[str, Any]], family: str) -> None:
    """Check every declaration for a family of models. Raises RefusedError."""
    refused = {"3.1": "NON_BLOCKING", "3.8x": "BLOCKING"}.get(family, "")
    seen: set[str] = set()
    for where, function in functions(tools):
        name = function.get("name", "")
        if not NAME.fullmatch(name):
            raise _invalid(
                where,
                "name: [FIELD_INVALID] Invalid function name. Must start with a letter or an "
                "underscore. Must be a-z, A-Z, 0-9, or contain underscores, dots, colons and "
                "dashes, with a maximum length of 128.",
            )
        if name in seen:
            raise RefusedError(1007, f"Duplicate function declaration found: {name}")
        seen.add(name)
        if function.get("behavior") == refused:
            raise RefusedError(1007, INVALID_ARGUMENT)
        _check_parameters(where, function)


def _check_parameters(where: str, function: Mapping[str, Any]) -> None:
    for one, other in (("parameters", "parametersJsonSchema"), ("response", "responseJsonSchema")):
        if one in function and other in function:
            raise RefusedError(1007, INVALID_ARGUMENT)
    for field, schema in function.items():
        if field in ("parameters", "parametersJsonSchema"):
            _check_object(f"{where}.{snake(field)}", schema)
    properties = function.get("parameters", {}).get("properties", {})
    if "parameters" in function and not properties:
        raise _invalid(where, "parameters.properties: should be non-empty for OBJECT type")
    if not all(PARAMETER.fullmatch(name) for name in properties):
        raise RefusedError(1007, INVALID_ARGUMENT)


def _check_object(where: str, schema: object) -> None:
    """Parameters are the properties of an object, and what is required must be among them."""
    if not isinstance(schema, Mapping) or str(schema.get("type", "object")).lower() != "object":
        raise RefusedError(1007, INVALID_ARGUMENT)
    properties = schema.get("properties", {})
    for place, name in enumerate(schema.get("required", [])):
        if name not in properties:
            raise _invalid(where, f"required[{place}]: property is not defined")


def _invalid(where: str, what: str) -> RefusedError:
    return RefusedError(1007, f"* BidiGenerateContentRequest.setup.{where}.{what}")
