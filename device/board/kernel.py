"""The kernel's files tell which sound cards and boards there are.

Nothing is opened but text files, so a card that plays or records is not disturbed. A file that is
not there, or may not be read, leaves its part of the evidence out.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from device.board.evidence import (
    BootConfig,
    Card,
    Evidence,
    I2cDevice,
    UsbDevice,
    boot_config_in,
    cards_in,
    codecs_in,
    i2c_device_in,
    kernel_in,
    owner_in,
    streams_in,
    usb_id_in,
)
from device.board.profiles import SEEED

BOOT_CONFIGS = ("boot/firmware/config.txt", "boot/config.txt")
"""Raspberry Pi OS since Debian 12, and before."""


def read_evidence(root: Path = Path("/")) -> Evidence:
    """Return what the files below ``root`` tell now. Takes a few milliseconds; any thread."""
    model = _text(root / "proc/device-tree/model")
    return Evidence(
        cards=tuple(_cards(root)),
        usb=tuple(_usb(root / "sys/bus/usb/devices")),
        i2c=tuple(_i2c(root / "sys/bus/i2c/devices")),
        boot=_boot(root, model),
        model=model,
        hat=" ".join(
            part
            for name in ("vendor", "product")
            if (part := _text(root / "proc/device-tree/hat" / name))
        ),
        kernel=kernel_in(_text(root / "proc/sys/kernel/osrelease")),
        spi_nodes=tuple(path.name for path in sorted((root / "dev").glob("spidev*"))),
    )


def _cards(root: Path) -> list[Card]:
    asound = root / "proc/asound"
    codecs = codecs_in(_text(asound / "pcm"))
    return [
        replace(
            card,
            codec=codecs.get(card.number, ""),
            usb_id=usb_id_in(_text(asound / f"card{card.number}/usbid")),
            streams=streams_in(_text(asound / f"card{card.number}/stream0")),
            recorder=_recorder(root, card.number),
            allowed=_may_record(root / f"dev/snd/pcmC{card.number}D0c"),
        )
        for card in cards_in(_text(asound / "cards"))
    ]


def _recorder(root: Path, number: int) -> str:
    owner = owner_in(_text(root / f"proc/asound/card{number}/pcm0c/sub0/status"))
    return "" if owner is None else _text(root / f"proc/{owner}/comm") or f"process {owner}"


def _may_record(node: Path) -> bool:
    return not node.exists() or os.access(node, os.R_OK | os.W_OK)


def _usb(devices: Path) -> list[UsbDevice]:
    found = []
    for path in sorted(devices.glob("*")):
        known = usb_id_in(f"{_text(path / 'idVendor')}:{_text(path / 'idProduct')}")
        if known is not None:
            name, serial = _text(path / "product"), _text(path / "serial")
            found.append(UsbDevice(path.name, known, name, serial))
    return found


def _i2c(devices: Path) -> list[I2cDevice]:
    found = (i2c_device_in(path.name, _text(path / "name")) for path in sorted(devices.glob("*")))
    return [device for device in found if device is not None]


def _boot(root: Path, model: str) -> BootConfig | None:
    for name in BOOT_CONFIGS:
        if (root / name).exists():
            return boot_config_in(_text(root / name), model)
    return None


def _text(path: Path) -> str:
    """Return a file without the NUL or newline at its end; empty when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\0\n ")
    except OSError:
        return ""


def plugged(root: Path = Path("/")) -> frozenset[str]:
    """Return each sound card and each array on USB, in other words at each of its appearances.

    Those that were pulled out and put back between two calls are told too: the kernel counts the
    USB devices of a bus (``devnum``). Takes a millisecond or two; any thread.
    """
    cards = _text(root / "proc/asound/cards").splitlines()
    arrays = [
        f"{path.name} {_text(path / 'idProduct')} {_text(path / 'devnum')}"
        for path in (root / "sys/bus/usb/devices").glob("*")
        if _text(path / "idVendor") == f"{SEEED:04x}"
    ]
    return frozenset([*cards, *arrays])
