"""`AutoCamera` takes the only camera there is: one on USB, else one on the Pi's own connector.

It looks when a picture is taken, so a camera may come later. Where there are several on USB nobody
guesses which room is meant: it says what there is to write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from device.camera import nodes, rpicam
from device.camera.rpicam import RpicamCamera
from device.camera.usb import UsbCamera
from device.errors import CameraError
from device.ports import Camera, Picture


class AutoCamera:
    """The camera that is there. Used from the event loop's thread only."""

    def __init__(
        self,
        rotate: int = 0,
        environ: Mapping[str, str] | None = None,
        root: Path = Path("/"),
    ) -> None:
        """``environ``: as `RpicamCamera` takes it; ``root``: where the machine's files are."""
        self._rotate = rotate
        self._environ = environ
        self._root = root
        self._camera: Camera | None = None
        self._on_usb: dict[str, UsbCamera] = {}
        """The last one that was found there, by its path. It knows whether it hangs; a new one
        would hang too, in one more thread for each picture."""
        self._one_at_a_time = asyncio.Lock()

    @property
    def description(self) -> str:
        """The camera that the last picture is of."""
        if self._camera is None:
            return "the only camera, as soon as there is one"
        return self._camera.description

    async def take(self, *, more_soon: bool = False) -> Picture:
        """Take a picture with what is there. Raises CameraError: none, or several."""
        async with self._one_at_a_time:
            camera = self._camera or await self._found()
            self._camera = camera
            try:
                return await camera.take(more_soon=more_soon)
            except CameraError:
                # Another one may be there by now.
                self._camera = None
                await camera.close()
                raise

    async def close(self) -> None:
        """Let it go; the next picture is of what is there then."""
        camera, self._camera = self._camera, None
        if camera is not None:
            await camera.close()

    async def _found(self) -> Camera:
        found = nodes.cameras(self._root)
        if len(found) == 1:
            path = found[0].path
            if path not in self._on_usb:
                self._on_usb = {path: UsbCamera(path, self._rotate)}
            return self._on_usb[path]
        if found:
            listed = ", ".join(f"{each.path} ('{each.name}')" for each in found)
            raise CameraError(
                f"there are {len(found)} cameras on USB, and camera.source is auto: write one of "
                f"them there: {listed}"
            )
        try:
            sensors = await rpicam.listed(self._environ)
        except CameraError as error:
            raise CameraError(f"there is no camera: none on USB, and {error}") from error
        if not sensors:
            raise CameraError(
                "there is no camera, neither on USB nor on the Pi's connector: plug one in; with "
                "one on a connector check its cable"
            )
        return RpicamCamera(self._rotate, self._environ)
