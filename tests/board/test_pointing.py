"""The rings point at who speaks: what is asked over USB for it, how often, and what may fail."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator

import pytest

from device.board.bearing import Mounting
from device.board.profiles import profile_named
from device.board.usb_control import XVF3800_ARRAY, connect
from device.board.xvf3800 import Xvf3800Ring
from device.lights import ring
from device.lights.animation import Animation
from device.lights.drivers import RingLights, make_lights
from device.lights.patterns import Pattern
from device.ports import Colour, Lights, Pointing
from tests.rig.usb_device import Bus, MicArrayV2, Transfer, Xvf3800Board, read

VOICE, DOA = (19, 32), (21, 0)
"""Group and place in the XVF3000."""

FRAMES: list[list[Colour]] = [[(n, n, n)] * 12 for n in range(1, 256)]


STRAIGHT = Mounting()


def lights_of(array: MicArrayV2 | Xvf3800Board, mounting: Mounting = STRAIGHT) -> RingLights:
    bus = Bus(array)
    board = profile_named("usb-array" if isinstance(array, MicArrayV2) else "xvf3800")
    made = make_lights(
        "auto",
        board,
        brightness=100,
        gpio_pins=None,
        stream=None,  # type: ignore[arg-type]
        usb=lambda: bus,
        mounting=mounting,
    )
    assert isinstance(made, RingLights)
    return made


def asked(array: MicArrayV2 | Xvf3800Board) -> list[Transfer]:
    """What was read since the ring was opened."""
    return [
        transfer
        for transfer in array.transfers
        if transfer.request_type == 0xC0 and transfer.index != 48
    ]


class Drawing:
    """Frames that differ, each asking for the direction, as the lamp draws while it listens."""

    def __init__(self, lights: RingLights) -> None:
        self.lights = lights
        self.drawn = 0

    def until(self, happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not happened():
            assert time.monotonic() < deadline
            self.lights.direction()
            self.draw()

    def draw(self) -> None:
        self.lights.show(FRAMES[self.drawn % len(FRAMES)])
        self.drawn += 1
        time.sleep(0.002)


@pytest.fixture
def board() -> Xvf3800Board:
    return Xvf3800Board()


@pytest.fixture
def lights(board: Xvf3800Board) -> Iterator[RingLights]:
    made = lights_of(board)
    made.open()
    yield made
    made.close()
    assert board.leds == [0] * 12


def test_the_xvf3800_is_asked_for_its_direction(board: Xvf3800Board, lights: RingLights) -> None:
    """One request; the angle has both its bytes."""
    board.direction = 300, 1
    drawing = Drawing(lights)
    drawing.until(lambda: lights.direction() == pytest.approx(90 / 360))
    assert asked(board)[0] == read(0x92, 20, 5, bytes.fromhex("00 2c01 0100"))
    assert {transfer.value for transfer in asked(board)} == {0x92}


def test_old_firmware_is_asked_for_its_beams() -> None:
    """Its DOA_VALUE stands still under our lights."""
    board = Xvf3800Board((2, 0, 9))
    board.azimuths = math.nan, 0.0, 0.0, math.radians(90)
    board.energies = 0.0, 0.0, 0.0, 3.5
    lights = lights_of(board)
    lights.open()
    Drawing(lights).until(lambda: lights.direction() == pytest.approx(240 / 360))
    lights.close()
    azimuths = asked(board)[0]
    assert (azimuths.value, azimuths.index, azimuths.length) == (0x80 | 75, 33, 17)
    assert {(transfer.value, transfer.index) for transfer in asked(board)} == {
        (0x80 | 75, 33),
        (0x80 | 80, 33),
    }


def test_a_beam_that_points_nowhere_is_no_direction() -> None:
    """The chip says so by what is not a number."""
    board = Xvf3800Board((2, 0, 9))
    board.azimuths = (math.nan,) * 4
    board.energies = (9.0,) * 4
    lights = lights_of(board)
    lights.open()
    Drawing(lights).until(lambda: len(asked(board)) >= 4)
    assert lights.direction() is None
    lights.close()


def test_the_usb_mic_array_is_asked_for_a_voice_and_then_where_it_is() -> None:
    """While nobody speaks it is not asked for what it would tell of before."""
    array = MicArrayV2()
    array.numbers = {VOICE: (0, 0), DOA: (200, 0)}
    lights = lights_of(array)
    lights.open()
    drawing = Drawing(lights)
    drawing.until(lambda: len(asked(array)) >= 2)
    assert lights.direction() is None
    voice = read(0x80 | 0x40 | 32, 19, 8, bytes(8))
    assert set(asked(array)) == {voice}
    array.numbers[VOICE] = 1, 0
    drawing.until(lambda: lights.direction() == pytest.approx(200 / 360))
    assert read(0xE0, 19, 8, bytes.fromhex("01000000 00000000")) in asked(array)
    assert read(0xC0, 21, 8, bytes.fromhex("c8000000 00000000")) in asked(array)
    lights.close()


def test_it_is_asked_only_while_that_is_wanted(board: Xvf3800Board, lights: RingLights) -> None:
    """Drawing alone reads nothing."""
    drawing = Drawing(lights)
    for _ in range(30):
        drawing.draw()
    board.wait_until(lambda: board.ring[0] != 0)
    assert asked(board) == []
    drawing.until(lambda: asked(board))


def test_it_is_asked_ten_times_a_second_at_most(board: Xvf3800Board, lights: RingLights) -> None:
    """However many frames are drawn."""
    began = time.monotonic()
    drawing = Drawing(lights)
    drawing.until(lambda: len(asked(board)) >= 4)
    assert time.monotonic() - began >= 3 * ring.LOOK_EVERY_S
    assert drawing.drawn > 20


@pytest.mark.parametrize("trouble", ["stall", "timeout", "io"])
def test_a_few_failed_answers_never_darken_the_lights(
    board: Xvf3800Board, lights: RingLights, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pointer is gone for a moment, everything else goes on."""
    monkeypatch.setattr(ring, "LOOK_EVERY_S", 0.005)
    board.direction = 90, 1
    real = Xvf3800Ring.direction
    calls = 0

    def direction(self: Xvf3800Ring) -> object:
        nonlocal calls
        calls += 1
        if calls <= 4:
            board.troubles.append(trouble)
        return real(self)

    monkeypatch.setattr(Xvf3800Ring, "direction", direction)
    Drawing(lights).until(lambda: lights.direction() == pytest.approx(240 / 360))
    assert calls >= 5


def test_an_array_that_never_tells_is_asked_less_and_less(
    board: Xvf3800Board,
    lights: RingLights,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Told once, in the journal; the lights are shown all the while."""
    monkeypatch.setattr(ring, "LOOK_EVERY_S", 0.004)
    monkeypatch.setattr(ring, "LOOK_AGAIN_WITHIN_S", 0.1)
    board.status = 3
    drawing = Drawing(lights)
    with caplog.at_level(logging.WARNING):
        drawing.until(lambda: len(asked(board)) >= 8)
    (line,) = caplog.messages
    assert line.startswith("the lights do not point at who speaks: the reSpeaker XVF3800 (USB")
    assert "DOA_VALUE (status 3)" in line
    drawn = drawing.drawn
    # 8 + 16 + 32 + 64 ms and then 100 each: far fewer than frames.
    assert drawn > 3 * 8
    assert lights.direction() is None


def test_a_busy_chip_holds_the_lights_up_for_a_moment_only(
    board: Xvf3800Board, lights: RingLights
) -> None:
    """Three tries, where others have a hundred."""
    drawing = Drawing(lights)
    board.busy = 3
    drawing.until(lambda: len(asked(board)) >= 4)
    statuses = [transfer.data[0] for transfer in asked(board)]
    assert statuses[:4] == [64, 64, 64, 0]
    pictures = [transfer for transfer in board.written() if transfer.value == 19]
    first, fourth = board.transfers.index(asked(board)[0]), board.transfers.index(asked(board)[3])
    assert any(first < board.transfers.index(picture) < fourth for picture in pictures)


def test_in_a_silent_room_it_is_asked_on_as_ever(
    board: Xvf3800Board,
    lights: RingLights,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The chip has nothing new to tell, which is no failure: the first word is pointed at at once.

    A failure would have it asked ever more seldom, up to ten seconds.
    """
    monkeypatch.setattr(ring, "LOOK_EVERY_S", 0.002)
    monkeypatch.setattr(ring, "LOOK_AGAIN_WITHIN_S", 3600.0)
    drawing = Drawing(lights)
    board.busy = 3 * 12
    board.direction = 90, 1
    drawing.until(lambda: board.busy == 0)
    drawing.until(lambda: lights.direction() == pytest.approx(240 / 360))
    assert [transfer.data[0] for transfer in asked(board)][:37] == [64] * 36 + [0]
    assert caplog.messages == []


@pytest.mark.parametrize(("kind", "zero_deg"), [("xvf3800", 150), ("xvf3000", 0)])
@pytest.mark.parametrize("board_name", ["none", "usb-array", "xvf3800", "2mic-hat-v2"])
def test_the_zero_is_the_ring_s_whatever_the_board(
    kind: str, zero_deg: int, board_name: str
) -> None:
    """Also where the owner names the driver, and the microphone is another device."""
    array = Xvf3800Board() if kind == "xvf3800" else MicArrayV2()
    if isinstance(array, Xvf3800Board):
        array.direction = 60, 1
    else:
        array.numbers = {VOICE: (1, 0), DOA: (60, 0)}
    bus = Bus(array)
    lights = make_lights(
        kind,
        profile_named(board_name),
        brightness=100,
        gpio_pins=None,
        stream=None,  # type: ignore[arg-type]
        usb=lambda: bus,
        mounting=Mounting(30),
    )
    assert isinstance(lights, RingLights)
    lights.open()
    try:
        told = pytest.approx((60 + 30 + zero_deg) / 360)
        Drawing(lights).until(lambda: lights.direction() == told)
    finally:
        lights.close()


def test_an_array_that_is_gone_is_still_told(board: Xvf3800Board, lights: RingLights) -> None:
    """By the frame after it, as ever."""
    board.unplug()
    with pytest.raises(Exception, match="is gone: plug it in again"):
        Drawing(lights).until(lambda: False)


def test_firmware_without_single_leds_is_never_asked() -> None:
    """All its LEDs are one, which points nowhere."""
    board = Xvf3800Board((2, 0, 6))
    board.direction = 90, 1
    bus = Bus(board)
    lights = RingLights(lambda: Xvf3800Ring(connect(XVF3800_ARRAY, lambda: bus)))
    lights.open()
    for n in range(1, 20):
        assert lights.direction() is None
        lights.show([(n, n, n)])
    board.wait_until(lambda: board.colour != 0)
    lights.close()
    assert lights.direction() is None
    assert asked(board) == []


def test_rings_are_what_points() -> None:
    """The lamp asks nobody else."""
    ring_lights: Lights = lights_of(Xvf3800Board())
    assert isinstance(ring_lights, Pointing)
    none = make_lights(
        "none",
        profile_named("none"),
        brightness=1,
        gpio_pins=None,
        stream=None,  # type: ignore[arg-type]
    )
    assert not isinstance(none, Pointing)


@pytest.mark.parametrize(
    ("mounting", "led"),
    [(Mounting(), 8), (Mounting(60), 10), (Mounting(0, mirrored=True), 2)],
)
async def test_the_light_that_listens_points_at_who_speaks(mounting: Mounting, led: int) -> None:
    """All the way: from 90 degrees to the colour words on the bus; and away when it thinks.

    The direction of 0 is at the sixth LED of this ring.
    """
    board = Xvf3800Board()
    board.direction = 90, 1
    lights = lights_of(board, mounting)
    lamp = Animation(lights, lambda: 0.0, lambda: 1.0)
    lamp.open()
    lamp.show(Pattern.LISTENING)
    drawing = asyncio.create_task(lamp.run(lambda _news: None))
    try:
        await asyncio.to_thread(board.wait_until, lambda: points_at(board.leds, led))
        lamp.show(Pattern.THINKING)
        count, frames = len(asked(board)), len(board.written())
        await asyncio.to_thread(board.wait_until, lambda: len(board.written()) >= frames + 12)
        # Those of the time in which it was wanted; half a second of thinking would be five more.
        assert len(asked(board)) <= count + 4
    finally:
        drawing.cancel()
        await asyncio.wait([drawing])
        lamp.close()
    assert board.leds == [0] * 12


def points_at(leds: list[int], led: int) -> bool:
    """Whether this LED is as bright as it gets, its neighbours alike, and the rest is dim."""
    blues = [word & 0xFF for word in leds[led:] + leds[:led]]
    alike = 0 < blues[1] < 128 and abs(blues[1] - blues[11]) <= 1
    return leds[led] == 0x0028FF and alike and max(blues[2:11]) < 24
