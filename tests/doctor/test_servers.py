"""What the doctor says of MCP servers: against real ones, each a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.doctor import servers as checks
from device.doctor.result import Result, Verdict
from device.doctor.scene import Account, Scene
from device.simulator.certificate import make_certificate
from tests.rig.mcp_server import ROOT, McpHouse, command, home_assistant
from tests.rig.scene import by_name, machine, only
from tests.rig.strangers import unanswered_port

TOKEN = "a-long-lived-token-of-home-assistant"


@pytest.fixture(scope="module")
def home() -> Iterator[McpHouse]:
    with home_assistant(TOKEN) as house:
        yield house


def at(root: Path, url: str, more: str = "", token: str = TOKEN, **over: Any) -> Scene:
    """A machine with one server, whose token is in the environment."""
    config = f"tools: {{mcp: [{{name: home, url: '{url}', credential: home{more}}}]}}"
    return machine(root, config=config, environ={"PARLEY_CREDENTIAL_HOME": token}, **over)


async def seen(scene: Scene) -> Result:
    told = only(await checks.servers(scene))
    assert TOKEN not in repr(told)
    return told


def as_told(**over: Any) -> dict[str, Any]:
    """What a running speaker says of the server."""
    told: dict[str, Any] = {
        "name": "home",
        "place": "python3",
        "state": "ready",
        "fault": None,
        "why": None,
        "tools": 3,
        "tokens": 300,
        "left_out": [],
        "protocol": "2025-11-25",
        "version": "rig 1",
        "since": None,
        "since_s": 5.0,
    }
    return {"mcp_servers": [told | over]}


def test_without_servers_the_library_is_not_loaded() -> None:
    """Nor by the doctor's other checks."""
    code = """
import asyncio, sys
from pathlib import Path
from device.doctor import checklist, servers
from tests.rig.scene import machine, only
told = only(asyncio.run(servers.servers(machine(Path("/nonexistent")))))
print(told.name, told.verdict, told.figure, sep="|")
print(*sorted(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told, modules = done.stdout.splitlines()
    assert told == "mcp servers|skipped|none is configured"
    assert {"mcp", "mcp_types", "httpx2", "device.mcp.client"} & set(modules.split()) == set()


async def test_a_server_that_is_as_it_should_be_has_its_figures(
    tmp_path: Path, home: McpHouse
) -> None:
    """Who it is, what it speaks, what it offers and costs, and how long it took to say so."""
    calls = list(home.calls)
    told = await seen(at(tmp_path, home.url))
    assert (told.name, told.verdict) == ("mcp home", Verdict.FINE)
    figures = told.figures
    offered = f"{figures['tools']} functions, about {figures['tokens']} tokens in each turn"
    who = f"{home.url}: home-assistant 2026.11.0, MCP {figures['protocol']}"
    assert told.figure.startswith(f"{who}, {offered}, ready in ")
    assert re.search(r" in \d+ ms$", told.figure)
    assert figures["tools"] > 10
    assert figures["ms"] > 0
    assert json.loads(json.dumps(told.as_record()))["figures"]["state"] == "ready"
    assert home.calls == calls


async def test_a_server_over_tls_is_reached_where_its_certificate_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And told where it is not."""
    made = make_certificate(tmp_path)
    with home_assistant(TOKEN, certificate=made) as house:
        told = await seen(at(tmp_path, house.url))
        assert told.verdict is Verdict.BROKEN
        assert "its certificate is not trusted" in told.advice
        monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
        assert (await seen(at(tmp_path, house.url))).verdict is Verdict.FINE


@pytest.mark.parametrize("fault", ["dns", "refused", "unauthorized", "not found", "status"])
async def test_each_fault_is_told_with_what_to_do(
    tmp_path: Path, home: McpHouse, fault: str
) -> None:
    """In the words that the speaker's own status has for it; the token is in none."""
    url, token = home.url, TOKEN
    match fault:
        case "dns":
            url, advice = "http://no-such-host.home.arpa/mcp", "no address is known for 'no-such-"
        case "refused":
            url, advice = "http://localhost:9/mcp", "nothing listens there: start the server, or"
        case "unauthorized":
            token, advice = "another-token-than-that", "it refuses the token (401): make a new one"
        case "not found":
            url, advice = f"{url}/x", "nothing is at that path (404: Unknown LLM API 'x'): check"
        case _:
            home.do(fault="500")
            advice = "it answers with HTTP status 500"
    try:
        told = await seen(at(tmp_path, url, token=token))
    finally:
        home.do(fault="")
    assert (told.verdict, told.figure) == (Verdict.BROKEN, f"{url}: cannot be used")
    assert told.advice.startswith(f"home ({url}): {advice}")
    assert token not in repr(told)
    assert (told.figures["state"], told.figures["fault"]) == ("gone", fault)


async def test_a_server_that_says_nothing_costs_no_more_than_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections, and that is all."""
    monkeypatch.setattr(checks, "READY_S", 0.5)
    with unanswered_port("127.0.0.1") as port:
        told = await seen(at(tmp_path, f"http://127.0.0.1:{port}/mcp"))
    assert told.verdict is Verdict.BROKEN
    assert told.figure == f"http://127.0.0.1:{port}/mcp: no answer within 0.5 s"
    assert told.advice.startswith("it does not answer: look at its own log")


async def test_what_is_left_out_is_told_with_its_reasons(tmp_path: Path) -> None:
    """The first in the table, all in the figures."""
    with home_assistant(TOKEN, "--many", "200") as house:
        told = await seen(at(tmp_path, house.url, ", confirm: [HassOpen]"))
    assert told.verdict is Verdict.HINT
    left_out = told.figures["left_out"]
    assert len(left_out) > 100
    assert f"left out: {left_out[0]}; {left_out[1]}; {left_out[2]}; " in told.figure
    assert told.figure.endswith(f"{len(left_out) - 3} more (parley tools)")
    assert any("confirm: 'HassOpen' matches no tool" in each for each in left_out)
    assert told.advice.startswith("correct a pattern that matches nothing; name what you want by")


async def test_slow_servers_and_those_that_the_speaker_cannot_use_are_hints(
    tmp_path: Path, home: McpHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The speaker may have an older token, or another way out."""
    status = as_told(state="gone", why="home: it refuses the token (401)")
    told = await seen(at(tmp_path, home.url, status=status))
    assert told.verdict is Verdict.HINT
    assert "the running speaker cannot use it: home: it refuses the token (401)" in told.advice
    assert "a new token needs a restart" in told.advice
    monkeypatch.setattr(checks, "SLOW_MS", 0.0)
    told = await seen(at(tmp_path, home.url, status=as_told()))
    assert (told.verdict, told.advice) == (Verdict.HINT, checks.SLOW)


async def test_a_server_without_its_token_is_not_asked(tmp_path: Path, home: McpHouse) -> None:
    """The others are, at the same time."""
    config = f"""tools: {{mcp: [
        {{name: home, url: '{home.url}', credential: nowhere}},
        {{name: music, url: 'http://localhost:9/mcp'}},
        {{name: again, url: '{home.url}', credential: home}}]}}"""
    requests = len(home.state["requests"])
    scene = machine(tmp_path, config=config, environ={"PARLEY_CREDENTIAL_HOME": TOKEN})
    told = by_name(await checks.servers(scene))
    assert [(name, each.verdict) for name, each in told.items()] == [
        ("mcp home", Verdict.SKIPPED),
        ("mcp music", Verdict.BROKEN),
        ("mcp again", Verdict.FINE),
    ]
    assert "no credential 'nowhere' found: put the token into" in told["mcp home"].advice
    assert len(home.state["requests"]) > requests


async def test_nothing_is_sent_where_nothing_may_be(tmp_path: Path, home: McpHouse) -> None:
    """Nor is anything started."""
    requests = len(home.state["requests"])
    told = await seen(at(tmp_path, home.url, offline=True))
    assert (told.verdict, told.figure) == (Verdict.SKIPPED, "left out: --offline")
    assert len(home.state["requests"]) == requests


# --- local servers -------------------------------------------------------------------------------


def local(root: Path, *options: str, **over: Any) -> Scene:
    words = json.dumps(command("stdio", "--state", str(root / "state.json"), *options))
    return machine(root, config=f"tools: {{mcp: [{{name: home, command: {words}}}]}}", **over)


async def test_a_local_server_is_started_by_its_own_user_and_ended(tmp_path: Path) -> None:
    """Where no speaker runs."""
    told = await seen(local(tmp_path))
    assert told.verdict is Verdict.FINE
    assert told.figure.startswith(f"{sys.executable}: rig 2026.11.0, MCP ")
    state = json.loads((tmp_path / "state.json").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(state["pid"], 0)


async def test_a_local_server_that_ends_says_why(tmp_path: Path) -> None:
    """With what it wrote last."""
    told = await seen(local(tmp_path, "--fault", "exits"))
    assert told.verdict is Verdict.BROKEN
    assert "its command has ended" in told.advice
    assert "KeyError: 'HOUSE_URL'" in told.advice


async def test_nobody_but_the_speakers_user_starts_a_local_server(tmp_path: Path) -> None:
    """Root least of all: it is asked about where a speaker runs, and left out where none does."""
    others = Account("parley", os.geteuid() + 1, frozenset())
    told = await seen(local(tmp_path, account=others))
    assert (told.verdict, told.figure) == (Verdict.SKIPPED, "it is started by the speaker only")
    told = await seen(local(tmp_path, account=others, status=as_told()))
    assert told.verdict is Verdict.FINE
    assert told.figure == (
        "python3: rig 1, MCP 2025-11-25, 3 functions, about 300 tokens in each turn, as the "
        "speaker says"
    )
    why = "home (python3): its command has ended (exit code 3): try it by hand"
    told = await seen(local(tmp_path, status=as_told(state="gone", why=why)))
    assert (told.verdict, told.advice) == (Verdict.BROKEN, why)
    told = await seen(local(tmp_path, status=as_told(state="connecting")))
    assert (told.verdict, told.figure) == (Verdict.BROKEN, "python3: nothing yet")
    told = await seen(local(tmp_path, alive=True))
    assert told.verdict is Verdict.SKIPPED
    assert not (tmp_path / "state.json").exists()
