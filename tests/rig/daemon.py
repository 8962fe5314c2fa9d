"""The real `parley run` as a child process, seen from outside: events, status, systemd's messages.

What the daemon would tell systemd arrives on a notify socket of ours (sd_notify(3)), its events on
its control socket, as `parley watch --json` would show them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.rig.lateness import LATENESS
from tests.rig.real_time import require_real_time
from tests.rig.run_queue import RunQueue

READY_S = 60.0
EVENT_S = 30.0
"""How long anything is waited for that should come soon: it tells no slow speaker, but one in which
it never comes, so it is long."""
ROOT = Path(__file__).parents[2]

Record = dict[str, Any]


class NothingHappenedError(AssertionError):
    """What was waited for did not come."""


class Daemon:
    """A running speaker; use it as a context manager. Waits for READY unless told otherwise."""

    def __init__(
        self,
        config: Mapping[str, Any],
        environment: Mapping[str, str],
        *,
        key: str | None = "test-key",
        wait_ready: bool = True,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="parley-")
        self.path = Path(self._folder.name)
        self.config_file = self.path / "config.yaml"
        self.write_config(config)
        self.socket = self.path / "control.sock"
        self._key = key
        self._wait_ready = wait_ready
        self._extra = dict(environment)
        self.events: list[Record] = []
        self.notified: list[str] = []
        self.ready_s = 0.0
        """Seconds from the start of the process to READY."""
        self._changed = threading.Condition()
        self._log = (self.path / "log").open("w+")

    def write_config(self, config: Mapping[str, Any]) -> None:
        self.config_file.write_text(yaml.safe_dump(dict(config)))

    def again(self) -> Self:
        """Another process of the same speaker, not started yet: its settings, its state."""
        config = yaml.safe_load(self.config_file.read_text())
        environment = {**self._extra, "STATE_DIRECTORY": str(self.path)}
        return type(self)(config, environment, key=self._key)

    @property
    def environment(self) -> dict[str, str]:
        keys = {"GEMINI_API_KEY", "GOOGLE_API_KEY", "CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY"}
        kept = {name: value for name, value in os.environ.items() if name not in keys}
        key = {"GEMINI_API_KEY": self._key} if self._key is not None else {}
        own = {
            "GPIOZERO_PIN_FACTORY": "mock",
            "NOTIFY_SOCKET": str(self.path / "notify"),
            "RUNTIME_DIRECTORY": str(self.path),
            "STATE_DIRECTORY": str(self.path),
            "PYTHONPATH": str(ROOT),
        }
        return {**kept, **own, **key, **self._extra}

    def __enter__(self) -> Self:
        require_real_time("the daemon")
        self._listen_for_notices()
        self._start()
        return self

    def restart(self) -> None:
        """Kill it as a power cut does, and start it again; what it told before is forgotten."""
        self.process.kill()
        self.process.wait()
        self._queue.close()
        for thread in (self._noticing, self._watching):
            thread.join(5)
        self.events.clear()
        self.notified.clear()
        self._start()

    def _start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*self._parley("run"), "--config", str(self.config_file)],
            env=self.environment,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._queue = RunQueue(self.process.pid)
        self._noticing = threading.Thread(target=self._take_notices, daemon=True)
        self._noticing.start()
        try:
            self._watch()
            if self._wait_ready:
                self.wait(lambda: "READY=1" in self.notified, "READY=1", READY_S)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._queue.close()
        for thread in (self._noticing, self._watching):
            thread.join(5)
        self._notices.close()
        if error is not None:
            print(self.log())
        self._log.close()
        self._folder.cleanup()

    # --- what it does --------------------------------------------------------------------------

    def _parley(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "device", *arguments, "--socket", str(self.socket)]

    def cli(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a `parley` command against this speaker."""
        return subprocess.run(
            self._parley(*arguments),
            env=self.environment,
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def request(self, command: str, **fields: Any) -> list[Record]:
        """Give a command over the control socket and return all it answers."""
        return list(self._answers(command, fields))

    def _answers(self, command: str, fields: Mapping[str, Any]) -> Generator[Record]:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(EVENT_S)
            client.connect(str(self.socket))
            client.sendall(json.dumps({"command": command, **fields}).encode() + b"\n")
            with client.makefile("rb") as lines:
                for line in lines:
                    yield json.loads(line)

    def status(self) -> Record:
        """The answer of `parley status --json`."""
        result: Record = self.request("status")[-1]["result"]
        return result

    def log(self) -> str:
        """What it wrote to its journal so far."""
        return (self.path / "log").read_text(errors="replace")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Signal it and wait for its end; returns exit code and how many seconds it took.

        Those in which it waited for a core do not count (`took_s`).
        """
        began = time.monotonic()
        self.process.send_signal(number)
        return self.ended(), self.took_s(began, time.monotonic())

    def ended(self) -> int:
        """Wait until it has ended; returns its exit code."""
        return self.process.wait(EVENT_S)

    def took_s(self, begin: float, end: float) -> float:
        """Return how long it took for something, from one time to another (CLOCK_MONOTONIC).

        What its threads waited for a core meanwhile is taken off: that took the machine, not the
        speaker. On a machine that has time it is the whole difference.
        """
        return end - begin - self._queue.waited_s(begin, end)

    # --- what it tells -------------------------------------------------------------------------

    def wait(self, condition: Callable[[], Any], what: str, timeout: float = EVENT_S) -> Any:
        """Wait until `condition()` is true, looking whenever something was told."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (found := condition()):
                left = deadline - time.monotonic()
                if left <= 0 or self.process.poll() is not None:
                    why = "did not come" if left <= 0 else "cannot come: the daemon has ended"
                    raise NothingHappenedError(
                        f"{what} {why}; events: {self._told()}\n{self._figures()}\n{self.log()}"
                    )
                self._changed.wait(min(left, 0.25))
        return found

    def event(
        self, name: str, *, after: int = 0, timeout: float = EVENT_S, **fields: Any
    ) -> Record:
        """Wait for an event with these fields, from place `after` of `events` on."""

        def found() -> Record | None:
            return next((e for e in self.events[after:] if matches(e, name, fields)), None)

        record: Record = self.wait(found, f"event {name} {fields}", timeout)
        return record

    def state(self, to: str, *, after: int = 0, timeout: float = EVENT_S) -> Record:
        """Wait for the speaker to enter a state."""
        return self.event("state", after=after, timeout=timeout, to=to)

    def seen(self, name: str, **fields: Any) -> list[Record]:
        """The events with these fields that were told so far."""
        with self._changed:
            return [e for e in self.events if matches(e, name, fields)]

    @property
    def here(self) -> int:
        """The place in `events` from which on nothing has happened yet."""
        with self._changed:
            return len(self.events)

    def _figures(self) -> str:
        """What it counts, for a failure's message: whether it was deaf, say, or held up."""
        try:
            with closing(self._answers("meter", {})) as readings:
                told = f"{json.dumps(self.status())}\n{json.dumps(next(readings, None))}"
        except (OSError, ValueError, LookupError) as error:
            told = f"no status: {error!r}"
        return f"{told}\n{LATENESS.so_far()}"

    def _told(self) -> str:
        return "\n".join(json.dumps(event) for event in self.events[-30:])

    def _listen_for_notices(self) -> None:
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(self.path / "notify"))
        self._notices.settimeout(0.25)

    def _take_notices(self) -> None:
        while self.process.poll() is None:
            try:
                message = self._notices.recv(4096).decode()
            except TimeoutError:
                continue
            with self._changed:
                if message == "READY=1":
                    self.ready_s = time.monotonic() - self.started
                self.notified.append(message)
                self._changed.notify_all()

    def _watch(self) -> None:
        self._watching = threading.Thread(target=self._take_events, daemon=True)
        self._watching.start()

    def _take_events(self) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            while self.process.poll() is None:
                try:
                    client.connect(str(self.socket))
                    break
                except OSError:
                    # The socket appears while the daemon starts; nothing announces it.
                    self._appeared()
            else:
                return
            client.sendall(b'{"command": "watch"}\n')
            for line in client.makefile("rb"):
                with self._changed:
                    self.events.append(json.loads(line))
                    self._changed.notify_all()

    def _appeared(self) -> None:
        with self._changed:
            self._changed.wait(0.01)


def matches(event: Record, name: str, fields: Mapping[str, Any]) -> bool:
    return event["event"] == name and all(event.get(k) == value for k, value in fields.items())
