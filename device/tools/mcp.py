"""These functions are the tools of MCP servers, as a model calls them.

What they do is the server's; `device.mcp` reaches it. Here they are declared, and asked about first
where the owner wants that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from device.errors import FunctionError
from device.mcp.tools import Tool
from device.tools.confirmation import TRANSCRIPT_S, Confirmations
from device.tools.registry import Function

Call = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Calls a tool by the name of its function; answers under ``output`` or ``error``."""

SPARE_S = 1.0
"""The server's own deadline comes first: its words are better."""


def functions(
    tools: Sequence[Tool], call: Call, confirmations: Confirmations | None
) -> Sequence[Function]:
    """Return a function for each tool; without ``confirmations`` nobody is asked first."""

    def function(tool: Tool) -> Function:
        async def do(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
            if tool.confirm and confirmations is not None:
                missing = await confirmations.missing(tool.name, arguments)
                if missing is not None:
                    raise FunctionError(missing)
            answer = await call(tool.name, arguments)
            if "output" not in answer:
                raise FunctionError(str(answer["error"]))
            output: Mapping[str, Any] = answer["output"]
            return output

        return Function(
            tool.name,
            tool.purpose,
            f"do what the functions do whose names begin with {tool.server}_",
            tool.parameters,
            do,
            deadline_s=tool.deadline_s + TRANSCRIPT_S + SPARE_S,
        )

    return [function(tool) for tool in tools]
