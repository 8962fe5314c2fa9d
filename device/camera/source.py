"""`make_camera` makes the camera that ``camera.source`` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from device.camera.auto import AutoCamera
from device.camera.file import FileCamera
from device.camera.rpicam import RpicamCamera
from device.camera.usb import UsbCamera
from device.ports import Camera

FILE: Final = "file:"


def make_camera(source: str, rotate: int = 0, environ: Mapping[str, str] | None = None) -> Camera:
    """Return the camera of a source as the configuration has it; nothing is opened or loaded.

    ``rotate``: degrees clockwise; ``environ``: what a program finds in its environment that takes
    the picture, without secrets.
    """
    match source:
        case "auto":
            return AutoCamera(rotate, environ)
        case "rpicam":
            return RpicamCamera(rotate, environ)
        case path if path.startswith(FILE):
            return FileCamera(path.removeprefix(FILE), rotate)
        case path:
            return UsbCamera(path, rotate)
