"""The XVF3800 and the Flex, to the byte, on an emulated bus."""

from __future__ import annotations

import math

import pytest

from device.board.bearing import Direction
from device.board.colour import BLACK, scale
from device.board.usb_control import FLEX_ARRAY, XVF3800_ARRAY, UsbControl, connect
from device.board.xvf3800 import (
    DOA_VALUE,
    GPO_WRITE_VALUE,
    LED_RING_COLOR,
    VERSION,
    Xvf3800,
    Xvf3800Ring,
    colour_word,
    direction_from,
)
from device.errors import BoardError
from device.lights.render import WHITE
from device.ports import Colour
from tests.rig.usb_device import Bus, Flex, Transfer, Xvf3800Board, read, wrote

RED: Colour = (255, 0, 0)
OPENING = [
    wrote(1, 20, bytes([33, 1])),
    wrote(14, 20, bytes([0])),
    read(0x80, 48, 4, bytes([0, 2, 1, 0])),
    wrote(12, 20, bytes([5])),
    wrote(19, 20, bytes(48)),
]


@pytest.fixture
def board() -> Xvf3800Board:
    return Xvf3800Board()


@pytest.fixture
def control(board: Xvf3800Board) -> UsbControl:
    return connect(XVF3800_ARRAY, lambda: Bus(board))


class Pauses(list[float]):
    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def test_commands_to_the_byte() -> None:
    """Little endian, one after the other, without a head; a colour is 0x00RRGGBB."""
    assert GPO_WRITE_VALUE.encode(33, 1) == bytes([33, 1])
    assert LED_RING_COLOR.encode(*[0x00FF4601] * 12) == bytes.fromhex("0146ff00" * 12)
    assert DOA_VALUE.decode(bytes.fromhex("6701 0100")) == (359, 1)
    assert VERSION.decode(bytes([2, 0, 10])) == (2, 0, 10)
    assert [c.size_bytes for c in (GPO_WRITE_VALUE, LED_RING_COLOR, DOA_VALUE)] == [2, 48, 4]
    assert colour_word((0xFF, 0x46, 0x01)) == 0x00FF4601


def test_version(board: Xvf3800Board, control: UsbControl) -> None:
    """One byte more is asked for than is told: the first is the status."""
    assert Xvf3800(control).version() == (2, 1, 0)
    assert board.transfers == [read(0x80, 48, 4, bytes([0, 2, 1, 0]))]


@pytest.mark.parametrize("times", [1, 3, 99])
def test_not_yet_is_asked_again(board: Xvf3800Board, control: UsbControl, times: int) -> None:
    """Status 64 any number of times that is not for ever, with 10 ms between."""
    board.busy = times
    pauses = Pauses()
    assert Xvf3800(control, pauses).version() == (2, 1, 0)
    assert pauses == [0.01] * times
    assert [transfer.data[0] for transfer in board.transfers] == [64] * times + [0]


def test_not_yet_for_ever_is_told(board: Xvf3800Board, control: UsbControl) -> None:
    """After a hundred times: a second."""
    board.busy = 1000
    pauses = Pauses()
    with pytest.raises(BoardError, match=r"too busy to tell VERSION: plug it out and in again"):
        Xvf3800(control, pauses).version()
    assert len(board.transfers) == len(pauses) == 100
    assert sum(pauses) == pytest.approx(1.0)


@pytest.mark.parametrize("status", [1, 63, 65, 255])
def test_any_other_status_is_an_error(
    board: Xvf3800Board, control: UsbControl, status: int
) -> None:
    """Told with its number, and not asked again."""
    board.status = status
    with pytest.raises(BoardError, match=rf"does not tell VERSION \(status {status}\): .*firmware"):
        Xvf3800(control, Pauses()).version()
    assert len(board.transfers) == 1


def test_an_empty_answer_is_an_error(board: Xvf3800Board, control: UsbControl) -> None:
    """There is not even a status."""
    board.short = 0
    with pytest.raises(BoardError, match=r"does not tell VERSION \(status None\)"):
        Xvf3800(control).version()


def test_half_a_version_is_an_error(board: Xvf3800Board, control: UsbControl) -> None:
    """Not taken for another one."""
    board.short = 3
    with pytest.raises(BoardError, match="told 2 of 3 bytes of VERSION"):
        Xvf3800(control).version()


@pytest.mark.parametrize("short", [6, 4, 3])
@pytest.mark.parametrize("muted", [False, True])
def test_mute_is_read_from_answers_of_any_length(
    board: Xvf3800Board, control: UsbControl, short: int, *, muted: bool
) -> None:
    """Five values or three or two: the pin is always the second."""
    board.pins |= {11: int(not muted), 30: int(muted), 31: int(not muted), 33: 1, 39: 1}
    board.short = short
    assert Xvf3800(control).muted() is muted
    whole = bytes([0, not muted, muted, not muted, 1, 1])
    assert board.transfers == [read(0x80, 20, 6, whole[:short])]


def test_an_answer_without_the_mute_pin_is_told(board: Xvf3800Board, control: UsbControl) -> None:
    """Nobody is told that it listens when that is not known."""
    board.short = 2
    with pytest.raises(BoardError, match="did not tell whether it is muted"):
        Xvf3800(control).muted()


@pytest.mark.parametrize("angle_deg", [0, 90, 255, 256, 300, 359])
@pytest.mark.parametrize("speech", [0, 1])
def test_direction_has_both_its_bytes(
    board: Xvf3800Board, control: UsbControl, angle_deg: int, speech: int
) -> None:
    """Above 255 degrees too."""
    board.direction = angle_deg, speech
    assert Xvf3800(control).direction((2, 0, 10)) == Direction(angle_deg, bool(speech))
    answer = bytes([0, angle_deg % 256, angle_deg // 256, speech, 0])
    assert board.transfers == [read(0x92, 20, 5, answer)]


@pytest.mark.parametrize("version", [(2, 0, 5), (2, 0, 9)])
def test_direction_of_old_firmware_is_that_of_the_selected_beam(
    version: tuple[int, int, int],
) -> None:
    """Where DOA_VALUE is not there yet, or stands still under our lights."""
    board = Xvf3800Board(version)
    board.azimuths = 0.1, 0.2, 0.3, math.radians(300)
    board.energies = 0.0, 0.0, 0.0, 12.5
    array = Xvf3800(connect(XVF3800_ARRAY, lambda: Bus(board)))
    assert array.direction(array.version()) == Direction(300, speech=True)
    assert [(t.value, t.index, t.length) for t in board.transfers[1:]] == [
        (0x80 | 75, 33, 17),
        (0x80 | 80, 33, 17),
    ]


@pytest.mark.parametrize("version", [(2, 0, 9), (2, 1, 0)])
def test_a_chip_that_has_no_direction_tells_of_no_speech(version: tuple[int, int, int]) -> None:
    """Status 64 for as long as it is asked: nobody speaks. Anything else is still an error."""
    board = Xvf3800Board(version)
    board.busy = 1000
    array = Xvf3800(connect(XVF3800_ARRAY, lambda: Bus(board)), Pauses(), tries=3)
    assert array.direction(version) == Direction(0, speech=False)
    assert [transfer.data[0] for transfer in board.transfers] == [64] * 3
    with pytest.raises(BoardError, match="too busy to tell VERSION"):
        array.version()
    board.busy, board.status = 0, 3
    with pytest.raises(BoardError, match="status 3"):
        array.direction(version)


@pytest.mark.parametrize(
    ("azimuth", "energy", "direction"),
    [
        (0.0, 0.0, Direction(0, speech=False)),
        (-math.pi / 2, 0.1, Direction(270, speech=True)),
        (math.tau - 0.001, 1.0, Direction(0, speech=True)),
        (math.nan, 1.0, Direction(0, speech=False)),
        (math.inf, 1.0, Direction(0, speech=False)),
    ],
)
def test_a_beam_becomes_a_direction(azimuth: float, energy: float, direction: Direction) -> None:
    """0..359 whatever the chip says."""
    assert direction_from(azimuth, energy) == direction


def test_the_flex_speaks_the_same() -> None:
    """Its firmware counts its own versions."""
    flex = Flex((1, 0, 3))
    flex.azimuths = (0.0, 0.0, 0.0, math.radians(45))
    array = Xvf3800(connect(FLEX_ARRAY, lambda: Bus(flex)))
    assert array.direction(array.version()) == Direction(45, speech=False)


def test_reboot_to_the_byte(board: Xvf3800Board, control: UsbControl) -> None:
    """One byte; and what is said of a device that has left meanwhile is an ordinary error."""
    array = Xvf3800(control)
    array.reboot()
    assert board.transfers == [wrote(7, 48, b"\x01")]
    assert board.reboots == 1
    board.unplug()
    with pytest.raises(BoardError, match="gone"):
        array.version()


def seen(colours: list[Colour]) -> list[int]:
    return [red << 16 | green << 8 | blue for red, green, blue in colours]


def test_a_ring_from_opening_to_closing_to_the_byte(
    board: Xvf3800Board, control: UsbControl
) -> None:
    """Current, no gamma, the effect, dark; each frame that is new; dark."""
    ring = Xvf3800Ring(control)
    ring.open()
    assert board.transfers == OPENING
    assert (board.leds, board.gammify) == ([0] * 12, 0)
    frame = [RED, (0, 128, 64)] * 6
    ring.show(frame, 100)
    ring.show(frame, 100)
    assert board.leds == seen(list(scale(frame, 100)))
    ring.show([WHITE] * 12, 40)
    ring.show([WHITE] * 12, 100)
    ring.dark()
    ring.close()
    assert board.transfers[len(OPENING) :] == [
        wrote(19, 20, bytes.fromhex("0000ff00 0c380000") * 6),
        wrote(19, 20, bytes.fromhex("22222200") * 12),
        wrote(19, 20, bytes.fromhex("ffffff00") * 12),
        wrote(19, 20, bytes(48)),
    ]
    assert (board.leds, board.opened, ring.count) == ([0] * 12, 0, 12)


@pytest.mark.parametrize("version", [(2, 0, 6), (2, 0, 0), (1, 9, 9)])
def test_old_firmware_lights_all_leds_alike(version: tuple[int, int, int]) -> None:
    """One colour for the whole ring: dark before the effect is there, so nothing flashes up."""
    board = Xvf3800Board(version)
    ring = Xvf3800Ring(connect(XVF3800_ARRAY, lambda: Bus(board)))
    ring.open()
    assert ring.count == 1
    assert board.leds == [0] * 12
    ring.show([(255, 128, 0)], 100)
    ring.show([(255, 128, 0)], 100)
    assert board.leds == [0xFF3800] * 12
    ring.dark()
    ring.close()
    assert board.leds == [0] * 12
    expected: list[Transfer] = [
        *OPENING[:2],
        read(0x80, 48, 4, bytes([0, *version])),
        wrote(16, 20, bytes(4)),
        wrote(12, 20, bytes([3])),
        wrote(16, 20, bytes.fromhex("0038ff00")),
        wrote(16, 20, bytes(4)),
    ]
    assert board.transfers == expected


@pytest.mark.parametrize("version", [(2, 0, 7), (2, 0, 10), (2, 1, 1), (3, 0, 0)])
def test_new_firmware_sets_each_led(version: tuple[int, int, int]) -> None:
    """From 2.0.7 on."""
    board = Xvf3800Board(version)
    ring = Xvf3800Ring(connect(XVF3800_ARRAY, lambda: Bus(board)))
    ring.open()
    ring.show([RED] + [BLACK] * 11, 100)
    assert board.leds == [0xFF0000] + [0] * 11
