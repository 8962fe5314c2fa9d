"""`Servers` keeps the configured MCP servers, and is the one door to what they offer.

It lives in the background: nothing waits for it but the calls of a model. What it offers changes as
servers come, go and change; whoever declares functions takes `Servers.tools` when a session is set
up. Without servers it does nothing and loads nothing.

Theory of operation. Each server has a task, from `Servers.run` or from the `Servers.replace` that
brought it until the one that takes it away. What is taken away is not offered any more at once; its
task, and with it its child, ends a moment later, and only then what came in the same step begins:
a command that is configured anew never runs twice. A server that is configured as before is left
alone. A function is called only while its server is configured as when it was declared: what the
owner has taken away or forbidden since is not done, whoever still knows its name.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from device.mcp.failures import Fault
from device.mcp.results import Answer, cut, error
from device.mcp.server import LIST_AGAIN_S, Server, State
from device.mcp.tools import Selection, Tool, select
from device.mcp.wanted import Wanted
from device.text import printable

log = logging.getLogger(__name__)

LONGEST_INSTRUCTIONS = 8_000
"""Characters of what all servers say together, about 2,000 tokens in each turn."""
TOLD_AT_ONCE = 5
"""Tools that are left out are named in the journal up to so many; all are in the status."""
MOST_KNOWN = 1_000
"""Names of functions that are remembered after they were withdrawn: a talk that began before may
still call them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one server stands; printable, without secrets."""

    name: str
    place: str
    """Its address without query, or its command without arguments."""
    state: State
    fault: Fault | None
    """What is wrong; None while nothing is."""
    why: str | None
    """The same in words, and what to do."""
    tools: int
    """How many functions of it are declared."""
    tokens: int
    """What those cost in each turn, estimated."""
    left_out: Sequence[str]
    """Each tool that is not declared, with its reason, and each pattern that matches nothing."""
    protocol: str
    """The version of MCP that is spoken; empty before it was ever ready."""
    version: str
    """What the server calls itself, and its version."""
    since: float
    """Seconds of CLOCK_MONOTONIC when the state began."""


@dataclass(frozen=True, slots=True)
class _Known:
    tool: Tool
    wanted: Wanted
    """How its server was configured when it was declared."""


class Servers:
    """The configured servers together. Used from one event loop.

    ``changed`` is called on it with each standing that has changed, also when its tools have, and
    with that of each server that `replace` brings (``connecting``). Those that are there from the
    beginning are first told when they are ready or gone, and those that are taken away not at all.
    """

    def __init__(
        self,
        wanted: Sequence[Wanted],
        changed: Callable[[Standing], None],
        *,
        list_again_s: float = LIST_AGAIN_S,
    ) -> None:
        self._changed = changed
        self._list_again_s = list_again_s
        self._servers = {each.name: self._server(each) for each in wanted}
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        """Of servers that were taken away and have not ended yet."""
        self._selection: Selection = select([])
        self._known: dict[str, _Known] = {}
        self._standings = {name: self._standing(each) for name, each in self._servers.items()}
        self._told: dict[str, set[str]] = {}

    def _server(self, wanted: Wanted) -> Server:
        return Server(wanted, self._refresh, list_again_s=self._list_again_s)

    async def run(self) -> None:
        """Keep all servers connected until cancelled; then what runs for them has ended."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for server in self._servers.values():
                    self._begin(group, server)
                await asyncio.get_running_loop().create_future()
            finally:
                # What comes later would not be cancelled with the others.
                self._group = None
                self._tasks.clear()

    def _begin(self, group: asyncio.TaskGroup, server: Server) -> None:
        name = server.wanted.name
        before = frozenset(self._ending)

        async def run() -> None:
            if before:
                await asyncio.wait(before)
            await server.run()

        self._tasks[name] = group.create_task(run(), name=f"mcp {name}")

    async def replace(self, wanted: Sequence[Wanted]) -> None:
        """Keep these servers from now on, and those only; returns when the others have ended.

        Servers that are wanted exactly as before live on, with their connections and functions;
        names of functions stay known. All of it is in force when this is first suspended, also
        where it is cancelled then. Before and after `run` nothing is connected. Raises nothing of
        its own.
        """
        before = self._servers
        self._servers = {
            each.name: there
            if (there := before.get(each.name)) is not None and there.wanted == each
            else self._server(each)
            for each in wanted
        }
        ended = set()
        for name, server in before.items():
            if self._servers.get(name) is server:
                continue
            log.info("%s is not used any more as it was configured before", name)
            self._told.pop(name, None)
            task = self._tasks.pop(name, None)
            if task is not None:
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
                task.cancel()
                ended.add(task)
        if self._group is not None:
            for name, server in self._servers.items():
                if before.get(name) is not server:
                    self._begin(self._group, server)
        self._refresh()
        if ended:
            await asyncio.wait(ended)

    @property
    def tools(self) -> Sequence[Tool]:
        """The functions of the servers that are ready now, as many as are declared."""
        return self._selection.tools

    @property
    def standings(self) -> Sequence[Standing]:
        """Where each server stands, in the order of the configuration."""
        return list(self._standings.values())

    @property
    def instructions(self) -> str:
        """What the ready servers say of themselves and of the house, each under its name.

        It is text from elsewhere, of bounded length: facts for the model, not the owner's orders.
        """
        return self.instructions_of(self._servers)

    def instructions_of(self, names: Collection[str]) -> str:
        """Return what those of these that are ready say, likewise."""
        said = [
            f"{server.wanted.name}:\n{server.says}"
            for server in self._servers.values()
            if server.says and server.wanted.name in names
        ]
        return cut("\n\n".join(said), LONGEST_INSTRUCTIONS)[0]

    def remembered(self, name: str) -> Tool | None:
        """Return the tool that was last declared by that name; its server may be gone."""
        known = self._known.get(name)
        return known.tool if known is not None else None

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Call a function by its declared name; returns ``{"output": …}`` or ``{"error": words}``.

        Answers within the tool's deadline, and raises nothing but CancelledError, which tells the
        server that nobody waits any more.
        """
        known = self._known.get(name)
        if known is None:
            there = ", ".join(each.name for each in self.tools) or "none"
            return error(f"no server has a function {printable(name, 80)!r}; there are: {there}")
        tool = known.tool
        server = self._servers.get(tool.server)
        if server is None or server.wanted != known.wanted:
            return error(self._taken_away(tool, server))
        try:
            return await server.call(tool, arguments)
        except Exception as failed:  # noqa: BLE001 - a talk must not end over foreign code
            # As text, since what the server said may be in it, and so our secret.
            told = server.wanted.blot("".join(traceback.format_exception(failed)))
            log.error("a call of %s failed as none should:\n%s", name, told)  # noqa: TRY400 - as above
            return error(
                f"{name} failed in a way that is not known ({type(failed).__name__}). Whether it"
                " was done is not known: look before you call it again; tell the user"
            )

    def _taken_away(self, tool: Tool, now: Server | None) -> str:
        if now is None:
            why = f"{tool.server} is not in the configuration any more"
        elif now.state is State.READY:
            why = f"{tool.name} is not offered any more: {tool.server} was configured anew"
        else:
            why = now.why or f"{tool.server} was configured anew and is not connected yet"
        return f"{why}. Nothing was done; tell the user"

    def _refresh(self) -> None:
        """Choose anew what is declared, and tell whose standing has changed."""
        servers = self._servers.values()
        self._selection = select(
            [(each.wanted, each.offers) for each in servers if each.state is State.READY]
        )
        for tool in self._selection.tools:
            self._known.pop(tool.name, None)
            self._known[tool.name] = _Known(tool, self._servers[tool.server].wanted)
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        before = self._standings
        self._standings = {each.wanted.name: self._standing(each) for each in servers}
        for name, standing in self._standings.items():
            if standing != before.get(name):
                self._tell(before.get(name), standing)
                self._changed(standing)

    def _standing(self, server: Server) -> Standing:
        mine = [tool for tool in self._selection.tools if tool.server == server.wanted.name]
        return Standing(
            name=server.wanted.name,
            place=server.wanted.place,
            state=server.state,
            fault=server.failure.fault if server.failure is not None else None,
            why=server.why,
            tools=len(mine),
            tokens=sum(tool.tokens for tool in mine),
            left_out=tuple(self._selection.left_out.get(server.wanted.name, ())),
            protocol=server.protocol,
            version=server.version,
            since=server.since,
        )

    def _tell(self, before: Standing | None, now: Standing) -> None:
        """Tell the journal what has changed, each thing once."""
        if now.state is State.GONE:
            log.warning("%s", now.why)
            return
        if now.state is State.CONNECTING:
            return
        if before is None or before.state is not State.READY or before.tools != now.tools:
            log.info(
                "%s is ready: %d functions, about %d tokens in each turn (%s, MCP %s)",
                now.name,
                now.tools,
                now.tokens,
                now.version or "no name",
                now.protocol,
            )
        told = self._told.get(now.name, set())
        new = [each for each in now.left_out if each not in told]
        for each in new[:TOLD_AT_ONCE]:
            log.warning("%s: left out: %s", now.name, each)
        if len(new) > TOLD_AT_ONCE:
            log.warning("%s: left out: %d more, see the status", now.name, len(new) - TOLD_AT_ONCE)
        self._told[now.name] = set(now.left_out)
