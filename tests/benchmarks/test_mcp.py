"""What MCP servers cost the speaker: memory, the time until they are ready, and of a call.

Each row is a process of its own with the SDK loaded, as the daemon has it; seen from inside by
what the kernel says of it (proc(5)).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from device.mcp.wanted import Wanted
from tests.benchmarks.measure import table
from tests.rig.mcp_server import ROOT, command, home_assistant

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

STARTS = 3
CALLS = 200
TOKEN = "a-long-lived-token"

SPEAKER = """
import asyncio, gc, json, sys, time
from device.live.setup import load_sdk
from device.mcp.servers import Servers
from device.mcp.wanted import Wanted

def resident_mb():
    gc.collect()
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

async def main(wanted, calls):
    before = resident_mb()
    began = time.monotonic()
    changed = asyncio.Event()
    servers = Servers(wanted, lambda standing: changed.set())
    running = asyncio.create_task(servers.run())
    longest, last = 0.0, time.monotonic()
    while not all(each.state == "ready" for each in servers.standings):
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last - 0.005), now
    ready_ms = 1000 * (time.monotonic() - began)
    ready_mb = resident_mb()
    took = []
    for number in range(calls if wanted else 0):
        name = wanted[number % len(wanted)].name
        sent = time.perf_counter()
        made = await servers.call(name + "_HassTurnOff", {"area": "hall"})
        took.append(1000 * (time.perf_counter() - sent))
        assert "output" in made, made
    print(json.dumps({
        "ready_ms": ready_ms, "held_up_ms": 1000 * longest, "before_mb": before,
        "grown_mb": ready_mb - before, "after_calls_mb": resident_mb() - before, "calls_ms": took,
    }), flush=True)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

load_sdk()
wanted = [Wanted(**each) for each in json.loads(sys.argv[1])]
asyncio.run(main(wanted, int(sys.argv[2])))
"""


def measured(wanted: Sequence[Wanted]) -> dict[str, Any]:
    """What one process with these servers comes to."""
    told = [
        {"name": each.name, "url": each.url, "command": each.command, "secret": each.secret}
        for each in wanted
    ]
    done = subprocess.run(
        [sys.executable, "-c", SPEAKER, json.dumps(told), str(CALLS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_memory_time_to_ready_and_calls() -> None:
    """With none, one and five servers, over HTTP and as local commands."""
    with ExitStack() as stack:
        houses = [stack.enter_context(home_assistant(TOKEN)) for _ in range(5)]
        http = [
            Wanted(f"home{number}", url=house.url, secret=TOKEN)
            for number, house in enumerate(houses)
        ]
        local = [Wanted(f"local{number}", command=command("stdio")) for number in range(5)]
        rows = {
            "none": [],
            "one over HTTP": http[:1],
            "five over HTTP": http,
            "one local": local[:1],
            "five local": local,
        }
        runs = {name: [measured(wanted) for _ in range(STARTS)] for name, wanted in rows.items()}
    print(
        f"\nmemory of the speaker's process (MB, median of {STARTS}; local servers' own not"
        " counted), and the time until ready"
    )
    titles = ("grown", "after calls", "ready ms", "loop held up ms")
    print(f"{'':20}" + "".join(f"{title:>17}" for title in titles))
    for name, found in runs.items():
        middle = sorted(found, key=lambda run: run["grown_mb"])[len(found) // 2]
        figures = (
            middle["grown_mb"],
            middle["after_calls_mb"],
            middle["ready_ms"],
            middle["held_up_ms"],
        )
        print(f"{name:20}" + "".join(f"{figure:17.1f}" for figure in figures))
    table(
        "from the call to its answer",
        "ms",
        [
            (name, [took for run in found for took in run["calls_ms"]])
            for name, found in runs.items()
            if name != "none"
        ],
    )
    none = sorted(run["grown_mb"] for run in runs["none"])[STARTS // 2]
    assert none < 1.0, "without servers nothing is loaded"
