"""Kernel, board and device files, on machines made of files."""

from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from device.doctor import board as checks
from device.doctor.result import Verdict
from device.doctor.scene import Account, Outcome
from device.errors import ParleyError
from tests.rig.scene import Commands, machine, only

PI = "Raspberry Pi 4 Model B Rev 1.4\0"
HAT = {
    "proc/device-tree/model": PI,
    "proc/asound/cards": " 1 [seeed2micvoicec]: simple-card - seeed2micvoicec\n"
    "                      seeed2micvoicec\n",
    "proc/asound/pcm": "01-00: 3f203000.i2s-tlv320aic3x-hifi tlv320aic3x-hifi-0 :  : playback 1\n",
    "boot/firmware/config.txt": "dtoverlay=respeaker-2mic-v2_0\n",
    "proc/sys/kernel/osrelease": "6.12.47+rpt-rpi-v8\n",
}
SPI = {**HAT, "boot/firmware/config.txt": "dtparam=spi=on\ndtoverlay=respeaker-2mic-v2_0\n",
       "dev/spidev0.0": "", "dev/spidev0.1": ""}  # fmt: skip
STRANGER = Account("parley", 4_242, frozenset())
"""Owns nothing here."""


def test_the_kernel_is_told_with_its_overlays(tmp_path: Path) -> None:
    """On a Pi, and elsewhere."""
    told = only(checks.kernel(machine(tmp_path, files=HAT)))
    assert told.verdict is Verdict.FINE
    assert told.figure == (
        "Raspberry Pi 4 Model B Rev 1.4, kernel 6.12.47+rpt-rpi-v8, overlays: respeaker-2mic-v2_0"
    )
    elsewhere = only(checks.kernel(machine(tmp_path / "pc")))
    assert elsewhere.figure.startswith("no Raspberry Pi (")


def test_a_board_with_all_it_needs_is_fine(tmp_path: Path) -> None:
    """With what it was told by."""
    told = only(checks.board(machine(tmp_path, files=SPI)))
    assert (told.verdict, told.advice) == (Verdict.FINE, "")
    assert "2-Mics" in told.figure
    assert "seeed2micvoicec" in told.figure


def test_spi_that_is_off_can_be_switched_on(tmp_path: Path) -> None:
    """By raspi-config, as the advice says."""
    commands = Commands(**{"raspi-config": ""})
    told = only(checks.board(machine(tmp_path, files=HAT, run=commands)))
    assert told.verdict is Verdict.HINT
    assert "SPI" in told.advice
    assert told.cure is not None
    told.cure.do()
    assert commands.given == ["raspi-config nonint do_spi 0"]
    assert "reboot" in told.cure.what
    commands.told["raspi-config"] = Outcome(1, err="not allowed\n")
    with pytest.raises(ParleyError, match="raspi-config nonint do_spi 0: not allowed"):
        told.cure.do()


def test_a_board_that_is_set_but_not_there_is_broken(tmp_path: Path) -> None:
    """Unless a speaker runs and says what it hears with."""
    scene = machine(tmp_path, config=f"board: {_array()}", files={"proc/device-tree/model": PI})
    told = only(checks.board(scene))
    assert told.verdict is Verdict.BROKEN
    assert told.advice


def _array() -> str:
    from device.board.profiles import PROFILES

    return next(profile.name for profile in PROFILES if profile.usb_product == 0x0018)


def test_a_board_that_nobody_knows_is_told(tmp_path: Path) -> None:
    """A running speaker was configured before the file was changed."""
    told = only(checks.board(machine(tmp_path, config="board: teapot")))
    assert told.verdict is Verdict.BROKEN
    assert "teapot" in told.advice


def test_without_any_board_it_says_where_to_look(tmp_path: Path) -> None:
    """Any microphone will do, so it is a hint."""
    told = only(checks.board(machine(tmp_path, files={"proc/device-tree/model": PI})))
    assert told.verdict is Verdict.HINT
    assert "lsusb" in told.advice


def test_device_files_that_may_be_used_are_counted(tmp_path: Path) -> None:
    """By the account of the speaker."""
    files = {**SPI, "dev/snd/pcmC1D0c": "", "dev/snd/pcmC1D0p": "", "dev/gpiochip0": ""}
    told = only(checks.nodes(machine(tmp_path, files=files)))
    assert told.verdict is Verdict.FINE
    assert told.figure == "1 capture, 1 playback, 1 gpio, 2 spi, open to parley"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another group")
def test_a_group_that_is_missing_is_named_and_can_be_joined(tmp_path: Path) -> None:
    """Everything else of the kind is told as it is."""
    audio = grp.getgrnam("audio").gr_gid
    commands = Commands(usermod="")
    scene = machine(tmp_path, files={"dev/snd/pcmC1D0c": ""}, account=STRANGER, run=commands)
    node = tmp_path / "dev/snd/pcmC1D0c"
    os.chown(node, 0, audio)
    node.chmod(0o660)
    told = only(checks.nodes(scene))
    assert told.verdict is Verdict.BROKEN
    assert told.figure == "parley may not use /dev/snd/pcmC1D0c"
    assert told.advice == "sudo usermod -aG audio parley, then sudo systemctl restart parley"
    assert told.cure is not None
    told.cure.do()
    assert commands.given == ["usermod -aG audio parley"]
    del commands.told["usermod"]
    with pytest.raises(ParleyError, match="usermod -aG audio parley: No such file"):
        told.cure.do()
    member = Account("parley", 4_242, frozenset({audio}))
    assert only(checks.nodes(machine(tmp_path, account=member))).verdict is Verdict.FINE


@pytest.mark.skipif(os.geteuid() != 0, reason="files belong to root")
def test_pins_count_only_where_a_board_needs_them(tmp_path: Path) -> None:
    """A USB array on a Pi needs none."""
    files = {"dev/gpiochip0": "", "dev/gpiochip1": "", "dev/gpiochip4": "", "dev/spidev0.0": ""}
    for name in files:
        machine(tmp_path, files={name: ""})
        (tmp_path / name).chmod(0o600)
    told = only(checks.nodes(machine(tmp_path, account=STRANGER)))
    assert told.verdict is Verdict.HINT
    assert "and 1 more" in told.figure
    assert "install.sh" in told.advice
    assert told.cure is None
    told = only(checks.nodes(machine(tmp_path, account=STRANGER, files=HAT)))
    assert told.verdict is Verdict.BROKEN


@pytest.mark.skipif(os.geteuid() != 0, reason="files belong to root")
def test_the_lights_of_an_array_need_its_usb_device(tmp_path: Path) -> None:
    """It is found by Seeed's vendor id."""
    folder = "sys/bus/usb/devices/1-1"
    files = {
        f"{folder}/idVendor": "2886\n",
        f"{folder}/idProduct": "0018\n",
        f"{folder}/busnum": "1\n",
        f"{folder}/devnum": "5\n",
        "sys/bus/usb/devices/1-2/idVendor": "046d\n",
        "dev/bus/usb/001/005": "",
    }
    told = only(checks.nodes(machine(tmp_path, files=files)))
    assert told.figures["usb_array"] == 1
    (tmp_path / "dev/bus/usb/001/005").chmod(0o600)
    told = only(checks.nodes(machine(tmp_path, account=STRANGER)))
    assert told.verdict is Verdict.BROKEN
    root = Account("root", 0, frozenset())
    assert only(checks.nodes(machine(tmp_path, account=root))).verdict is Verdict.FINE
