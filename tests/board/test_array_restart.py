"""An array with a dead microphone is restarted, once, to the byte on an emulated bus."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from device.board.array_restart import FILE_NAME, ArrayRestart
from device.board.profiles import profile_named
from tests.rig.usb_device import Bus, Xvf3800Board, wrote

XVF3800 = profile_named("xvf3800")
REBOOT = wrote(7, 48, bytes([1]))


class Host:
    """A host with an array, that can be started again."""

    def __init__(self, folder: Path) -> None:
        self.array = Xvf3800Board()
        self.bus = Bus(self.array)
        self.state = folder / "state"
        self.boot_id = folder / "boot_id"
        self.boot_id.write_text("first\n")

    def process(self, *, remembers: bool = True) -> ArrayRestart:
        folder = self.state if remembers else None
        return ArrayRestart(folder, usb=lambda: self.bus, boot_id=self.boot_id)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_it_is_told_to_restart_once(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """One request with one byte; nothing of it is saved in the array."""
    revival = host.process()
    assert revival.attempt(XVF3800)
    assert host.array.written() == [REBOOT]
    assert "the reSpeaker XVF3800" in caplog.text
    assert not revival.attempt(XVF3800)
    assert host.array.written() == [REBOOT]


def test_another_process_does_not_do_it_again(host: Host) -> None:
    """A speaker that is restarted again and again would restart the array as often."""
    assert host.process().attempt(XVF3800)
    assert not host.process().attempt(XVF3800)


def test_after_the_next_start_of_the_host_it_may_be_needed_again(host: Host) -> None:
    """That is when it happens."""
    assert host.process().attempt(XVF3800)
    host.boot_id.write_text("second\n")
    assert host.process().attempt(XVF3800)


def test_where_nothing_can_be_remembered_each_process_does_it_once(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a folder, with one that cannot be written, or with a file that is none of ours."""
    revival = host.process(remembers=False)
    assert [revival.attempt(XVF3800), revival.attempt(XVF3800)] == [True, False]
    host.state.write_text("in the way")
    assert host.process().attempt(XVF3800)
    assert "cannot remember" in caplog.text
    host.state.unlink()
    host.state.mkdir()
    (host.state / FILE_NAME).write_bytes(b"\xff\xfe")
    assert host.process().attempt(XVF3800)


def test_on_a_system_that_does_not_tell_its_starts_each_process_does_it_once(host: Host) -> None:
    """An empty number is not the same start."""
    host.boot_id.unlink()
    assert host.process().attempt(XVF3800)
    assert host.process().attempt(XVF3800)


@pytest.mark.parametrize("name", ["usb-array", "lite", "2mic-hat", "none"])
def test_other_boards_have_no_such_cure(host: Host, name: str) -> None:
    """And one of them does not use up the only try."""
    revival = host.process()
    assert not revival.attempt(profile_named(name))
    assert revival.attempt(XVF3800)


def test_an_array_that_its_owner_has_muted_is_left_alone(host: Host) -> None:
    """Its silence is what he wants; the only try is kept for a real death."""
    host.array.pins[30] = 1
    assert not host.process().attempt(XVF3800)
    assert host.array.written() == []
    host.array.pins[30] = 0
    assert host.process().attempt(XVF3800)


def test_one_that_does_not_tell_whether_it_is_muted_is_restarted(host: Host) -> None:
    """What hangs so may need it all the more."""
    host.array.troubles.extend(["timeout"])
    assert host.process().attempt(XVF3800)
    assert host.array.written() == [REBOOT]


def test_an_array_that_is_gone_is_told(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """It was pulled out in that moment: the owner is at it already."""
    host.array.unplug()
    with caplog.at_level(logging.WARNING):
        assert not host.process().attempt(XVF3800)
    assert "cannot be restarted" in caplog.text
