"""Key, token and a proxy's password are nowhere to be found, whatever goes wrong with them."""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from device.simulator.script import Script, Turn
from tests.rig.daemon import Daemon
from tests.rig.room import CONFIG, Room, merged
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer

KEY = "AQ.Ab8-Planted_Key_That_Nobody_May_See-0123456789"
PASSWORD = "Planted-Proxy-Passw0rd"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.Planted_Token_That_Nobody_May_See.9876543210"
SHARED = len("eyJhbGciOiJIUzI1NiJ9.")
"""What every token of its kind begins with is no secret."""
PIECE = 12
"""A part of a secret as long as this counts as found."""

SHORT = Turn(heard="more", says="yes", audio=700)


def pieces(secret: str) -> set[bytes]:
    """What to look for: the secret in parts, and as HTTP's Basic scheme writes it."""
    parts = {secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1)}
    basic = base64.b64encode(f"owner:{secret}".encode())
    return {part.encode() for part in parts} | {basic[8:28]}


SECRETS = pieces(KEY) | pieces(PASSWORD) | pieces(TOKEN[SHARED:])


def told(text: str | bytes, where: str) -> None:
    raw = text.encode() if isinstance(text, str) else text
    found = [secret for secret in SECRETS if secret in raw]
    assert found == [], f"{where}: {raw[:2000]!r}"


class Rude(threading.Thread):
    """A proxy that refuses, and tells everybody what it was sent."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.heard: list[bytes] = []

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                request = client.recv(65_536)
                self.heard.append(request)
                sent = [
                    line for line in request.split(b"\r\n") if line.lower().startswith(b"proxy-")
                ]
                password = PASSWORD.encode()
                client.sendall(
                    b"HTTP/1.1 407 no, " + password + b"\r\n" + b"X-Sent: "
                    + b" ".join(sent) + b"\r\nContent-Length: 0\r\n\r\n"
                )  # fmt: skip

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])


@contextmanager
def house(environment: Mapping[str, str], *, trusted: bool = True) -> Iterator[Room]:
    """A room whose speaker gets its key as systemd hands it over."""
    with ExitStack() as stack:
        sound = stack.enter_context(SoundServer())
        script = Script(turns=(SHORT,), api_keys=(KEY if trusted else "another",))
        server = stack.enter_context(ServerThread(script))
        config = merged(CONFIG, {"live": {"endpoint": server.url}})
        given = {**sound.environment, "SSL_CERT_FILE": str(server.certificate), **environment}
        speaker = Daemon(config, given, key=None, wait_ready=False)
        credentials = speaker.path / "credentials"
        credentials.mkdir()
        (credentials / "gemini_api_key").write_text(f"{KEY}\n")
        (credentials / "credentials.d_home").write_text(f"{TOKEN}\n")
        speaker._extra["CREDENTIALS_DIRECTORY"] = str(credentials)
        spy = speaker.path / "bin"
        spy.mkdir()
        real = "/usr/bin/espeak-ng"
        (spy / "espeak-ng").write_text(f'#!/bin/sh\nenv >>"{spy}/environ"\nexec {real} "$@"\n')
        (spy / "espeak-ng").chmod(0o755)
        speaker._extra["PATH"] = f"{spy}:{os.environ['PATH']}"
        yield Room(sound, server, stack.enter_context(speaker))


def search(room: Room) -> None:
    """Look everywhere that somebody else than the speaker may look."""
    daemon = room.daemon
    told(daemon.log(), "journal")
    told(json.dumps(daemon.events), "events")
    told("\n".join(daemon.notified), "systemctl status")
    for command in (["status"], ["status", "--json"], ["config", "show"]):
        done = daemon.cli(*command)
        assert done.returncode == 0
        told(done.stdout + done.stderr, " ".join(command))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told((process / "cmdline").read_bytes(), f"{process}/cmdline")
            if process.name == str(daemon.process.pid):
                # Its own user and root may read it: there is a path in it, and no key.
                assert KEY.encode() not in (process / "environ").read_bytes()
                assert TOKEN.encode() not in (process / "environ").read_bytes()
        except (OSError, ProcessLookupError):
            continue
    search_files(daemon)


def search_files(daemon: Daemon) -> None:
    """State and runtime directory, which are one here."""
    for file in daemon.path.rglob("*"):
        if file.is_file() and file.parent.name not in {"credentials", "bin"}:
            told(file.read_bytes(), str(file))


PROXY = f"http://owner:{PASSWORD}@127.0.0.1"
FAILURES: dict[str, tuple[dict[str, str], str]] = {
    "the server refuses the key": ({}, "key"),
    "a certificate that is not trusted": ({"SSL_CERT_FILE": "/etc/hostname"}, "tls"),
    "a proxy that is not there": ({"HTTPS_PROXY": f"{PROXY}:9"}, "network"),
    "a proxy that refuses": ({"HTTPS_PROXY": f"{PROXY}:{{rude}}"}, "proxy"),
    "a proxy of no known kind": ({"HTTPS_PROXY": f"ftp://owner:{PASSWORD}@127.0.0.1"}, "proxy"),
    "a proxy that is no address": ({"HTTPS_PROXY": f"http://owner:{PASSWORD}@:x/"}, "proxy"),
}


@pytest.mark.parametrize("what", sorted(FAILURES))
def test_a_failure_tells_no_secret(what: str) -> None:
    """Neither the journal nor an event, a status, a file or a process list has a part of it."""
    environment, kind = FAILURES[what]
    rude = Rude()
    rude.start()
    given = {name: value.replace("{rude}", str(rude.port)) for name, value in environment.items()}
    with house(given, trusted=False) as room:
        room.daemon.wait(lambda: "READY=1" in room.daemon.notified, "READY=1", 30)
        asked = room.daemon.cli("ask", "hello")
        assert asked.returncode == 1
        told(asked.stdout + asked.stderr, "ask")
        fault = room.daemon.event("fault", cleared=False)
        print(f"{what}: {fault['kind']}: {fault['message']}")
        search(room)
        assert fault["kind"] == kind
        assert "Traceback" not in room.daemon.log()
    rude.listener.close()
    assert bool(rude.heard) == (what == "a proxy that refuses")


def test_a_good_day_tells_no_secret() -> None:
    """A conversation; the children that speak for it inherit nothing; its last words neither."""
    with house({"GEMINI_API_KEY": f"{KEY}-2", "PARLEY_CREDENTIAL_HOME": TOKEN}) as room:
        room.daemon.wait(lambda: "READY=1" in room.daemon.notified, "READY=1", 30)
        assert room.daemon.cli("ask", "hello").returncode == 0
        inherited = room.daemon.path / "bin" / "environ"
        room.daemon.wait(inherited.exists, "a child that speaks")
        # Its own user may read it there; a proxy's password stays in it, as it does in ours.
        told(inherited.read_bytes(), "environment of a child")
        assert room.daemon.stop()[0] == 0
        told(room.daemon.log(), "journal")
        search_files(room.daemon)
