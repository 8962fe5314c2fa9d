"""A server that means no good: the real daemon lives, and what it says commands no terminal."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from typing import Self

from device.simulator.script import Close, Event, Script, Send, Turn
from tests.rig.daemon import EVENT_S, Daemon
from tests.rig.hostile_server import OUT_OF_BOUNDS, TERMINAL
from tests.rig.room import Room, open_room

ANSWER = Turn(heard="weather", says="It is sunny.", audio=300)
EVIL = TERMINAL.replace("\ud800", "")
FORGED = "  99.000  state       to=muted"


def is_clean(text: str) -> bool:
    """Whether this commands no terminal, line by line."""
    return all(line.isprintable() for line in text.split("\n"))


class Watch:
    """`parley watch` beside the speaker, and the lines that it has shown."""

    def __init__(self, daemon: Daemon, *arguments: str) -> None:
        self.lines: list[str] = []
        command = [sys.executable, "-m", "device", "watch", "--socket", str(daemon.socket)]
        self._process = subprocess.Popen(
            [*command, *arguments],
            env={**daemon.environment, "PYTHONIOENCODING": "utf-8:surrogateescape"},
            cwd=daemon.path,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        # It shows what happens from the moment on at which it listens, which nothing tells.
        while not self.lines:
            daemon.request("mute")
            daemon.request("unmute")
            self._reading.join(0.1)
            assert self._process.poll() is None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(EVENT_S)
        self._reading.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()


def asked_and_answered(room: Room, text: str = "still there?") -> str:
    """Ask in writing; returns what `parley ask` printed."""
    done = room.daemon.cli("ask", text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_messages_that_are_none_do_not_end_the_daemon() -> None:
    """They are counted; the answer to the question that was asked meanwhile comes."""
    events = tuple(Event("ready", Send(each)) for each in (b"[1]", b'"x"', b"[" * 100_000))
    with open_room(Script(turns=(ANSWER,), events=events)) as room:
        assert asked_and_answered(room) == "It is sunny.\n"
        assert room.daemon.status()["session"]["odd_messages"] == 3
        assert room.daemon.process.poll() is None
        assert room.daemon.seen("fault") == []


def test_nothing_that_is_out_of_bounds_ends_the_daemon() -> None:
    """All of it, one after the other, in one evening; some of it costs the answer after it."""
    with open_room(Script(turns=(ANSWER,))) as room:
        sent = 0
        while sent < len(OUT_OF_BOUNDS):
            answer = room.daemon.request("ask", text="still there?")
            assert answer[-1].keys() & {"result", "error"}, (sent, answer)
            message = OUT_OF_BOUNDS[sent]
            # Over some of them the connection is lost: then the next question opens another.
            with contextlib.suppress(ConnectionError):
                room.server.call(lambda server, message=message: server.do(Send(message)))  # type: ignore[misc]
                sent += 1
        assert asked_and_answered(room) == "It is sunny.\n"
        assert room.daemon.process.poll() is None


def test_a_server_that_sends_nothing_else_is_a_told_fault() -> None:
    """The speaker says what is wrong, and is there for the next question."""
    events = tuple(Event("ready", Send(b"[1]")) for _ in range(25))
    with open_room(Script(turns=(ANSWER,), events=events)) as room:
        done = room.daemon.cli("ask", "still there?", timeout=60)
        assert done.returncode == 1
        assert "keeps sending what cannot be read" in done.stderr
        assert room.daemon.event("fault", cleared=False)["kind"] == "server"
        assert room.daemon.status()["ready"]


def test_what_it_says_commands_no_terminal() -> None:
    """Transcripts, names of functions, reasons: in `watch`, `ask`, `status` and the journal."""
    call = {"toolCall": {"functionCalls": [{"id": "1", "name": EVIL}]}}
    ended = {"serverContent": {"turnComplete": True, "turnCompleteReason": EVIL}}
    config = {"privacy": {"log_transcripts": True}}
    evil = Turn(heard=EVIL, says=EVIL, audio=300)
    with open_room(Script(turns=(evil,)), config) as room:
        with Watch(room.daemon) as watch, Watch(room.daemon, "--json") as as_json:
            printed = asked_and_answered(room)
            # A server that asked for nothing of the kind hangs up over the answer to the call.
            for message in (ended, call):
                room.server.call(lambda server, message=message: server.do(Send(message)))  # type: ignore[misc]
            room.daemon.event("tool", what="called")
            room.daemon.wait(lambda: "called" in "".join(watch.lines), "the call in watch")
            room.daemon.wait(lambda: "called" in "".join(as_json.lines), "the call in JSON")
        shown = "".join(watch.lines)
        assert "transcript" in shown
        assert "�" in shown
        assert not any(line.startswith(FORGED) for line in watch.lines), shown
        for text in (printed, shown, "".join(as_json.lines), room.daemon.cli("status").stdout):
            assert is_clean(text), repr(text)
        assert all(json.loads(record) for record in as_json.lines)
        assert is_clean(room.daemon.log()), repr(room.daemon.log())
        assert all(is_clean(message) for message in room.daemon.notified)


def test_a_reason_that_would_command_a_terminal_is_a_told_fault() -> None:
    """In the fault's message, at `ask`, in `status`, in the journal and in systemd's line."""
    reason = "You exceeded your quota\x1b]0;owned\x07\x9b2J\u202e\nSTOPPING=1"
    events = (Event("setup", Close(1011, reason)),)
    with open_room(Script(events=events)) as room:
        done = room.daemon.cli("ask", "hello?")
        assert done.returncode == 1
        fault = room.daemon.event("fault", kind="quota")
        told = room.daemon.cli("status").stdout
        assert "You exceeded your quota�]0;owned��2J� STOPPING=1" in fault["message"]
        for text in (done.stderr, told, room.daemon.log(), *room.daemon.notified):
            assert is_clean(text), repr(text)
        assert "STOPPING=1" not in {
            line for message in room.daemon.notified for line in message.split("\n")
        }
