"""The reSpeaker XVF3800 (the Flex speaks the same) has a ring of LEDs and parameters.

Source: Seeed's reSpeaker_XVF3800_USB_4MIC_ARRAY, `xvf_host.py` and the firmware's changelog. A
request goes to a resource (index), with a command (value, plus 0x80 to read). What is read begins
with a byte of status: 64 means that the chip has not got to it yet, and is asked again.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from device.board.bearing import Direction
from device.board.colour import BLACK, scale
from device.board.routing import Route
from device.board.usb_control import UsbControl
from device.errors import ArrayBusyError, BoardError
from device.ports import Colour

LEDS = 12

Version = tuple[int, int, int]

RING_SINCE: Version = (2, 0, 7)
"""Firmware that can set each LED; before it they can only be lit all alike."""
DIRECTION_SINCE: Version = (2, 0, 10)
"""Firmware that keeps DOA_VALUE current whatever the LEDs show. It is there since 2.0.6, but before
2.0.10 it stands still unless the LEDs show it."""

_READ = 0x80
_DONE = 0
_NOT_YET = 64
_TRIES = 100
_TRIES_FOR_DIRECTION = 3
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Command:
    """One command: where it goes, and its values as `struct` writes them (little endian)."""

    name: str
    resource: int
    number: int
    values: str

    def encode(self, *values: float) -> bytes:
        """Return the data that set it."""
        return struct.pack(f"<{self.values}", *values)

    @property
    def size_bytes(self) -> int:
        """Of its values."""
        return struct.calcsize(f"<{self.values}")

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Return the values in what was read after the status."""
        return struct.unpack(f"<{self.values}", data)


GPO_READ_VALUES = Command("GPO_READ_VALUES", 20, 0, "5B")
"""Levels of the pins X0D11, X0D30, X0D31, X0D33, X0D39; some firmware tells fewer."""
GPO_WRITE_VALUE = Command("GPO_WRITE_VALUE", 20, 1, "2B")
LED_EFFECT = Command("LED_EFFECT", 20, 12, "B")
LED_GAMMIFY = Command("LED_GAMMIFY", 20, 14, "B")
LED_COLOR = Command("LED_COLOR", 20, 16, "I")
DOA_VALUE = Command("DOA_VALUE", 20, 18, "2H")
LED_RING_COLOR = Command("LED_RING_COLOR", 20, 19, f"{LEDS}I")
AEC_AZIMUTH_VALUES = Command("AEC_AZIMUTH_VALUES", 33, 75, "4f")
"""Radians, of beam 1, beam 2, the free-running beam, and the one the chip has selected."""
AEC_SPENERGY_VALUES = Command("AEC_SPENERGY_VALUES", 33, 80, "4f")
"""Of the same beams; above 0 there is speech."""
AUDIO_MGR_OP_L = Command("AUDIO_MGR_OP_L", 35, 15, "2B")
"""Category and source of what goes to the host's first channel."""
AUDIO_MGR_OP_R = Command("AUDIO_MGR_OP_R", 35, 19, "2B")
"""The same of its second."""
VERSION = Command("VERSION", 48, 0, "3B")
REBOOT = Command("REBOOT", 48, 7, "B")

_AMPLIFIER_PIN = 31
_LED_POWER_PIN = 33
_MUTE_AMONG_VALUES = 1
_AMPLIFIER_AMONG_VALUES = 2
_SENT = (AUDIO_MGR_OP_L, AUDIO_MGR_OP_R)
_SELECTED_BEAM = 3
_EFFECT_SINGLE_COLOUR = 3
_EFFECT_RING = 5


class Xvf3800:
    """Commands to an array. Every call blocks for its transfers and raises BoardError."""

    def __init__(
        self,
        control: UsbControl,
        pause: Callable[[float], None] = time.sleep,
        tries: int = _TRIES,
    ) -> None:
        """`tries`: how often it is asked, 10 ms apart, before it counts as too busy."""
        self._control = control
        self._pause = pause
        self._tries = tries

    def write(self, command: Command, *values: float) -> None:
        """Send a command with its values."""
        self._control.write(command.number, command.resource, command.encode(*values))

    def read(self, command: Command) -> tuple[Any, ...]:
        """Return the values of a command."""
        data = self._read_bytes(command)
        if len(data) != command.size_bytes:
            raise BoardError(
                f"the {self._control.array} told {len(data)} of {command.size_bytes} bytes"
                f" of {command.name}"
            )
        return command.decode(data)

    def version(self) -> Version:
        """Return the firmware's version."""
        major, minor, patch = self.read(VERSION)
        return major, minor, patch

    def muted(self) -> bool:
        """Return whether its own button has muted it."""
        levels = self._read_bytes(GPO_READ_VALUES)
        if len(levels) <= _MUTE_AMONG_VALUES:
            raise BoardError(f"the {self._control.array} did not tell whether it is muted")
        return levels[_MUTE_AMONG_VALUES] == 1

    def amplified(self) -> bool | None:
        """Return whether the amplifier of its loudspeaker is on; None where it does not tell."""
        levels = self._read_bytes(GPO_READ_VALUES)
        if len(levels) <= _AMPLIFIER_AMONG_VALUES:
            return None
        return levels[_AMPLIFIER_AMONG_VALUES] == 0

    def amplify(self) -> None:
        """Switch the amplifier of its loudspeaker on."""
        self.write(GPO_WRITE_VALUE, _AMPLIFIER_PIN, 0)

    def routes(self) -> tuple[Route, ...]:
        """Return what it sends on its host's first two channels."""
        return tuple(Route(*self.read(command)) for command in _SENT)

    def route(self, channel: int, route: Route) -> None:
        """Send this on one of them, 0 or 1, until it is started anew or loses power."""
        self.write(_SENT[channel], *route)

    def direction(self, version: Version) -> Direction:
        """Return where sound comes from, in the way that firmware of this version tells it.

        While nothing is heard the chip has no new direction, and answers as if it were busy (so
        reports whoever asks it over I²C): that is no speech, and no trouble.
        """
        try:
            if version >= DIRECTION_SINCE:
                angle_deg, speech = self.read(DOA_VALUE)
                return Direction(angle_deg, bool(speech))
            azimuth = self.read(AEC_AZIMUTH_VALUES)[_SELECTED_BEAM]
            energy = self.read(AEC_SPENERGY_VALUES)[_SELECTED_BEAM]
        except ArrayBusyError:
            return Direction(0, speech=False)
        return direction_from(azimuth, energy)

    def reboot(self) -> None:
        """Start it anew: it leaves USB, sound card and all, and comes back without its settings."""
        self.write(REBOOT, 1)

    def _read_bytes(self, command: Command) -> bytes:
        """Return what a command tells; as much of it as there was."""
        for _ in range(self._tries):
            reply = self._control.read(
                _READ | command.number, command.resource, 1 + command.size_bytes
            )
            status = reply[0] if reply else None
            if status == _DONE:
                return reply[1:]
            if status != _NOT_YET:
                raise BoardError(
                    f"the {self._control.array} does not tell {command.name}"
                    f" (status {status}): does its firmware need an update?"
                )
            self._pause(_PAUSE_S)
        # One that is asked for long in vain stalls, though each of its answers is prompt.
        self._control.pace.answered(self._tries * _PAUSE_S)
        raise ArrayBusyError(
            f"the {self._control.array} is too busy to tell {command.name}:"
            " plug it out and in again"
        )


class Xvf3800Ring:
    """The ring as `device.lights.ring` draws on it; sends nothing that is shown already.

    On firmware that cannot set each LED it has a `count` of one, which all of them show: so every
    pattern keeps its own rhythm.
    """

    count = LEDS

    def __init__(self, control: UsbControl) -> None:
        self._control = control
        self._array = Xvf3800(control)
        # A direction is not worth waiting for while a frame waits behind it.
        self._compass = Xvf3800(control, tries=_TRIES_FOR_DIRECTION)
        self._version = RING_SINCE
        self._colour_command = LED_RING_COLOR
        self._shown: bytes | None = None

    def open(self) -> None:
        """Give the LEDs current and take them over from the chip, dark. Raises BoardError."""
        self._array.write(GPO_WRITE_VALUE, _LED_POWER_PIN, 1)
        # Gamma is done here, by `scale`.
        self._array.write(LED_GAMMIFY, 0)
        self._version = self._array.version()
        if self._version >= RING_SINCE:
            # Colours count while the effect is in force; they may still be a dead process's.
            self._array.write(LED_EFFECT, _EFFECT_RING)
            self.dark()
        else:
            self.count = 1
            self._colour_command = LED_COLOR
            self.dark()
            self._array.write(LED_EFFECT, _EFFECT_SINGLE_COLOUR)

    def show(self, colours: Sequence[Colour], brightness: int) -> None:
        """Set every LED; `brightness`: 0..100. Raises BoardError."""
        data = self._encode(scale(colours, brightness))
        if data != self._shown:
            self._send(data)

    def dark(self) -> None:
        """All LEDs off. Raises BoardError."""
        self._send(self._encode([BLACK] * self.count))

    def direction(self) -> Direction:
        """Return where sound comes from; 30 ms at most. Raises BoardError."""
        return self._compass.direction(self._version)

    def wait_s(self) -> float:
        """Return how long the next frame should wait, since what is read stalls."""
        return self._control.pace.wait_s()

    def close(self) -> None:
        """Let the device go; never raises."""
        self._control.close()

    def _encode(self, colours: Sequence[Colour]) -> bytes:
        return self._colour_command.encode(*(colour_word(colour) for colour in colours))

    def _send(self, data: bytes) -> None:
        self._control.write(self._colour_command.number, self._colour_command.resource, data)
        self._shown = data


def colour_word(colour: Colour) -> int:
    """Return a colour as the chip wants it: 0x00RRGGBB."""
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def direction_from(azimuth_rad: float, energy: float) -> Direction:
    """Return the direction of a beam; one that points nowhere (not a number) has no speech."""
    if not math.isfinite(azimuth_rad):
        return Direction(0, speech=False)
    return Direction(round(math.degrees(azimuth_rad)) % 360, speech=energy > 0)
