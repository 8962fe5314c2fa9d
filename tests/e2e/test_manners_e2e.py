"""The real daemon's manners: a journal that reads as a story, and no growth in bad company."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from device.simulator.script import Event, GoAway, Script, Turn
from tests.rig.daemon import Daemon
from tests.rig.hostile import answer
from tests.rig.room import open_room

SHORT = Turn(heard="more", says="yes", audio=700)
TURN = Turn(heard="weather", says="it rains", audio=1500)


def test_a_conversation_is_about_eight_lines() -> None:
    """Woken, asked, answered over the server's goAway, over; what was said is not in it."""
    script = Script(turns=(TURN, SHORT), events=(Event("reply", GoAway(5.0), connections=(1,)),))
    with open_room(script, {"conversation": {"session_keep_s": 1}}) as room:
        room.wake_and_ask()
        room.daemon.event("reply", what="drained")
        room.daemon.event("session", what="closed", timeout=40)
        told = [
            line[17:]
            for line in room.daemon.log().splitlines()
            if line[9:14].strip() in {"INFO", "WARNING", "ERROR"}
        ]
        told = told[next(place for place, line in enumerate(told) if "heard hey" in line) :]
        print(*told, sep="\n")
        assert 6 <= len(told) <= 9
        assert "weather" not in room.daemon.log()


class Telling(Daemon):
    """Its log tells what it imports, and when."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PYTHONPROFILEIMPORTTIME": "1"}


def test_nothing_is_loaded_once_it_has_talked() -> None:
    """An import holds all threads up, for longer than a sound card waits."""
    script = Script(turns=(TURN, SHORT), events=(Event("reply", GoAway(5.0), connections=(1,)),))
    with open_room(script, {"conversation": {"session_keep_s": 1}}, daemon=Telling) as room:
        daemon = room.daemon
        room.wake_and_ask()
        daemon.event("session", what="closed", timeout=40)
        assert "import time:" in daemon.log()
        after, written = daemon.here, len(daemon.log())
        for command in ("status", "config", "mute", "unmute", "reload"):
            assert "error" not in daemon.request(command)[-1]
        daemon.request("volume", percent=40)
        daemon.state("idle", after=after)
        room.wake_and_ask()
        daemon.event("reply", what="drained", after=after)
        daemon.status()
        assert "import time:" not in daemon.log()[written:]


def resident_kb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - only how many


def attack(path: Path, rounds: int) -> None:
    """One of each kind, again and again; some hang on until their hundred is full."""
    held: list[socket.socket] = []
    for number in range(rounds):
        for line in (b"x" * 70_000, b"\x00\xff" * 500, b"[" * 60_000, b'{"command": 1}', b"{}"):
            (told,) = answer(path, line)
            assert "error" in told
        for started in (b'{"command": "watch"}\n', b'{"comm'):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(path))
            client.sendall(started)
            held.append(client)
        if number % 10 == 9:
            for client in held:
                client.close()
            held.clear()


def test_bad_company_costs_it_nothing() -> None:
    """Thousands of broken requests, watchers who read nothing: nothing grows, and it answers."""
    with open_room(Script(turns=(SHORT, SHORT))) as room:
        daemon = room.daemon
        pid = daemon.process.pid
        # What a conversation needs is loaded beside everything else, and takes memory too.
        room.wake_and_ask()
        daemon.event("reply", what="drained")
        attack(daemon.socket, 50)
        before = resident_kb(pid), descriptors(pid)
        began = time.monotonic()
        attack(daemon.socket, 300)
        took_s = time.monotonic() - began
        daemon.wait(lambda: descriptors(pid) <= before[1], "closed descriptors")
        after = resident_kb(pid), descriptors(pid)
        print(f"2,100 connections in {took_s:.1f} s; kB and descriptors: {before} -> {after}")
        assert after[0] - before[0] < 4_000
        assert "Traceback" not in daemon.log()
        again = daemon.here
        room.wake_and_ask()
        daemon.event("reply", what="drained", after=again)
