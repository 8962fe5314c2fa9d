"""The tokens of MCP servers: whether they are there, and who else may read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.doctor import credentials as checks
from device.doctor.result import Verdict
from device.errors import CredentialError
from tests.rig.scene import machine, only

TOKEN = "a-long-lived-token-of-home-assistant"
CONFIG = "tools: {mcp: [{name: home, url: 'http://ha.local:8123/api/mcp', credential: ha-1}]}"
KEPT = "etc/parley/credentials/ha-1"
COPY = "run/credentials/parley.service/credentials.d_ha-1"


def hidden(path: Path) -> None:
    path.chmod(0o600)


def test_without_a_server_that_needs_one_it_is_left_out(tmp_path: Path) -> None:
    """Also where servers are configured that need none."""
    for config in ("", "tools: {mcp: [{name: home, url: 'http://ha.local/mcp'}]}"):
        told = only(checks.credentials(machine(tmp_path, config=config)))
        assert (told.verdict, told.figure) == (Verdict.SKIPPED, "no MCP server needs one")


def test_a_token_is_found_where_the_service_finds_it(tmp_path: Path) -> None:
    """In the environment, in systemd's copy, in the owner's file; it is never shown."""
    running = machine(tmp_path, config=CONFIG, files={COPY: TOKEN})
    at_rest = machine(tmp_path / "b", config=CONFIG, files={KEPT: f"{TOKEN}\n"})
    hidden(tmp_path / "b" / KEPT)
    by_hand = machine(tmp_path / "c", config=CONFIG, environ={"PARLEY_CREDENTIAL_HA_1": TOKEN})
    for scene in (running, at_rest, by_hand):
        told = only(checks.credentials(scene))
        assert told.verdict is Verdict.FINE
        assert "'ha-1' from " in told.figure
        assert TOKEN not in repr(told)
        assert checks.credential_in(scene, "ha-1").secret == TOKEN


def test_a_token_that_others_may_read_can_be_hidden(tmp_path: Path) -> None:
    """Though the service uses its copy."""
    scene = machine(tmp_path, config=CONFIG, files={KEPT: TOKEN, COPY: TOKEN})
    (tmp_path / KEPT).chmod(0o644)
    told = only(checks.credentials(scene))
    assert told.verdict is Verdict.HINT
    assert told.advice == f"sudo chmod 600 {tmp_path / KEPT}"
    assert told.cure is not None
    told.cure.do()
    assert (tmp_path / KEPT).stat().st_mode & 0o777 == 0o600
    assert only(checks.credentials(scene)).verdict is Verdict.FINE


def test_a_new_token_that_the_service_does_not_have_yet_is_told(tmp_path: Path) -> None:
    """It is copied when the service starts, and a reload is no start."""
    scene = machine(tmp_path, config=CONFIG, files={KEPT: "a-new-token-of-the-owner", COPY: TOKEN})
    hidden(tmp_path / KEPT)
    told = only(checks.credentials(scene))
    assert (told.verdict, told.figure) == (
        Verdict.HINT,
        "the service runs with an older 'ha-1'",
    )
    assert "sudo systemctl restart parley" in told.advice
    assert checks.credential_in(scene, "ha-1").secret == TOKEN


def test_no_token_is_broken_and_so_is_a_mistyped_one(tmp_path: Path) -> None:
    """With what to do; a mistyped one is not replaced by another."""
    told = only(checks.credentials(machine(tmp_path, config=CONFIG)))
    assert (told.verdict, told.figure) == (Verdict.BROKEN, "'ha-1' cannot be used")
    assert "no credential 'ha-1' found: put the token into " in told.advice
    mistyped = {"PARLEY_CREDENTIAL_HA_1": f"two words {TOKEN}"}
    scene = machine(tmp_path, config=CONFIG, files={KEPT: TOKEN}, environ=mistyped)
    told = only(checks.credentials(scene))
    assert told.verdict is Verdict.BROKEN
    assert TOKEN not in repr(told)
    with pytest.raises(CredentialError):
        checks.credential_in(scene, "ha-1")


def test_each_token_that_is_missing_is_named(tmp_path: Path) -> None:
    """Whoever puts one there need not look again for the next."""
    servers = (
        f"{{name: {name}, url: 'http://ha.local/mcp', credential: {name}}}" for name in "abc"
    )
    config = f"tools: {{mcp: [{', '.join(servers)}]}}"
    scene = machine(tmp_path, config=config, environ={"PARLEY_CREDENTIAL_B": TOKEN})
    told = only(checks.credentials(scene))
    assert (told.verdict, told.figure) == (Verdict.BROKEN, "'a' and 'c' cannot be used")
    assert told.advice.count("no credential ") == 2


def test_a_file_that_keeps_the_service_from_starting_is_broken(tmp_path: Path) -> None:
    """Also where no server is configured: it lies beside the key."""
    scene = machine(tmp_path, files={"etc/parley/credentials/schlüssel": "x"})
    told = only(checks.credentials(scene))
    assert told.verdict is Verdict.BROKEN
    assert told.figure == "the service cannot start with what is there"
    assert "schlüssel' has a name that systemd hands over no file of" in told.advice


def test_who_may_not_read_them_is_told_to_become_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not missing; a token of one's own needs no root."""
    monkeypatch.setattr("device.doctor.credentials.os.geteuid", lambda: 1000)
    scene = machine(tmp_path, config=CONFIG, files={"etc/parley/credentials/other": ""})
    looks = os.access

    def closed(path: Path, mode: int) -> bool:
        return not str(path).endswith("credentials") and looks(path, mode)

    monkeypatch.setattr("device.doctor.credentials.os.access", closed)
    told = only(checks.credentials(scene))
    assert (told.verdict, told.advice) == (Verdict.SKIPPED, "sudo parley doctor")
    own = machine(tmp_path, config=CONFIG, environ={"PARLEY_CREDENTIAL_HA_1": TOKEN})
    assert only(checks.credentials(own)).verdict is Verdict.FINE

    def nowhere(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("device.doctor.credentials.Path.exists", nowhere)
    assert only(checks.credentials(scene)).verdict is Verdict.SKIPPED
