"""It does in the house what it says: the real process, a model that calls, a real MCP server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device.simulator.script import Script, ToolCall, Turn
from tests.rig.mcp_server import McpHouse, command, home_assistant
from tests.rig.room import Room, open_room

MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live")
TOKEN = "a-long-lived-token-of-the-house"


def turn(heard: str, says: str, *calls: ToolCall) -> Turn:
    return Turn(heard=heard, says=says, audio=900, pace="burst", calls=calls)


def off(room: str) -> ToolCall:
    return ToolCall("home_HassTurnOff", {"name": room})


@contextmanager
def living(
    house: McpHouse, script: Script, monkeypatch: pytest.MonkeyPatch, model: str, **more: object
) -> Iterator[Room]:
    """A speaker in a house; it knows what the house can do."""
    monkeypatch.setenv("PARLEY_CREDENTIAL_HOME", TOKEN)
    server = {"name": "home", "url": house.url, "credential": "home", **more}
    config = {"live": {"model": model}, "tools": {"mcp": [server]}}
    with open_room(script, config) as room:
        room.daemon.event("mcp_server", what="ready")
        yield room


def answers(room: Room) -> list[dict[str, object]]:
    return [each["response"] for each in room.server.connections[-1].tool_responses]


@pytest.mark.parametrize("model", MODELS)
def test_the_light_goes_off_when_it_says_so(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five lines of YAML and a token, which is written nowhere."""
    script = Script(turns=(turn("Turn off the kitchen light.", "It is off.", off("kitchen")),))
    with home_assistant(TOKEN) as house, living(house, script, monkeypatch, model) as room:
        room.wake_and_ask("hey jarvis, turn off the light in the kitchen")
        room.daemon.event("tool", what="answered")
        assert house.lights == {"kitchen": "off", "hall": "on", "bedroom": "on"}
        room.daemon.event("reply", what="drained")
        (answer,) = answers(room)
        assert "output" in answer
        setup = room.server.connections[0].setup
        assert setup is not None
        instruction = setup["systemInstruction"]["parts"][0]["text"]
        assert "Kitchen" in instruction, "the house names its rooms"
        assert "control other devices" not in instruction.split("It cannot:")[1]
        log = room.daemon.log()
        assert "tool home_HassTurnOff called" in log
        assert "'name'" not in log
        (status,) = room.daemon.status()["mcp_servers"]
        assert (status["state"], status["why"]) == ("ready", None)
        assert TOKEN not in log + str(status) + str(room.daemon.events)


@pytest.mark.parametrize("model", MODELS)
def test_what_is_to_be_confirmed_waits_for_a_yes(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spoken, and heard by the server: it asks, is told yes, and does it."""
    script = Script(
        turns=(
            turn("Turn off the hall light.", "Shall I turn it off?", off("hall")),
            turn("Yes, please.", "It is off.", off("hall")),
        )
    )
    with (
        home_assistant(TOKEN) as house,
        living(house, script, monkeypatch, model, confirm=["HassTurnO*"]) as room,
    ):
        room.wake_and_ask("hey jarvis, turn off the light in the hall")
        room.daemon.event("tool", what="failed")
        drained = room.daemon.event("reply", what="drained")
        assert house.lights["hall"] == "on"
        room.daemon.state("listening", after=room.daemon.events.index(drained))
        room.say("yes please")
        room.daemon.event("tool", what="answered")
        assert house.lights["hall"] == "off"
        first, second = answers(room)
        assert "was NOT done" in str(first["error"])
        assert "output" in second


def test_a_house_that_is_gone_is_answered_with_words_and_comes_back_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the middle of a talk; the next one does it."""
    script = Script(
        turns=(
            turn("Turn off the light.", "I cannot reach the house.", off("kitchen")),
            turn("And now?", "It is off.", off("kitchen")),
        )
    )
    with home_assistant(TOKEN) as house, living(house, script, monkeypatch, MODELS[0]) as room:
        house.stop()
        room.daemon.request("ask", text="turn off the light")
        room.daemon.event("reply", what="drained")
        (answer,) = answers(room)
        assert "Nothing was done; tell the user" in str(answer["error"])
        gone = room.daemon.event("mcp_server", what="gone")
        assert "home" in gone["why"]
        house.start()
        room.daemon.event(
            "mcp_server", after=room.daemon.events.index(gone), what="ready", timeout=60
        )
        room.daemon.request("ask", text="and now?")
        assert "output" in answers(room)[-1]
        assert house.lights["kitchen"] == "off"
        assert room.daemon.seen("fault") == []


def test_a_house_that_takes_too_long_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model hears what is not known, and the light and the sound of waiting are the usual."""
    script = Script(
        turns=(turn("Do it.", "I do not know.", ToolCall("home_slow", {"seconds": 30})),)
    )
    with (
        home_assistant(TOKEN) as house,
        living(house, script, monkeypatch, MODELS[0], timeout_s=2) as room,
    ):
        room.daemon.request("ask", text="do it")
        called = room.daemon.event("tool", what="called")
        failed = room.daemon.event("tool", what="failed")
        assert 2.0 <= failed["time"] - called["time"] < 30.0
        room.daemon.event("reply", what="drained")
        (answer,) = answers(room)
        assert "took longer than 2 s" in str(answer["error"])


def test_a_local_server_ends_with_the_speaker_and_is_started_again_when_it_dies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its command; it never sees the speaker's key or a token of another server."""
    script = Script(turns=(turn("Turn off the light.", "It is off.", off("kitchen")),))
    monkeypatch.setenv("PARLEY_CREDENTIAL_OTHER", TOKEN)
    server = {"name": "home", "command": list(command("stdio"))}
    with open_room(script, {"tools": {"mcp": [server]}}) as room:
        room.daemon.event("mcp_server", what="ready")
        room.daemon.request("ask", text="turn off the light")
        assert "output" in answers(room)[-1]
        (child,) = children(room.daemon.process.pid)
        environment = (child / "environ").read_bytes()
        assert TOKEN.encode() not in environment
        assert b"test-key" not in environment
        after = room.daemon.here
        os.kill(int(child.name), signal.SIGKILL)
        room.daemon.event("mcp_server", after=after, what="gone")
        room.daemon.event("mcp_server", after=after, what="ready", timeout=60)
        (another,) = children(room.daemon.process.pid)
    assert not another.exists()


def children(pid: int) -> list[Path]:
    """The MCP servers among the processes that a process has started."""
    return [
        Path("/proc", each)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for each in (task / "children").read_text().split()
        if b"mcp_house" in Path("/proc", each, "cmdline").read_bytes()
    ]
