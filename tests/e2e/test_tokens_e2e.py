"""One machine has the key and lends tokens, another is the speaker: both for real, over TLS."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from device.simulator.script import Script, TokenRules, Turn
from device.tokens.speakers import Speakers
from tests.rig.daemon import EVENT_S, ROOT, Daemon
from tests.rig.room import CONFIG, Room, merged
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer

KEY = "AIzaPlanted_Key_That_Nobody_May_See-012"
SHORT = Turn(heard="weather", says="It is sunny.", audio=700)
LISTENING = re.compile(r"lends tokens to .* at https://127\.0\.0\.1:(\d+)/token")


class Lender:
    """`parley token serve` as a process; it has the key of the stand-in."""

    def __init__(self, folder: Path, google: ServerThread, *, key: str = KEY) -> None:
        self.speakers = folder / "speakers"
        self.audit = folder / "tokens.jsonl"
        self.bearer = Speakers(self.speakers).add("kitchen")
        self.port = 0
        self.lines: list[str] = []
        self._key = key
        self._folder = folder
        self._certificate = google.look(lambda server: server.tls)
        self._config = folder / "token-server.yaml"
        self._config.write_text(json.dumps({"live": {"endpoint": google.url}}))

    def __enter__(self) -> Self:
        words = [sys.executable, "-m", "device", "token", "serve"]
        options = {
            "--listen": f"127.0.0.1:{self.port}",
            "--certificate": self._certificate.certificate,
            "--private-key": self._certificate.key,
            "--speakers": self.speakers,
            "--audit": self.audit,
            "--config": self._config,
        }
        words += [str(each) for option in options.items() for each in option]
        trusted = str(self._certificate.certificate)
        environ = {"GEMINI_API_KEY": self._key, "SSL_CERT_FILE": trusted, "PYTHONPATH": str(ROOT)}
        keep = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
        self.process = subprocess.Popen(
            words, env=keep | environ, cwd=self._folder, stderr=subprocess.PIPE, text=True
        )
        ready = threading.Event()
        self._reading = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._reading.start()
        assert ready.wait(60), self.lines
        return self

    def _read(self, ready: threading.Event) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if match := LISTENING.search(line):
                self.port = int(match[1])
                ready.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.stop() == 0
        if error is not None:
            print("".join(self.lines))

    def stop(self) -> int:
        """End it as systemd does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(EVENT_S)
        self._reading.join(5)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code

    @property
    def log(self) -> str:
        return "".join(self.lines)


@contextmanager
def home(
    tmp_path: Path, script: Script, *, key: str = KEY, bearer: str | None = None
) -> Iterator[tuple[Room, Lender]]:
    """A speaker that has no key, and the token server that it asks."""
    with ExitStack() as stack:
        sound = stack.enter_context(SoundServer())
        google = stack.enter_context(ServerThread(script))
        lender = stack.enter_context(Lender(tmp_path, google, key=key))
        live = {
            "endpoint": google.url,
            "token_url": f"https://localhost:{lender.port}/token",
            "token_credential": "tokens",
        }
        environ = {
            **sound.environment,
            "SSL_CERT_FILE": str(google.certificate),
            "PARLEY_CREDENTIAL_TOKENS": bearer or lender.bearer,
        }
        speaker = Daemon(merged(CONFIG, {"live": live}), environ, key=None)
        yield Room(sound, google, stack.enter_context(speaker)), lender


def search(room: Room, lender: Lender) -> None:
    """Nobody tells the key, the bearer or a token, whose secret is behind its slash."""
    minted = room.server.look(lambda server: list(server.mint.tokens))
    secrets = [KEY, lender.bearer, *(name.partition("/")[2][:16] for name in minted)]
    told = {
        "journal": room.daemon.log(),
        "events": json.dumps(room.daemon.events),
        "status": json.dumps(room.daemon.status()),
        "the token server": lender.log,
        "audit": lender.audit.read_text() if lender.audit.exists() else "",
        "arguments": " ".join(map(str, lender.process.args)),  # type: ignore[arg-type]
    }
    for file in room.daemon.path.rglob("*"):
        if file.is_file():
            told[str(file)] = file.read_text(errors="replace")
    for where, text in told.items():
        assert not [secret for secret in secrets if secret in text], where


@pytest.mark.parametrize("counts", [False, True])
def test_a_speaker_without_a_key_talks_over_lent_tokens(tmp_path: Path, counts: bool) -> None:
    """Wake word, answer, a rotation, an answer; no fault, no key, and nobody tells a secret."""
    rules = TokenRules(resumes_count=counts, refused_by="status")
    script = Script(turns=(SHORT,), api_keys=(KEY,), tokens=rules)
    with home(tmp_path, script) as (room, lender):
        room.wake_and_ask()
        room.daemon.event("reply", what="drained")
        room.server.call(lambda server: server.go_away(20.0))
        room.daemon.event("session", what="resumed")
        assert room.daemon.cli("ask", "and tomorrow?").returncode == 0
        records = [record for record in room.server.connections if record.status == 101]
        assert all("v1alpha" in record.path and record.token for record in records)
        assert records[1].handle in records[0].handles_sent
        assert len({record.token for record in records}) == 1 + counts
        lines = [json.loads(line) for line in lender.audit.read_text().splitlines()]
        assert [line["speaker"] for line in lines] == ["kitchen"] * (1 + counts)
        assert room.daemon.seen("fault") == []
        search(room, lender)


def test_a_token_server_that_dies_and_comes_back(tmp_path: Path) -> None:
    """It is told as the network that it is, and over with the next talk."""
    with home(tmp_path, Script(turns=(SHORT,), api_keys=(KEY,))) as (room, lender):
        assert lender.stop() == 0
        asked = room.daemon.cli("ask", "hello", timeout=60)
        assert asked.returncode == 1
        fault = room.daemon.event("fault", cleared=False)
        assert fault["kind"] == "network"
        assert "the token server localhost:" in fault["message"]
        assert not fault["fatal"]
        lender.__enter__()
        assert room.daemon.cli("ask", "hello").returncode == 0
        room.daemon.event("fault", cleared=True)
        search(room, lender)


def test_a_wrong_bearer_is_told_once_and_not_tried_again(tmp_path: Path) -> None:
    """With what to do about it; neither machine's log has it."""
    wrong = "a-bearer-that-nobody-was-given-0123456789"
    with home(tmp_path, Script(turns=(SHORT,)), bearer=wrong) as (room, lender):
        assert room.daemon.cli("ask", "hello", timeout=60).returncode == 1
        fault = room.daemon.event("fault", cleared=False)
        assert (fault["kind"], fault["fatal"]) == ("token", True)
        assert "live.token_credential" in fault["message"]
        assert wrong not in room.daemon.log() + lender.log
        assert lender.log.count("no speaker has this bearer") == 1
        assert room.server.connections == []
        search(room, lender)


def test_a_wrong_key_at_the_token_server_is_told_at_both_ends(tmp_path: Path) -> None:
    """The speaker says where to look, and there it is said what is wrong."""
    wrong = "AIzaAWrongKeyThatNobodyMaySee-0123456789"
    with home(tmp_path, Script(api_keys=(KEY,)), key=wrong) as (room, lender):
        assert room.daemon.cli("ask", "hello", timeout=60).returncode == 1
        fault = room.daemon.event("fault", cleared=False)
        assert fault["kind"] == "token"
        assert "Google refused it: look at its log" in fault["message"]
        assert "the server refused the key" in lender.log
        assert wrong not in room.daemon.log() + lender.log + json.dumps(room.daemon.events)
        search(room, lender)
