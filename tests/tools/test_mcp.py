"""Tools of MCP servers are functions like any other, and asked about where the owner wants that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from device.mcp.tools import Tool
from device.tools.confirmation import Confirmations
from device.tools.mcp import functions
from device.tools.registry import Registry

PARAMETERS = {"type": "object", "properties": {"name": {"type": "string"}}}


def tool(own_name: str, *, confirm: bool = False, deadline_s: float = 10.0) -> Tool:
    return Tool(
        name=f"home_{own_name}",
        server="home",
        own_name=own_name,
        purpose="Does something.",
        parameters=PARAMETERS,
        confirm=confirm,
        deadline_s=deadline_s,
        tokens=30,
    )


class Server:
    """Answers as it is told to."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.answer = answer
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.calls.append((name, arguments))
        return self.answer


async def test_it_is_declared_as_the_server_declares_it_and_called_by_its_name() -> None:
    """Arguments go there as they came: the server checks them."""
    server = Server({"output": {"result": "done"}})
    registry = Registry(functions([tool("on"), tool("off")], server.call, Confirmations()))
    assert [each.name for each in registry.declared] == ["home_on", "home_off"]
    assert registry.declared[0].parameters == PARAMETERS
    assert registry.abilities == ["do what the functions do whose names begin with home_"]
    assert await registry.run("home_on", {"name": 3}) == {"output": {"result": "done"}}
    assert server.calls == [("home_on", {"name": 3})]


async def test_its_error_reaches_the_model_as_it_is() -> None:
    """And not as a phrase that stands for every error."""
    server = Server({"error": "home: no light is called 'sun'"})
    registry = Registry(functions([tool("on")], server.call, Confirmations()))
    assert await registry.run("home_on", {}) == {"error": "home: no light is called 'sun'"}


async def test_what_needs_a_yes_does_not_reach_the_server_before_one() -> None:
    """By hand nobody is asked: whoever types it means it."""
    server = Server({"output": {"status": "done"}})
    asked = Confirmations(patience_s=0.01)
    registry = Registry(functions([tool("unlock", confirm=True)], server.call, asked))
    assert "was NOT done" in (await registry.run("home_unlock", {}))["error"]
    assert server.calls == []
    asked.typed("yes")
    assert await registry.run("home_unlock", {}) == {"output": {"status": "done"}}
    by_hand = Registry(functions([tool("unlock", confirm=True)], server.call, None))
    assert await by_hand.run("home_unlock", {}) == {"output": {"status": "done"}}
    assert len(server.calls) == 2
