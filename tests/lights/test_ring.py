"""The thread that draws a ring: the newest frame only, nobody held up, every failure told."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from device.board import pace
from device.board.colour import BLACK, scale
from device.board.pace import Pace
from device.board.usb_control import XVF3000_ARRAY, XVF3800_ARRAY, connect
from device.board.xvf3000 import Xvf3000Ring
from device.board.xvf3800 import Xvf3800, Xvf3800Ring
from device.errors import BoardError
from device.lights import ring
from device.lights.animation import Animation
from device.lights.drivers import RingLights
from device.lights.render import FRAME_S, WHITE, Pattern, render
from device.news import News, PartLost
from device.ports import Colour
from tests.rig.usb_device import Bus, MicArrayV2, Xvf3800Board, trouble, wrote

DARK = [BLACK] * 12
OPENING = 5
"""Transfers until an XVF3800 is open."""


def grey(value: int) -> list[Colour]:
    return [(value, value, value)] * 12


@pytest.fixture
def board() -> Xvf3800Board:
    return Xvf3800Board()


@pytest.fixture
def lights(board: Xvf3800Board) -> Iterator[RingLights]:
    bus = Bus(board)
    made = RingLights(lambda: Xvf3800Ring(connect(XVF3800_ARRAY, lambda: bus)), brightness=100)
    yield made
    board.may_pass.set()
    made.close()
    assert "ring" not in {thread.name for thread in threading.enumerate()}


def drawn(board: Xvf3800Board) -> list[int]:
    """The grey of each frame since the ring was opened."""
    return [transfer.data[0] for transfer in board.written() if transfer.value == 19][1:]


def test_it_opens_dark_shows_and_closes_dark(board: Xvf3800Board, lights: RingLights) -> None:
    """Whatever a dead process has left on."""
    lights.open()
    assert board.leds == [0] * 12
    lights.show(grey(255))
    board.wait_until(lambda: board.leds == [0xFFFFFF] * 12)
    lights.close()
    lights.close()
    assert (board.leds, board.opened) == ([0] * 12, 0)


def test_nothing_is_sent_when_nothing_changes(board: Xvf3800Board, lights: RingLights) -> None:
    """A frame that comes again is not; one that looks different at another brightness is."""
    lights.open()
    for _ in range(5):
        lights.show(grey(255))
    board.wait_until(lambda: drawn(board) == [255])
    lights.brightness = 40
    lights.show(grey(255))
    board.wait_until(lambda: drawn(board) == [255, 34])
    lights.show(grey(255))
    lights.close()
    assert drawn(board) == [255, 34, 0]


def test_a_hanging_array_holds_nobody_up_and_gets_the_newest_frame(
    board: Xvf3800Board, lights: RingLights
) -> None:
    """Fifty frames while one is on its way: 49 of them are old when it is through."""
    lights.open()
    board.may_pass.clear()
    began = time.monotonic()
    for value in range(100, 150):
        lights.show(grey(value))
    assert time.monotonic() - began < 1.0
    board.may_pass.set()
    newest = round(255 * (149 / 255) ** 2.2)
    board.wait_until(lambda: drawn(board)[-1:] == [newest])
    # The worker may have begun with the first, or with a later one.
    assert len(drawn(board)) <= 2


def test_a_frame_that_was_dropped_for_what_is_shown_costs_nothing(
    board: Xvf3800Board, lights: RingLights
) -> None:
    """There and back while the array was busy with the first."""
    lights.open()
    lights.show(grey(255))
    board.wait_until(lambda: drawn(board) == [255])
    board.may_pass.clear()
    lights.show(grey(200))
    lights.show(grey(100))
    lights.show(grey(255))
    board.may_pass.set()
    lights.close()
    assert drawn(board)[-1] == 0
    assert drawn(board).count(255) <= 2


def test_closing_does_not_wait_for_frames(board: Xvf3800Board, lights: RingLights) -> None:
    """Dark is what comes next."""
    lights.open()
    board.may_pass.clear()
    lights.show(grey(200))
    lights.show(grey(100))
    threading.Timer(0.05, board.may_pass.set).start()
    lights.close()
    assert board.leds == [0] * 12
    assert len(drawn(board)) <= 2


@pytest.mark.parametrize("trouble", ["stall", "timeout", "io"])
def test_a_failure_is_raised_by_the_next_frame(
    board: Xvf3800Board, lights: RingLights, trouble: str
) -> None:
    """Darkened where it still can be, and let go: so it can be opened again."""
    lights.open()
    lights.show(grey(255))
    board.wait_until(lambda: drawn(board) == [255])
    board.troubles.append(trouble)
    lights.show(grey(100))
    board.wait_until(lambda: drawn(board) == [255, 0])
    for value in (101, 102):
        with pytest.raises(BoardError, match=r"2886:001a"):
            _show_until_it_fails(lights, value)
    assert (board.leds, board.opened) == ([0] * 12, 0)
    lights.open()
    lights.show(grey(255))
    board.wait_until(lambda: board.leds == [0xFFFFFF] * 12)


def _show_until_it_fails(lights: RingLights, value: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lights.show(grey(value))


def test_unplugged_it_is_told_and_plugged_in_again_it_works(
    board: Xvf3800Board, lights: RingLights
) -> None:
    """As the hub does it: closed, then opened when the microphone is back."""
    lights.open()
    board.unplug()
    lights.show(grey(255))
    with pytest.raises(BoardError, match=r"XVF3800 \(USB 2886:001a\) is gone: plug it in again"):
        _show_until_it_fails(lights, 100)
    lights.close()
    with pytest.raises(BoardError, match=r"no reSpeaker XVF3800 .* is plugged in"):
        lights.open()
    with pytest.raises(BoardError, match="the LED ring is not open"):
        lights.show(grey(255))
    board.plugged = True
    lights.open()
    lights.show(grey(255))
    board.wait_until(lambda: board.leds == [0xFFFFFF] * 12)


async def test_the_lamp_tells_a_lost_ring_once(board: Xvf3800Board, lights: RingLights) -> None:
    """While it draws; the part is lost, the speaker goes on."""
    lamp = Animation(lights, lambda: 0.0, lambda: 1.0)
    lamp.open()
    lamp.show(Pattern.THINKING)
    told: list[News] = []
    drawing = asyncio.create_task(lamp.run(told.append))
    await asyncio.to_thread(board.wait_until, lambda: len(drawn(board)) >= 3)
    board.unplug()
    await asyncio.wait_for(drawing, 10)
    lamp.close()
    [lost] = told
    assert isinstance(lost, PartLost)
    assert lost.part == "lights"
    assert lost.message == "the reSpeaker XVF3800 (USB 2886:001a) is gone: plug it in again"


def test_what_goes_wrong_at_opening_is_raised_there(
    board: Xvf3800Board, lights: RingLights
) -> None:
    """And nothing stays open."""
    board.denied = True
    for _ in range(2):
        with pytest.raises(BoardError, match="plugdev"):
            lights.open()
    board.denied = False
    board.busy = 3
    lights.open()
    assert board.opened == 1


def test_an_array_that_hangs_at_opening_is_given_up(
    board: Xvf3800Board, lights: RingLights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bounded time; the thread goes when the array lets it."""
    monkeypatch.setattr(ring, "OPEN_WITHIN_S", 0.05)
    board.may_pass.clear()
    with pytest.raises(BoardError, match=r"ring of 12 LEDs did not answer within 0\.05 s"):
        lights.open()
    with pytest.raises(BoardError, match="not open"):
        lights.show(grey(1))
    left = [thread for thread in threading.enumerate() if thread.name == "ring"]
    board.may_pass.set()
    for thread in left:
        thread.join(10)
    assert board.opened == 0


def test_an_array_that_hangs_at_closing_is_left(
    board: Xvf3800Board,
    lights: RingLights,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The speaker must end; a line in the journal says what may be seen."""
    monkeypatch.setattr(ring, "CLOSE_WITHIN_S", 0.05)
    lights.open()
    board.may_pass.clear()
    lights.show(grey(255))
    left = [thread for thread in threading.enumerate() if thread.name == "ring"]
    with caplog.at_level(logging.WARNING):
        lights.close()
    assert caplog.messages == ["the ring of LEDs hangs: it may stay lit"]
    board.may_pass.set()
    for thread in left:
        thread.join(10)
    assert board.leds == [0] * 12


def test_a_bug_in_the_thread_is_not_swallowed() -> None:
    """It comes out where the lights are used, as what it is."""

    def broken() -> Xvf3800Ring:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        RingLights(broken).open()


def test_a_frame_of_another_length_is_a_mistake(lights: RingLights) -> None:
    """Of whoever made it, told at once."""
    lights.open()
    with pytest.raises(ValueError, match="11 colours for 12 LEDs"):
        lights.show([WHITE] * 11)


def test_firmware_without_single_leds_has_one() -> None:
    """So each pattern is drawn as for one LED, with the rhythm that is its own."""
    board = Xvf3800Board((2, 0, 6))
    bus = Bus(board)
    lights = RingLights(lambda: Xvf3800Ring(connect(XVF3800_ARRAY, lambda: bus)), brightness=100)
    assert lights.count == 12
    lights.open()
    assert lights.count == 1
    lights.show(render(Pattern.SPEAKING, 0.0, lights.count))
    board.wait_until(lambda: board.leds == [0x00FF14] * 12)
    lights.close()
    assert board.leds == [0] * 12


def test_frames_cost_the_loop_next_to_nothing() -> None:
    """Measured with an array that takes 2 ms for a transfer, as one at full speed may."""
    board = MicArrayV2()
    bus = Bus(board)
    lights = RingLights(lambda: Xvf3000Ring(connect(XVF3000_ARRAY, lambda: bus)))
    opening_s = seconds(lights.open)
    board.takes_s = 0.002
    calls_s = []
    for i in range(48):
        frame = render(Pattern.CONNECTING, i * FRAME_S, 12)
        calls_s.append(seconds(functools.partial(lights.show, frame)))
        time.sleep(0.005)
    board.takes_s = 0.0
    lights.close()
    sent = sum(transfer.value in {1, 6} for transfer in board.transfers) - 2
    calls_s.sort()
    print(
        f"\nring on USB: open {opening_s * 1e3:.1f} ms; show {calls_s[24] * 1e6:.0f} us, at worst"
        f" {calls_s[-1] * 1e6:.0f} us, while a transfer takes 2 ms; {sent} of 48 frames sent"
    )
    assert calls_s[24] < 0.001
    assert sent > 24


def seconds(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def test_the_usb_mic_array_ends_dark_too() -> None:
    """By the one request that means it in every firmware."""
    board = MicArrayV2()
    bus = Bus(board)
    lights = RingLights(lambda: Xvf3000Ring(connect(XVF3000_ARRAY, lambda: bus)))
    lights.open()
    assert board.leds == DARK
    lights.show(grey(255))
    board.wait_until(lambda: board.leds != DARK)
    lights.close()
    assert board.leds == DARK
    assert board.transfers[0] == board.transfers[-1] == wrote(1, 0x1C, bytes(4))


class StallingBoard(Xvf3800Board):
    """Answers no read any more after fifty frames, until it has had time."""

    CLOGGED = 50

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.framed_s: list[float] = []

    def vendor_write(self, value: int, index: int, data: bytes) -> None:
        super().vendor_write(value, index, data)
        if value == 19:
            self.waiting += 1
            self.framed_s.append(time.monotonic())

    def vendor_read(self, value: int, index: int, length: int) -> bytes:
        if self.waiting >= self.CLOGGED:
            raise trouble("timeout")
        return super().vendor_read(value, index, length)


def test_frames_wait_while_what_is_read_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mute switch and lights are of one array: the one's trouble slows the other down."""
    monkeypatch.setattr(pace, "FIRST_S", 0.5)
    board, shared = StallingBoard(), Pace()
    bus = Bus(board)
    lights = RingLights(
        lambda: Xvf3800Ring(connect(XVF3800_ARRAY, lambda: bus, shared)), brightness=100
    )
    switch = Xvf3800(connect(XVF3800_ARRAY, lambda: bus, shared))
    lights.open()
    try:
        for number in (100, 180) * (StallingBoard.CLOGGED // 2):
            lights.show(grey(number))
            board.wait_until(lambda number=number: drawn(board)[-1:] == [scaled(number)])  # type: ignore[misc]
        with pytest.raises(BoardError, match="did not answer"):
            switch.muted()
        for number in (200, 210, 220, 230):
            lights.show(grey(number))
        board.wait_until(lambda: drawn(board)[-1] == scaled(230))
        lights.show(grey(240))
        board.wait_until(lambda: drawn(board)[-1] == scaled(240))
        after = board.framed_s[-3:]
        assert min(later - earlier for earlier, later in itertools.pairwise(after)) > 0.49
        board.waiting = 0
        assert switch.muted() is False
        assert shared.wait_s() == 0.0
    finally:
        lights.close()
    assert board.leds == [0] * 12


def scaled(value: int) -> int:
    """What an LED is driven by for a grey."""
    ((blue, _, _),) = scale([(value, value, value)], 100)
    return blue


def test_a_ring_that_has_to_wait_ends_at_once(board: Xvf3800Board, lights: RingLights) -> None:
    """Dark, and without its last frame."""
    shared = Pace()
    bus = Bus(board)
    waiting = RingLights(lambda: Xvf3800Ring(connect(XVF3800_ARRAY, lambda: bus, shared)))
    waiting.open()
    for _ in range(5):
        shared.stalled()
    waiting.show(grey(255))
    began_s = time.monotonic()
    waiting.close()
    assert time.monotonic() - began_s < pace.MOST_S
    assert drawn(board) == [0]
