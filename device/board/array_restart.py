"""`ArrayRestart` starts an array anew whose microphone is dead, or is lost again and again.

After the host was restarted a reSpeaker XVF3800 may be on USB again and deliver silence, until it
is told to restart itself (its firmware 2.0.10 mends that). The same is tried where its stream ends
soon after each opening; whether it helps there is not known. It is told once only until the host
starts again, whatever becomes of this process: an array that stays dead is not to be restarted for
ever.
"""

from __future__ import annotations

import logging
from pathlib import Path

from device.board.profiles import LedDriver, Profile
from device.board.usb_control import XVF3800_ARRAY, Load, connect, libusb
from device.board.xvf3800 import Xvf3800
from device.errors import BoardError, DamagedFileError
from device.state.store import DurableFile

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another after each start of the host (random(4))."""
FILE_NAME = "array_restarted"


class ArrayRestart:
    """Remembers in a file of ``folder`` (None: in this process only) in which boot it was tried."""

    def __init__(self, folder: Path | None, *, usb: Load = libusb, boot_id: Path = BOOT_ID) -> None:
        self._file = DurableFile(folder, FILE_NAME, mode=0o666)
        self._usb = usb
        self._boot_id = boot_id
        self._tried = False

    def attempt(self, profile: Profile) -> bool:
        """Restart the array of this board if it can be and was not yet; whether that was done.

        Blocks for the transfers (a second when the array hangs); any thread but one at a time.
        """
        if profile.led_driver is not LedDriver.XVF3800 or self._was_tried():
            return False
        try:
            control = connect(XVF3800_ARRAY, self._usb)
            try:
                array = Xvf3800(control)
                if self._is_muted(array):
                    return False
                self._note()
                array.reboot()
            finally:
                control.close()
        except BoardError as error:
            log.warning("the %s does not deliver and cannot be restarted: %s", profile.label, error)
            return False
        log.warning("the %s does not deliver: it was told to restart itself", profile.label)
        return True

    def _is_muted(self, array: Xvf3800) -> bool:
        """Whether its own button makes it silent; one that does not answer is not known to be."""
        try:
            return array.muted()
        except BoardError:
            return False

    def _was_tried(self) -> bool:
        return self._tried or (bool(self._boot) and self._noted == self._boot)

    @property
    def _boot(self) -> str:
        try:
            return self._boot_id.read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""

    @property
    def _noted(self) -> str:
        try:
            return (self._file.read_text() or "").strip()
        except (OSError, DamagedFileError):
            return ""

    def _note(self) -> None:
        self._tried = True
        try:
            self._file.write(self._boot.encode())
        except OSError as error:
            log.warning("cannot remember that the array was restarted: %s", error)
