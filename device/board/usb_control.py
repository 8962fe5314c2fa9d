"""`UsbControl` sends vendor requests to a ReSpeaker array on USB and words what goes wrong.

The arrays are set and asked by control transfers addressed to the device itself. That needs no
interface to be claimed and no kernel driver to be detached, so it works beside the sound card that
the same plug holds. A transfer blocks its thread until it is done, a second at most. Whoever holds
a `UsbControl` uses it from one thread.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from device.board.pace import Pace
from device.board.profiles import SAFE_MODE, SEEED, in_safe_mode
from device.errors import BoardError

log = logging.getLogger(__name__)

TIMEOUT_MS = 1000

_NAMED_PRODUCTS = {0x0007, 0x0018, 0x0019, 0x001A}
"""Microphone boards that keep their id: USB 6+1, XVF3000, Lite, XVF3800."""

# bmRequestType: vendor request to the device, from the host and to the host.
_WRITE = 0x40
_READ = 0xC0

_NOT_REACHED = {errno.EACCES, errno.EPERM, errno.ENODEV, errno.ENOENT}
"""What says nothing of how an array does with its lights."""

_ENGLISH = 0x0409
"""Language of strings that a device tells of itself."""

_SAVE_CONFIGURATION = (48, 9)
"""XVF3800, resource and command: boards have been unable to enumerate after it, for good."""


@dataclass(frozen=True, slots=True)
class UsbArray:
    """How one kind of array is found on USB."""

    label: str
    """For people."""
    product_id: int | None
    """None: it changes with the firmware, and the product's name in the device tells."""

    def __str__(self) -> str:
        """Return label and id as `lsusb` writes it."""
        known = "????" if self.product_id is None else f"{self.product_id:04x}"
        return f"{self.label} (USB {SEEED:04x}:{known})"


XVF3000_ARRAY = UsbArray("ReSpeaker USB Mic Array", 0x0018)
XVF3800_ARRAY = UsbArray("reSpeaker XVF3800", 0x001A)
FLEX_ARRAY = UsbArray("reSpeaker Flex", None)


def libusb() -> Any:
    """Return pyusb's way to the system's libusb 1.0; None when that is not there."""
    from usb.backend import libusb1  # noqa: PLC0415 - only where an array is on USB

    return libusb1.get_backend()


Load = Callable[[], Any]
"""Returns what pyusb reaches USB by (a `usb.backend.IBackend`), or None."""


class UsbControl:
    """One array, ready for vendor requests; it is opened by the first of them."""

    def __init__(self, device: Any, array: UsbArray, pace: Pace) -> None:
        self._device = device
        self.array = array
        self.pace = pace
        """How fast its LEDs may be written; each read is told to it."""

    def write(self, value: int, index: int, data: bytes) -> None:
        """Send bytes. Raises BoardError."""
        _refuse_what_harms(value, index)
        try:
            sent = self._transfer(_WRITE, value, index, data)
        finally:
            self.pace.wrote()
        if sent != len(data):
            raise BoardError(f"the {self.array} took {sent} of {len(data)} bytes")

    def read(self, value: int, index: int, length: int) -> bytes:
        """Return what it answers, which may be shorter than `length` bytes. Raises BoardError."""
        _refuse_what_harms(value, index)
        began_s = time.monotonic()
        try:
            answer = bytes(self._transfer(_READ, value, index, length))
        except BoardError as error:
            if getattr(error.__cause__, "errno", None) not in _NOT_REACHED:
                self.pace.stalled()
            raise
        self.pace.answered(time.monotonic() - began_s)
        return answer

    def close(self) -> None:
        """Let the device go; never raises."""
        from usb.util import dispose_resources  # noqa: PLC0415 - only where an array is on USB

        dispose_resources(self._device)

    def _transfer(self, request_type: int, value: int, index: int, payload: bytes | int) -> Any:
        try:
            return self._device.ctrl_transfer(request_type, 0, value, index, payload, TIMEOUT_MS)
        except _usb_errors() as error:
            raise _told(error, self.array, f"request {value:#x} to {index:#x}") from error


def connect(array: UsbArray, load: Load = libusb, pace: Pace | None = None) -> UsbControl:
    """Find an array. Of several that are alike the one with the lowest bus and address is taken.

    ``pace``: what all who talk to this array share; None: nobody else does. Raises BoardError,
    naming the Seeed devices that are there instead.
    """
    from usb.core import find  # noqa: PLC0415 - only where an array is on USB

    backend = load()
    if backend is None:
        raise BoardError(
            f"libusb, which reaches the {array}, is not there: run 'sudo apt install libusb-1.0-0'"
        )
    try:
        present = sorted(find(find_all=True, backend=backend, idVendor=SEEED), key=_place)
    except _usb_errors() as error:
        raise _told(error, array, "the list of devices") from error
    mine, unreadable = [], None
    for device in present:
        try:
            if _is(device, array):
                mine.append(device)
        except BoardError as error:
            unreadable = error
    if not mine:
        raise unreadable or BoardError(
            f"no {array} is plugged in; found of its maker's: {_listed(present) or 'nothing'}"
        )
    if len(mine) > 1:
        log.warning("%d times %s: taking %s", len(mine), array, _spot(mine[0]))
    return UsbControl(mine[0], array, pace or Pace())


def _is(device: Any, array: UsbArray) -> bool:
    if array.product_id is not None:
        return bool(device.idProduct == array.product_id)
    if device.idProduct in _NAMED_PRODUCTS or device.idProduct & SAFE_MODE:
        return False
    return "respeaker" in _name(device, array).lower()


def _name(device: Any, array: UsbArray) -> str:
    """Ask a device for its product's name; BoardError when that is forbidden or fails."""
    from usb.util import dispose_resources, get_string  # noqa: PLC0415 - only where one is on USB

    try:
        # The language is given, since asking for it hides why it could not be had.
        return get_string(device, device.iProduct, langid=_ENGLISH) if device.iProduct else ""
    except _usb_errors() as error:
        raise _told(error, array, f"name of {_spot(device)}") from error
    finally:
        dispose_resources(device)


def _place(device: Any) -> tuple[int, int]:
    return device.bus or 0, device.address or 0


def _spot(device: Any) -> str:
    return "bus {} device {}".format(*_place(device))


def _listed(devices: Sequence[Any]) -> str:
    return ", ".join(
        f"{device.idVendor:04x}:{device.idProduct:04x}"
        f"{' (safe mode)' if in_safe_mode((device.idVendor, device.idProduct), '') else ''}"
        for device in devices
    )


def _usb_errors() -> tuple[type[Exception], ...]:
    from usb.core import USBError  # noqa: PLC0415 - only where an array is on USB

    # NotImplementedError: what libusb says of a system that lacks a feature.
    return USBError, NotImplementedError


def _told(error: Exception, array: UsbArray, asked: str) -> BoardError:
    match getattr(error, "errno", None):
        case errno.EACCES | errno.EPERM:
            return BoardError(
                f"the {array} may not be used: is 60-parley-respeaker.rules in /etc/udev/rules.d,"
                " and the user in group plugdev? then plug it in again"
            )
        case errno.ENODEV | errno.ENOENT:
            return BoardError(f"the {array} is gone: plug it in again")
        case errno.ETIMEDOUT:
            return BoardError(
                f"the {array} did not answer within {TIMEOUT_MS / 1000:g} s ({asked}):"
                " plug it out and in again"
            )
        case errno.EPIPE:
            return BoardError(f"the {array} refused {asked}: does its firmware need an update?")
        case _:
            return BoardError(f"the {array} cannot be reached ({asked}): {error}")


def _refuse_what_harms(value: int, index: int) -> None:
    # A chip may look at the low bytes only; 0x80 means reading.
    if (index & 0xFF, value & 0x7F) == _SAVE_CONFIGURATION:
        raise BoardError("SAVE_CONFIGURATION is never sent: it has ruined XVF3800 boards for good")
