"""`parley doctor`: its table, its JSON, its exit codes, and that it can be interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.__main__ import main
from device.doctor.checklist import CHECKS, scene_of
from device.doctor.examination import Check
from device.doctor.result import Cure, Result, broken, fine, hint, skipped
from device.doctor.scene import Scene
from tests.rig.answering import Answering
from tests.rig.sound import ALSA_CONF, wait_until

Capture = pytest.CaptureFixture[str]
KEY = "planted-key-of-nobody-0815"
STATUS: dict[str, Any] = {
    "state": "idle", "uptime_s": 5.0, "version": "1", "muted": False, "faults": [], "session": {},
    "microphone": "some card", "board": "none", "lights": 0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("GEMINI_API_KEY", KEY)


def checks(monkeypatch: pytest.MonkeyPatch, *results: Result) -> None:
    """The doctor only finds these."""

    def look(_scene: Scene) -> Iterator[Result]:
        yield from results

    made = Check("sound", "it", look, doing="listening …")
    monkeypatch.setattr("device.cli.doctor.CHECKS", (made,))


def doctor(root: Path, *words: str) -> int:
    return main(["doctor", *words, "--socket", str(root / "control.sock")])


def test_a_good_machine_has_a_table_with_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Exit code 0; what looks like a colour to the terminal library is text."""
    checks(monkeypatch, fine("clock", "[bold]now[/bold]"), hint("disk", "40 MB", "make room"),
           skipped("power", "no Pi"))  # fmt: skip
    assert doctor(tmp_path) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert [line.strip() for line in printed.out.splitlines()] == [
        "listening …",
        "sound",
        "clock  fine     [bold]now[/bold]",
        "disk   hint     40 MB",
        "→ make room",
        "power  skipped  no Pi",
        "",
        "0 broken, 1 hint (disk), 1 fine, 1 skipped; 0 s",
    ]


def test_what_is_broken_decides_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """And the key is blotted out of whatever a check says."""
    checks(monkeypatch, broken("key", f"refused: {KEY}", f"not {KEY}", Cure("", lambda: None)))
    assert doctor(tmp_path) == 1
    table = capsys.readouterr().out
    assert "(--fix can)" in table
    assert doctor(tmp_path, "--json") == 1
    printed = capsys.readouterr()
    assert KEY not in table + printed.out + printed.err
    record = json.loads(printed.out)
    assert (record["verdict"], record["broken"]) == ("broken", True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\+00:00", record["time"])
    [check] = record["checks"]
    assert check == {
        "group": "sound",
        "name": "key",
        "verdict": "broken",
        "figure": "refused: [left out]",
        "advice": "not [left out]",
        "figures": {},
        "fixable": True,
        "cured": "",
    }


def test_what_can_be_mended_is_mended_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """And told; the exit code is that of what is left."""
    mended: list[bool] = []

    def look(_scene: Scene) -> Iterator[Result]:
        remedy = Cure("it was mended", lambda: mended.append(True))
        yield fine("it", "5") if mended else broken("it", "0", "mend it", remedy)

    monkeypatch.setattr("device.cli.doctor.CHECKS", (Check("sound", "it", look),))
    assert doctor(tmp_path) == 1
    assert "→ done" not in capsys.readouterr().out
    assert doctor(tmp_path, "--fix", "--json") == 0
    assert json.loads(capsys.readouterr().out)["checks"][0]["cured"] == "it was mended"
    mended.clear()
    assert doctor(tmp_path, "--fix") == 0
    assert "→ done: it was mended" in capsys.readouterr().out


def test_every_check_has_a_heading_and_its_own_name() -> None:
    """And those that take long say so first."""
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    groups = [check.group for check in CHECKS]
    assert groups == sorted(groups, key=groups.index)
    assert all(check.doing for check in CHECKS if check.name in {"echo", "microphone"})


async def test_the_scene_is_what_a_running_speaker_says(tmp_path: Path) -> None:
    """Or why it says nothing; a mistake in the file is for a check to tell."""
    config = tmp_path / "config.yaml"
    config.write_text("audio: {volume: 999}")
    socket = tmp_path / "control.sock"
    speaker = Answering(socket)
    speaker.answers["status"] = [{"result": STATUS}]
    with speaker.serving():
        scene = await scene_of(config, str(socket), {}, offline=True)
        assert (scene.status, scene.silence, scene.alive) == (STATUS, "", True)
        assert not scene.owns_hardware
        assert scene.config.audio.volume == 60
        assert scene.offline
        speaker.answers["status"] = "it is starting"
        scene = await scene_of(None, str(socket), {})
        assert (scene.silence, scene.alive) == ("it is starting", True)
        speaker.answers["status"] = []
        assert "ended before" in (await scene_of(None, str(socket), {})).silence
    scene = await scene_of(None, str(socket), {})
    assert scene.owns_hardware
    assert "nobody answers" in scene.silence


async def test_a_speaker_that_hangs_or_may_not_be_asked_still_owns_its_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is opened."""
    monkeypatch.setattr("device.doctor.checklist.STATUS_S", 0.05)
    socket = tmp_path / "control.sock"
    speaker = Answering(socket)
    speaker.answers["status"] = []
    speaker.endless.add("status")
    with speaker.serving():
        scene = await scene_of(None, str(socket), {})
    assert (scene.alive, scene.hung, scene.owns_hardware) == (True, True, False)
    assert "did not answer within" in scene.silence

    async def closed(*_: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("device.control.socket.asyncio.open_unix_connection", closed)
    scene = await scene_of(None, str(socket), {})
    assert (scene.alive, scene.hung, scene.owns_hardware) == (True, False, False)


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "nan"])
def test_a_meter_takes_a_number_of_seconds(seconds: str, capsys: Capture) -> None:
    """Wrong usage is exit code 2."""
    with pytest.raises(SystemExit) as left:
        main(["doctor", "mic", "--seconds", seconds])
    assert left.value.code == 2
    assert "is no number of seconds" in capsys.readouterr().err


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A child's Ctrl-C counts, also where these tests run in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_it_can_be_interrupted(tmp_path: Path) -> None:
    """From the keyboard, without a traceback; the exit code is a shell's."""
    speaker = Answering(tmp_path / "control.sock")
    speaker.answers = {"status": [{"result": STATUS}], "meter": []}
    speaker.endless.add("meter")
    command = [sys.executable, "-m", "device", "doctor", "--offline"]
    with (
        speaker.serving(),
        subprocess.Popen(
            [*command, "--socket", str(speaker.path)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running,
    ):
        assert running.stderr is not None
        wait_until(lambda: {"command": "meter"} in speaker.asked, "the request", 20)
        running.send_signal(signal.SIGINT)
        try:
            assert running.wait(timeout=30) == 130
            assert running.stderr.read() == b""
        finally:
            running.kill()


HANGING = """
import itertools, sys
from device.doctor import checklist
from device.doctor import wake
from device.doctor.examination import Check

def for_ever(scene):
    for _ in itertools.count():
        list(wake.wake(scene))

checklist.CHECKS = [Check("wake word", "wake words", for_ever, 1.0)]
from device.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("words", [["doctor", "--json"], ["doctor", "bundle", "all.tar.gz"]])
def test_a_check_that_never_ends_is_left_behind(tmp_path: Path, words: list[str]) -> None:
    """The exit code is ours, though its thread computes when the interpreter ends."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    config = tmp_path / "config.yaml"
    config.write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", HANGING, *words, "--config", config, "--socket", tmp_path / "none"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "terminate" not in done.stderr
    if "bundle" in words:
        assert done.returncode == 0
        assert (tmp_path / "all.tar.gz").stat().st_size > 0
    else:
        assert done.returncode == 1
        [found] = json.loads(done.stdout)["checks"]
        assert found["figure"] == "no answer within 1 s"


def test_the_whole_doctor_on_a_machine_with_next_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Every check says something, none fails by itself, and the key is nowhere."""
    # No card of this machine is heard or played on.
    (tmp_path / "alsa.conf").write_text(ALSA_CONF)
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "alsa.conf"))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody")
    assert doctor(tmp_path, "--json", "--offline", "--config", str(tmp_path / "c.yaml")) == 1
    printed = capsys.readouterr()
    assert KEY not in printed.out + printed.err
    found = {each["name"]: each for each in json.loads(printed.out)["checks"]}
    names = (
        "clock disk memory temperature power config key credentials state records spending unit "
        "speaker faults kernel board devices lights button mixer microphone loudspeaker wifi dns "
        "tcp tls websocket model camera"
    )
    two = (
        "array",
        "sound system",
        "wake speed",
        "wake words",
        "wake opinion",
        "wake clips",
        "processor",
        "kernel log",
        "sound servers",
        "cards",
        "cards held",
        "mcp servers",
        "camera access",
        "personas",
        "token server",
    )
    assert {*names.split(), *two} == set(found)
    assert "failed by itself" not in printed.out
    assert found["microphone"]["verdict"] == "broken"
    assert found["loudspeaker"]["verdict"] == "skipped"
    assert found["wake words"]["figures"]["heard"] == 2


def test_a_sound_system_that_ends_the_process_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """PortAudio asserts that ALSA has a default device: the doctor lives on."""
    (tmp_path / "alsa.conf").write_text("# nothing\n")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "alsa.conf"))
    some = [check for check in CHECKS if check.name in {"sound system", "microphone", "echo"}]
    monkeypatch.setattr("device.cli.doctor.CHECKS", some)
    assert doctor(tmp_path, "--json") == 1
    system, microphone, loudspeaker = json.loads(capsys.readouterr().out)["checks"]
    assert system["verdict"] == "broken"
    assert "it dies by signal 6" in system["figure"]
    assert microphone["verdict"] == loudspeaker["verdict"] == "skipped"
    assert "does not start" in microphone["figure"]
