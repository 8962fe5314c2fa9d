"""What the speaker takes at rest, after talks and in one: memory, time to open, processor.

The real daemon in its room, seen from outside, by what the kernel says of it (proc(5)).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from device.simulator.script import Script, Turn
from tests.benchmarks.measure import table
from tests.rig.daemon import ROOT, Record
from tests.rig.room import Room, open_room

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

STARTS = 3
TALKS = 10
SETTLED_S = 8.0
"""From READY on: by then all is loaded that is loaded at rest."""
WATCHED_S = 15.0
ANSWER_MS = 25_000

SHORT = Script(turns=(Turn(heard="weather", says="It is sunny.", audio=400),) * (TALKS + 1))
LONG = Script(turns=(Turn(heard="weather", says="It is sunny.", audio=ANSWER_MS, pace=1.5),))


@pytest.fixture(autouse=True)
def as_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give it the memory settings of its unit."""
    unit = (ROOT / "systemd" / "parley.service").read_text()
    for name, value in re.findall(r"(MALLOC_\w+)=(\S+)", unit):
        monkeypatch.setenv(name, value)


def test_memory_and_the_opening() -> None:
    """At rest and after ten talks; and how long the first session and the others take to open."""
    first: list[float] = []
    later: list[float] = []
    connects: list[float] = []
    rows: dict[str, list[dict[str, float]]] = {"at rest": [], "after ten talks": []}
    for _ in range(STARTS):
        with open_room(SHORT, {"conversation": {"follow_up_s": 1.0, "session_keep_s": 0}}) as room:
            time.sleep(SETTLED_S)
            rows["at rest"].append(memory_mb(room))
            for number in range(TALKS):
                wake_to_open, connect = one_talk(room)
                (later if number else first).append(wake_to_open)
                connects.append(connect)
            time.sleep(SETTLED_S)
            rows["after ten talks"].append(memory_mb(room))
    print(f"\nmemory of the speaker (MB)\n{'':24}{'resident':>10}{'shared out':>12}{'own':>8}")
    for name, runs in rows.items():
        middle = sorted(runs, key=lambda each: each["Rss"])[len(runs) // 2]
        print(f"{name:24}{middle['Rss']:10.1f}{middle['Pss']:12.1f}{middle['Private_Dirty']:8.1f}")
    table(
        "wake word to the session's setup confirmed",
        "ms",
        [("first", first), ("later", later), ("of it, the connection", connects)],
    )


def one_talk(room: Room) -> tuple[float, float]:
    """Hold a talk; returns ms from the wake word to the open session, and of the connecting."""
    after = room.daemon.here
    room.say("hey jarvis, what is the weather in Berlin", before_ms=2500)
    wake = room.daemon.event("wake", after=after)
    # The later ones are resumed.
    opened = room.daemon.wait(lambda: opening(room, after), "the session's opening")
    room.daemon.event("reply", after=after, what="drained")
    room.daemon.request("stop")
    room.daemon.event("session", after=after, what="closed")
    room.daemon.state("idle", after=after)
    return 1000 * (opened["time"] - wake["time"]), opened["latency_ms"]


def opening(room: Room, after: int) -> Record | None:
    """The event of a session that has opened since, on a handle or without."""
    told = room.daemon.events[after:]
    return next((each for each in told if each.get("what") in {"opened", "resumed"}), None)


def test_the_processor() -> None:
    """Of one core, while nobody speaks, while it answers and while it listens."""
    with open_room(LONG, {"conversation": {"follow_up_s": 60}}) as room:
        time.sleep(SETTLED_S)
        figures = {"at rest": processor(room)}
        room.wake_and_ask()
        room.daemon.event("reply", what="first_sound")
        figures["answering"] = processor(room)
        room.daemon.event("reply", what="drained", timeout=60)
        figures["listening"] = processor(room)
    print(f"\nprocessor (percent of a core)\n{'':24}{'all':>8}{'loop':>8}{'busiest others':>24}")
    for name, (loop, *others) in figures.items():
        busiest = "".join(f"{each:8.1f}" for each in others[:4])
        print(f"{name:24}{loop + sum(others):8.1f}{loop:8.1f}{busiest}")


def processor(room: Room) -> list[float]:
    """Percent of a core that each thread takes for a while: the loop's, then the busiest first."""
    before, began = ran_s(room), time.monotonic()
    time.sleep(WATCHED_S)
    after, lasted_s = ran_s(room), time.monotonic() - began
    share = {thread: 100 * (after[thread] - before.get(thread, 0.0)) / lasted_s for thread in after}
    return [share.pop(room.daemon.process.pid), *sorted(share.values(), reverse=True)]


def ran_s(room: Room) -> Mapping[int, float]:
    """How long each thread has run so far (the kernel's sched-stats.rst: in nanoseconds)."""
    tasks = Path(f"/proc/{room.daemon.process.pid}/task").iterdir()
    return {
        int(task.name): int((task / "schedstat").read_text().split()[0]) / 1e9 for task in tasks
    }


def memory_mb(room: Room) -> dict[str, float]:
    """What the kernel says of the process's memory, by its names, in MB."""
    found = {}
    for line in Path(f"/proc/{room.daemon.process.pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if value.endswith("kB"):
            found[name] = int(value.removesuffix("kB")) / 1024
    return found
