"""`answer` does what the command `tools` of the control socket asks for.

``{"command": "tools"}`` lists every function that the model can call, where each MCP server stands,
and what it costs to tell the model of the house. ``{"command": "tools", "call": "set_volume",
"arguments": {"percent": 40}}`` calls one by hand: no talk is needed, and nobody is asked first.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from device.assistant.functions import ModelFunctions
from device.assistant.house import House
from device.errors import ControlError
from device.mcp.server import State
from device.mcp.tools import tokens, tokens_of
from device.text import printable
from device.tools.registry import Function, schema

SHOWN_NAME = 64
"""Characters of a function's name in an error; Live API: none has more."""
NEAR = 3
"""How many names are offered in place of one that is not known."""
LONGEST_WHY = 200
"""Characters of why a server is gone, in an error: the list tells all of it."""


async def answer(
    functions: ModelFunctions, house: House, request: Mapping[str, Any]
) -> dict[str, Any]:
    """List the functions and the servers, or call a function; takes as long as it does.

    Raises ControlError where there is no such function, or its arguments are none. Cancelling it
    tells the server of the function that nobody waits any more.
    """
    if "call" not in request:
        return {
            "functions": _functions(functions, house),
            "servers": house.as_list(),
            "facts_tokens": tokens_of(functions.facts),
        }
    name = _name(request["call"])
    arguments = _arguments(name, request.get("arguments"))
    known = _names(functions)
    if name in known:
        return {"answer": dict(await functions.run_by_hand(name, arguments))}
    if house.remembered(name) is not None:
        # Its server has gone, and says why; a call has it tried again.
        return {"answer": dict(await house.call(name, arguments))}
    raise ControlError(_unknown(name, known, house))


def _functions(functions: ModelFunctions, house: House) -> list[dict[str, Any]]:
    tools = {tool.name: tool for tool in house.tools}
    return [
        {
            "name": function.name,
            "from": source,
            "purpose": function.purpose,
            "tokens": tools[function.name].tokens if function.name in tools else _tokens(function),
            "confirm": function.name in tools and tools[function.name].confirm,
        }
        for source, each in functions.by_source(None).items()
        for function in each
    ]


def _tokens(function: Function) -> int:
    return tokens(function.name, function.purpose, schema(function.arguments))


def _names(functions: ModelFunctions) -> list[str]:
    return [each.name for group in functions.by_source(None).values() for each in group]


def _name(called: object) -> str:
    if not isinstance(called, str) or not called.strip():
        raise ControlError(f"call is {reprlib.repr(called)}: say the name of a function")
    return called


def _arguments(name: str, given: object) -> Mapping[str, Any]:
    example = 'give a JSON object, such as {"name": "Kitchen Light"}, or leave them out'
    if given is None:
        return {}
    shown = printable(name, SHOWN_NAME)
    if not isinstance(given, dict):
        raise ControlError(f"the arguments of {shown} are {reprlib.repr(given)}: {example}")
    try:
        json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        # Half a character, a number that is none, a list in a list in a list without end.
        raise ControlError(f"the arguments of {shown} cannot be sent as JSON: {example}") from error
    return given


def _unknown(name: str, known: Sequence[str], house: House) -> str:
    shown = repr(printable(name, SHOWN_NAME))
    for server in house.standings:
        if server.state is not State.READY and name.startswith(f"{server.name}_"):
            why = f": {printable(server.why, LONGEST_WHY)}" if server.why else " yet"
            return f"there is no function {shown} now, since {server.name} is not ready{why}"
    near = get_close_matches(name, known, NEAR)
    if near:
        return f"there is no function {shown}; did you mean {' or '.join(near)}?"
    return f"there is no function {shown}; to see all there are: parley tools"
