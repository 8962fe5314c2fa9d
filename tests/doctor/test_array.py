"""The doctor reads what an array sends, says when nobody can be heard on it, and mends that."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from device.board.routing import ROUTES, Route, Use
from device.doctor import array
from device.doctor.result import Verdict
from device.doctor.scene import Scene
from device.ports import OpenDevice
from tests.rig.machine import machine as recorded
from tests.rig.scene import machine, only
from tests.rig.usb_device import Bus, Flex, UsbArray, Xvf3800Board, read, wrote


@pytest.fixture
def board() -> Xvf3800Board:
    return Xvf3800Board()


def scene(
    tmp_path: Path, device: UsbArray, state: str = "xvf3800", config: str = "", **about: Any
) -> Scene:
    root = recorded(state, tmp_path / "root")
    return machine(root, config=config, usb=lambda: Bus(device), **about)


def test_an_array_as_it_comes_is_fine(tmp_path: Path, board: Xvf3800Board) -> None:
    """Five reads, and not a single write."""
    told = only(array.array(scene(tmp_path, board)))
    assert (told.verdict, told.advice, told.cure) == (Verdict.FINE, "", None)
    assert told.figure == (
        "firmware 2.1.0: channel 0 the voice that the firmware chooses (8, 0), channel 1* the voice"
        " for speech recognition (7, 3)"
    )
    assert board.transfers == [
        read(0x80, 48, 4, bytes([0, 2, 1, 0])),
        read(0x8F, 35, 3, bytes([0, 8, 0])),
        read(0x93, 35, 3, bytes([0, 7, 3])),
        read(0x80, 20, 6, bytes(6)),
    ]
    assert board.opened == 0


@pytest.mark.parametrize(
    ("route", "verdict", "said"),
    [
        ((0, 0), Verdict.BROKEN, "channel 1 is listened to, and nobody is heard on it; control"),
        ((5, 0), Verdict.BROKEN, "nobody is heard on it"),
        ((1, 3), Verdict.HINT, "channel 1 is listened to, and it is faint, with the echo in it"),
        ((3, 0), Verdict.HINT, "it is faint"),
    ],
)
def test_a_route_that_was_lost_is_told_and_mended(
    tmp_path: Path, board: Xvf3800Board, route: tuple[int, int], verdict: Verdict, said: str
) -> None:
    """Only the channel that is listened to, and nothing is saved."""
    board.routes[19] = route
    before = dict(board.routes)
    told = only(array.array(scene(tmp_path, board)))
    assert told.verdict is verdict
    assert said in told.advice
    assert "'sudo parley doctor --fix' routes it until it loses power" in told.advice
    assert f"channel 1* {Route(*route)}" in told.figure
    assert told.figures["routes"] == [[8, 0], list(route)]
    assert told.cure is not None
    assert board.written() == []
    told.cure.do()
    assert board.written() == [wrote(19, 35, bytes([7, 3]))]
    assert board.routes == {**before, 19: (7, 3)}
    assert not board.ruined
    assert only(array.array(scene(tmp_path, board))).verdict is Verdict.FINE


def test_the_channel_in_use_is_judged(tmp_path: Path, board: Xvf3800Board) -> None:
    """As the running speaker has it, or the configuration; the others may carry anything."""
    board.routes = {15: (6, 3), 19: (0, 0)}
    assert only(array.array(scene(tmp_path, board))).verdict is Verdict.BROKEN
    config = "audio: {input: {channel: 0}}"
    assert only(array.array(scene(tmp_path, board, config=config))).verdict is Verdict.FINE
    device = OpenDevice("reSpeaker XVF3800 4-Mic Array: USB Audio (hw:4,0)", 4, 0, 2, 16_000)
    status = {"microphone_device": asdict(device)}
    told = only(array.array(scene(tmp_path, board, status=status, alive=True)))
    assert (told.verdict, told.figures["channel"]) == (Verdict.FINE, 0)
    config = "audio: {input: {channel: 4}}"
    told = only(array.array(scene(tmp_path, board, "xvf3800-6-channels", config)))
    assert (told.verdict, told.figures["channel"]) == (Verdict.FINE, 4)


def test_an_amplifier_that_is_off_is_told_and_switched_on(
    tmp_path: Path, board: Xvf3800Board
) -> None:
    """By the pin that Seeed documents; a chip that tells too little is not judged."""
    board.pins[31] = 1
    told = only(array.array(scene(tmp_path, board)))
    assert told.verdict is Verdict.HINT
    assert told.figure.endswith("; amplifier off")
    assert told.advice.startswith("its amplifier is off, and a loudspeaker at its connector stays")
    assert told.cure is not None
    told.cure.do()
    assert board.written() == [wrote(1, 20, bytes([31, 0]))]
    assert only(array.array(scene(tmp_path, board))).verdict is Verdict.FINE
    board.pins = {11: 1, 30: 1}
    told = only(array.array(scene(tmp_path, Short())))
    assert (told.verdict, told.figures["amplified"]) == (Verdict.FINE, None)


class Short(Xvf3800Board):
    """Firmware that tells two pins only."""

    def vendor_read(self, value: int, index: int, length: int) -> bytes:
        told = super().vendor_read(value, index, length)
        return told[:3] if (index, value & 0x7F) == (20, 0) else told


def test_a_flex_is_asked_the_same_but_for_its_pins(tmp_path: Path) -> None:
    """Which are not known."""
    flex = Flex((1, 0, 3))
    flex.pins[31] = 1
    flex.routes[19] = (0, 0)
    told = only(array.array(scene(tmp_path, flex, "flex")))
    assert told.verdict is Verdict.BROKEN
    assert told.figure.startswith("firmware 1.0.3: channel 0 the voice")
    assert told.cure is not None
    told.cure.do()
    assert flex.written() == [wrote(19, 35, bytes([7, 3]))]


@pytest.mark.parametrize("trouble", ["denied", "gone"])
def test_an_array_that_cannot_be_asked_is_a_hint(
    tmp_path: Path, board: Xvf3800Board, trouble: str
) -> None:
    """With what is in the way."""
    board.denied = trouble == "denied"
    board.broken = None if board.denied else trouble
    told = only(array.array(scene(tmp_path, board)))
    assert (told.verdict, told.figure) == (Verdict.HINT, "it does not tell what it sends")
    assert "reSpeaker XVF3800 (USB 2886:001a)" in told.advice


def test_other_boards_have_no_routes(tmp_path: Path, board: Xvf3800Board) -> None:
    """And one that nobody knows is told elsewhere."""
    told = only(array.array(scene(tmp_path, board, "usb-array")))
    assert told.verdict is Verdict.SKIPPED
    assert list(array.array(scene(tmp_path, board, config="board: teapot"))) == []
    assert board.transfers == []


def test_what_each_category_is_good_for() -> None:
    """As Seeed's table of output selections has them; what is newer is left alone."""
    uses = [Route(category, 0).use for category in range(13)]
    none, faint, voice = Use.NONE, Use.FAINT, Use.VOICE
    assert uses == [
        *(none, faint, faint, faint, none, none, voice, voice, voice, voice, none, faint, none)
    ]
    assert Route(99, 1).use is Use.VOICE
    assert str(Route(99, 1)) == "something newer than we are (99, 1)"
    assert all(route.use is Use.VOICE for route in ROUTES)
