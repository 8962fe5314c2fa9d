"""Names what is plugged in now, from the kernel's files."""

from __future__ import annotations

from pathlib import Path

SEEED = "2886"
"""The vendor id of every array on USB."""


def plugged(root: Path = Path("/")) -> frozenset[str]:
    """Return each sound card and each array on USB, in other words at each of its appearances.

    Those that were pulled out and put back between two calls are told too: the kernel counts the
    USB devices of a bus (``devnum``). Takes a millisecond or two; any thread.
    """
    cards = _text(root / "proc/asound/cards").splitlines()
    arrays = [
        f"{path.name} {_text(path / 'idProduct')} {_text(path / 'devnum')}"
        for path in (root / "sys/bus/usb/devices").glob("*")
        if _text(path / "idVendor") == SEEED
    ]
    return frozenset([*cards, *arrays])


def _text(path: Path) -> str:
    # A device that is pulled out takes its files along.
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
