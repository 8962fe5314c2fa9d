"""The XVF3800's own mute switch, read over an emulated USB, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from device.board.mute_switch import SwitchWatch, make_switch
from device.board.profiles import PROFILES
from device.board.usb_control import XVF3800_ARRAY, UsbControl, connect
from device.errors import BoardError
from device.news import MuteSwitched, News
from tests.rig.fakes import until
from tests.rig.usb_device import Bus, Xvf3800Board, read


class Desk:
    """A board on a bus, looked at as fast as it goes, and what is posted."""

    def __init__(self) -> None:
        self.board = Xvf3800Board()
        self.bus = Bus(self.board)
        self.told: asyncio.Queue[bool] = asyncio.Queue()
        self.missed = 0
        self.switch = SwitchWatch(self._find, look_s=0.002, find_s=0.002)

    def _find(self) -> UsbControl:
        try:
            return connect(XVF3800_ARRAY, lambda: self.bus)
        except BoardError:
            self.missed += 1
            raise

    def post(self, news: News) -> None:
        assert isinstance(news, MuteSwitched)
        self.told.put_nowait(news.on)

    async def next(self) -> bool:
        return await asyncio.wait_for(self.told.get(), 5)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        self.switch.start(self.post)
        try:
            yield
        finally:
            self.switch.close()


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_what_it_asks_and_what_it_takes_for_on(desk: Desk) -> None:
    """GPO_READ_VALUES of resource 20; X0D30, the second of its pins, is the red LED."""
    desk.board.pins[30] = 1
    async with desk.watched():
        assert await desk.next() is True
    answer = bytes([0, 0, 1, 0, 0, 0])
    assert desk.board.transfers[0] == read(0x80, 20, 6, answer)
    assert desk.board.written() == []


async def test_only_changes_are_told(desk: Desk) -> None:
    """What is found first is one."""
    async with desk.watched():
        found = [await desk.next()]
        for level in (1, 0, 1):
            desk.board.pins[30] = level
            found.append(await desk.next())
        looks = len(desk.board.transfers)
        await until(lambda: len(desk.board.transfers) > looks + 5)
        assert desk.told.empty()
    assert found == [False, True, False, True]


async def test_older_firmware_tells_fewer_pins(desk: Desk) -> None:
    """Three of them; the one that counts is among them."""
    desk.board.short = 4
    desk.board.pins[30] = 1
    async with desk.watched():
        assert await desk.next() is True


@pytest.mark.parametrize("trouble", ["timeout", "io", "stall"])
async def test_a_failed_look_changes_nothing(desk: Desk, trouble: str) -> None:
    """Muted stays muted while nobody knows; the array is found anew."""
    desk.board.pins[30] = 1
    async with desk.watched():
        assert await desk.next() is True
        desk.board.troubles.extend([trouble] * 3)
        await until(lambda: not desk.board.troubles)
        looks = len(desk.board.transfers)
        await until(lambda: len(desk.board.transfers) > looks + 2)
        assert desk.told.empty()
        desk.board.pins[30] = 0
        assert await desk.next() is False


async def test_an_array_that_was_pulled_out_is_found_when_it_is_back(desk: Desk) -> None:
    """With its switch as it then is."""
    desk.board.pins[30] = 1
    async with desk.watched():
        assert await desk.next() is True
        desk.board.unplug()
        await until(lambda: desk.missed > 2)
        assert desk.told.empty()
        desk.bus.plug_in(Xvf3800Board())
        assert await desk.next() is False


async def test_a_switch_that_never_could_be_read_is_told_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """With what to do; whoever relies on it must know."""
    desk.board.denied = True
    async with desk.watched():
        await until(lambda: len(caplog.records) == 1)
        desk.board.denied = False
        assert await desk.next() is False
    assert "cannot be read: the reSpeaker XVF3800" in caplog.records[0].getMessage()
    assert "plugdev" in caplog.text
    assert len(caplog.records) == 1


async def test_nothing_is_told_after_close(desk: Desk) -> None:
    """Not even what was on its way."""
    desk.board.may_pass.clear()
    async with desk.watched():
        await until(lambda: desk.board.opened)
    desk.board.may_pass.set()
    await until(lambda: desk.board.transfers)
    await asyncio.sleep(0)
    assert desk.told.empty()
    desk.switch.close()


def test_a_loop_that_is_closed_is_no_failure_of_the_thread(desk: Desk) -> None:
    """Nobody is left to tell; an exception in the thread would fail this test."""

    async def start() -> None:
        desk.board.may_pass.clear()
        desk.switch.start(desk.post)

    asyncio.run(start())
    desk.board.may_pass.set()
    desk.board.wait_until(lambda: len(desk.board.transfers) > 2)
    desk.switch.close()


def test_only_the_xvf3800_has_one_that_can_be_read() -> None:
    """Nothing is searched for before it is started."""
    assert [p.name for p in PROFILES if make_switch(p) is not None] == ["xvf3800"]
