"""`cameras` tells which cameras on USB there are, without opening one.

Read from the kernel's files (Documentation/driver-api/media/v4l2-dev.rst): each node of a driver is
in /sys/class/video4linux, with the number it has among the nodes of its device. A USB camera has a
second node for what it tells of its pictures (uvcvideo, since Linux 4.16), which gives none. A Pi's
own nodes (bcm2835-codec, bcm2835-isp, unicam, rp1-cfe, pispbe) hang on no USB and are no cameras by
themselves: libcamera makes one of them, see `device.camera.rpicam`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.text import printable

BY_ID: Final = "dev/v4l/by-id"
"""Below the root: udev's names of cameras, which stay."""


@dataclass(frozen=True, slots=True)
class UsbNode:
    """A camera on USB."""

    path: str
    """Its name for good, in /dev/v4l/by-id; its /dev/videoN where udev gave it none."""
    name: str
    """As it calls itself: text of the device's, made fit to be shown."""
    node: str
    """Its /dev/videoN of today."""


def cameras(root: Path = Path("/")) -> list[UsbNode]:
    """Return the cameras on USB below ``root``, in the kernel's order. Any thread, at once."""
    names = _names(root)
    found = []
    for entry in sorted((root / "sys/class/video4linux").glob("video*"), key=_number):
        if _text(entry / "index") not in {"", "0"} or not _is_on_usb(entry):
            continue
        node = f"/dev/{entry.name}"
        found.append(UsbNode(names.get(entry.name, node), _called(entry), node))
    return found


def name_of(path: str, root: Path = Path("/")) -> str:
    """Return what the camera behind a path calls itself; empty where that is not known."""
    node = (root / path.lstrip("/")).resolve().name
    return _called(root / "sys/class/video4linux" / node) if node.startswith("video") else ""


def _names(root: Path) -> dict[str, str]:
    """Return udev's name of each node by the node's own."""
    folder = root / BY_ID
    return {link.resolve().name: f"/{BY_ID}/{link.name}" for link in sorted(folder.glob("*"))}


def _is_on_usb(entry: Path) -> bool:
    # A link to a folder among those of its bus: .../usb1/1-1/1-1.2/1-1.2:1.0/video4linux/video0
    return any(part.startswith("usb") for part in entry.resolve().parts)


def _called(entry: Path) -> str:
    return printable(_text(entry / "name"), 60)


def _number(entry: Path) -> int:
    digits = entry.name.removeprefix("video")
    return int(digits) if digits.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""
