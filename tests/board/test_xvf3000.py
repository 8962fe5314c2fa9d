"""The USB Mic Array v2.0 and v3.0, to the byte, on an emulated bus."""

from __future__ import annotations

import pytest

from device.board.colour import BLACK, GAMMA, split_brightness
from device.board.usb_control import XVF3000_ARRAY, UsbControl, connect
from device.board.xvf3000 import (
    PARAMETERS,
    Parameter,
    Xvf3000,
    Xvf3000Ring,
    parameter_bytes,
    parameter_from,
    ring_request,
    value_to_read,
)
from device.errors import BoardError
from device.lights.render import WHITE
from device.ports import Colour
from tests.rig.usb_device import Bus, MicArrayV2, read, wrote

RED: Colour = (255, 0, 0)
DARK = wrote(1, 0x1C, bytes(4))


@pytest.fixture
def board() -> MicArrayV2:
    return MicArrayV2()


@pytest.fixture
def control(board: MicArrayV2) -> UsbControl:
    return connect(XVF3000_ARRAY, lambda: Bus(board))


@pytest.mark.parametrize(
    ("name", "value", "index"),
    [
        ("DOAANGLE", 0xC0, 21),
        ("VOICEACTIVITY", 0xE0, 19),
        ("SPEECHDETECTED", 0xD6, 19),
        ("AGCONOFF", 0xC0, 19),
        ("AGCMAXGAIN", 0x81, 19),
        ("GAMMAVAD_SR", 0xA7, 19),
        ("RT60", 0x9A, 18),
        ("HPFONOFF", 0xDB, 18),
    ],
)
def test_a_parameter_is_asked_for_by_group_and_place(name: str, value: int, index: int) -> None:
    """0x80, the place, and 0x40 for an int; the group is the index."""
    parameter = PARAMETERS[name]
    assert (value_to_read(parameter), parameter.group) == (value, index)


def test_no_two_parameters_share_a_place() -> None:
    """All 38 of the table, in three groups."""
    assert len({(p.group, p.offset) for p in PARAMETERS.values()}) == len(PARAMETERS) == 38
    assert {p.group for p in PARAMETERS.values()} == {18, 19, 21}
    read_only = {name for name, p in PARAMETERS.items() if p.read_only}
    assert read_only == {
        *("AECPATHCHANGE", "RT60", "AECSILENCEMODE", "SPEECHDETECTED", "VOICEACTIVITY"),
        "DOAANGLE",
    }


def test_what_sets_a_parameter_to_the_byte() -> None:
    """Place, value, and 1 for an int or 0 for a float; 12 bytes, little endian."""
    assert parameter_bytes(Parameter(19, 0, int), 1) == bytes.fromhex("00000000 01000000 01000000")
    assert parameter_bytes(Parameter(19, 6, int), -2) == bytes.fromhex("06000000 feffffff 01000000")
    assert parameter_bytes(Parameter(19, 39, float), 1.5) == bytes.fromhex(
        "27000000 0000c03f 00000000"
    )


def test_what_a_parameter_is_read_from_to_the_byte() -> None:
    """An int is the first of two; a float the first times two to the power of the second."""
    assert parameter_from(Parameter(21, 0, int), bytes.fromhex("0e010000 00000000")) == 270
    assert parameter_from(Parameter(19, 0, int), bytes.fromhex("ffffffff 05000000")) == -1
    assert parameter_from(Parameter(19, 39, float), bytes.fromhex("03000000 ffffffff")) == 1.5
    assert parameter_from(Parameter(19, 1, float), bytes.fromhex("fdffffff 02000000")) == -12.0


def test_direction_voice_and_version(board: MicArrayV2, control: UsbControl) -> None:
    """Three reads; the angle is whole, also above 255 degrees."""
    board.numbers = {(21, 0): (359, 0), (19, 32): (1, 0)}
    array = Xvf3000(control)
    assert (array.direction_deg(), array.hears_voice(), array.version()) == (359, True, 0x21)
    assert board.transfers == [
        read(0xC0, 21, 8, bytes.fromhex("67010000 00000000")),
        read(0xE0, 19, 8, bytes.fromhex("01000000 00000000")),
        read(0x80, 0, 1, b"\x21"),
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("AGCONOFF", 0), ("GAMMAVAD_SR", 3.5), ("HPFONOFF", 2)]
)
def test_what_is_set_is_what_is_read(
    board: MicArrayV2, control: UsbControl, name: str, value: float
) -> None:
    """In and out through the chip's two ways to write a number."""
    array = Xvf3000(control)
    array.set(name, value)
    assert array.get(name) == value
    assert type(array.get(name)) is PARAMETERS[name].kind
    assert board.transfers[0].value == 0
    assert board.transfers[0].index == PARAMETERS[name].group


def test_what_can_only_be_read_is_not_set(board: MicArrayV2, control: UsbControl) -> None:
    """A direction of arrival cannot be ordered."""
    with pytest.raises(ValueError, match="DOAANGLE can only be read"):
        Xvf3000(control).set("DOAANGLE", 90)
    assert board.transfers == []


def test_an_answer_that_is_too_short_is_told(board: MicArrayV2, control: UsbControl) -> None:
    """Not taken for a number."""
    board.numbers = {(21, 0): (90, 0)}
    board.short = 7
    with pytest.raises(BoardError, match="told 7 of 8 bytes of DOAANGLE"):
        Xvf3000(control).direction_deg()
    board.short = 0
    with pytest.raises(BoardError, match="told no version"):
        Xvf3000(control).version()


def test_leds_all_alike_are_one_colour() -> None:
    """Command 1, four bytes; dark is all zeros."""
    assert ring_request([(1, 2, 3)] * 12) == (1, bytes.fromhex("01020300"))
    assert ring_request([BLACK] * 12) == (1, bytes(4))


def test_leds_that_differ_are_twelve_colours() -> None:
    """Command 6, 48 bytes: red, green, blue, 0 each."""
    command, data = ring_request([(255, 70, 1)] + [BLACK] * 10 + [(0, 0, 9)])
    assert command == 6
    assert data == bytes.fromhex("ff460100" + "00000000" * 10 + "00000900")


@pytest.mark.parametrize("brightness", range(1, 101))
def test_dimming_is_split_between_the_ring_and_the_colours(brightness: int) -> None:
    """Together they give gamma 2.2, and neither goes beyond what it can."""
    level, rest_percent = split_brightness(brightness)
    assert 1 <= level <= 31
    assert rest_percent <= 100.0001
    whole = level / 31 * (rest_percent / 100) ** GAMMA
    assert whole == pytest.approx((brightness / 100) ** GAMMA)
    assert level == 1 or rest_percent > 70


@pytest.mark.parametrize(
    ("brightness", "level", "percent"), [(0, 1, 0), (-5, 1, 0), (150, 31, 100)]
)
def test_brightness_stays_in_its_range(brightness: int, level: int, percent: float) -> None:
    """Nought is dark by the colours."""
    own, rest_percent = split_brightness(brightness)
    assert (own, round(rest_percent, 6)) == (level, percent)


def test_a_ring_from_opening_to_closing_to_the_byte(board: MicArrayV2, control: UsbControl) -> None:
    """Dark, brightness once, each frame that is new, dark."""
    ring = Xvf3000Ring(control)
    ring.open()
    assert board.leds == [BLACK] * 12
    ring.show([BLACK] * 12, 100)
    frame = [RED, (0, 128, 0)] * 6
    ring.show(frame, 100)
    ring.show(frame, 100)
    ring.show([RED] * 12, 100)
    ring.show([RED] * 12, 40)
    ring.show([WHITE] * 12, 40)
    assert board.leds == [(211, 211, 211)] * 12
    ring.dark()
    ring.close()
    assert board.transfers == [
        DARK,
        wrote(0x20, 0x1C, b"\x1f"),
        wrote(6, 0x1C, bytes.fromhex("ff000000 00380000") * 6),
        wrote(1, 0x1C, bytes.fromhex("ff000000")),
        wrote(0x20, 0x1C, b"\x05"),
        wrote(1, 0x1C, bytes.fromhex("d3000000")),
        wrote(1, 0x1C, bytes.fromhex("d3d3d300")),
        DARK,
    ]
    assert board.opened == 0
