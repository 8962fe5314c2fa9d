"""Ten minutes of talk without the wake word: what leaves the device, and what listening costs."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from tests.rig.room import open_room

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1500)]

MINUTES = 10
TALK = (
    "did you see the news this morning, there was a long story about the harbour in spring",
    "hey there everybody, have you heard that the service is late again because of the traffic",
    "I left my keys on the kitchen table, somebody must have put them somewhere else again",
    "the weather in Berlin was fine, so we took the long way home along the river",
    "Travis, please remind me to buy milk, bread, eggs and a box of large envelopes",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
)


def test_ten_minutes_of_chatter_reach_nobody() -> None:
    """Not one connection is tried and not one byte sent, in ten minutes of real time."""
    with open_room() as room:
        process = room.daemon.process.pid
        before_s, said_s = _cpu_s(process), 0.0
        for text in itertools.cycle(TALK):
            said_s += len(room.say(text)) / 32_000
            if said_s > MINUTES * 60:
                break
        status = room.daemon.status()
        cpu = 100 * (_cpu_s(process) - before_s) / said_s
        assert room.server.attempts == 0
        assert room.daemon.seen("wake") == []
        assert room.daemon.seen("uplink") == []
        assert status["counters"]["wake"]["hops"] > said_s / 0.08 * 0.95
        print(f"\\n{said_s / 60:.1f} minutes of chatter without the wake word")
        print(f"connections tried         {room.server.attempts:8}")
        print(f"bytes at the server       {len(room.server.audio):8}")
        print(f"wake words detected       {len(room.daemon.seen('wake')):8}")
        print(f"microphone frames dropped {status['counters']['microphone']['dropped']:8}")
        print(f"CPU of the whole daemon   {cpu:7.1f} % of one core")
        print(f"resident memory           {_resident_mib(process):7.1f} MiB")


def _cpu_s(pid: int) -> float:
    """User and system time of a process so far (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} has no VmRSS")
