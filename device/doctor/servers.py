"""`servers` asks each MCP server what it offers, as the speaker does, over a connection of its own.

A local server is a program of the owner's, for the speaker's user and inside its sandbox. So it is
started here only by that user and where no speaker runs: otherwise the speaker is asked about it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from device.assistant.parts import mcp_server
from device.config import McpServer
from device.doctor.credentials import credential_in
from device.doctor.result import Result, Verdict, broken, hint, judged, skipped
from device.doctor.scene import Scene
from device.errors import CredentialError
from device.mcp.failures import Fault
from device.mcp.server import Server, State
from device.mcp.tools import Selection, select
from device.mcp.wanted import Wanted
from device.threads import in_thread

OFFLINE = "left out: --offline"
READY_S = 30.0
"""How long a server may take to be connected to and to list what it offers. A local one that is a
Python program takes some seconds to start on a Pi."""
SLOW_MS = 3_000.0
"""From which that is worth a hint; Home Assistant's server takes a tenth of a second."""
SHOWN_LEFT_OUT = 3
"""How many tools that are left out are named in the table; all are in the figures."""
SILENT = "it does not answer: look at its own log, or restart it"
SLOW = "slow: the first talk after a start may begin without its functions"
NARROW = "correct a pattern that matches nothing; name what you want by `only` and `never` of it"
ELSEWHERE = "start the speaker, and look again: sudo systemctl start parley"
RELOAD = "parley reload has the speaker connect again; a new token needs a restart"


@dataclass(frozen=True, slots=True)
class Seen:
    """How a server stands, as seen from here or told by the running speaker."""

    name: str
    place: str
    state: State
    fault: Fault | None
    """What is wrong; None while nothing is."""
    why: str | None
    """The same in words, and what to do."""
    version: str
    protocol: str
    tools: int
    tokens: int
    left_out: Sequence[str]
    ms: float | None = None
    """How long it took to be ready, or to fail; None where the speaker tells of it."""


async def servers(scene: Scene) -> list[Result]:
    """Connect to every configured server at once; nothing is changed there by that."""
    configured = scene.config.tools.mcp
    if not configured:
        return [skipped("mcp servers", "none is configured")]
    if scene.offline:
        return [skipped(_named(each.name), OFFLINE) for each in configured]
    found: dict[str, Result] = {}
    wanted: list[Wanted] = []
    for server in configured:
        if server.url is None and not _is_ours(scene):
            found[server.name] = _as_told(scene, server.name)
            continue
        try:
            wanted.append(_wanted(scene, server))
        except CredentialError as error:
            told = "there is no token to ask it with"
            found[server.name] = skipped(_named(server.name), told, str(error))
    for seen in await _seen(wanted):
        found[seen.name] = _judge(scene, seen)
    return [found[each.name] for each in configured]


def _named(server: str) -> str:
    return f"mcp {server}"


def _is_ours(scene: Scene) -> bool:
    """Whether a program of the speaker's user may be started here."""
    return not scene.alive and scene.status is None and os.geteuid() == scene.account.uid


def _wanted(scene: Scene, server: McpServer) -> Wanted:
    """Return what is wanted of a server. Raises CredentialError."""
    if server.credential is None:
        return mcp_server(server, None)
    return mcp_server(server, credential_in(scene, server.credential).secret)


async def _seen(wanted: Sequence[Wanted]) -> list[Seen]:
    """Return how each server stands after one try."""
    if not wanted:
        return []
    # Half a second of a processor, several on a Pi: not of the servers' time.
    await in_thread(lambda: importlib.import_module("device.mcp.client"), "library of MCP")
    news = asyncio.Event()
    kept = [Server(each, news.set) for each in wanted]
    began = time.monotonic()
    running = [asyncio.create_task(each.run()) for each in kept]
    try:
        async with asyncio.timeout(READY_S):
            while any(each.state is State.CONNECTING for each in kept):
                news.clear()
                await news.wait()
    except TimeoutError:
        pass
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    ready = [each for each in kept if each.state is State.READY]
    selection = select([(each.wanted, each.offers) for each in ready])
    return [_of(each, selection, began) for each in kept]


def _of(server: Server, selection: Selection, began: float) -> Seen:
    name = server.wanted.name
    tools = [tool for tool in selection.tools if tool.server == name]
    known = server.state is not State.CONNECTING
    return Seen(
        name=name,
        place=server.wanted.place,
        state=server.state,
        fault=server.failure.fault if server.failure is not None else None,
        why=server.why,
        version=server.version,
        protocol=server.protocol,
        tools=len(tools),
        tokens=sum(tool.tokens for tool in tools),
        left_out=selection.left_out.get(name, ()),
        ms=(server.since - began) * 1000 if known else READY_S * 1000,
    )


def _judge(scene: Scene, seen: Seen) -> Result:
    name = _named(seen.name)
    figures = {field: value for field, value in asdict(seen).items() if field != "name"}
    figures["ms"] = None if seen.ms is None else round(seen.ms, 1)
    if seen.state is State.CONNECTING:
        since = "nothing yet" if seen.ms is None else f"no answer within {READY_S:g} s"
        return broken(name, f"{seen.place}: {since}", SILENT, None, **figures)
    if seen.state is State.GONE:
        told = f"{seen.place}: cannot be used"
        return broken(name, told, seen.why or SILENT, None, **figures)
    spoken = ", ".join(filter(None, (seen.version, f"MCP {seen.protocol}")))
    took = "as the speaker says" if seen.ms is None else f"ready in {seen.ms:.0f} ms"
    figure = (
        f"{seen.place}: {spoken}, {seen.tools} functions, about {seen.tokens} tokens in each turn, "
        f"{took}"
    )
    speakers = _speakers(scene, seen.name) or {}
    if speakers.get("state") == State.GONE:
        advice = f"the running speaker cannot use it: {speakers.get('why')}; {RELOAD}"
        return hint(name, figure, advice, None, **figures)
    if seen.left_out:
        return hint(name, f"{figure}; {_left_out(seen.left_out)}", NARROW, None, **figures)
    verdict = Verdict.HINT if (seen.ms or 0.0) > SLOW_MS else Verdict.FINE
    return judged(name, verdict, figure, SLOW, None, **figures)


def _left_out(left_out: Sequence[str]) -> str:
    more = len(left_out) - SHOWN_LEFT_OUT
    rest = [f"{more} more (parley tools)"] if more > 0 else []
    return f"left out: {'; '.join([*left_out[:SHOWN_LEFT_OUT], *rest])}"


def _speakers(scene: Scene, server: str) -> Mapping[str, Any] | None:
    """Return what the running speaker says of a server; None where it says nothing."""
    told = (scene.status or {}).get("mcp_servers", ())
    return next((each for each in told if each["name"] == server), None)


def _as_told(scene: Scene, server: str) -> Result:
    """Judge a local server by what the running speaker says of it."""
    told = _speakers(scene, server)
    if told is None:
        return skipped(_named(server), "it is started by the speaker only", ELSEWHERE)
    known = {each.name: told[each.name] for each in fields(Seen) if each.name in told}
    return _judge(scene, Seen(**{**known, "state": State(told["state"])}))
