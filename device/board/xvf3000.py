"""The ReSpeaker USB Mic Array v2.0 and v3.0 (XVF3000) has a ring of LEDs and parameters.

Sources: Seeed's wiki, usb_4_mic_array (`tuning.py`) and the wiki of pixel_ring. Requests to the
ring go to index 0x1C, the command being the value; requests for a parameter go to its group, the
value being its place. Of the ring's commands only those are used that do one thing in every
firmware: all LEDs alike, each LED, brightness.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from device.board.bearing import Direction
from device.board.colour import scale, split_brightness
from device.board.usb_control import UsbControl
from device.errors import BoardError
from device.ports import Colour

LEDS = 12
"""Microphones are at LEDs 0, 3, 6 and 9: directions of 0, 90, 180 and 270 degrees."""

BRIGHTEST = 0x1F

_RING = 0x1C
_MONO = 1
_SHOW = 6
_BRIGHTNESS = 0x20
_DARK = (_MONO, bytes(4))

_READ = 0x80
_READ_INT = 0x40
_VERSION_GROUP = 0


@dataclass(frozen=True, slots=True)
class Parameter:
    """Where a parameter of the chip is, and what it is."""

    group: int
    offset: int
    kind: type[int | float]
    read_only: bool = False


PARAMETERS: dict[str, Parameter] = {
    "AECFREEZEONOFF": Parameter(18, 7, int),
    "AECNORM": Parameter(18, 19, float),
    "AECPATHCHANGE": Parameter(18, 25, int, read_only=True),
    "RT60": Parameter(18, 26, float, read_only=True),
    "HPFONOFF": Parameter(18, 27, int),
    "RT60ONOFF": Parameter(18, 28, int),
    "AECSILENCELEVEL": Parameter(18, 30, float),
    "AECSILENCEMODE": Parameter(18, 31, int, read_only=True),
    "AGCONOFF": Parameter(19, 0, int),
    "AGCMAXGAIN": Parameter(19, 1, float),
    "AGCDESIREDLEVEL": Parameter(19, 2, float),
    "AGCGAIN": Parameter(19, 3, float),
    "AGCTIME": Parameter(19, 4, float),
    "CNIONOFF": Parameter(19, 5, int),
    "FREEZEONOFF": Parameter(19, 6, int),
    "STATNOISEONOFF": Parameter(19, 8, int),
    "GAMMA_NS": Parameter(19, 9, float),
    "MIN_NS": Parameter(19, 10, float),
    "NONSTATNOISEONOFF": Parameter(19, 11, int),
    "GAMMA_NN": Parameter(19, 12, float),
    "MIN_NN": Parameter(19, 13, float),
    "ECHOONOFF": Parameter(19, 14, int),
    "GAMMA_E": Parameter(19, 15, float),
    "GAMMA_ETAIL": Parameter(19, 16, float),
    "GAMMA_ENL": Parameter(19, 17, float),
    "NLATTENONOFF": Parameter(19, 18, int),
    "NLAEC_MODE": Parameter(19, 20, int),
    "SPEECHDETECTED": Parameter(19, 22, int, read_only=True),
    "TRANSIENTONOFF": Parameter(19, 29, int),
    "VOICEACTIVITY": Parameter(19, 32, int, read_only=True),
    "STATNOISEONOFF_SR": Parameter(19, 33, int),
    "NONSTATNOISEONOFF_SR": Parameter(19, 34, int),
    "GAMMA_NS_SR": Parameter(19, 35, float),
    "GAMMA_NN_SR": Parameter(19, 36, float),
    "MIN_NS_SR": Parameter(19, 37, float),
    "MIN_NN_SR": Parameter(19, 38, float),
    "GAMMAVAD_SR": Parameter(19, 39, float),
    "DOAANGLE": Parameter(21, 0, int, read_only=True),
}
"""By the names that Seeed gives them."""


class Xvf3000:
    """Parameters of an array. Every call blocks for a transfer and raises BoardError."""

    def __init__(self, control: UsbControl) -> None:
        self._control = control

    def version(self) -> int:
        """Return the firmware's version, one number."""
        reply = self._control.read(_READ, _VERSION_GROUP, 1)
        if not reply:
            raise BoardError(f"the {self._control.array} told no version")
        return reply[0]

    def get(self, name: str) -> int | float:
        """Return a parameter of `PARAMETERS`."""
        parameter = PARAMETERS[name]
        reply = self._control.read(value_to_read(parameter), parameter.group, 8)
        if len(reply) != 8:
            raise BoardError(f"the {self._control.array} told {len(reply)} of 8 bytes of {name}")
        return parameter_from(parameter, reply)

    def set(self, name: str, value: float) -> None:
        """Set a parameter of `PARAMETERS` until the array is powered off."""
        parameter = PARAMETERS[name]
        if parameter.read_only:
            raise ValueError(f"{name} can only be read")
        self._control.write(0, parameter.group, parameter_bytes(parameter, value))

    def direction_deg(self) -> int:
        """Return where sound comes from: 0..359, clockwise as the LEDs are numbered."""
        return int(self.get("DOAANGLE"))

    def hears_voice(self) -> bool:
        """Return whether the chip takes what it hears for a voice."""
        return bool(self.get("VOICEACTIVITY"))


class Xvf3000Ring:
    """The ring as `device.lights.ring` draws on it; sends nothing that is shown already."""

    count = LEDS

    def __init__(self, control: UsbControl) -> None:
        self._control = control
        self._array = Xvf3000(control)
        self._level: int | None = None
        self._shown: tuple[int, bytes] | None = None

    def open(self) -> None:
        """Take the ring over from what the chip shows by itself, dark. Raises BoardError."""
        self._send(_DARK)

    def show(self, colours: Sequence[Colour], brightness: int) -> None:
        """Set every LED; `brightness`: 0..100. Raises BoardError."""
        level, rest_percent = split_brightness(brightness)
        request = ring_request(scale(colours, rest_percent))
        if level != self._level and request != _DARK:
            self._control.write(_BRIGHTNESS, _RING, bytes([level]))
            self._level = level
        if request != self._shown:
            self._send(request)

    def dark(self) -> None:
        """All LEDs off. Raises BoardError."""
        self._send(_DARK)

    def direction(self) -> Direction:
        """Return where sound comes from. Raises BoardError.

        While nobody speaks the chip tells where somebody did: then it is not asked for that.
        """
        speech = self._array.hears_voice()
        return Direction(self._array.direction_deg() if speech else 0, speech)

    def wait_s(self) -> float:
        """Return how long the next frame should wait, since what is read stalls."""
        return self._control.pace.wait_s()

    def close(self) -> None:
        """Let the device go; never raises."""
        self._control.close()

    def _send(self, request: tuple[int, bytes]) -> None:
        command, data = request
        self._control.write(command, _RING, data)
        self._shown = request


def ring_request(colours: Sequence[Colour]) -> tuple[int, bytes]:
    """Return command and data that set the LEDs, driven as they are: no gamma, no brightness."""
    data = b"".join(bytes((*colour, 0)) for colour in colours)
    return (_MONO, data[:4]) if len(set(colours)) == 1 else (_SHOW, data)


def value_to_read(parameter: Parameter) -> int:
    """Return wValue of a request that reads a parameter (wIndex is its group)."""
    return _READ | parameter.offset | (_READ_INT if parameter.kind is int else 0)


def parameter_from(parameter: Parameter, reply: bytes) -> int | float:
    """Return the value in a reply of 8 bytes: two int32, a float being first times 2**second."""
    first, second = struct.unpack("<ii", reply)
    return int(first) if parameter.kind is int else math.ldexp(first, second)


def parameter_bytes(parameter: Parameter, value: float) -> bytes:
    """Return the 12 bytes that set a parameter: place, value, and whether it is an int."""
    if parameter.kind is int:
        return struct.pack("<iii", parameter.offset, int(value), 1)
    return struct.pack("<ifi", parameter.offset, value, 0)
