"""What systemd hands over to the service, by the unit and its drop-ins, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.doctor import credentials as credential_checks
from device.doctor import service
from device.doctor.handed_over import handed_over
from device.doctor.result import Result, Verdict
from device.doctor.scene import Outcome, Scene
from tests.rig.scene import Commands, machine, only

KEY = "AIzaSyA-1234567890abcdefghijklmnopqrstu"
KEY_FILE = "etc/parley/credentials/gemini_api_key"
COPY = "run/credentials/parley.service/gemini_api_key"
TOKEN = "a-long-lived-token-of-home-assistant"
CONFIG = "tools: {mcp: [{name: home, url: 'http://ha.local:8123/api/mcp', credential: ha-1}]}"

UNIT = (Path(__file__).parents[2] / "systemd/parley.service").read_text()
DROP_IN = "/etc/systemd/system/parley.service.d/override.conf"


def unit(*drop_ins: str) -> Commands:
    """What `systemctl cat` prints."""
    parts = [f"# /etc/systemd/system/parley.service\n{UNIT}"]
    parts += [f"\n# {DROP_IN}\n[Service]\n{text}\n" for text in drop_ins]
    return Commands(systemctl="".join(parts))


def key(root: Path, *drop_ins: str, **files: str) -> Result:
    """What is said of the key, which is in the owner's file."""
    kept = {KEY_FILE: KEY, **{name.replace("__", "/"): text for name, text in files.items()}}
    scene = machine(root, files=kept, run=unit(*drop_ins))
    (root / KEY_FILE).chmod(0o600)
    return only(service.key(scene))


def test_the_unit_as_it_is_hands_over_the_key_and_all_that_lies_beside_it(tmp_path: Path) -> None:
    """Though nobody but root sees the files."""
    told = key(tmp_path)
    assert (told.verdict, told.figure) == (Verdict.FINE, f"from {tmp_path / KEY_FILE}")
    found = handed_over(machine(tmp_path, run=unit()))
    assert found is not None
    assert found.reaches("gemini_api_key")
    assert found.reaches("ha-1")
    assert found.cleared_in == ""


@pytest.mark.parametrize(
    "drop_in",
    ["LoadCredential=", "LoadCredential=\nLoadCredential=other:/x", "LoadCredentialEncrypted = "],
)
def test_a_drop_in_that_clears_it_is_named(tmp_path: Path, drop_in: str) -> None:
    """The file that has the key is not blamed."""
    told = key(tmp_path, drop_in)
    assert (told.verdict, told.figure) == (
        Verdict.BROKEN,
        "systemd does not hand it over to the service",
    )
    assert told.advice == (
        f"{DROP_IN} clears LoadCredential= (see: systemctl cat parley): add LoadCredential="
        "gemini_api_key:/etc/parley/credentials/gemini_api_key at the end of [Service] there (sudo "
        "systemctl edit parley), then sudo systemctl restart parley"
    )
    assert KEY not in repr(told)


@pytest.mark.parametrize(
    "drop_in",
    [
        "LoadCredential=\nLoadCredential=gemini_api_key:/root/key",
        "LoadCredential=\nLoadCredentialEncrypted=gemini_api_key:/root/key.cred",
        "LoadCredential=\nImportCredential=gemini*",
        "SetCredential=gemini_api_key:x\nLoadCredential=",
        "LoadCredential=\nSetCredentialEncrypted=gemini_api_key: \\\n  AAAA",
        "LoadCredential=\nEnvironment=GOOGLE_API_KEY=x",
        "LoadCredential=\nEnvironmentFile=-/etc/default/parley",
        "# LoadCredential=",
    ],
)
def test_another_way_of_handing_it_over_is_one(tmp_path: Path, drop_in: str) -> None:
    """Encrypted, from elsewhere, or by the environment."""
    assert key(tmp_path, drop_in).verdict is Verdict.FINE


def test_a_unit_without_the_line_is_told(tmp_path: Path) -> None:
    """Nobody has cleared it."""
    bare = Commands(systemctl="# /x.service\n[Service]\nExecStart=/x\n")
    told = only(service.key(machine(tmp_path, files={KEY_FILE: KEY}, run=bare)))
    assert told.advice.startswith("the unit lacks LoadCredential= (see: systemctl cat parley)")


def test_a_key_that_the_service_has_not_got_yet_is_told(tmp_path: Path) -> None:
    """What it was handed is empty, is another one, or was not there when it started."""
    for copy in ("", "AIzaSyA-0000000000000000000000000000000"):
        told = only(service.key(machine(tmp_path, files={KEY_FILE: KEY, COPY: copy}, run=unit())))
        told_again = key(tmp_path, **{COPY.replace("/", "__"): copy})
        for each in (told, told_again):
            assert each.verdict is Verdict.HINT
        assert told_again.figure == "the service runs without it, or with an older one"
        assert "sudo systemctl restart parley" in told_again.advice
    assert key(tmp_path, **{COPY.replace("/", "__"): KEY}).verdict is Verdict.FINE


def test_a_service_that_was_started_before_the_drop_in_was_mended_is_told(tmp_path: Path) -> None:
    """There is no folder of copies then; nor is there while the service is stopped."""
    text = unit().told["systemctl"]
    mended = Commands(systemctl=f"{text}\nActiveState=active\n")
    running = machine(tmp_path, files={KEY_FILE: KEY}, run=mended, alive=True)
    (tmp_path / KEY_FILE).chmod(0o600)
    told = only(service.key(running))
    assert told.figure == "the service runs without it, or with an older one"
    assert only(service.key(machine(tmp_path, run=mended))).verdict is Verdict.FINE


def test_a_key_in_the_environment_needs_no_service(tmp_path: Path) -> None:
    """Whoever runs a speaker by hand."""
    scene = machine(tmp_path, run=unit("LoadCredential="), environ={"GEMINI_API_KEY": KEY})
    assert only(service.key(scene)).verdict is Verdict.FINE


def test_the_tokens_of_servers_are_looked_for_likewise(tmp_path: Path) -> None:
    """The folder is handed over, or the token by its own name."""
    kept = {"etc/parley/credentials/ha-1": TOKEN}

    def scene(*drop_ins: str) -> Scene:
        made = machine(tmp_path, config=CONFIG, files=kept, run=unit(*drop_ins))
        (tmp_path / "etc/parley/credentials/ha-1").chmod(0o600)
        return made

    assert only(credential_checks.credentials(scene())).verdict is Verdict.FINE
    own = "LoadCredential=\nLoadCredential=ha-1:/root/token"
    assert only(credential_checks.credentials(scene(own))).verdict is Verdict.FINE
    told = only(credential_checks.credentials(scene("LoadCredential=")))
    assert (told.verdict, told.figure) == (Verdict.BROKEN, "'ha-1' cannot be used")
    assert told.advice == (
        f"systemd hands over none to the service: {DROP_IN} clears LoadCredential= (see: systemctl "
        "cat parley): add LoadCredential=credentials.d:/etc/parley/credentials at the end of "
        "[Service] there (sudo systemctl edit parley), then sudo systemctl restart parley"
    )
    assert TOKEN not in repr(told)


def test_without_a_service_nothing_is_said_of_it(tmp_path: Path) -> None:
    """No systemd, or no such unit."""
    assert handed_over(machine(tmp_path)) is None
    missing = Commands(systemctl=Outcome(1, err="No files found for parley.service."))
    assert handed_over(machine(tmp_path, run=missing)) is None
