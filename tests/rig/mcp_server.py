"""MCP servers for tests, each a process of its own; see `tests.rig.mcp_house`.

``with home_assistant(token="…") as home`` listens when it is entered: point the speaker at
``home.url``, look at ``home.lights["kitchen"]``, ``home.shopping`` and ``home.calls``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from device.simulator.certificate import Certificate

ROOT = Path(__file__).parents[2]
ANSWER_S = 30.0
EVENT_S = 30.0


def command(way: str, *options: str) -> tuple[str, ...]:
    """The command line of such a server; of a local one (``stdio``) for the configuration."""
    # Run by its path, and not as a module, so that it works from any directory.
    program = str(Path(__file__).with_name("mcp_house.py"))
    return (sys.executable, "-P", program, "--way", way, *options)


class McpHouse:
    """A running server; use it as a context manager. Every method blocks."""

    def __init__(
        self,
        way: str,
        *options: str,
        token: str = "",
        path: str = "/api/mcp",
        certificate: Certificate | None = None,
    ) -> None:
        self._way = way
        self._options = list(options)
        if token:
            self._options += ["--token", token]
        self._certificate = certificate
        if certificate is not None:
            self._options += ["--certificate", str(certificate.certificate)]
            self._options += ["--key", str(certificate.key)]
        self._path = path
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
        self.process = subprocess.Popen(
            command(self._way, "--port", str(self.port), *self._options),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("READY "), f"the MCP server did not start: {line!r}"
        self.port = int(line.split()[1])

    def stop(self) -> None:
        """End it at once, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    @property
    def url(self) -> str:
        """Where MCP is spoken."""
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://localhost:{self.port}{self._path}"

    @property
    def state(self) -> Mapping[str, Any]:
        """All that is known of it now."""
        state: Mapping[str, Any] = json.loads(self._ask("/rig/state"))
        return state

    @property
    def lights(self) -> Mapping[str, str]:
        """``on`` or ``off`` by room: kitchen, hall, bedroom; all are on at first."""
        lights: Mapping[str, str] = self.state["lights"]
        return lights

    @property
    def shopping(self) -> list[str]:
        """What is on the shopping list."""
        shopping: list[str] = self.state["shopping"]
        return shopping

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls that came, in order: ``name`` and ``arguments``."""
        calls: list[dict[str, Any]] = self.state["calls"]
        return calls

    def do(self, **what: Any) -> None:
        """Have it do something: ``change=True`` (one more tool, told), ``extra``, ``fault``…"""
        self._ask("/rig/do", json.dumps(what).encode())

    def wait(self, met: Callable[[Mapping[str, Any]], object], timeout_s: float = EVENT_S) -> None:
        """Block until its state meets a condition. Raises TimeoutError with the state."""
        until = time.monotonic() + timeout_s
        while not met(state := self.state):
            if time.monotonic() > until:
                raise TimeoutError(f"the MCP server came to: {state}")
            time.sleep(0.02)

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        scheme = "https" if self._certificate else "http"
        context = self._certificate.client_context() if self._certificate else None
        request = urllib.request.Request(f"{scheme}://localhost:{self.port}{path}", data=body)
        with urllib.request.urlopen(request, timeout=ANSWER_S, context=context) as answer:
            found: bytes = answer.read()
        return found


def home_assistant(
    token: str = "",
    *options: str,
    path: str = "/api/mcp",
    certificate: Certificate | None = None,
) -> McpHouse:
    """Return a server that answers as Home Assistant's does."""
    return McpHouse("ha", *options, token=token, path=path, certificate=certificate)
