"""What goes over USB for each light pattern, as a table in pytest's summary, checked as well."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from device.board.colour import scale
from device.board.profiles import profile_named
from device.lights.drivers import make_lights
from device.lights.render import Pattern, render
from device.ports import Colour
from tests.rig.usb_device import Bus, MicArrayV2, Transfer, UsbArray, Xvf3800Board

OFF = [(0, 0, 0)] * 12
BRIGHTNESS = 40
MOMENT_S = 0.1
"""After the beginning of a pattern; at the very beginning the waves of some stand alike."""

OPENING = {
    "usb-array": ["out 40 00 0001 001c   4  00000000"],
    "xvf3800": [
        "out 40 00 0001 0014   2  2101",
        "out 40 00 000e 0014   1  00",
        "in  c0 00 0080 0030   4  00020100",
        "out 40 00 000c 0014   1  05",
        "out 40 00 0013 0014  48  " + " ".join(["00000000"] * 12),
    ],
}
CLOSING = {board: lines[-1] for board, lines in OPENING.items()}


def recorded(array: UsbArray, board: str, frame: tuple[Colour, ...]) -> list[Transfer]:
    """Every transfer from opening to closing, with one frame between."""
    bus = Bus(array)
    lights = make_lights(
        "auto",
        profile_named(board),
        brightness=BRIGHTNESS,
        gpio_pins=None,
        stream=sys.stdout,
        usb=lambda: bus,
    )
    lights.open()
    opening = len(array.transfers)
    lights.show(frame)
    if any(map(any, frame)):
        array.wait_until(lambda: len(array.transfers) > opening + (board == "usb-array"))
    lights.close()
    return array.transfers


def of_the_mic_array(frame: tuple[Colour, ...]) -> list[str]:
    """At 40 %: five of 31 levels of the ring, and the rest by the colours."""
    driven = scale(frame, 100 * 0.4 * (31 / 5) ** (1 / 2.2))
    words = ["{:02x}{:02x}{:02x}00".format(*colour) for colour in driven]
    level = "out 40 00 0020 001c   1  05"
    if list(frame) == OFF:
        return []
    if len(set(words)) == 1:
        return [level, f"out 40 00 0001 001c   4  {words[0]}"]
    return [level, f"out 40 00 0006 001c  48  {' '.join(words)}"]


def of_the_xvf3800(frame: tuple[Colour, ...]) -> list[str]:
    """All by the colours: blue, green, red."""
    words = [f"{blue:02x}{green:02x}{red:02x}00" for red, green, blue in scale(frame, BRIGHTNESS)]
    return [] if list(frame) == OFF else [f"out 40 00 0013 0014  48  {' '.join(words)}"]


@pytest.mark.parametrize("board", ["usb-array", "xvf3800"])
def test_what_each_pattern_puts_on_the_bus(board: str, picture: Callable[[str], None]) -> None:
    """The same before and after; between them the pattern, as the makers' tables have it."""
    label = profile_named(board).label
    picture(f"\n{label}, brightness {BRIGHTNESS} %, each pattern after {MOMENT_S} s")
    picture("pattern           way ty rq valu indx len  data")
    for pattern in Pattern:
        for streaming in (False, True) if pattern is Pattern.LISTENING else (False,):
            array = MicArrayV2() if board == "usb-array" else Xvf3800Board()
            frame = render(pattern, MOMENT_S, 12, streaming=streaming)
            lines = [str(transfer) for transfer in recorded(array, board, frame)]
            opening, shown, closing = (
                lines[: len(OPENING[board])],
                lines[len(OPENING[board]) : -1],
                lines[-1],
            )
            if pattern is Pattern.OFF:
                _draw(picture, "(open)", opening)
            _draw(picture, f"{pattern.value}{' +stream' if streaming else ''}", shown)
            expected = of_the_mic_array if board == "usb-array" else of_the_xvf3800
            assert opening == OPENING[board]
            assert shown == expected(frame)
            assert closing == CLOSING[board]
    _draw(picture, "(close)", [CLOSING[board]])


def _draw(picture: Callable[[str], None], name: str, lines: list[str]) -> None:
    for line in lines or ["nothing: it is dark already"]:
        picture(f"{name:<18.18}{line}")
        name = ""
