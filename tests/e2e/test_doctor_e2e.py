"""The real doctor in a room with real sound: beside a running speaker, and without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from device.simulator.script import Script, Turn
from tests.rig.acoustics import Echo
from tests.rig.room import open_room
from tests.rig.server import ServerThread
from tests.rig.sound import SoundServer

pytestmark = pytest.mark.timeout(300)

KEY = "AIzaPlantedInTheEnvironmentOfTheSpeaker1"
SCRIPT = Script(turns=(Turn(says="Ready.", audio=700),))
AUDIO = {"volume": 100, "echo_cancellation": "auto", "duplex": "auto", "announcements": True}
Found = dict[str, dict[str, Any]]


def by_name(text: str) -> Found:
    return {each["name"]: each for each in json.loads(text)["checks"]}


def test_beside_a_running_speaker_it_asks_instead_of_opening(tmp_path: Path) -> None:
    """Levels and echo are the speaker's own; the key is in nothing that is printed or packed."""
    with ExitStack() as stack:
        room = stack.enter_context(open_room(SCRIPT, {"audio": AUDIO}, key=KEY))
        stack.enter_context(Echo(room.sound, "medium"))
        config = ("--config", str(room.daemon.config_file))
        done = room.daemon.cli("doctor", "--json", *config, timeout=120)
        assert done.returncode == 0, done.stdout
        assert done.stderr == ""
        found = by_name(done.stdout)
        assert found["speaker"]["verdict"] == "fine"
        assert found["microphone"]["verdict"] == "fine"
        assert found["loudspeaker"]["figures"]["return_loss_db"] == pytest.approx(10, abs=3)
        assert found["duplex"]["figures"]["canceller"] == "software"
        assert found["model"]["figures"]["model"] == "gemini-3.1-flash-live-preview"
        assert [found[name]["verdict"] for name in ("dns", "tcp", "tls", "websocket")] == [
            "fine"
        ] * 4
        bundle = tmp_path / "bundle.tar.gz"
        packed = room.daemon.cli("doctor", "bundle", str(bundle), *config, timeout=120)
        assert packed.returncode == 0, packed.stderr
        assert room.daemon.status()["state"] == "idle"
    with tarfile.open(bundle) as archive:
        files = [file.read() for each in archive if (file := archive.extractfile(each))]
    assert len(files) > 8
    everything = [bundle.read_bytes(), *files, *(each.encode() for each in (
        done.stdout, done.stderr, packed.stdout, packed.stderr))]  # fmt: skip
    assert not any(KEY.encode() in each for each in everything)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The words and the environment of a command where no speaker runs, in a room that echoes."""
    with SoundServer() as sound, ServerThread(SCRIPT) as server, Echo(sound, "medium"):
        config = tmp_path / "config.yaml"
        settings = {"live": {"endpoint": server.url}, "audio": {"volume": 100}}
        config.write_text(yaml.safe_dump(settings))
        environment = {
            **os.environ,
            **sound.environment,
            "SSL_CERT_FILE": str(server.certificate),
            "GEMINI_API_KEY": KEY,
            "STATE_DIRECTORY": str(tmp_path),
            "RUNTIME_DIRECTORY": str(tmp_path),
        }
        words = [sys.executable, "-m", "device", "doctor"]
        yield [*words, "--config", str(config)], environment


def test_where_no_speaker_runs_it_listens_and_speaks_itself(
    alone: tuple[list[str], dict[str, str]],
) -> None:
    """Through the same microphone, loudspeaker and canceller."""
    words, environment = alone
    done = subprocess.run(
        [*words, "--json"],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    # A busy machine starves the sound server now and then, and ALSA says so.
    told = [line for line in done.stderr.splitlines() if not line.endswith("underrun occurred")]
    assert told == []
    found = by_name(done.stdout)
    assert found["microphone"]["verdict"] == "fine"
    assert found["loudspeaker"]["figures"]["return_loss_db"] == pytest.approx(10, abs=3)
    assert found["echo"]["figures"]["erle_db"] > 0
    assert KEY not in done.stdout
