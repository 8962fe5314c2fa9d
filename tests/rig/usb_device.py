"""ReSpeaker arrays on an emulated USB, at the interface where pyusb meets libusb.

Everything of pyusb runs as on a Pi; below it, `Bus` stands in for libusb and records each vendor
request. The arrays are a second reading of the makers' tables, written without the drivers' code:
what the tables do not have is stalled, as a chip does it, so a wrong byte is an error here too.
"""

from __future__ import annotations

import errno
import struct
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import usb.backend
from usb.core import USBError, USBTimeoutError

WITHIN_S = 10.0

# libusb's own numbers and texts, as pyusb passes them on.
_TROUBLES = {
    "denied": (USBError, "Access denied (insufficient permissions)", -3, errno.EACCES),
    "gone": (USBError, "No such device (it may have been disconnected)", -4, errno.ENODEV),
    "stall": (USBError, "Pipe error", -9, errno.EPIPE),
    "timeout": (USBTimeoutError, "Operation timed out", -7, errno.ETIMEDOUT),
    "io": (USBError, "Input/Output Error", -1, errno.EIO),
}


def trouble(name: str) -> Exception:
    kind, *of_libusb = _TROUBLES[name]
    made: Exception = kind(*of_libusb)
    return made


@dataclass(frozen=True)
class Transfer:
    """A vendor request as it went over the bus."""

    request_type: int
    request: int
    value: int
    index: int
    data: bytes
    """What was written, or what was answered."""
    length: int
    timeout_ms: int

    def __str__(self) -> str:
        way = "in " if self.request_type & 0x80 else "out"
        return (
            f"{way} {self.request_type:02x} {self.request:02x} {self.value:04x} {self.index:04x}"
            f" {self.length:3d}  {self.data.hex(' ', 4)}"
        )


def wrote(value: int, index: int, data: bytes) -> Transfer:
    return Transfer(0x40, 0, value, index, data, len(data), 1000)


def read(value: int, index: int, length: int, answer: bytes) -> Transfer:
    return Transfer(0xC0, 0, value, index, answer, length, 1000)


class UsbArray:
    """What every emulated device has: descriptors, a log, and troubles to order."""

    product_id = 0x0000
    product = ""

    def __init__(self) -> None:
        self.address = 0
        self.plugged = True
        self.opened = 0
        self.denied = False
        self.troubles: deque[str | None] = deque()
        """What the next requests fail by, one each; None lets one pass."""
        self.broken: str | None = None
        """What every request fails by."""
        self.short: int | None = None
        """How many bytes of an answer arrive."""
        self.may_pass = threading.Event()
        """Cleared, a request hangs until it is set (and does not time out)."""
        self.may_pass.set()
        self.takes_s = 0.0
        self.transfers: list[Transfer] = []
        self.news = threading.Condition()

    def vendor_write(self, value: int, index: int, data: bytes) -> None:
        raise trouble("stall")

    def vendor_read(self, value: int, index: int, length: int) -> bytes:
        raise trouble("stall")

    def unplug(self) -> None:
        self.plugged = False

    def wait_until(self, happened: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(happened, WITHIN_S)

    def written(self) -> list[Transfer]:
        return [transfer for transfer in self.transfers if transfer.request_type == 0x40]

    def log(self, transfer: Transfer) -> None:
        with self.news:
            self.transfers.append(transfer)
            self.news.notify_all()


class Bus(usb.backend.IBackend):  # type: ignore[misc]
    """The backend that pyusb is given."""

    def __init__(self, *devices: UsbArray) -> None:
        self.devices: list[UsbArray] = []
        self.enumerating: str | None = None
        for device in devices:
            self.plug_in(device)

    def plug_in(self, device: UsbArray) -> None:
        device.address, device.plugged = len(self.devices) + 4, True
        self.devices.append(device)

    def enumerate_devices(self) -> Iterator[UsbArray]:
        if self.enumerating:
            raise trouble(self.enumerating)
        # As libusb does, in no order that means anything.
        return iter([device for device in reversed(self.devices) if device.plugged])

    def get_device_descriptor(self, device: UsbArray) -> Any:
        return SimpleNamespace(
            bLength=18,
            bDescriptorType=1,
            bcdUSB=0x0200,
            bDeviceClass=0xEF,
            bDeviceSubClass=2,
            bDeviceProtocol=1,
            bMaxPacketSize0=64,
            idVendor=getattr(device, "vendor_id", 0x2886),
            idProduct=device.product_id,
            bcdDevice=0x0200,
            iManufacturer=1,
            iProduct=2 if device.product else 0,
            iSerialNumber=0,
            bNumConfigurations=1,
            address=device.address,
            bus=1,
            port_number=1,
            port_numbers=(1,),
            speed=2,
        )

    def open_device(self, device: UsbArray) -> UsbArray:
        if device.denied:
            raise trouble("denied")
        device.opened += 1
        return device

    def close_device(self, device: UsbArray) -> None:
        device.opened -= 1

    def ctrl_transfer(  # noqa: PLR0917 - the interface is pyusb's
        self,
        device: UsbArray,
        request_type: int,
        request: int,
        value: int,
        index: int,
        data: array[int],
        timeout_ms: int,
    ) -> int:
        device.may_pass.wait(WITHIN_S)
        if device.takes_s:
            time.sleep(device.takes_s)
        ordered = device.troubles.popleft() if device.troubles else device.broken
        if not device.plugged:
            raise trouble("gone")
        if ordered:
            raise trouble(ordered)
        if (request_type, request, value >> 8) == (0x80, 6, 3):
            text = device.product.encode("utf-16-le")
            return _answer(data, bytes((len(text) + 2, 3)) + text)
        if (request_type, request) == (0x40, 0):
            written = bytes(data)
            device.vendor_write(value, index, written)
            device.log(Transfer(request_type, 0, value, index, written, len(data), timeout_ms))
            return len(data) if device.short is None else device.short
        if (request_type, request) != (0xC0, 0):
            raise trouble("stall")
        told = device.vendor_read(value, index, len(data))
        count = _answer(data, told[: device.short])
        device.log(
            Transfer(request_type, 0, value, index, bytes(data[:count]), len(data), timeout_ms)
        )
        return count


def _answer(data: array[int], told: bytes) -> int:
    count = min(len(told), len(data))
    data[:count] = array("B", told[:count])
    return count


class MicArrayV2(UsbArray):
    """2886:0018, XVF3000."""

    product_id = 0x0018
    product = "ReSpeaker 4 Mic Array (UAC1.0)"

    def __init__(self) -> None:
        super().__init__()
        self.firmware = 0x21
        self.leds: list[tuple[int, int, int]] = [(9, 9, 9)] * 12
        """As a dead process has left them."""
        self.brightness = 0x1F
        self.numbers: dict[tuple[int, int], tuple[int, int]] = {}
        """Of each group and place, the two int32 that are read."""

    def vendor_write(self, value: int, index: int, data: bytes) -> None:
        match value, index, len(data):
            case 1, 0x1C, 4:
                self.leds = [(data[0], data[1], data[2])] * 12
            case 6, 0x1C, 48:
                self.leds = [(data[i], data[i + 1], data[i + 2]) for i in range(0, 48, 4)]
            case 0x20, 0x1C, 1 if data[0] <= 0x1F:
                self.brightness = data[0]
            case 0, (18 | 19 | 21), 12:
                place, _, is_int = struct.unpack("<iii", data)
                number = struct.unpack("<i" if is_int else "<f", data[4:8])[0]
                # 24 bits of a mantissa, as the chip has them.
                self.numbers[index, place] = (number, 0) if is_int else (round(number * 2**16), -16)
            case _:
                raise trouble("stall")

    def vendor_read(self, value: int, index: int, length: int) -> bytes:
        if (value, index, length) == (0x80, 0, 1):
            return bytes([self.firmware])
        place = value & 0x3F
        if not value & 0x80 or length != 8 or (index, place) not in self.numbers:
            raise trouble("stall")
        return struct.pack("<ii", *self.numbers[index, place])


class Xvf3800Board(UsbArray):
    """2886:001a."""

    product_id = 0x001A
    product = "reSpeaker XVF3800 4-Mic Array"

    SIZES = {  # noqa: RUF012 - a table
        (20, 0): 5, (20, 12): 1, (20, 14): 1, (20, 16): 4, (20, 18): 4, (20, 19): 48,
        (33, 75): 16, (33, 80): 16, (35, 15): 2, (35, 19): 2, (48, 0): 3,
    }  # fmt: skip
    """Bytes of what can be read."""

    def __init__(self, version: tuple[int, int, int] = (2, 1, 0)) -> None:
        super().__init__()
        self.version = version
        self.busy = 0
        """How often the next answer is that it has not got to it."""
        self.status = 0
        self.pins = {11: 0, 30: 0, 31: 0, 33: 0, 39: 0}
        self.effect = 4
        self.gammify = 1
        self.colour = 0x010203
        self.ring = [0x040506] * 12
        """Colours as a dead process has left them."""
        self.direction = (0, 0)
        self.azimuths = (0.0, 0.0, 0.0, 0.0)
        self.energies = (0.0, 0.0, 0.0, 0.0)
        self.routes = {15: (8, 0), 19: (7, 3)}
        """Category and source of what is sent left and right."""
        self.reboots = 0
        self.ruined = False

    @property
    def leds(self) -> list[int]:
        """What is seen, as 0xRRGGBB; -1 for what the chip paints by itself."""
        if not self.pins[33] or self.effect == 0:
            return [0] * 12
        if self.effect == 3:
            return [self.colour] * 12
        return list(self.ring) if self.effect == 5 else [-1] * 12

    def vendor_write(self, value: int, index: int, data: bytes) -> None:
        match index, value, len(data):
            case 20, 1, 2 if data[0] in self.pins:
                self.pins[data[0]] = data[1]
            case 20, 12, 1 if data[0] <= (5 if self.version >= (2, 0, 7) else 4):
                self.effect = data[0]
            case 20, 14, 1:
                self.gammify = data[0]
            case 20, 16, 4:
                (self.colour,) = struct.unpack("<I", data)
            case 20, 19, 48 if self.version >= (2, 0, 7):
                self.ring = list(struct.unpack("<12I", data))
            case 35, (15 | 19), 2 if data[0] <= 12 and data[1] <= 5:
                self.routes[value] = (data[0], data[1])
            case 48, 7, 1:
                self.reboots += 1
            case 48, 9, _:
                self.ruined = True
            case _:
                raise trouble("stall")

    def vendor_read(self, value: int, index: int, length: int) -> bytes:
        command = value & 0x7F
        if not value & 0x80 or length != 1 + self.SIZES.get((index, command), -1):
            raise trouble("stall")
        if self.busy:
            self.busy -= 1
            return bytes([64]) + bytes(length - 1)
        if self.status:
            return bytes([self.status]) + bytes(length - 1)
        return bytes([0]) + self._value(index, command)

    def _value(self, index: int, command: int) -> bytes:
        match index, command:
            case 48, 0:
                return bytes(self.version)
            case 20, 0:
                return bytes(self.pins.values())
            case 20, 12:
                return bytes([self.effect])
            case 20, 18 if self.version >= (2, 0, 6):
                return struct.pack("<HH", *self.direction)
            case 35, _:
                return bytes(self.routes[command])
            case 33, 75:
                return struct.pack("<4f", *self.azimuths)
            case 33, 80:
                return struct.pack("<4f", *self.energies)
        raise trouble("stall")


class Flex(Xvf3800Board):
    """2886 and an id that its firmware chooses."""

    product_id = 0x0041
    product = "reSpeaker XVF3800 Flex"


class FlexInSafeMode(UsbArray):
    """2886:801c, which takes firmware and nothing else."""

    product_id = 0x801C
    product = "reSpeaker XVF3800 Safe Mode"


class Lite(UsbArray):
    """2886:0019, which cannot be told anything."""

    product_id = 0x0019
    product = "ReSpeaker Lite"


class Stranger(UsbArray):
    """A microcontroller board of the same maker."""

    product_id = 0x8045
    product = "XIAO"
