"""The support bundle: what is in it, and above all what is not."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device.__main__ import main
from device.config import parse
from device.doctor import bundle
from device.doctor.bundle import FOLDER, config_text, pack, secrets_of
from device.doctor.scene import Scene, run_command
from device.errors import ParleyError
from device.records.audit import CALL
from device.records.rows import Row
from tests.records.test_books import write
from tests.rig.scene import Commands, machine
from tests.state.clips import fill, kept

IN_ENVIRONMENT = "planted-in-environment-0001"
IN_CREDENTIALS = "planted-in-credentials-0002"
IN_YAML = "planted-in-yaml-0003"
IN_A_VARIABLE = "planted-in-a-variable-0004"
BESIDE = "planted-beside-the-key-0005"
DEEPER = "planted-in-a-folder-0006"
HANDED_OVER = "planted-in-the-copy-0007"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJwbGFudGVkIn0.cGxhbnRlZC1hbnl3aGVyZQ"
PLANTED = (*(IN_ENVIRONMENT, IN_CREDENTIALS, IN_YAML, IN_A_VARIABLE, BESIDE, DEEPER, HANDED_OVER),)
UNKNOWN = "AIzaPlantedNowhereElse0123456789abcdefg"
SAID = "my neighbour keeps a secret tiger"
ON_RECORD, WAITING = "called-and-on-record", "called-and-waiting"
INSTRUCTION = "You are the voice of aunt Hildegard"
CONFIG = f"live:\n  api_key: {IN_YAML}\n  system_instruction: {INSTRUCTION}\n"


def line(message: object, **fields: str) -> str:
    record = {"__REALTIME_TIMESTAMP": "1800000000000000", "MESSAGE": message, **fields}
    return json.dumps(record)


JOURNAL = "\n".join(
    [
        line("heard hey_jarvis (0.93)", PRIORITY="6", EVENT="wake"),
        line(f"user: {SAID}", EVENT="transcript"),
        line(f"model: {SAID}"),
        line(f"something odd {SAID}", EVENT="transcript"),
        line(f"session failed: key {IN_CREDENTIALS} refused", FAULT="key", PRIORITY="3"),
        line(f"mcp: {BESIDE} {DEEPER} 401 for {IN_A_VARIABLE}, {HANDED_OVER[:18]}... and {TOKEN}"),
        line(f"a stray {UNKNOWN} and {IN_YAML} and {IN_ENVIRONMENT[:20]}"),
        line("handle Cn8KfAoE5rTzKq0WvX1yZ2a3B4c5"),
        line([1, 2, 3]),
        line(None, PRIORITY="6"),
        "no json",
        '"text"',
    ]
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    status = {"state": "idle", "last_fault": {"message": f"{IN_CREDENTIALS} was refused"}}
    return machine(
        tmp_path,
        config=f"live: {{system_instruction: {INSTRUCTION}}}\naudio: {{volume: 37}}",
        files={
            "etc/parley/config.yaml": CONFIG,
            "etc/parley/credentials/gemini_api_key": f"{IN_CREDENTIALS}\n",
            "etc/parley/credentials/home": f"Bearer {BESIDE}\n",
            "etc/parley/credentials/folder/other": f'TOKEN="{DEEPER}"\n',
            "run/credentials/parley.service/credentials.d_home": HANDED_OVER,
            "proc/asound/cards": " 0 [ArrayUAC10     ]: USB-Audio - ReSpeaker 4 Mic Array\n",
            "boot/firmware/config.txt": f"dtparam=spi=on\n# note {SAID}\nwifi_password={SAID}\n",
            "etc/os-release": 'NAME="x"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
        },
        environ={"GEMINI_API_KEY": IN_ENVIRONMENT, "PARLEY_CREDENTIAL_HOME": IN_A_VARIABLE},
        status=status,
        run=Commands(
            **{
                "journalctl": JOURNAL,
                "lsusb": f"Bus 001 Device 002: {IN_ENVIRONMENT}\n",
                "amixer": "numid=1,iface=MIXER,name='PCM Playback Volume'\n",
                sys.executable: f'{{"devices": ["a card", "{IN_YAML}"]}}',
            }
        ),
    )


def called(name: str) -> Row:
    return Row(CALL, name, 1.8e9, {"name": name})


def unpacked(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {
            member.name.removeprefix(f"{FOLDER}/"): file.read()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }


def test_no_planted_key_and_nothing_that_was_said_is_in_it(tmp_path: Path, scene: Scene) -> None:
    """Every byte of everything is searched, packed and unpacked."""
    assert set(PLANTED) <= set(secrets_of(scene))
    path = tmp_path / "bundle.tar.gz"
    figure = f"key {IN_YAML}, home {BESIDE} {TOKEN}"
    os.mkfifo(tmp_path / "etc/parley/credentials/pipe")
    findings = {"checks": [{"figure": figure, "advice": UNKNOWN}]}
    assert scene.state_folder is not None
    write(scene.state_folder, [called(ON_RECORD)], [called(WAITING)])
    names = pack(path, scene, findings, 100)
    files = unpacked(path)
    assert list(files) == names
    contents = [path.read_bytes(), *files.values(), *(name.encode() for name in files)]
    for planted in (*PLANTED, UNKNOWN, TOKEN[:16], SAID, "Hildegard", "tiger",
                    ON_RECORD, WAITING, "wifi_password", IN_ENVIRONMENT[:20], HANDED_OVER[:18],
                    "Cn8KfAoE5rTz"):  # fmt: skip
        assert [content for content in contents if planted.encode() in content] == []
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_clip_of_a_wake_is_in_it(tmp_path: Path, scene: Scene) -> None:
    """Nobody's voice leaves the device that way."""
    state = tmp_path / "state"
    clip = kept("aaaaa")
    fill(state, clip)
    path = tmp_path / "bundle.tar.gz"
    pack(path, replace(scene, state_folder=state), {}, 100)
    files = unpacked(path)
    assert not [name for name in files if "wakes" in name or name.endswith(".wav")]
    assert not [name for name, content in files.items() if clip.clip.pcm[:256] in content]


def test_what_helps_is_in_it(tmp_path: Path, scene: Scene) -> None:
    """Versions, findings, settings, state, journal, boards."""
    path = tmp_path / "bundle.tar.gz"
    pack(path, scene, {"verdict": "fine"}, 123)
    files = {name: content.decode() for name, content in unpacked(path).items()}
    assert json.loads(files["doctor.json"]) == {"verdict": "fine"}
    assert "PCM Playback Volume" in files["system/mixer_0.txt"]
    versions = json.loads(files["versions.json"])
    assert versions["system"] == "Debian GNU/Linux 13 (trixie)"
    assert versions["packages"]["google-genai"].startswith("3.")
    assert "volume: 37" in files["config.yaml"]
    assert json.loads(files["devices.json"])["devices"][0] == "a card"
    assert json.loads(files["board.json"])["cards"][0]["id"] == "ArrayUAC10"
    assert "ReSpeaker 4 Mic Array" in files["system/proc_asound_cards.txt"]
    assert files["system/boot_firmware_config.txt"] == "dtparam=spi=on\n"
    assert json.loads(files["status.json"])["state"] == "idle"
    journal = files["journal.txt"].splitlines()
    assert journal[0] == "2027-01-15 08:00:00 PRIORITY=6 EVENT=wake  heard hey_jarvis (0.93)"
    assert sum("what was said is left out" in each for each in journal) == 3
    assert len(journal) == 10
    assert "--lines=123" in next(each for each in scene.run.given if "journalctl" in each)  # type: ignore[attr-defined]
    assert "systemctl: No such file" in files["system/unit.txt"]


def test_without_a_journal_or_a_speaker_it_says_why(tmp_path: Path) -> None:
    """There is always a bundle."""
    path = tmp_path / "bundle.tar.gz"
    pack(path, machine(tmp_path, silence="nobody answers"), {}, 10)
    files = unpacked(path)
    assert json.loads(files["status.json"]) == {"silence": "nobody answers"}
    assert json.loads(files["devices.json"]) == {"failed": "No such file or directory"}
    assert files["journal.txt"] == b"journalctl: No such file or directory\n"
    assert json.loads(files["versions.json"])["system"] is None


def test_a_key_that_gets_in_after_all_keeps_it_from_being_written(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look is at what was made."""
    monkeypatch.setattr(bundle, "config_text", lambda _config: "")
    monkeypatch.setattr(bundle, "_json", lambda _value: IN_CREDENTIALS)
    with pytest.raises(ParleyError, match="a key got into the bundle"):
        pack(tmp_path / "b.tar.gz", scene, {}, 10)
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, scene: Scene) -> None:
    """With its name."""
    with pytest.raises(ParleyError, match="cannot be written: No such file or directory"):
        pack(tmp_path / "not" / "there.tar.gz", scene, {}, 10)


def test_no_module_of_the_folder_one_is_in_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is packed in /tmp, as root, and a package `device` may lie there."""
    planted = tmp_path / "device"
    planted.mkdir()
    (planted / "__init__.py").touch()
    (planted / "__main__.py").write_text("print('planted')")
    monkeypatch.chdir(tmp_path)
    pack(tmp_path / "bundle.tar.gz", machine(tmp_path, run=run_command), {}, 10)
    told = json.loads(unpacked(tmp_path / "bundle.tar.gz")["devices.json"])
    assert "board" in told


def test_a_link_of_its_name_is_replaced_and_not_followed(tmp_path: Path, scene: Scene) -> None:
    """Nor does a file that is there already keep who may read it."""
    (tmp_path / "others.txt").write_text("theirs")
    path = tmp_path / "bundle.tar.gz"
    path.symlink_to(tmp_path / "others.txt")
    pack(path, scene, {}, 10)
    assert (tmp_path / "others.txt").read_text() == "theirs"
    path.chmod(0o644)
    pack(path, scene, {}, 10)
    assert path.lstat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.glob("*bundle*")] == ["bundle.tar.gz"]
    with pytest.raises(ParleyError, match="is no file: give the name of one"):
        pack(tmp_path / "etc", scene, {}, 10)


@pytest.mark.parametrize("lasts", [True, False])
def test_what_outlives_the_journal_is_in_it(tmp_path: Path, scene: Scene, lasts: bool) -> None:
    """On a Raspberry Pi that goes back to the last start only, which is said."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "last_warnings.txt").write_text(f"2026-11-30 WARNING it hangs {IN_CREDENTIALS}\n")
    if lasts:
        (tmp_path / "var/log/journal").mkdir(parents=True)
    pack(tmp_path / "b.tar.gz", scene, {}, 10)
    files = {name: text.decode() for name, text in unpacked(tmp_path / "b.tar.gz").items()}
    assert files["state/last_warnings.txt"].startswith("2026-11-30 WARNING it hangs ")
    assert IN_CREDENTIALS not in files["state/last_warnings.txt"]
    assert "No such file" in files["state/ends"]
    assert ("journal-note.txt" in files) is not lasts


@pytest.mark.parametrize("text", ['You are\n\n\'#: "" odd', 'say ""', "x"])
def test_the_instruction_is_left_out_whatever_it_looks_like(text: str) -> None:
    """One that is empty stays, and the rest is as it is in force."""
    config = parse(json.dumps({"live": {"system_instruction": text}}), "x")
    shown = config_text(config)
    assert "system_instruction: (left out)" in shown
    assert "odd" not in shown
    assert 'system_instruction: ""' in config_text(parse("", "x"))


def test_the_command_packs_what_the_doctor_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it is told to, or here; and says what is in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMINI_API_KEY", IN_ENVIRONMENT)
    monkeypatch.setattr("device.cli.doctor.CHECKS", ())
    words = ["doctor", "bundle", "--offline", "--socket", str(tmp_path / "none")]
    assert main(words) == 0
    [made] = tmp_path.glob("parley-bundle-*.tar.gz")
    assert "doctor.json" in capsys.readouterr().out
    assert main([*words, str(tmp_path / "mine.tar.gz"), "--lines", "5"]) == 0
    for path in (made, tmp_path / "mine.tar.gz"):
        findings: dict[str, Any] = json.loads(unpacked(path)["doctor.json"])
        assert findings["checks"] == []
        assert IN_ENVIRONMENT.encode() not in b"".join(unpacked(path).values())
    assert os.environ["GEMINI_API_KEY"] == IN_ENVIRONMENT
