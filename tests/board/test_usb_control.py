"""Finding an array on USB, and what is told when it cannot be reached."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from device.board.usb_control import (
    FLEX_ARRAY,
    XVF3000_ARRAY,
    XVF3800_ARRAY,
    UsbArray,
    UsbControl,
    connect,
    libusb,
)
from device.errors import BoardError
from tests.rig.usb_device import (
    Bus,
    Flex,
    FlexInSafeMode,
    Lite,
    MicArrayV2,
    Stranger,
    Xvf3800Board,
    read,
    wrote,
)
from tests.rig.usb_device import UsbArray as Emulated


def connected(array: UsbArray, *devices: Emulated) -> UsbControl:
    return connect(array, lambda: Bus(*devices))


@pytest.mark.parametrize(
    ("array", "kind", "version"),
    [
        (XVF3000_ARRAY, MicArrayV2, (0, 1)),
        (XVF3800_ARRAY, Xvf3800Board, (48, 4)),
        (FLEX_ARRAY, Flex, (48, 4)),
    ],
)
def test_each_array_is_found_among_all_others(
    array: UsbArray, kind: type[Emulated], version: tuple[int, int]
) -> None:
    """By its id; the Flex, whose id is no help, by its name, which the Lite's resembles."""
    for kinds in itertools.permutations([MicArrayV2, Xvf3800Board, Flex, Lite, Stranger]):
        devices = [make() for make in kinds]
        control = connected(array, *devices)
        control.read(0x80, *version)
        asked = [type(device) for device in devices if device.transfers]
        assert asked == [kind]
        assert [device.opened for device in devices] == [int(make is kind) for make in kinds]
        control.close()


def test_bytes_go_out_and_come_in_as_given() -> None:
    """Vendor requests to the device, request 0, one second at most; nothing else is sent."""
    board = MicArrayV2()
    control = connected(XVF3000_ARRAY, board)
    assert board.opened == 0
    control.write(0x20, 0x1C, b"\x07")
    assert control.read(0x80, 0, 1) == b"\x21"
    assert board.transfers == [wrote(0x20, 0x1C, b"\x07"), read(0x80, 0, 1, b"\x21")]
    assert [str(transfer) for transfer in board.transfers] == [
        "out 40 00 0020 001c   1  07",
        "in  c0 00 0080 0000   1  21",
    ]
    assert board.opened == 1
    control.close()
    control.close()
    assert board.opened == 0


def test_of_two_alike_the_first_is_taken_and_that_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same one each time, whatever order the bus is listed in."""
    one, two = Xvf3800Board(), Xvf3800Board()
    connected(XVF3800_ARRAY, one, two).write(7, 48, b"\x01")
    assert (one.reboots, two.reboots) == (1, 0)
    assert caplog.messages == ["2 times reSpeaker XVF3800 (USB 2886:001a): taking bus 1 device 4"]


@pytest.mark.parametrize(
    ("array", "devices", "told"),
    [
        (XVF3800_ARRAY, [], "nothing"),
        (XVF3800_ARRAY, [MicArrayV2, Lite], "2886:0018, 2886:0019"),
        (FLEX_ARRAY, [Stranger, Xvf3800Board], "2886:8045, 2886:001a"),
        (FLEX_ARRAY, [FlexInSafeMode, Lite], "2886:801c (safe mode), 2886:0019"),
        (XVF3800_ARRAY, [FlexInSafeMode], "2886:801c (safe mode)"),
    ],
)
def test_none_is_told_with_what_there_is(
    array: UsbArray, devices: list[type[Emulated]], told: str
) -> None:
    """So that a look at `lsusb` is not needed."""
    with pytest.raises(BoardError) as caught:
        connected(array, *(kind() for kind in devices))
    assert str(caught.value) == f"no {array} is plugged in; found of its maker's: {told}"
    assert str(array) in {"reSpeaker XVF3800 (USB 2886:001a)", "reSpeaker Flex (USB 2886:????)"}


def test_a_device_without_a_name_is_no_flex() -> None:
    """It is not asked for what it does not have."""
    nameless = Stranger()
    nameless.product = ""
    with pytest.raises(BoardError, match="no reSpeaker Flex"):
        connected(FLEX_ARRAY, nameless)


def test_a_device_of_another_maker_is_left_alone() -> None:
    """Even with the right number and a name that fits."""
    other = Xvf3800Board()
    other.vendor_id = 0x38FB  # type: ignore[attr-defined]
    with pytest.raises(BoardError, match=r"found of its maker's: nothing"):
        connected(XVF3800_ARRAY, other)


def test_a_name_that_may_not_be_read_is_a_matter_of_permission() -> None:
    """Unless there is another that can be read, and is the one."""
    secret = Flex()
    secret.denied = True
    with pytest.raises(BoardError, match=r"Flex .* may not be used: is 60-parley-respeaker.rules"):
        connected(FLEX_ARRAY, secret)
    assert connected(FLEX_ARRAY, secret, Flex()).array is FLEX_ARRAY


TOLD = {
    "denied": "the reSpeaker XVF3800 (USB 2886:001a) may not be used: is 60-parley-respeaker.rules"
    " in /etc/udev/rules.d, and the user in group plugdev? then plug it in again",
    "gone": "the reSpeaker XVF3800 (USB 2886:001a) is gone: plug it in again",
    "timeout": "the reSpeaker XVF3800 (USB 2886:001a) did not answer within 1 s (request 0x80 to"
    " 0x30): plug it out and in again",
    "stall": "the reSpeaker XVF3800 (USB 2886:001a) refused request 0x80 to 0x30: does its firmware"
    " need an update?",
    "io": "the reSpeaker XVF3800 (USB 2886:001a) cannot be reached (request 0x80 to 0x30):"
    " [Errno 5] Input/Output Error",
}


@pytest.mark.parametrize("trouble", TOLD)
def test_trouble_is_told_with_what_to_do_and_passes(trouble: str) -> None:
    """Word for word; the next request may work again."""
    board = Xvf3800Board()
    control = connected(XVF3800_ARRAY, board)
    board.troubles.append(trouble)
    with pytest.raises(BoardError) as caught:
        control.read(0x80, 48, 4)
    assert str(caught.value) == TOLD[trouble]
    assert control.read(0x80, 48, 4) == b"\0\2\1\0"


def test_forbidden_is_told_at_the_first_request() -> None:
    """The device may be seen by everybody, and opened only by some."""
    board = Xvf3800Board()
    board.denied = True
    control = connected(XVF3800_ARRAY, board)
    with pytest.raises(BoardError) as caught:
        control.write(7, 48, b"\x01")
    assert str(caught.value) == TOLD["denied"]
    control.close()


def test_unplugged_while_it_is_in_use() -> None:
    """Every request says so, and letting go of what is not there works."""
    board = MicArrayV2()
    control = connected(XVF3000_ARRAY, board)
    control.write(0x20, 0x1C, b"\x07")
    board.unplug()
    for _ in range(2):
        with pytest.raises(BoardError, match="is gone: plug it in again"):
            control.write(0x20, 0x1C, b"\x07")
    control.close()


def test_a_bus_that_cannot_be_listed_is_told() -> None:
    """With libusb's own words."""
    bus = Bus()
    bus.enumerating = "io"
    with pytest.raises(BoardError, match=r"cannot be reached \(the list of devices\): .*Input/"):
        connect(XVF3000_ARRAY, lambda: bus)


def test_bytes_that_were_not_all_taken_are_told() -> None:
    """Half a frame is no frame."""
    board = MicArrayV2()
    board.short = 3
    with pytest.raises(BoardError, match="took 3 of 4 bytes"):
        connected(XVF3000_ARRAY, board).write(1, 0x1C, bytes(4))


def test_an_answer_may_be_short() -> None:
    """What it means is for whoever asked."""
    board = Xvf3800Board()
    board.short = 2
    assert connected(XVF3800_ARRAY, board).read(0x80, 48, 4) == b"\0\2"


def test_nothing_can_save_the_configuration() -> None:
    """Neither written nor read, whatever is in the bits that a chip may not look at."""
    board = Xvf3800Board()
    control = connected(XVF3800_ARRAY, board)
    for value, index in itertools.product((9, 0x89, 0x109, 0xFF09, 0xFF89), (48, 0x130, 0xFF30)):
        with pytest.raises(BoardError, match="SAVE_CONFIGURATION is never sent"):
            control.write(value, index, b"\x01")
        with pytest.raises(BoardError, match="SAVE_CONFIGURATION is never sent"):
            control.read(value, index, 2)
    assert board.transfers == []
    assert not board.ruined


def test_without_libusb_it_is_told_what_to_install() -> None:
    """The package's name, as apt knows it."""
    with pytest.raises(BoardError) as caught:
        connect(XVF3000_ARRAY, lambda: None)
    assert str(caught.value) == (
        "libusb, which reaches the ReSpeaker USB Mic Array (USB 2886:0018), is not there:"
        " run 'sudo apt install libusb-1.0-0'"
    )


def test_the_real_libusb_or_none() -> None:
    """Whichever this machine has, asking for it raises nothing but what can be told."""
    backend = libusb()
    told = "is plugged in|cannot be reached" if backend else "sudo apt install libusb-1.0-0"
    with pytest.raises(BoardError, match=told):
        connect(UsbArray("no such board", 0xFFFF))


def test_usb_is_not_touched_before_it_is_needed() -> None:
    """A speaker with a HAT never loads pyusb."""
    code = "import sys, device.lights.drivers; print('usb' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"
