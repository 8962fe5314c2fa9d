"""Which LEDs a board and a configuration mean; one LED on pins; switching off from outside."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from device.board.colour import scale
from device.board.profiles import NONE, profile_named
from device.errors import BoardError
from device.lights.drivers import (
    Apa102Lights,
    GpioLights,
    NoLights,
    RingLights,
    TerminalLights,
    make_lights,
    switch_off,
)
from device.lights.render import FRAME_S, WHITE, Pattern, is_static, render
from device.ports import Lights
from tests.rig.usb_device import Bus, MicArrayV2, Xvf3800Board

PINS = (23, 24, 25)


def made(
    driver: str, board: str, gpio_pins: tuple[int, int, int] | None = PINS, bus: Bus | None = None
) -> Lights:
    return make_lights(
        driver,
        profile_named(board),
        brightness=40,
        gpio_pins=gpio_pins,
        stream=io.StringIO(),
        usb=lambda: bus,
    )


@pytest.mark.parametrize(
    ("driver", "board", "kind", "count"),
    [
        ("auto", "2mic-hat", Apa102Lights, 3),
        ("auto", "4mic-hat", Apa102Lights, 12),
        ("auto", "6mic-circular", Apa102Lights, 12),
        ("auto", "4mic-linear", NoLights, 0),
        ("auto", "usb-array", RingLights, 12),
        ("auto", "xvf3800", RingLights, 12),
        ("auto", "flex", NoLights, 0),
        ("auto", "lite", NoLights, 0),
        ("auto", "none", NoLights, 0),
        ("xvf3000", "none", RingLights, 12),
        ("xvf3800", "2mic-hat", RingLights, 12),
        ("none", "2mic-hat", NoLights, 0),
        ("apa102", "none", Apa102Lights, 3),
        ("apa102", "usb-array", Apa102Lights, 3),
        ("gpio", "none", GpioLights, 1),
        ("terminal", "2mic-hat", TerminalLights, 3),
        ("terminal", "none", TerminalLights, 12),
    ],
)
def test_the_driver_follows_from_setting_and_board(
    driver: str, board: str, kind: type, count: int
) -> None:
    """`auto` takes what the board has and this version can set."""
    lights = made(driver, board)
    assert type(lights) is kind
    assert lights.count == count


@pytest.mark.parametrize("driver", ["none", "apa102", "gpio", "xvf3000", "xvf3800", "terminal"])
def test_brightness_can_change_while_the_lights_are_open(driver: str, pins: Any) -> None:
    """A changed configuration need not close them; every driver takes it."""
    lights: Any = made(driver, "2mic-hat", bus=Bus(MicArrayV2(), Xvf3800Board()))
    lights.open()
    lights.brightness = 70
    lights.show([WHITE] * lights.count)
    lights.close()


def test_a_driver_that_this_version_does_not_have_is_told() -> None:
    """Asked for by name it is an error that says what works; nobody wonders about dark LEDs."""
    with pytest.raises(BoardError, match=r"lights.driver 'neon'.*goes on without.*apa102"):
        made("neon", "xvf3800")


@pytest.mark.parametrize("driver", ["auto", "xvf3000"])
def test_the_usb_mic_array_is_lit(driver: str) -> None:
    """By its own profile, or by name whatever the board is; an XVF3800 beside it stays as it is."""
    board, other = MicArrayV2(), Xvf3800Board()
    lights = made(driver, "usb-array", bus=Bus(other, board))
    lights.open()
    lights.show([WHITE] * 12)
    board.wait_until(lambda: (board.leds, board.brightness) == ([(211, 211, 211)] * 12, 5))
    lights.close()
    assert other.transfers == []


@pytest.mark.parametrize("driver", ["auto", "xvf3800"])
def test_the_xvf3800_is_lit(driver: str) -> None:
    """At the brightness that is configured."""
    board, other = Xvf3800Board(), MicArrayV2()
    lights = made(driver, "xvf3800", bus=Bus(other, board))
    lights.open()
    lights.show([WHITE] * 12)
    board.wait_until(lambda: board.leds == [0x222222] * 12)
    lights.close()
    assert other.transfers == []


@pytest.mark.parametrize("driver", ["xvf3000", "xvf3800"])
def test_a_ring_that_is_not_there_is_told(driver: str) -> None:
    """When it is opened, not before."""
    lights = made(driver, "none", bus=Bus())
    with pytest.raises(BoardError, match="is plugged in; found of its maker's: nothing"):
        lights.open()


def test_an_led_needs_three_free_pins() -> None:
    """Pins that are missing, or that the board's sound needs, are refused before being claimed."""
    with pytest.raises(BoardError, match=r"lights\.pins does not name three pins"):
        made("gpio", "none", None)
    with pytest.raises(BoardError, match=r"GPIO25 cannot|GPIO19 cannot be an LED.*lights\.pins"):
        made("gpio", "2mic-hat", (23, 24, 19))


def test_a_supply_pin_the_board_s_sound_needs_is_refused() -> None:
    """`lights.power_pin: 18` would silence the HAT."""
    board = replace(profile_named("4mic-hat"), led_power_pin=18)
    with pytest.raises(BoardError, match=r"GPIO18 cannot be the LEDs' supply.*lights\.power_pin"):
        make_lights("auto", board, brightness=40, gpio_pins=None, stream=sys.stdout)


def test_a_speaker_without_leds_takes_no_notice() -> None:
    """All of it works and does nothing."""
    lights = NoLights()
    lights.open()
    lights.show([])
    lights.close()


def levels(factory: Any) -> list[float]:
    return [float(factory.pin(pin).state) for pin in PINS]


def test_an_led_on_pins_that_can_be_dimmed(pwm_pins: Any) -> None:
    """Duty cycles follow colour, brightness and gamma; dark at the start and at the end."""
    lights = GpioLights(PINS, brightness=50)
    lights.open()
    assert levels(pwm_pins) == [0.0, 0.0, 0.0]
    lights.show([(255, 128, 0)])
    ((red, green, blue),) = scale([(255, 128, 0)], 50)
    assert levels(pwm_pins) == pytest.approx([red / 255, green / 255, blue / 255])
    pwm_pins.pin(23).clear_states()
    lights.show([(255, 128, 0)])
    assert len(pwm_pins.pin(23).states) == 1
    lights.brightness = 100
    lights.show([(255, 128, 0)])
    assert levels(pwm_pins)[0] == 1.0
    lights.close()
    lights.close()
    assert levels(pwm_pins) == [0.0, 0.0, 0.0]
    with pytest.raises(BoardError, match="not open"):
        lights.show([WHITE])


def test_an_led_on_pins_that_cannot_be_dimmed_shows_the_nearest_colour(pins: Any) -> None:
    """On or off: the strong parts of a colour that is plainly lit."""
    lights = GpioLights(PINS)
    lights.open()
    seen = {}
    for pattern in (Pattern.IDLE, Pattern.MUTED, Pattern.LISTENING, Pattern.THINKING):
        lights.show(render(pattern, 0.0, 1))
        seen[pattern] = levels(pins)
    assert seen == {
        Pattern.IDLE: [0, 0, 0],
        Pattern.MUTED: [1, 0, 0],
        Pattern.LISTENING: [0, 0, 1],
        Pattern.THINKING: [1, 0, 1],
    }
    lights.close()
    assert levels(pins) == [0, 0, 0]


def test_an_led_that_is_on_or_off_keeps_every_rhythm_apart(pins: Any) -> None:
    """The share of time it is on, and the changes in 18 s, differ from pattern to pattern."""
    lights = GpioLights(PINS)
    lights.open()
    rhythms = {}
    # Those that flash seldom or by an amount are told apart in test_telling_apart.
    seldom = {pattern for pattern in Pattern if pattern.value.startswith("standing")}
    for pattern in set(Pattern) - seldom - {Pattern.MISTAKE, Pattern.VOLUME}:
        if not is_static(pattern):
            seen = []
            for step in range(360):
                lights.show(render(pattern, step * FRAME_S, 1))
                seen.append(any(levels(pins)))
            changes = sum(one != two for one, two in itertools.pairwise(seen))
            rhythms[pattern] = changes
            assert 0.1 < sum(seen) / len(seen) < 0.9
    lights.close()
    in_order = sorted(rhythms.values())
    assert in_order[0] >= 10
    assert all(more - less >= 5 for less, more in itertools.pairwise(in_order))


def test_brightness_nought_keeps_an_undimmable_led_dark(pins: Any) -> None:
    """Nothing is something an on-off LED can do."""
    lights = GpioLights(PINS, brightness=0)
    lights.open()
    lights.show([WHITE])
    assert levels(pins) == [0, 0, 0]
    lights.close()


def test_a_pin_that_is_taken_is_told_and_the_next_try_works(pins: Any) -> None:
    """The error names the pins; nothing stays claimed by the failure."""
    other = GpioLights((25, 8, 7))
    other.open()
    mine = GpioLights(PINS)
    for _ in range(2):
        with pytest.raises(
            BoardError, match=r"cannot use GPIO23, GPIO24, GPIO25 for the LED: .*in use"
        ):
            mine.open()
    mine.close()
    other.close()
    mine.open()
    mine.close()


def test_a_pin_that_does_not_exist_is_told(pins: Any) -> None:
    """As gpiozero says it."""
    with pytest.raises(BoardError, match="cannot use GPIO99"):
        GpioLights((99, 24, 25)).open()


def test_switching_off_darkens_what_a_dead_process_left(
    chain: Callable[..., Any], pins: Any
) -> None:
    """One dark frame under power, and everything let go."""
    recorded = chain(watched=5)
    switch_off(profile_named("4mic-hat"))
    assert recorded.frames
    assert all(
        set(frame[5:52:4] + frame[6:52:4] + frame[7:52:4]) == {0} for frame in recorded.frames
    )
    assert recorded.supply == [True] * len(recorded.frames)
    assert pins.pin(5).function == "input"


def test_switching_off_an_led_on_pins(pwm_pins: Any) -> None:
    """Its pins are driven low, then let go."""
    switch_off(NONE, driver="gpio", gpio_pins=PINS)
    assert levels(pwm_pins) == [0.0, 0.0, 0.0]
    assert pwm_pins.pin(23).function == "input"


@pytest.mark.parametrize(("driver", "board"), [("auto", "usb-array"), ("xvf3000", "none")])
def test_switching_off_a_ring_on_usb(driver: str, board: str) -> None:
    """Its LEDs keep their colours when a process dies."""
    array = MicArrayV2()
    switch_off(profile_named(board), driver=driver, usb=lambda: Bus(array))
    assert array.leds == [(0, 0, 0)] * 12
    assert array.opened == 0


@pytest.mark.parametrize("driver", ["none", "terminal"])
def test_switching_off_needs_nothing_where_there_is_nothing_to_darken(driver: str) -> None:
    """ExecStopPost must not fail on a machine without GPIO."""
    switch_off(profile_named("4mic-hat"), driver=driver)
    switch_off(NONE)
