"""`make_lights` makes the driver of the LEDs that a board and a configuration mean.

All drivers take colours as the eye sees them, as `device.lights.render` renders them, and do what
their LEDs need for it: gamma, brightness, byte order. An LED may keep its last colour when the
process dies, so a driver begins and ends dark, and `switch_off` clears up after a process that
could not.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from device.board.bearing import Mounting
from device.board.colour import BLACK, scale
from device.board.gpio import attempt, gpio_factory, let_go, refuse_taken
from device.board.pace import Pace
from device.board.profiles import PROFILES, LedDriver, Profile
from device.board.usb_control import XVF3000_ARRAY, XVF3800_ARRAY, Load, connect, libusb
from device.board.xvf3000 import Xvf3000Ring
from device.board.xvf3800 import Xvf3800Ring
from device.errors import BoardError
from device.lights.apa102 import Apa102Lights
from device.lights.ring import RingLights
from device.lights.terminal import TerminalLights
from device.ports import Colour, Lights

__all__ = [
    "Apa102Lights",
    "GpioLights",
    "NoLights",
    "RingLights",
    "TerminalLights",
    "make_lights",
    "switch_off",
]

STRIP_LEDS = 3
"""Of a chain of APA102 on a board that has none, where nobody says how many."""
_LIT_FROM = 64
"""Of 255: fainter is dark on an LED that can only be on or off."""
_TERMINAL_LEDS = 12


class NoLights:
    """A speaker without LEDs."""

    count = 0
    brightness = 0

    def open(self) -> None:
        """Do nothing."""

    def show(self, colours: Sequence[Colour]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class GpioLights:
    """One RGB LED (common cathode) on three GPIO pins.

    Where the pins cannot be dimmed the LED is on or off in its nearest colour, which still tells
    the patterns apart by their rhythm.
    """

    count = 1

    def __init__(self, pins: tuple[int, int, int], *, brightness: int = 40) -> None:
        self._pins = pins
        self.brightness = brightness
        """0..100; counts from the next show()."""
        self._led: Any = None
        self._dimmable = True
        self._shown: tuple[float, float, float] = BLACK

    def open(self) -> None:
        """Claim the pins and switch the LED off. Raises BoardError."""
        factory = gpio_factory()
        names = ", ".join(f"GPIO{pin}" for pin in self._pins)
        self._led, self._dimmable = attempt(
            f"use {names} for the LED",
            lambda: _rgb_led(self._pins, factory),
            "; does another program or part use it?",
            pins=self._pins,
        )
        self._shown = BLACK

    def show(self, colours: Sequence[Colour]) -> None:
        """Set the LED. Raises BoardError."""
        (colour,) = colours
        if self._led is None:
            raise BoardError("the LED is not open")
        value = self._duty(colour) if self._dimmable else self.on_or_off(colour)
        if value != self._shown:
            attempt("set the LED", lambda: setattr(self._led, "value", value))
            self._shown = value

    def close(self) -> None:
        """LED off, then let the pins go."""
        led, self._led = self._led, None
        if led is not None:
            let_go(led.off, led.close)

    def on_or_off(self, colour: Colour) -> tuple[int, int, int]:
        """Return which parts are on where they cannot be dimmed: the strong ones of what is lit."""
        strongest = max(colour)
        if strongest < _LIT_FROM or self.brightness == 0:
            return BLACK
        red, green, blue = (int(part * 2 >= strongest) for part in colour)
        return red, green, blue

    def _duty(self, colour: Colour) -> tuple[float, float, float]:
        ((red, green, blue),) = scale([colour], self.brightness)
        return red / 255, green / 255, blue / 255


def make_lights(  # noqa: PLR0913 - all that the owner may decide, and where it goes
    driver: str,
    profile: Profile,
    *,
    brightness: int,
    gpio_pins: tuple[int, int, int] | None,
    stream: TextIO,
    usb: Load = libusb,
    mounting: Mounting = Mounting(),  # noqa: B008 - immutable
    pace: Pace | None = None,
) -> Lights:
    """Return the driver for ``lights.driver`` on a board; nothing is claimed before its open().

    ``brightness``: 0..100. ``gpio_pins``: red, green, blue, for driver ``gpio``. ``stream``: for
    driver ``terminal``. ``usb``: what a ring on USB is reached by. ``mounting``: how such a ring
    lies on its microphones, besides what is known of it. ``pace``: what others who
    talk to that array share with it. ``apa102`` on a board that has none means
    three on the default bus. Raises BoardError when the driver cannot be had on this board.
    """
    match profile.led_driver.value if driver == "auto" else driver:
        case "none":
            return NoLights()
        case "apa102":
            return _apa102_of(profile, brightness)
        case "xvf3000":
            return RingLights(
                lambda: Xvf3000Ring(connect(XVF3000_ARRAY, usb, pace)),
                brightness=brightness,
                mounting=_on_ring(LedDriver.XVF3000, profile, mounting),
            )
        case "xvf3800":
            return RingLights(
                lambda: Xvf3800Ring(connect(XVF3800_ARRAY, usb, pace)),
                brightness=brightness,
                mounting=_on_ring(LedDriver.XVF3800, profile, mounting),
            )
        case "gpio":
            return _led_on_pins(gpio_pins, profile, brightness)
        case "terminal":
            return TerminalLights(stream, profile.led_count or _TERMINAL_LEDS)
        case _:
            raise BoardError(
                f"this version cannot set LEDs by lights.driver '{driver}', and the speaker goes on"
                " without; it can by: auto, none, gpio, apa102, xvf3000, xvf3800, terminal"
            )


def switch_off(
    profile: Profile,
    *,
    driver: str = "auto",
    gpio_pins: tuple[int, int, int] | None = None,
    usb: Load = libusb,
) -> None:
    """Darken the LEDs that a dead process may have left on. Raises BoardError.

    Only where a driver could have lit them: nothing to do for a terminal.
    """
    if driver in {"none", "terminal"}:
        return
    lights = make_lights(
        driver, profile, brightness=0, gpio_pins=gpio_pins, stream=sys.stderr, usb=usb
    )
    try:
        lights.open()
    finally:
        lights.close()


def _on_ring(driver: LedDriver, profile: Profile, mounting: Mounting) -> Mounting:
    """Turn what the owner says further by where the zero of such a ring is, on whatever board."""
    of_kind = (one for one in (profile, *PROFILES) if one.led_driver is driver)
    zero_deg = next(one.ring_zero_deg for one in of_kind)
    return mounting._replace(rotation_deg=mounting.rotation_deg + zero_deg)


def _led_on_pins(
    gpio_pins: tuple[int, int, int] | None, profile: Profile, brightness: int
) -> GpioLights:
    if gpio_pins is None:
        raise BoardError("lights.driver is gpio, but lights.pins does not name three pins")
    for pin in gpio_pins:
        refuse_taken(pin, "an LED", "lights.pins", profile)
    return GpioLights(gpio_pins, brightness=brightness)


def _apa102_of(profile: Profile, brightness: int) -> Apa102Lights:
    if (pin := profile.led_power_pin) is not None:
        refuse_taken(pin, "the LEDs' supply", "lights.power_pin", profile)
    own = profile.led_driver is LedDriver.APA102
    return Apa102Lights(
        profile.led_count if own else STRIP_LEDS,
        port=profile.spi_port,
        device=profile.spi_device,
        power_pin=profile.led_power_pin,
        brightness=brightness,
    )


def _rgb_led(pins: tuple[int, int, int], factory: Any) -> tuple[Any, bool]:
    """Return gpiozero's LED and whether it can be dimmed."""
    from gpiozero import RGBLED, PinPWMUnsupported  # noqa: PLC0415 - only where there are pins

    with contextlib.suppress(PinPWMUnsupported):
        return RGBLED(*pins, pwm=True, pin_factory=factory), True
    return RGBLED(*pins, pwm=False, pin_factory=factory), False
