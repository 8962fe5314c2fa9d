"""How one server is lived with: when it is listed, tried again, and what a call comes to."""

from __future__ import annotations

import asyncio
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from device.mcp import server as module
from device.mcp.client import Notes
from device.mcp.failures import Failure, Fault
from device.mcp.server import (
    LIST_AFTER_CHANGE_S,
    LIST_AFTER_FAILURE_S,
    LIST_AGAIN_S,
    QUIET_S,
    Server,
    State,
)
from device.mcp.tools import Offer, Tool
from device.mcp.wanted import Wanted
from tests.mcp.conftest import TOKEN
from tests.rig.mcp_living import living
from tests.rig.mcp_server import McpHouse, command

TOOL = Tool("home_empty", "home", "empty", "", {}, confirm=False, deadline_s=30.0, tokens=1)


def due(**more: Any) -> float:
    """When a server that was listed at 1,000 s is listed next."""
    server = Server(Wanted("home"), lambda: None)
    notes = Notes()
    notes.changed = more.get("changed", False)
    server._called_at = more.get("called_at", 0.0)
    server._call_failed = more.get("failed", False)
    connection: Any = SimpleNamespace(notes=notes)
    return server._due(connection, 1_000.0) - 1_000.0


def test_a_server_is_listed_now_and_then() -> None:
    """Every few minutes."""
    assert due() == LIST_AGAIN_S


def test_not_while_calls_come_in() -> None:
    """A talk goes on."""
    assert due(called_at=1_000.0 + LIST_AGAIN_S - 1) == LIST_AGAIN_S - 1 + QUIET_S


def test_soon_after_it_has_changed_or_a_call_has_failed() -> None:
    """But not in a storm."""
    assert due(changed=True) == LIST_AFTER_CHANGE_S
    assert due(failed=True) == LIST_AFTER_FAILURE_S
    assert due(failed=True, called_at=1_010.0) == LIST_AFTER_FAILURE_S
    assert due(failed=True, changed=True) == LIST_AFTER_CHANGE_S


async def test_a_call_before_it_is_connected_is_answered_at_once() -> None:
    """Nothing waits for a server."""
    server = Server(Wanted("home", url="http://home.local/api"), lambda: None)
    made = await server.call(TOOL, {})
    place = "home (http://home.local/api)"
    assert made == {"error": f"{place} is not connected yet. Nothing was done; tell the user"}


async def test_a_call_to_a_server_that_is_gone_has_it_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner may just have mended it; the wait for it would be half a minute."""
    monkeypatch.setattr(module, "SOONEST_S", 0.1)
    program = tmp_path / "house"
    changed = asyncio.Event()
    server = Server(Wanted("home", command=(str(program),)), changed.set)
    running = asyncio.create_task(server.run())
    await changed.wait()
    assert server.failure is not None
    assert server.failure.fault is Fault.COMMAND
    program.write_text(f"#!/bin/sh\nexec {' '.join(command('stdio'))}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    made = await server.call(TOOL, {})
    assert "its command cannot be started" in made["error"]
    changed.clear()
    await changed.wait()
    assert server.state is State.READY
    assert await server.call(TOOL, {}) == {"output": {"status": "done"}}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_calls_that_go_on_when_the_speaker_ends_are_ended() -> None:
    """And answered, whoever still listens."""
    with McpHouse("http", "--handshake", token=TOKEN) as house:
        async with living(Wanted("home", url=house.url, secret=TOKEN)) as home:
            await home.until_ready()
            call = asyncio.create_task(home.servers.call("home_slow", {"seconds": 60}))
            await asyncio.to_thread(house.wait, lambda now: now["calls"])
        assert "error" in await call


async def test_without_the_library_the_speaker_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner is told; nothing ends."""
    monkeypatch.setitem(sys.modules, "device.mcp.client", None)
    async with living(Wanted("home", url="http://home.local/api")) as home:
        assert "run install.sh again" in str((await home.until_gone()).why)


class Unloadable:
    """An importer of a library that is there, but does not run."""

    def find_spec(self, name: str, *_: object) -> None:
        """Look for a module."""
        if name == "device.mcp.client":
            raise OSError("libffi.so.8: cannot open shared object file")


async def test_a_library_that_does_not_run_is_one_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises: the wake word is heard all the same."""
    monkeypatch.delitem(sys.modules, "device.mcp.client", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Unloadable(), *sys.meta_path])
    async with living(Wanted("home", url="http://home.local/api")) as home:
        gone = await home.until_gone()
    assert gone.fault is Fault.LIBRARY
    assert "(OSError: libffi.so.8: cannot open shared object file): run install" in str(gone.why)
    assert any(each.exc_info for each in caplog.records)


async def test_what_was_read_of_an_offer_is_kept_when_others_change() -> None:
    """By the first to ask; what the owner does not want is not read."""
    server = Server(Wanted("home", never=("c",)), lambda: None)
    a, b = Offer("a", "", {"type": "object"}), Offer("b", "", {"type": "object"})
    server.offers = await server._prepared([a, b, Offer("c", "", {})])
    again = await server._prepared(
        [Offer("b", "", {"type": "object"}), Offer("a", "new", {"type": "object"})]
    )
    assert again[0] is b
    assert again[1] is not a
    assert ["parameters" in vars(each) for each in server.offers] == [True, True, False]


async def test_the_state_begins_when_it_changes() -> None:
    """Not at each try that fails in the same way."""
    changes = 0

    def changed() -> None:
        nonlocal changes
        changes += 1

    server = Server(Wanted("home", command=("/nonexistent",)), changed)
    server._gone(Failure(Fault.COMMAND, "x"))
    since = server.since
    server._gone(Failure(Fault.COMMAND, "x"))
    assert (server.since, changes) == (since, 1)
    server._gone(Failure(Fault.COMMAND, "y"))
    assert changes == 2


async def test_the_library_is_loaded_off_the_loop() -> None:
    """Which hears sound meanwhile: in a fresh process, the loop is never held up for long."""
    code = """
import asyncio, sys, threading
import importlib
from device.mcp.server import Server
from device.mcp.wanted import Wanted

names = []
real = importlib.import_module
def noted(name, package=None):
    names.append((name, threading.current_thread() is threading.main_thread()))
    return real(name, package)
importlib.import_module = noted

async def run():
    changed = asyncio.Event()
    server = Server(Wanted("home", command=("/nonexistent",)), changed.set)
    task = asyncio.create_task(server.run())
    await changed.wait()
    task.cancel()

asyncio.run(run())
assert names[0] == ("device.mcp.client", False), names
assert "mcp" in sys.modules
"""
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await done.wait() == 0
