"""The APA102 chain, to the byte, on gpiozero's mock pins."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from gpiozero import Device, SPISoftwareFallback
from gpiozero.pins.mock import MockFactory

from device.board.colour import BLACK, GAMMA
from device.board.spi import SPI_RATE_HZ
from device.errors import BoardError
from device.lights.apa102 import Apa102Lights, apa102_frame
from device.lights.render import WHITE
from device.ports import Colour

DARK_3 = bytes(4) + bytes.fromhex("e5000000") * 3 + bytes(4) + bytes(1)
"""At brightness 40: five of 31 levels."""


def test_three_leds_at_full_brightness_to_the_byte() -> None:
    """Start frame; 0xFF, blue, green, red each; 32 zero bits for the SK9822; one byte of clock."""
    frame = apa102_frame([(255, 0, 0), (0, 255, 0), (0, 0, 255)], 100)
    assert frame == bytes.fromhex("00000000 ff0000ff ff00ff00 ffff0000 00000000 00")
    assert len(frame) == 21


def test_twelve_leds_to_the_byte() -> None:
    """57 bytes: 4 + 48 + 4 + 1."""
    frame = apa102_frame([WHITE] + [BLACK] * 10 + [(0, 0, 255)], 100)
    expected = "00000000 ffffffff" + "ff000000" * 10 + "ffff0000 00000000 00"
    assert frame == bytes.fromhex(expected)
    assert len(frame) == 57


@pytest.mark.parametrize(("count", "clock_bytes"), [(1, 1), (16, 1), (17, 2), (64, 4)])
def test_the_end_frame_has_half_a_clock_per_led(count: int, clock_bytes: int) -> None:
    """And is all zeros: ones would light a further LED white."""
    frame = apa102_frame([WHITE] * count, 100)
    assert frame[4 + 4 * count :] == bytes(4 + clock_bytes)


@pytest.mark.parametrize("brightness", range(1, 101))
def test_dimming_is_split_between_the_chain_and_the_colours(brightness: int) -> None:
    """Together they give gamma 2.2; the global level never falls to where it flickers."""
    head, blue, green, red = apa102_frame([WHITE], brightness)[4:8]
    levels = head & 0x1F
    assert head >> 5 == 0b111
    assert levels >= 4
    assert blue == green == red
    assert levels / 31 * red / 255 == pytest.approx((brightness / 100) ** GAMMA, abs=0.005)


def test_dimming_keeps_many_steps() -> None:
    """At the default brightness a colour still has more than 200 of 255 steps."""
    assert apa102_frame([WHITE], 40)[7] > 200
    assert apa102_frame([WHITE, BLACK], 0)[4:12] == bytes.fromhex("e4000000") * 2


def test_opening_darkens_before_anything_else(chain: Callable[..., Any]) -> None:
    """The LEDs may still show what a dead process left on them."""
    recorded = chain()
    lights = Apa102Lights(3)
    lights.open()
    assert recorded.frames == [DARK_3]
    lights.close()


def test_colours_arrive_bit_for_bit(chain: Callable[..., Any]) -> None:
    """What the chain clocks in is what the frame says; an equal frame is not sent again."""
    recorded = chain()
    lights = Apa102Lights(12, brightness=100)
    lights.open()
    colours: list[Colour] = [(n * 20, 255 - n * 20, n) for n in range(12)]
    lights.show(colours)
    lights.show(list(colours))
    lights.show([BLACK] * 12)
    assert recorded.frames[1:] == [apa102_frame(colours, 100), apa102_frame([BLACK] * 12, 100)]
    lights.close()


def test_a_change_of_brightness_counts_from_the_next_frame(chain: Callable[..., Any]) -> None:
    """The same colours are sent again when they would look different."""
    recorded = chain()
    lights = Apa102Lights(3)
    lights.open()
    lights.show([WHITE] * 3)
    lights.brightness = 80
    lights.show([WHITE] * 3)
    assert recorded.frames[1:] == [apa102_frame([WHITE] * 3, 40), apa102_frame([WHITE] * 3, 80)]
    lights.close()


def test_closing_darkens_and_frees_the_bus(chain: Callable[..., Any]) -> None:
    """It can be opened again, also after being closed twice."""
    recorded = chain()
    lights = Apa102Lights(3)
    lights.open()
    lights.show([WHITE] * 3)
    lights.close()
    lights.close()
    assert recorded.frames[-1] == DARK_3
    lights.open()
    assert recorded.frames == [
        DARK_3,
        apa102_frame([WHITE] * 3, 40),
        DARK_3,
        DARK_3,
    ]
    lights.close()


def test_an_exception_leaves_the_leds_dark(chain: Callable[..., Any]) -> None:
    """A caller's finally is enough."""
    recorded = chain()
    lights = Apa102Lights(3)
    with pytest.raises(ZeroDivisionError):
        _show_and_fail(lights)
    assert recorded.frames[-1] == DARK_3


def _show_and_fail(lights: Apa102Lights) -> None:
    try:
        lights.open()
        lights.show([WHITE] * 3)
        _ = 1 / 0
    finally:
        lights.close()


def test_the_supply_comes_first_and_goes_last(chain: Callable[..., Any], pins: Any) -> None:
    """GPIO5 is high during every frame, the dark ones at both ends included."""
    recorded = chain(watched=5)
    lights = Apa102Lights(12, power_pin=5)
    lights.open()
    lights.show([WHITE] * 12)
    assert pins.pin(5).function == "output"
    lights.close()
    assert recorded.supply == [True, True, True]
    assert len(recorded.frames) == 3
    assert pins.pin(5).function == "input"


def test_a_busy_supply_pin_is_told_and_nothing_is_left_claimed(pins: Any) -> None:
    """The bus stays free, and so does the pin of the next try."""
    other = Apa102Lights(12, device=0, power_pin=5)
    other.open()
    with pytest.raises(BoardError, match=r"cannot use GPIO5 for the LEDs' supply: .*another"):
        Apa102Lights(12, power_pin=5).open()
    other.close()
    again = Apa102Lights(12, power_pin=5)
    again.open()
    again.close()


class SpiOff(MockFactory):  # type: ignore[misc]
    """A Pi whose SPI is off in config.txt, as gpiozero sees it."""

    def _get_spi_class(self, shared: bool, hardware: bool) -> Any:
        if hardware:
            raise OSError("can not open SPI device")
        return super()._get_spi_class(shared, hardware)


def test_spi_that_is_off_is_an_error_with_its_cure(pins: Any) -> None:
    """Without that, gpiozero bit-bangs, with a mere warning; the supply is let go again."""
    Device.pin_factory = off = SpiOff()
    lights = Apa102Lights(12, power_pin=5)
    for _ in range(2):
        with pytest.raises(BoardError, match=r"spidev0\.1 .*raspi-config nonint do_spi 0.*reboot"):
            lights.open()
    assert off.pin(5).function == "input"
    lights.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SPISoftwareFallback):
            off.spi(port=0, device=1)


class Wire:
    """Hardware SPI: it has a rate, and may break."""

    def __init__(self) -> None:
        self.rate = 500_000
        self.written: list[bytes] = []
        self.broken = False
        self.closed = False

    def write(self, data: list[int]) -> None:
        if self.broken:
            raise OSError(5, "bus gone")
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True


class WireFactory(MockFactory):  # type: ignore[misc]
    """A factory that gives the same wire to whoever opens SPI."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = Wire()

    def spi(self, **where: int) -> Wire:
        assert where == {"port": 0, "device": 1}
        return self.wire


def test_a_bus_with_a_rate_runs_at_a_megahertz(pins: Any) -> None:
    """The 500 kHz of gpiozero would do; slower software buses are left as they are."""
    Device.pin_factory = factory = WireFactory()
    lights = Apa102Lights(3)
    lights.open()
    assert factory.wire.rate == SPI_RATE_HZ == 1_000_000
    lights.close()
    assert factory.wire.closed


def test_a_bus_that_breaks_is_told_and_can_be_closed(pins: Any) -> None:
    """show() says so; close() never raises and lets the bus go all the same."""
    Device.pin_factory = factory = WireFactory()
    lights = Apa102Lights(3)
    lights.open()
    factory.wire.broken = True
    with pytest.raises(BoardError, match=r"cannot set the LEDs over SPI: .*bus gone"):
        lights.show([WHITE] * 3)
    lights.close()
    assert factory.wire.closed
    with pytest.raises(BoardError, match="not open"):
        lights.show([WHITE] * 3)


def test_a_wrong_number_of_colours_is_a_mistake_of_the_caller(chain: Callable[..., Any]) -> None:
    """Half a frame would shift what the rest shows."""
    chain()
    lights = Apa102Lights(3)
    lights.open()
    with pytest.raises(ValueError, match="2 colours for 3 LEDs"):
        lights.show([WHITE] * 2)
    assert lights.count == 3
    lights.close()
