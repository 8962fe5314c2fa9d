"""What listening costs, beside engines that do nothing else.

The speaker and the plain loops of openWakeWord and pymicro-wakeword hear one microphone at the same
time, so that all pay the same for a machine that is shared; so do the speaker and a plain client of
the Live API in a talk. Figures are what the kernel says (proc(5)); the ratios are what carries over
to other machines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from device.simulator.script import Script, Turn
from tests.benchmarks.measure import sample_client
from tests.rig.daemon import ROOT
from tests.rig.room import Room, open_room
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer
from tests.rig.speech import chatter

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

Samples = npt.NDArray[np.int16]

ENGINES = ("openwakeword", "microwakeword")
WATCHED_S = 20.0
RUNS = 3
SETTLED_S = 14.0
"""From READY on: sentences are made, the room is known, what is loaded late is loaded."""


@dataclass(frozen=True)
class Cost:
    """Of a process, over a while."""

    percent: float
    """Of one core."""
    switches: float
    """Context switches a second."""
    resident_mb: float


@dataclass(frozen=True)
class Seen:
    """What a process had used by now."""

    at: float
    ran_s: float
    switches: int

    @classmethod
    def now(cls, pid: int) -> Seen:
        ran_ns = switches = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            ran_ns += int((task / "schedstat").read_text().split()[0])
            lines = (task / "status").read_text().splitlines()
            switches += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
        return cls(time.monotonic(), ran_ns / 1e9, switches)


def cost(pid: int, before: Seen) -> Cost:
    after = Seen.now(pid)
    passed_s = after.at - before.at
    resident = next(
        int(line.split()[1]) / 1024
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    return Cost(
        100 * (after.ran_s - before.ran_s) / passed_s,
        (after.switches - before.switches) / passed_s,
        resident,
    )


@contextmanager
def contender(sound: SoundServer, engine: str) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.live_contender", engine],
        env={**os.environ, **sound.environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        while "listening" not in (line := process.stdout.readline()):
            assert line, f"{engine} has ended"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


@contextmanager
def sounding(room: Room, sound: Samples) -> Iterator[None]:
    """Feed the microphone with it again and again. Between two times there is a moment of zeros."""
    ended = threading.Event()

    def feed() -> None:
        while not ended.is_set():
            room.sound.speak(sound.astype("<i2").tobytes())

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        yield
    finally:
        ended.set()
        feeding.join()


def quiet_room(seconds: float) -> Samples:
    """A converter's noise at -75 dBFS."""
    steps = np.random.default_rng(1).normal(0, 6, round(seconds * 16_000))
    return np.rint(steps).astype(np.int16)


def test_listening_beside_those_who_do_nothing_else() -> None:
    """In a quiet room, while people talk, and muted."""
    config = {"audio": {"echo_cancellation": "auto", "duplex": "auto"}}
    with ExitStack() as stack:
        room = stack.enter_context(open_room(Script(turns=()), config))
        pids = {"parley": room.daemon.process.pid}
        for engine in ENGINES:
            pids[engine] = stack.enter_context(contender(room.sound, engine))
        head("of oWW", "of mWW")
        for name, sound in (
            ("quiet", quiet_room(SETTLED_S + RUNS * WATCHED_S + 5)),
            ("talk", chatter()),
            ("muted", None),
        ):
            if sound is None:
                room.daemon.request("mute")
            with sounding(room, sound if sound is not None else quiet_room(2)):
                time.sleep(SETTLED_S)
                show(name, watch(pids), *ENGINES)


def test_a_talk_beside_the_sample_client() -> None:
    """While a long answer plays, and while both listen after it to people who talk."""
    answer_ms = round(1000 * (RUNS * WATCHED_S + 10))
    script = Script(turns=(Turn(heard="weather", says="Sunny.", audio=answer_ms, pace=1.5),))
    config = {
        "audio": {"echo_cancellation": "auto", "duplex": "auto"},
        "conversation": {"follow_up_s": 300, "max_listen_s": 300},
    }
    with ExitStack() as stack:
        room = stack.enter_context(open_room(script, config))
        other = stack.enter_context(ServerThread(script))
        pids = {"parley": room.daemon.process.pid}
        pids["sample"] = stack.enter_context(sample_client(room.sound, other))
        room.wake_and_ask()
        room.daemon.event("reply", what="first_sound")
        head("of sample")
        show("answering", watch(pids), "sample")
        room.daemon.event("reply", what="drained", timeout=answer_ms / 1000)
        with sounding(room, chatter()):
            show("listening", watch(pids), "sample")
        assert room.daemon.status()["state"] == "listening"


def watch(pids: dict[str, int]) -> dict[str, Cost]:
    """The median run of each, all watched at the same time."""
    runs = []
    for _ in range(RUNS):
        before = {who: Seen.now(pid) for who, pid in pids.items()}
        time.sleep(WATCHED_S)
        runs.append({who: cost(pid, before[who]) for who, pid in pids.items()})
    return {
        who: sorted((run[who] for run in runs), key=lambda each: each.percent)[RUNS // 2]
        for who in pids
    }


def head(*ratios: str) -> None:
    named = "".join(f"{each:>10}" for each in ratios)
    print(f"\n{'':16}{'':16}{'% core':>8}{named}{'switches/s':>12}{'MB':>6}")


def show(name: str, costs: dict[str, Cost], *beside: str) -> None:
    others = [costs[other].percent for other in beside]
    for who, each in costs.items():
        ratios = "".join(f"{each.percent / other:10.2f}" for other in others)
        print(
            f"{name:16}{who:16}{each.percent:8.2f}{ratios}{each.switches:12.0f}"
            f"{each.resident_mb:6.0f}"
        )
