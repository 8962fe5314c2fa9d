"""Runs in the sandbox of parley.service and tells as JSON what each of its cameras gives.

With the package of the installed release, and a picture that lies beside this script.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from device.camera.source import make_camera
from device.errors import CameraError

SOURCES = {
    "file": f"file:{Path(__file__).with_name('picture.jpg')}",
    "camera": "/dev/v4l/by-id/usb-Rig_Webcam-video-index0",
    "other": "/dev/v4l/by-id/usb-Rig_Other-video-index0",
}


async def told(source: str) -> str:
    """What comes of a picture."""
    camera = make_camera(source)
    try:
        taken = await camera.take()
    except CameraError as error:
        return str(error)
    return f"{taken.width} by {taken.height}"


def main() -> None:
    """Take a picture of each; the result is written where it is asked to."""
    found = {name: asyncio.run(told(source)) for name, source in SOURCES.items()}
    Path(sys.argv[1]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
