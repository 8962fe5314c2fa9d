"""How long the model waits for what it calls: over TLS, with the real daemon on a real disk.

Both stamps are those of the stand-in server: when it sends ``toolCall``, and when the
``toolResponse`` to that has come. In between lie the connection on loopback, the function itself,
for `set_timer` the disk, which has it before the model hears that it is set, and for what a house
does its MCP server.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from itertools import chain, cycle, islice

import pytest

from device.simulator.record import ConnectionRecord
from device.simulator.script import Script, ToolCall, Turn
from tests.benchmarks.measure import table
from tests.rig.mcp_server import home_assistant
from tests.rig.room import open_room

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live")
CALLS = 50
"""As many as there may be timers."""
DISK = "/var/tmp"
"""Over a restart of the computer it stays, so it is no memory."""
KINDS = {
    "get_time": (ToolCall("get_time"),),
    "set_volume": (
        ToolCall("set_volume", {"percent": 40}),
        ToolCall("set_volume", {"percent": 60}),
    ),
    "home_HassTurnOff": (ToolCall("home_HassTurnOff", {"name": "kitchen"}),),
    "set_timer": (ToolCall("set_timer", {"duration_s": 3_600, "name": "pasta"}),),
}


def waited(connection: ConnectionRecord) -> Iterator[float]:
    """Milliseconds from each call to its answer, of calls that came one after the other."""
    called = [at for at, what in connection.sent if what == "toolCall"]
    answered = [at for at, message in connection.messages if "toolResponse" in message]
    for sent_at, came_at in zip(called, answered, strict=True):
        yield 1e3 * (came_at - sent_at)


def asked(model: str, name: str, *servers: dict[str, str]) -> list[float]:
    """Have a function called `CALLS` times, each in a turn of its own."""
    calls = islice(cycle(KINDS[name]), CALLS)
    turns = (Turn(audio=100, pace="burst", plays_out=False, calls=(call,)) for call in calls)
    config = {"live": {"model": model}, "tools": {"mcp": list(servers)}}
    with open_room(Script(turns=tuple(turns)), config) as room:
        for _ in servers:
            room.daemon.event("mcp_server", what="ready")
        for _ in range(CALLS):
            room.daemon.request("ask", text="please")
        assert room.daemon.seen("tool", what="failed") == []
        return list(chain.from_iterable(map(waited, room.server.connections)))


def test_call_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty calls of each, by a model that blocks and by one that does not."""
    monkeypatch.setattr(tempfile, "tempdir", DISK)
    with home_assistant() as house:
        home = {"name": "home", "url": house.url}
        rows = [
            (
                f"{model.removeprefix('gemini-').partition('-live')[0]} {name}",
                asked(model, name, *([home] if name.startswith("home_") else [])),
            )
            for model in MODELS
            for name in KINDS
        ]
    mount = ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", DISK]
    disk = subprocess.run(mount, check=True, capture_output=True, text=True).stdout.strip()
    table(f"a call of a function to its answer, state on {disk}", "ms", rows)
