"""`drop_in` writes what the service's sandbox must allow for a camera, and nothing more. Pure.

The unit itself allows no camera. Root's commands (`install.sh`, `parley doctor --fix`) put this
beside it where one is configured, and take it away where none is.
"""

from __future__ import annotations

from typing import Final

PLACE: Final = "/etc/systemd/system/parley.service.d/camera.conf"

VIDEO: Final = "char-81 rw"
"""Every V4L2 node, by the number that the kernel fixes (Documentation/admin-guide/devices.txt), so
that a camera may come after the service's start."""
LIBCAMERA: Final = (VIDEO, "char-media rw", "char-dma_heap rw")
"""What libcamera needs on a Pi: sensor and image processor, how they are tied together (by a number
that is not fixed, but they are there from the boot on), and memory for pictures."""


def devices(source: str | None) -> tuple[str, ...]:
    """Return what DeviceAllow= lists for a ``camera.source``; ``None``: no camera is used."""
    match source:
        case None:
            return ()
        case "auto" | "rpicam":
            # auto: whether it is a camera on USB or the Pi's own is known when a picture is taken.
            return LIBCAMERA
        case path if path.startswith("/dev/"):
            return (f"{path} rw",)
        case _:
            return ()


def drop_in(source: str | None) -> str:
    """Return the file to put beside the unit; empty where there is to be none."""
    allowed = devices(source)
    if not allowed:
        return ""
    lines = [
        "# Written by install.sh and parley doctor --fix, for camera.source in the configuration.",
        "[Service]",
        *(f"DeviceAllow={each}" for each in allowed),
    ]
    return "\n".join(lines) + "\n"
