"""A home whose network can fail: the speaker in a network namespace, the server outside of it.

Needs root and iproute2. The two sides are joined by a pair of virtual Ethernet devices with a name
and addresses of this process, so that tests beside each other do not meet.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, UDPServer
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import pytest

from device.simulator.certificate import make_certificate
from device.simulator.script import Script
from tests.rig.daemon import Daemon
from tests.rig.room import CONFIG, Room, merged
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer

NAME = "live.home.test"
"""Resolved in the home, to the address outside."""

can_make_homes = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None,
    reason="making network namespaces needs root and iproute2",
)


class Home:
    """The namespace; use it as a context manager."""

    def __init__(self, *, dns: str | None = None) -> None:
        """``dns`` is the name server in the home; None: only the name of the server is known."""
        number = os.getpid() % 16_000
        self.namespace = f"parley-{number}"
        self._outer, self._inner = f"po{number}", f"pi{number}"
        third, fourth = divmod(number * 4, 256)
        self.outside = f"10.213.{third}.{fourth + 1}"
        """Where the server is."""
        self.inside = f"10.213.{third}.{fourth + 2}"
        self._dns = dns
        self._settings = Path("/etc/netns", self.namespace)

    @property
    def prefix(self) -> list[str]:
        """Before a command that is to run in the home."""
        return ["ip", "netns", "exec", self.namespace]

    def __enter__(self) -> Self:
        self._remove()
        self._settings.mkdir(parents=True)
        known = "" if self._dns else f"{self.outside} {NAME}\n"
        (self._settings / "hosts").write_text(f"127.0.0.1 localhost\n{known}")
        server = self._dns or self.outside
        # One try of one second: who is not answered finds out soon.
        (self._settings / "resolv.conf").write_text(
            f"nameserver {server}\noptions timeout:1 attempts:1\n"
        )
        (self._settings / "nsswitch.conf").write_text("hosts: files dns\n")
        _ip("netns", "add", self.namespace)
        _ip("link", "add", self._outer, "type", "veth", "peer", "name", self._inner)
        _ip("link", "set", self._inner, "netns", self.namespace)
        _ip("addr", "add", f"{self.outside}/30", "dev", self._outer)
        _ip("link", "set", self._outer, "up")
        self._in("addr", "add", f"{self.inside}/30", "dev", self._inner)
        self._in("link", "set", "lo", "up")
        self.plug_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def plug_in(self) -> None:
        """The network is there."""
        self._in("link", "set", self._inner, "up")
        self._in("route", "replace", "default", "via", self.outside)

    def unplug(self) -> None:
        """No carrier and no route: the device itself knows that there is no network."""
        self._in("link", "set", self._inner, "down")

    def cut(self) -> None:
        """Packets vanish both ways without a word, as with Wi-Fi out of range."""
        nobody = ("lladdr", "02:00:00:00:00:99", "nud", "permanent")
        _ip("neigh", "replace", self.inside, "dev", self._outer, *nobody)
        self._in("neigh", "replace", self.outside, "dev", self._inner, *nobody)

    def mend(self) -> None:
        """Packets arrive again."""
        _ip("neigh", "del", self.inside, "dev", self._outer)
        self._in("neigh", "del", self.outside, "dev", self._inner)

    def _in(self, *words: str) -> None:
        _ip("-n", self.namespace, *words)

    def _remove(self) -> None:
        """Also what a killed run with this number has left."""
        for words in (("link", "del", self._outer), ("netns", "del", self.namespace)):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip(*words)
        shutil.rmtree(self._settings, ignore_errors=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


class HomeDaemon(Daemon):
    """The daemon in the home; its sound and control sockets are files, and reach it there."""

    home: Home

    def _parley(self, *arguments: str) -> list[str]:
        plain = super()._parley(*arguments)
        return [*self.home.prefix, *plain] if arguments[0] == "run" else plain


class House(Room):
    """A room in a home."""

    def __init__(
        self, sound: SoundServer, server: ServerThread, daemon: Daemon, home: Home
    ) -> None:
        super().__init__(sound, server, daemon)
        self.home = home


@contextmanager
def open_house(
    script: Script | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    name: str | None = NAME,
    dns: bool = False,
    plugged_in: bool = True,
) -> Iterator[House]:
    """Start it all, the speaker last. ``name`` of the server; None: it is known by its address.

    ``dns``: names are asked of a server at the outside address, instead of a file.
    """
    with ExitStack() as stack:
        sound = stack.enter_context(SoundServer())
        home = Home()
        home = Home(dns=home.outside) if dns else home
        stack.enter_context(home)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="parley-home-")))
        certificate = make_certificate(folder, names=(NAME, home.outside))
        server = stack.enter_context(
            ServerThread(script, certificate=certificate, host=home.outside)
        )
        port = server.url.rsplit(":", 1)[1]
        endpoint = f"https://{name or home.outside}:{port}"
        settings = merged(merged(CONFIG, {"live": {"endpoint": endpoint}}), config or {})
        environment = {**sound.environment, "SSL_CERT_FILE": str(server.certificate)}
        daemon = HomeDaemon(settings, environment)
        daemon.home = home
        if not plugged_in:
            home.unplug()
        yield House(sound, server, stack.enter_context(daemon), home)


class NameServer:
    """Answers every question at an address with the same: an address, SERVFAIL or NXDOMAIN."""

    SERVFAIL = 2
    NXDOMAIN = 3

    def __init__(self, address: str, *, code: int) -> None:
        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                question, socket = self.request
                # RFC 1035 4.1.1: a response, recursion available, no records.
                flags = (0x8180 | code).to_bytes(2, "big")
                counts = question[4:6] + bytes(6)
                end = question.index(b"\0", 12) + 5
                socket.sendto(question[:2] + flags + counts + question[12:end], self.client_address)

        self._server = UDPServer((address, 53), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
