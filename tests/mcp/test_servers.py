"""The door: what all servers offer together, and what a call comes to, against real ones."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from device.mcp.failures import Fault
from device.mcp.server import State
from device.mcp.servers import LONGEST_INSTRUCTIONS, Servers
from device.mcp.wanted import Wanted
from tests.mcp.conftest import TOKEN
from tests.rig.mcp_living import Living, living
from tests.rig.mcp_server import ROOT, McpHouse, command, home_assistant


def home_at(home: McpHouse, **more: Any) -> Wanted:
    return Wanted("home", url=home.url, secret=TOKEN, **more)


def test_without_servers_nothing_is_loaded() -> None:
    """Neither by the daemon's modules nor by `Servers` of none."""
    code = """
import asyncio, sys
import device.assistant.hub, device.build, device.cli, device.control.commands, device.mcp.server
from device.mcp.servers import Servers

async def run():
    servers = Servers([], lambda standing: None)
    task = asyncio.create_task(servers.run())
    await asyncio.sleep(0)
    assert not servers.tools and not servers.standings and servers.instructions == ""
    assert "error" in await servers.call("home_x", {})
    task.cancel()

asyncio.run(run())
print(*sorted(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "device.mcp.servers" in loaded
    assert {
        "mcp",
        "mcp_types",
        "httpx2",
        "anyio",
        "starlette",
        "device.mcp.client",
    } & loaded == set()


async def test_home_assistant_is_ready_with_its_tools_and_its_prompt(shared_home: McpHouse) -> None:
    """Connected by itself; what it is and what it costs are told."""
    async with living(home_at(shared_home)) as home:
        assert home.standing().state is State.CONNECTING
        await home.until_ready()
        assert home.names[:3] == ["home_HassTurnOn", "home_HassTurnOff", "home_HassLightSet"]
        standing = home.standing()
        assert standing.tools == len(home.names)
        assert standing.tokens == sum(tool.tokens for tool in home.servers.tools)
        assert standing.version == "home-assistant 2026.11.0"
        assert standing.protocol
        assert standing.why is None
        assert standing.left_out == ()
        assert home.servers.instructions.startswith("home:\nAnswer questions")
        assert "- names: Kitchen Light" in home.servers.instructions


async def test_a_light_is_turned_off(shared_home: McpHouse) -> None:
    """And the house says so in its own words."""
    async with living(home_at(shared_home)) as home:
        await home.until_ready()
        await home.servers.call("home_HassTurnOn", {"area": "hall"})
        assert shared_home.lights["hall"] == "on"
        made = await home.servers.call("home_HassTurnOff", {"name": "Hall Light"})
        assert shared_home.lights["hall"] == "off"
        assert json.loads(made["output"]["result"])["response_type"] == "action_done"
        await home.servers.call("home_HassListAddItem", {"item": "milk", "name": "Shopping List"})
        assert "milk" in shared_home.shopping


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("fail", {"error": "Error calling tool: the kitchen has no lamp"}),
        ("refuse", {"error": "no such area: 'kitchn'"}),
        ("empty", {"output": {"status": "done"}}),
        ("structured", {"output": {"result": {"temperature": 21.5, "unit": "°C"}}}),
        ("broken_promise", {"output": {"result": "the light is off"}}),
        ("tell_secret", {"output": {"result": "the token is [secret]"}}),
    ],
)
async def test_answers_are_short_objects(
    shared_home: McpHouse, name: str, answer: dict[str, Any]
) -> None:
    """With the server's own words, without our secret."""
    async with living(home_at(shared_home)) as home:
        await home.until_ready()
        assert await home.servers.call(f"home_{name}", {}) == answer


async def test_large_results_are_cut_and_absurd_ones_refused(shared_home: McpHouse) -> None:
    """And the server goes on."""
    async with living(home_at(shared_home)) as home:
        await home.until_ready()
        made = await home.servers.call("home_big", {"characters": 2_000_000})
        assert "of 2000" in made["output"]["note"]
        assert len(made["output"]["result"]) <= 8_000
        made = await home.servers.call("home_values", {})
        assert "more than 200000 values" in made["error"]
        made = await home.servers.call("home_picture", {})
        assert made["output"]["result"] == "The garage is closed."
        assert "a picture left out" in made["output"]["note"]
        assert home.standing().state is State.READY


async def test_a_slow_tool_holds_up_no_other() -> None:
    """One is being done, and the next is answered."""
    with home_assistant(TOKEN) as house:
        async with living(home_at(house, timeout_s=120.0)) as home:
            await home.until_ready()
            slow = asyncio.create_task(home.servers.call("home_slow", {"seconds": 600}))
            await asyncio.to_thread(house.wait, lambda now: now["calls"])
            assert await home.servers.call("home_empty", {}) == {"output": {"status": "done"}}
            assert not slow.done()
            assert house.state["finished"] == ["empty"]
            slow.cancel()


async def test_a_slow_tool_is_answered_at_its_deadline(shared_home: McpHouse) -> None:
    """Not before, and in words."""
    async with living(home_at(shared_home, timeout_s=1.0)) as home:
        await home.until_ready()
        began = asyncio.get_running_loop().time()
        made = await home.servers.call("home_slow", {"seconds": 600})
        assert asyncio.get_running_loop().time() - began >= 1.0
        assert "home_slow took longer than 1 s" in made["error"]


async def test_a_function_that_is_not_there_is_told(shared_home: McpHouse) -> None:
    """With those that are."""
    async with living(home_at(shared_home, only=("HassTurnOff",))) as home:
        await home.until_ready()
        made = await home.servers.call("home_\x1bHassExplode", {})
        assert made["error"].endswith("there are: home_HassTurnOff")
        assert "\x1b" not in made["error"]


async def test_two_hundred_tools_come_in_pages_and_are_capped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is left out is in the standing, and told once."""
    caplog.set_level(logging.INFO, "device.mcp")
    with home_assistant(TOKEN, "--many", "200") as house:
        async with living(home_at(house)) as home:
            await home.until_ready()
            assert len(home.names) == 100
            left_out = home.standing().left_out
            assert len(left_out) > 100
            assert "extra_199" in left_out[-1]
            warned = [each.message for each in caplog.records if "left out" in each.message]
            assert len(warned) == 6
            assert f"{len(left_out) - 5} more" in warned[-1]


async def test_several_servers_are_one_list() -> None:
    """In the order of the configuration, whoever is ready first; one that is gone is none's."""
    with home_assistant(TOKEN) as house:
        nobody = Wanted("nobody", command=("/nonexistent/server",))
        music = Wanted("music", command=command("stdio"), only=("empty",))
        async with living(nobody, music, home_at(house, only=("HassTurnOff",))) as home:
            await home.until(lambda now: len(now.tools) == 2)
            assert home.names == ["music_empty", "home_HassTurnOff"]
            assert (await home.until_gone("nobody")).tools == 0
            assert home.servers.instructions.startswith("music:\nA house for tests.")
            assert len(home.servers.instructions) <= LONGEST_INSTRUCTIONS
            assert await home.servers.call("music_empty", {}) == {"output": {"status": "done"}}


async def test_a_server_that_goes_is_withdrawn_and_back_by_itself() -> None:
    """A call meanwhile is answered with what is wrong; the same port is tried again."""
    with home_assistant(TOKEN) as house:
        async with living(home_at(house)) as home:
            await home.until_ready()
            house.stop()
            made = await home.servers.call("home_HassTurnOff", {"area": "hall"})
            assert "nothing listens there" in made["error"]
            assert "Nothing was done" in made["error"]
            gone = await home.until_gone()
            assert gone.tools == 0
            assert gone.fault is Fault.REFUSED
            assert home.names == []
            assert home.servers.instructions == ""
            assert gone.why is not None
            assert house.url in gone.why
            made = await home.servers.call("home_HassTurnOff", {"area": "hall"})
            assert "nothing listens there" in made["error"]
            house.start()
            await home.until_ready()
            assert "output" in await home.servers.call("home_HassTurnOff", {"area": "hall"})
            assert house.lights["hall"] == "off"


async def test_a_server_that_dies_in_the_middle_of_a_call_says_that_it_is_not_known() -> None:
    """Whether it was done; it is not called again by us."""
    with home_assistant(TOKEN) as house:
        async with living(home_at(house)) as home:
            await home.until_ready()
            made = await home.servers.call("home_die", {})
            assert "the connection broke" in made["error"]
            assert "Whether it was done is not known" in made["error"]
            await home.until_gone()


async def test_a_new_prompt_and_new_tools_of_home_assistant_are_found() -> None:
    """It tells of no change, so it is asked now and then."""
    with home_assistant(TOKEN) as house:
        async with living(home_at(house), list_again_s=0.2) as home:
            await home.until_ready()
            before = len(home.names)
            house.do(prompt="Only a lamp.\x1b[2J", extra=2)
            await home.until(lambda now: len(now.tools) == before + 2)
            assert home.servers.instructions == "home:\nOnly a lamp.\ufffd[2J"
            said = home.told[-1]
            house.do(fault="")
            lists = house.state["requests"].count("tools/list")
            await asyncio.to_thread(
                house.wait, lambda now: now["requests"].count("tools/list") > lists + 1
            )
            assert home.told[-1] is said, "what has not changed is not told again"


async def test_a_long_prompt_is_cut_at_a_line() -> None:
    """It is part of every session's instruction."""
    with home_assistant(TOKEN) as house:
        house.do(prompt="\n".join(f"- names: Light {number}" for number in range(2_000)))
        async with living(home_at(house)) as home:
            await home.until_ready()
            assert len(home.servers.instructions) <= 4_010
            assert home.servers.instructions.rpartition("\n")[2].startswith("- names: Light")


@pytest.mark.parametrize("options", [("http",), ("http", "--handshake"), ("stdio",)])
async def test_a_changed_list_is_taken_over(options: tuple[str, ...]) -> None:
    """As servers tell of it since 2026, before, and over standard output."""
    way, *more = options
    if way == "stdio":
        async with living(Wanted("home", command=command(way, *more))) as home:
            await grown(home)
        return
    with McpHouse(way, *more, token=TOKEN) as house:
        async with living(home_at(house)) as home:
            await grown(home)


async def grown(home: Living) -> None:
    await home.until_ready()
    before = home.names
    # News may come before somebody listens: so it is asked for until it has arrived.
    for _ in range(50):
        await home.servers.call("home_change", {})
        if home.names != before:
            break
        await asyncio.sleep(0.1)
    await home.until(lambda _: home.names != before)
    assert home.names[: len(before)] == before
    assert "home_extra_0" in home.names


async def test_the_older_transport_is_spoken_at_its_path_and_where_nothing_else_is() -> None:
    """As older Home Assistants do."""
    with McpHouse("sse", token=TOKEN, path="/mcp_server/sse") as house:
        async with living(home_at(house)) as home:
            await home.until_ready()
            await home.servers.call("home_HassTurnOff", {"area": "kitchen"})
            assert house.lights["kitchen"] == "off"
            made = await home.servers.call("home_big", {"characters": 2_000_000})
            assert "messages that are too long" in made["error"]
            await home.until(lambda _: len(home.told) > 2 and home.names)
            await home.servers.call("home_die", {})
            await home.until_gone()


async def test_a_session_that_was_forgotten_is_begun_again_and_the_call_is_sent_again() -> None:
    """A server that was restarted did not take it; the person notices nothing."""
    with McpHouse("http", "--handshake", token=TOKEN) as house:
        async with living(home_at(house)) as home:
            await home.until_ready()
            house.do(forgets=True)
            made = await home.servers.call("home_HassTurnOff", {"area": "hall"})
            assert "output" in made, made
            assert house.lights["hall"] == "off"
            assert len(house.calls) == 1
            assert [each.state for each in home.told] == [State.READY]


async def test_no_secret_is_told_anywhere(
    shared_home: McpHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither by a server that is ready nor by one that refuses the token, nor in any log."""
    caplog.set_level(logging.DEBUG)
    wrong = Wanted("wrong", url=f"{shared_home.url}?key=url-secret", secret="wrong-token-of-ours")
    async with living(home_at(shared_home), wrong) as home:
        await home.until(lambda _: home.standing("home").state is State.READY)
        await home.until_gone("wrong")
        await home.servers.call("home_tell_secret", {})
        told = repr((home.told, home.servers.standings, home.servers.tools, wrong))
        told += home.servers.instructions
    told += "".join(each.getMessage() for each in caplog.records)
    for secret in (TOKEN, "wrong-token-of-ours", "url-secret"):
        assert secret not in told


def test_a_standing_is_told_only_when_it_changes() -> None:
    """Making the servers tells nothing."""
    told: list[object] = []
    servers = Servers([Wanted("home", url="http://home.local")], told.append)
    assert told == []
    assert [each.state for each in servers.standings] == [State.CONNECTING]


async def test_cancelling_a_call_tells_the_server_and_raises_nothing_else() -> None:
    """The hub cancels what the model does not want any more."""
    with McpHouse("http", "--handshake", token=TOKEN) as house:
        async with living(home_at(house)) as home:
            await home.until_ready()
            call = asyncio.create_task(home.servers.call("home_slow", {"seconds": 60}))
            await asyncio.to_thread(house.wait, lambda now: now["calls"])
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.to_thread(house.wait, lambda now: now["cancelled"] == ["slow"])


async def test_the_deadline_tells_the_server_too() -> None:
    """It need not go on working for nobody."""
    with McpHouse("http", token=TOKEN) as house:
        # A call that is given up before it has arrived needs no word: then there is more time.
        for timeout_s in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0):
            async with living(home_at(house, timeout_s=timeout_s)) as home:
                await home.until_ready()
                await home.servers.call("home_slow", {"seconds": 600})
                if house.calls:
                    await asyncio.to_thread(house.wait, lambda now: now["cancelled"] == ["slow"])
                    return
        pytest.fail("no call has arrived")


def test_the_child_ends_when_the_speaker_is_killed(tmp_path: Path) -> None:
    """By the kernel, without a word of ours."""
    state = tmp_path / "state"
    code = f"""
import asyncio
from device.mcp.servers import Servers
from device.mcp.wanted import Wanted
wanted = Wanted("home", command={command("stdio", "--state", str(state))!r})
servers = Servers([wanted], lambda standing: print(standing.state, flush=True))
asyncio.run(servers.run())
"""
    speaker = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert speaker.stdout is not None
    assert speaker.stdout.readline() == "ready\n"
    child = int(json.loads(state.read_text())["pid"])
    # A file descriptor of a process becomes readable when it ends: pidfd_open(2).
    watched = os.pidfd_open(child)
    speaker.kill()
    speaker.wait()
    speaker.stdout.close()
    import select

    ended, _, _ = select.select([watched], [], [], 30)
    os.close(watched)
    assert ended


async def test_a_call_that_cannot_even_be_made_is_answered_in_words(
    shared_home: McpHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is raised; the journal is told of it, but not of the token that is in it."""
    nobodys: Any = {("Bearer " + TOKEN,): 1}
    async with living(home_at(shared_home)) as home:
        await home.until_ready()
        made = await home.servers.call("home_empty", nobodys)
        assert "home_empty failed in a way that is not known (ValidationError)" in made["error"]
        assert await home.servers.call("home_empty", {}) == {"output": {"status": "done"}}
    (told,) = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert "Traceback" in told
    assert "Input should be a valid string" in told
    assert TOKEN not in told


async def test_servers_that_are_wanted_as_before_live_on(shared_home: McpHouse) -> None:
    """With their connection; others end and begin beside them, in the order that is wanted."""
    kept = home_at(shared_home, only=("HassTurnOff",))
    music = Wanted("music", command=command("stdio"), only=("empty",))
    notes = Wanted("notes", command=command("stdio"), only=("structured",))
    async with living(music, kept) as home:
        await home.until_ready()
        since = home.standing("home").since
        requests = shared_home.state["requests"]
        told = len(home.told)
        await home.servers.replace([home_at(shared_home, only=("HassTurnOff",)), notes])
        assert [each.name for each in home.servers.standings] == ["home", "notes"]
        assert home.standing("notes").state is State.CONNECTING
        assert home.told[told].name == "notes"
        assert home.told[told].state is State.CONNECTING
        assert home.names == ["home_HassTurnOff"]
        await home.until_ready()
        assert home.names == ["home_HassTurnOff", "notes_structured"]
        assert "output" in await home.servers.call("notes_structured", {})
        assert home.standing("home").since == since
        assert shared_home.state["requests"] == requests
        assert {each.name for each in home.told[told:]} == {"notes"}


async def test_functions_of_a_server_that_was_taken_away_are_known_and_answered() -> None:
    """A talk that goes on may still call them; their server is called no more."""
    music = Wanted("music", command=command("stdio"), confirm=("empty",))
    async with living(music) as home:
        await home.until_ready()
        declared = home.servers.remembered("music_empty")
        assert declared is not None
        assert declared.confirm
        await home.servers.replace([])
        assert home.servers.standings == []
        assert home.names == []
        assert home.servers.remembered("music_empty") is declared
        made = await home.servers.call("music_empty", {})
        assert "music is not in the configuration any more. Nothing was done" in made["error"]
        assert home.servers.remembered("music_sing") is None
        await home.servers.replace([music])
        await home.until_ready()
        assert await home.servers.call("music_empty", {}) == {"output": {"status": "done"}}


async def test_what_its_owner_has_forbidden_since_is_not_done() -> None:
    """Neither while the server is connected to anew nor later."""
    with home_assistant(TOKEN) as house:
        async with living(home_at(house)) as home:
            await home.until_ready()
            await home.servers.replace([home_at(house, never=("HassTurnOff",))])
            made = await home.servers.call("home_HassTurnOff", {"area": "hall"})
            assert "home was configured anew and is not connected yet" in made["error"]
            await home.until_ready()
            made = await home.servers.call("home_HassTurnOff", {"area": "hall"})
            assert "home_HassTurnOff is not offered any more" in made["error"]
            assert "output" in await home.servers.call("home_HassTurnOn", {"area": "hall"})
            assert [each["name"] for each in house.calls] == ["HassTurnOn"]


async def test_a_call_that_its_owner_takes_away_is_answered() -> None:
    """And given up there."""
    with McpHouse("http", "--handshake", token=TOKEN) as house:
        async with living(home_at(house, timeout_s=120.0)) as home:
            await home.until_ready()
            call = asyncio.create_task(home.servers.call("home_slow", {"seconds": 600}))
            await asyncio.to_thread(house.wait, lambda now: now["calls"])
            await home.servers.replace([])
            made = await call
            assert "home is not used any more" in made["error"]
            assert "Whether it was done is not known" in made["error"]


async def test_one_command_never_runs_twice(tmp_path: Path) -> None:
    """However fast its configuration changes: it may hold a port, or a device."""
    lock, twice, slowly = tmp_path / "lock", tmp_path / "twice", tmp_path / "music"
    # It ends late, as somebody does who has a device to close.
    slowly.write_text(
        f"""#!{sys.executable}
import fcntl, pathlib, signal, subprocess, sys, time
held = open({str(lock)!r}, "w")
try:
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    pathlib.Path({str(twice)!r}).touch()
    sys.exit(1)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.run({list(command("stdio"))!r})
time.sleep(0.5)
"""
    )
    slowly.chmod(0o700)

    def music(timeout_s: float) -> Wanted:
        return Wanted("music", command=(str(slowly),), only=("empty",), timeout_s=timeout_s)

    async with living(music(10)) as home:
        await home.until_ready()
        # The second is cancelled while it waits, as by a speaker that reloads again.
        first = asyncio.create_task(home.servers.replace([music(11)]))
        await asyncio.sleep(0)
        second = asyncio.create_task(home.servers.replace([music(12)]))
        await asyncio.sleep(0)
        second.cancel()
        await home.servers.replace([music(13)])
        await first
        await home.until_ready()
        (tool,) = home.servers.tools
        assert tool.deadline_s == 13
        assert all(each.state is not State.GONE for each in home.told)
    assert not twice.exists()
    with lock.open() as ended:
        fcntl.flock(ended, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_before_and_after_it_runs_nothing_is_connected(tmp_path: Path) -> None:
    """What is wanted then is what begins."""
    state = tmp_path / "state"
    music = Wanted("music", command=command("stdio", "--state", str(state)), only=("empty",))
    home = Living([Wanted("nobody", command=("/nonexistent",))])
    await home.servers.replace([music])
    running = asyncio.create_task(home.servers.run())
    await home.until_ready()
    assert [each.name for each in home.told] == ["music", "music"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    state.unlink()
    await home.servers.replace([Wanted("again", command=music.command)])
    assert [each.state for each in home.servers.standings] == [State.CONNECTING]
    assert len(asyncio.all_tasks()) == 1
    assert not state.exists()
