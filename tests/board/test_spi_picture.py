"""What goes over SPI for each light pattern, as a table in pytest's summary, checked as well."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from gpiozero.pins.mock import MockSPIDevice

from device.board.colour import scale
from device.board.profiles import Profile, profile_named
from device.lights.drivers import make_lights
from device.lights.render import Pattern, render
from device.ports import Colour

BRIGHTNESS = 40
MOMENT_S = 0.1
"""After the beginning of a pattern; at the very beginning the waves of some stand alike."""


class Bus(MockSPIDevice):  # type: ignore[misc]
    """Writes down each frame as hex, and before it the level of the LEDs' supply at its first bit.

    It sits where the chip select is watched, though an APA102 has none: a frame is what lies
    between its edges.
    """

    def __init__(self, factory: Any, supply: int | None) -> None:
        self.lines: list[str] = []
        self._supply_pin = supply
        self._supply = None if supply is None else factory.pin(supply)
        self._supply_line = ""
        super().__init__(11, 10, 9, 7, pin_factory=factory)

    def on_bit(self) -> None:
        if len(self.rx_buf) == 1 and self._supply is not None:
            level = "high" if self._supply.state else "LOW"
            line = f"GPIO{self._supply_pin} {self._supply.function} {level}"
            if line != self._supply_line:
                self._supply_line = line
                self.lines.append(line)
        super().on_bit()

    def on_select(self) -> None:
        # Claiming the select pin and letting it go are edges too, without a bit between them.
        if self.select_pin.state != self.select_high and self.rx_buf:
            bits = "".join("1" if bit else "0" for bit in self.rx_buf)
            data = int(bits, 2).to_bytes(len(bits) // 8, "big")
            self.lines.append(_shown(data))
        self.on_start()


def _shown(data: bytes) -> str:
    """Start frame, a group for each LED (level, blue, green, red), end frame."""
    count = (len(data) - 9) // 4
    groups = [data[:4], *(data[4 + 4 * n : 8 + 4 * n] for n in range(count)), data[4 + 4 * count :]]
    return " ".join(group.hex() for group in groups)


def frame_of(colours: tuple[Colour, ...]) -> str:
    """At 40 %: five of 31 levels of the chain, and the rest by the colours; blue, green, red."""
    driven = scale(colours, 100 * 0.4 * (31 / 5) ** (1 / 2.2))
    leds = [f"e5{blue:02x}{green:02x}{red:02x}" for red, green, blue in driven]
    return " ".join(["00000000", *leds, "0000000000"])


def recorded(pins: Any, board: Profile, colours: tuple[Colour, ...]) -> list[str]:
    """All that goes over the bus from opening to closing, with one frame between."""
    bus = Bus(pins, board.led_power_pin)
    lights = make_lights("auto", board, brightness=BRIGHTNESS, gpio_pins=None, stream=sys.stdout)
    lights.open()
    lights.show(colours)
    lights.close()
    bus.close()
    if board.led_power_pin is not None:
        assert pins.pin(board.led_power_pin).function == "input"
    return bus.lines


@pytest.mark.parametrize("name", ["2mic-hat-v1", "2mic-hat-v2", "4mic-hat", "6mic-circular"])
def test_what_each_pattern_puts_on_the_bus(
    pins: Any, name: str, picture: Callable[[str], None]
) -> None:
    """The supply before the first bit; dark, the pattern, dark: 21 bytes for 3 LEDs, 57 for 12."""
    board = profile_named(name)
    dark = frame_of(((0, 0, 0),) * board.led_count)
    supply = [] if board.led_power_pin is None else [f"GPIO{board.led_power_pin} output high"]
    picture(f"\n{board.label}, brightness {BRIGHTNESS} %, each pattern after {MOMENT_S} s")
    picture(f"{'pattern':<18}{'start':<9}" + "level, blue, green, red of each LED; end")
    _draw(picture, "(open)", [*supply, dark])
    for pattern in Pattern:
        for streaming in (False, True) if pattern is Pattern.LISTENING else (False,):
            colours = render(pattern, MOMENT_S, board.led_count, streaming=streaming)
            lines = recorded(pins, board, colours)
            shown = [] if frame_of(colours) == dark else [frame_of(colours)]
            assert lines == [*supply, dark, *shown, dark]
            _draw(picture, f"{pattern.value}{' +stream' if streaming else ''}", shown)
    _draw(
        picture, "(close)", [dark, *(f"GPIO{pin} let go" for pin in [board.led_power_pin] if pin)]
    )
    sent_bytes = len(bytes.fromhex(dark))
    assert sent_bytes == {3: 21, 12: 57}[board.led_count]


def _draw(picture: Callable[[str], None], name: str, lines: list[str]) -> None:
    for line in lines or ["nothing: it is dark already"]:
        picture(f"{name:<18.18}{line}")
        name = ""
