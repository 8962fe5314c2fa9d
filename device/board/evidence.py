"""Evidence is what a machine shows of its sound cards and boards, as the kernel words it. Pure.

`device.board.kernel` fetches the texts, `device.board.detection` draws the conclusions.

Tested in tests/board/test_detection.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

UsbId = tuple[int, int]
"""Vendor and product."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a USB card can do in one direction, from ``/proc/asound/cardN/stream0``."""

    direction: Literal["capture", "playback"]
    channels: int
    rates_hz: tuple[int, ...] = ()
    formats: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it for people: ``6 channels, 16000 Hz, S16_LE``."""
        count = f"{self.channels} channel{'' if self.channels == 1 else 's'}"
        rates = "/".join(map(str, self.rates_hz)) + " Hz" if self.rates_hz else ""
        return ", ".join(part for part in (count, rates, "/".join(self.formats)) if part)


@dataclass(frozen=True, slots=True)
class Card:
    """One sound card of the kernel's list."""

    number: int
    """Good for now only: it may be another after the next boot."""
    id: str
    driver: str
    name: str
    codec: str = ""
    """The kernel's name of what records or plays, such as ``tlv320aic3x-hifi-0``."""
    usb_id: UsbId | None = None
    streams: tuple[Stream, ...] = ()
    recorder: str = ""
    """The program that records from it now; empty where none does, or it may not be known."""
    allowed: bool = True
    """Whether this user may record from it."""

    @property
    def capture_channels(self) -> int | None:
        """How many input channels a USB card has; None where that is not known."""
        counts = [stream.channels for stream in self.streams if stream.direction == "capture"]
        return max(counts, default=None)


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """One device on USB, sound card or not."""

    place: str
    """Bus and ports, as sysfs has it: ``1-1.3``."""
    id: UsbId
    name: str = ""
    """What it calls itself."""
    serial: str = ""

    def __str__(self) -> str:
        """Return its id and name as ``lsusb`` writes them."""
        vendor, product = self.id
        return f"{vendor:04x}:{product:04x} {self.name}".strip()


@dataclass(frozen=True, slots=True)
class I2cDevice:
    """One device that the kernel knows on an I²C bus, because an overlay says so."""

    bus: int
    address: int
    name: str


@dataclass(frozen=True, slots=True)
class BootConfig:
    """What ``config.txt`` switches on, for this model of the Pi."""

    overlays: tuple[str, ...] = ()
    spi: bool = False
    i2c: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it, as it was at one moment."""

    cards: tuple[Card, ...] = ()
    usb: tuple[UsbDevice, ...] = ()
    i2c: tuple[I2cDevice, ...] = ()
    boot: BootConfig | None = None
    """None where there is no config.txt."""
    model: str = ""
    """What the device tree calls the machine."""
    hat: str = ""
    """What a HAT with an EEPROM calls itself."""
    spi_nodes: tuple[str, ...] = ()
    """Of SPI buses that a program can open: ``spidev0.0``."""
    kernel: tuple[int, int] = (0, 0)
    """Its version: 6, 12."""

    @property
    def is_pi(self) -> bool:
        """Whether this is a Raspberry Pi."""
        return "Raspberry Pi" in self.model


_CARD = re.compile(r"\s*(\d+) \[(\S+) *\]: (.*?) - (.*)")


def cards_in(text: str) -> list[Card]:
    """Read ``/proc/asound/cards``: of the two lines of a card the first."""
    found = []
    for line in text.splitlines():
        if match := _CARD.fullmatch(line.rstrip()):
            number, ident, driver, name = match.groups()
            found.append(Card(int(number), ident, driver, name.strip()))
    return found


def codecs_in(text: str) -> dict[int, str]:
    """Read ``/proc/asound/pcm``: by card number what its first device is called."""
    found: dict[int, str] = {}
    for line in text.splitlines():
        place, _, rest = line.partition(": ")
        number = place.partition("-")[0]
        if number.isdecimal():
            found.setdefault(int(number), rest.split(" : ")[0].strip())
    return found


def streams_in(text: str) -> tuple[Stream, ...]:
    """Read ``/proc/asound/cardN/stream0``: one `Stream` for each alternate setting."""
    found: list[Stream] = []
    direction: Literal["capture", "playback"] = "playback"
    facts: dict[str, str] = {}
    for line in (*text.splitlines(), "Altset end"):
        key, _, value = line.strip().partition(":")
        if key.startswith("Altset") or key in {"Playback", "Capture"}:
            if facts.get("Channels", "").isdecimal():
                found.append(_stream(direction, facts))
            facts = {}
        if key in {"Playback", "Capture"}:
            direction = "playback" if key == "Playback" else "capture"
        facts[key] = value.strip()
    return tuple(found)


def _stream(direction: Literal["capture", "playback"], facts: dict[str, str]) -> Stream:
    rates = re.findall(r"\d+", facts.get("Rates", ""))
    return Stream(
        direction,
        int(facts["Channels"]),
        tuple(int(rate) for rate in rates),
        tuple(facts.get("Format", "").split()),
    )


def owner_in(text: str) -> int | None:
    """Read ``/proc/asound/cardN/pcm0c/sub0/status``: the process that has it open, if any has."""
    match = re.search(r"^owner_pid\s*: (\d+)$", text, re.MULTILINE)
    return int(match[1]) if match else None


def kernel_in(text: str) -> tuple[int, int]:
    """Read ``/proc/sys/kernel/osrelease``: ``6.12.47+rpt-rpi-2712``; 0, 0 for anything else."""
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def usb_id_in(text: str) -> UsbId | None:
    """Read ``/proc/asound/cardN/usbid``: ``2886:0018``; None when it is nothing like that."""
    match = re.fullmatch(r"([0-9a-f]{4}):([0-9a-f]{4})", text.strip())
    return (int(match[1], 16), int(match[2], 16)) if match else None


def i2c_device_in(folder: str, name: str) -> I2cDevice | None:
    """Read one entry of ``/sys/bus/i2c/devices``: ``1-001a``; None for a bus itself."""
    match = re.fullmatch(r"(\d+)-([0-9a-f]{4})", folder)
    return I2cDevice(int(match[1]), int(match[2], 16), name) if match else None


_SECTIONS = {
    "all": "",
    "pi0": "Zero",
    "pi02": "Zero 2",
    "pi3": "Pi 3",
    "pi3+": "Pi 3",
    "pi4": "Pi 4",
    "pi400": "Pi 400",
    "cm4": "Compute Module 4",
    "pi5": "Pi 5",
    "pi500": "Pi 500",
    "cm5": "Compute Module 5",
}
"""Conditions of config.txt and what the model's name holds where they are met."""


def boot_config_in(text: str, model: str) -> BootConfig:
    """Read ``config.txt`` as the firmware of a Pi called ``model`` does, as far as boards matter.

    A section under a condition that is not about the model counts as not met.
    """
    overlays: list[str] = []
    switched: dict[str, bool] = {}
    meant = True
    for line in text.splitlines():
        statement = line.partition("#")[0].strip()
        if statement.startswith("["):
            part = _SECTIONS.get(statement.strip("[]").lower())
            meant = part is not None and part in model
            continue
        key, _, value = (part.strip() for part in statement.partition("="))
        if meant and value and key in {"dtoverlay", "device_tree_overlay"}:
            overlays.append(value.partition(",")[0].partition(":")[0].strip())
        elif meant and key in {"dtparam", "device_tree_param"}:
            for setting in value.split(","):
                name, _, state = (part.strip() for part in setting.partition("="))
                switched[name] = state in {"", "on", "true", "yes", "1"}
    return BootConfig(
        tuple(overlays),
        spi=switched.get("spi", False),
        i2c=switched.get("i2c_arm", switched.get("i2c", False)),
    )
