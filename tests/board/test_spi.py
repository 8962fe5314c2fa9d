"""The SPI bus is opened by hardware, or it is said what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from device.board.spi import open_spi
from device.errors import BoardError
from tests.rig.machine import machine


class SpiOff(MockFactory):  # type: ignore[misc]
    """A Pi whose SPI device does not open, as gpiozero sees it."""

    def _get_spi_class(self, shared: bool, hardware: bool) -> Any:
        if hardware:
            raise OSError("can not open SPI device")
        return super()._get_spi_class(shared, hardware)


def refused(root: Path, device: int = 1) -> str:
    factory = SpiOff()
    with pytest.raises(BoardError) as caught:
        open_spi(factory, 0, device, root)
    factory.reset()
    return str(caught.value)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            "2mic-hat-v2-spi-off",
            "SPI is off: run 'sudo raspi-config nonint do_spi 0' (or write dtparam=spi=on into",
        ),
        (
            "2mic-hat-v2-not-rebooted",
            "SPI is on in config.txt but not in force yet; reboot",
        ),
        ("nothing-on-a-pc", "SPI is off: run 'sudo raspi-config nonint do_spi 0'"),
    ],
)
def test_spi_that_is_off_is_told_with_how_to_turn_it_on(
    tmp_path: Path, state: str, said: str
) -> None:
    """What config.txt says tells a forgotten setting from a forgotten reboot."""
    told = refused(machine(state, tmp_path))
    assert told.startswith("there is no /dev/spidev0.1 for the LEDs")
    assert said in told


def test_another_chip_select_is_offered(tmp_path: Path) -> None:
    """With dtoverlay=spi0-1cs there is only spidev0.0."""
    root = machine("2mic-hat-v2", tmp_path)
    (root / "dev/spidev0.1").unlink()
    assert "but /dev/spidev0.0: set lights.spi to spidev0.0" in refused(root)


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (False, "user kitchen is not in group spi; run 'sudo usermod -aG spi kitchen'"),
        (True, "cannot be opened for the LEDs (failed to initialize hardware SPI"),
    ],
)
def test_a_bus_that_may_not_be_opened_is_told_differently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool, said: str
) -> None:
    """SPI is on, the device is there: it is a question of the group, or of something else."""
    root = machine("2mic-hat-v2", tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: allowed)
    monkeypatch.setattr("getpass.getuser", lambda: "kitchen")
    assert said in refused(root)
