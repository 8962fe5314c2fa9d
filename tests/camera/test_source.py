"""What ``camera.source`` names becomes a camera, without anything being looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from device.camera.source import make_camera

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("source", "kind", "description"),
    [
        ("auto", "AutoCamera", "the only camera, as soon as there is one"),
        ("rpicam", "RpicamCamera", "the Pi's camera (rpicam)"),
        ("file:/srv/a.jpg", "FileCamera", "pictures out of /srv/a.jpg"),
        ("/dev/v4l/by-id/usb-X", "UsbCamera", "USB camera /dev/v4l/by-id/usb-X"),
    ],
)
def test_each_source_is_a_camera(source: str, kind: str, description: str) -> None:
    """And says what it is, for a person, before it was ever opened."""
    camera = make_camera(source, 90)
    assert (type(camera).__name__, camera.description) == (kind, description)


def test_a_camera_that_takes_no_picture_costs_nothing() -> None:
    """Neither Pillow nor linuxpy is loaded before the first picture."""
    code = """
import sys
from device.camera.source import make_camera
[make_camera(source) for source in ("auto", "rpicam", "file:/srv/a.jpg", "/dev/v4l/by-id/x")]
print(*sorted({"PIL", "linuxpy"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
