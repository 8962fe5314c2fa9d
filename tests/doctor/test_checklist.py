"""Whose speaker is looked at, on a machine where one is installed."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from device.doctor.checklist import scene_of
from device.state.folders import SERVICE_STATE
from tests.rig.answering import Answering


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


async def test_with_a_mistake_in_the_file_what_is_in_force_is_looked_at(tmp_path: Path) -> None:
    """The speaker that runs says what that is; without one it is the defaults."""
    file = tmp_path / "config.yaml"
    file.write_text("audio: {volume: 500}\n")
    speaker = Answering(tmp_path / "control.sock")
    with speaker.serving():
        for settings, volume in (("audio: {volume: 20}\n", 20), ("audio: {volume: 900}\n", 60)):
            speaker.answers["config"] = [{"result": {"settings": settings}}]
            speaker.answers["status"] = [{"result": {"state": "idle"}}]
            scene = await scene_of(file, str(tmp_path / "control.sock"), {})
            assert (scene.config.audio.volume, scene.status) == (volume, {"state": "idle"})
    assert (await scene_of(file, str(tmp_path / "none"), {})).config.audio.volume == 60
