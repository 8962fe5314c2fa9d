"""`Apa102Lights` drives a chain of APA102 LEDs (or SK9822) on the Raspberry Pi's SPI bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from device.board.colour import BLACK, scale, split_brightness
from device.board.gpio import attempt, gpio_factory, let_go
from device.board.spi import open_spi
from device.errors import BoardError
from device.ports import Colour

_FEWEST_LEVELS = 4
"""Of 31: below, the 600 Hz of the global brightness begin to show on camera."""


class Apa102Lights:
    """LEDs in a chain, with a pin that switches their supply where the board has one."""

    def __init__(
        self,
        count: int,
        *,
        port: int = 0,
        device: int = 1,
        power_pin: int | None = None,
        brightness: int = 40,
    ) -> None:
        self._count = count
        self._bus = (port, device)
        self._power_pin = power_pin
        self.brightness = brightness
        """0..100; counts from the next show()."""
        self._power: Any = None
        self._spi: Any = None
        self._shown: bytes = b""

    @property
    def count(self) -> int:
        """How many LEDs the chain has."""
        return self._count

    def open(self) -> None:
        """Give the LEDs current, open the bus and switch all off. Raises BoardError."""
        factory = gpio_factory()
        try:
            if (pin := self._power_pin) is not None:
                self._power = attempt(
                    f"use GPIO{pin} for the LEDs' supply",
                    lambda: _high(pin, factory),
                    "; does another program use it?",
                    pins=(pin,),
                )
            self._spi = attempt(
                f"open SPI bus {self._bus[0]} for the LEDs", lambda: open_spi(factory, *self._bus)
            )
            self._write(self._dark())
        except BoardError:
            self.close()
            raise

    def show(self, colours: Sequence[Colour]) -> None:
        """Set every LED; a frame that is already shown is not sent again. Raises BoardError."""
        if len(colours) != self._count:
            raise ValueError(f"{len(colours)} colours for {self._count} LEDs")
        if self._spi is None:
            raise BoardError("the LEDs are not open")
        frame = apa102_frame(colours, self.brightness)
        if frame != self._shown:
            self._write(frame)

    def close(self) -> None:
        """All LEDs off, then let the bus go, and their supply last."""
        spi, self._spi = self._spi, None
        power, self._power = self._power, None
        if spi is not None:
            let_go(lambda: spi.write(list(self._dark())), spi.close)
        if power is not None:
            let_go(power.close)

    def _dark(self) -> bytes:
        return apa102_frame([BLACK] * self._count, self.brightness)

    def _write(self, frame: bytes) -> None:
        attempt("set the LEDs over SPI", lambda: self._spi.write(list(frame)))
        self._shown = frame


def apa102_frame(colours: Sequence[Colour], brightness: int) -> bytes:
    """Return the bytes that show colours on an APA102 or SK9822 chain at a brightness of 0..100.

    APA102 datasheet: 32 zero bits, then per LED 0b111, five bits of global brightness, and blue,
    green, red. The SK9822 takes the colours over at the next 32 zero bits; after them come the
    clock edges that carry the data down the chain, half a bit per LED, as zeros: ones would light
    another LED on a longer chain white.
    """
    levels, rest_percent = split_brightness(brightness, _FEWEST_LEVELS)
    leds = b"".join(
        bytes((0xE0 | levels, blue, green, red))
        for red, green, blue in scale(colours, rest_percent)
    )
    return bytes(4) + leds + bytes(4) + bytes((len(colours) + 15) // 16)


def _high(pin: int, factory: Any) -> Any:
    from gpiozero import DigitalOutputDevice  # noqa: PLC0415 - only where there are pins

    return DigitalOutputDevice(pin, initial_value=True, pin_factory=factory)
