"""Whose speaker is looked at, on a machine where one is installed."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from device.doctor.checklist import SERVICE_STATE, scene_of


async def test_the_installed_speaker_is_looked_at_unless_another_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who names a state directory has a speaker of their own, installed or not."""
    monkeypatch.setattr("device.doctor.checklist.SERVICE_USER", "daemon")
    daemon = pwd.getpwnam("daemon")
    socket = str(tmp_path / "none")
    installed = await scene_of(tmp_path / "none.yaml", socket, {}, offline=True)
    assert installed.state_folder == SERVICE_STATE
    account = installed.account
    assert (account.name, account.uid, account.gid) == ("daemon", daemon.pw_uid, daemon.pw_gid)
    theirs = {"STATE_DIRECTORY": str(tmp_path)}
    own = await scene_of(tmp_path / "none.yaml", socket, theirs, offline=True)
    assert (own.account.uid, own.state_folder) == (os.getuid(), tmp_path)


async def test_where_none_is_installed_it_is_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a checkout."""
    monkeypatch.setattr("device.doctor.checklist.SERVICE_USER", "no-such-user-here")
    scene = await scene_of(None, str(tmp_path / "none"), {"HOME": str(tmp_path)})
    assert scene.account.uid == os.getuid()
    assert scene.state_folder == tmp_path / ".local/state/parley"
