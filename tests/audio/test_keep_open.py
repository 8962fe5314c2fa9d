"""Keeping a device open: tried again with growing patience, closed whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from device.audio import relapse
from device.audio.keep_open import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    STABLE_S,
    DeviceKeeper,
    keep_open,
)
from device.audio.relapse import Relapses
from device.errors import AudioDeviceError, AudioDeviceHungError, DeviceTrouble
from tests.rig.fakes import PATIENCE_S, lost, until


class Clock:
    """Time as `keep_open` sees it: its pauses take none, and are remembered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.pauses_s: list[float] = []
        monkeypatch.setattr(
            "device.audio.keep_open.time", SimpleNamespace(monotonic=lambda: self.now_s)
        )
        monkeypatch.setattr("device.audio.keep_open.asyncio.sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.now_s += seconds


class Device:
    """Counts its closings; ``lasts_s`` is how long each use goes well."""

    def __init__(self, *lasts_s: float, clock: Clock | None = None) -> None:
        self.lasts_s = list(lasts_s)
        self.clock = clock
        self.closed = 0
        self.told: list[AudioDeviceError] = []

    async def use(self) -> None:
        if not self.lasts_s:
            raise asyncio.CancelledError
        if self.clock is not None:
            self.clock.now_s += self.lasts_s.pop(0)
        raise lost()

    async def close(self) -> None:
        self.closed += 1

    async def keep(self) -> None:
        with pytest.raises(asyncio.CancelledError):
            await keep_open(self, self.use, self.told.append)


async def test_the_pauses_grow_to_their_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each loss is told, and the device is closed after every try."""
    clock = Clock(monkeypatch)
    device = Device(*[0.0] * 6, clock=clock)
    await device.keep()
    assert clock.pauses_s == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert (clock.pauses_s[0], clock.pauses_s[-1]) == (FIRST_DELAY_S, LONGEST_DELAY_S)
    assert len(device.told) == 6
    assert device.closed == 7


async def test_a_device_that_worked_for_long_is_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loss after hours is not the next failure of a row."""
    clock = Clock(monkeypatch)
    device = Device(0, 0, STABLE_S + 1, 0, clock=clock)
    await device.keep()
    assert clock.pauses_s == [0.5, 1.0, 0.5, 1.0]


async def test_when_something_was_plugged_in_it_is_tried_at_once() -> None:
    """And again soon, since what came may not be ready."""
    pauses_s: list[float] = []

    async def pause(seconds: float) -> bool:
        pauses_s.append(seconds)
        return len(pauses_s) == 3

    device = Device(*[0.0] * 5, clock=None)
    device.lasts_s = [0.0] * 5

    async def use() -> None:
        device.lasts_s.pop()
        if not device.lasts_s:
            raise asyncio.CancelledError
        raise lost()

    with pytest.raises(asyncio.CancelledError):
        await keep_open(device, use, device.told.append, pause)
    assert pauses_s == [0.5, 1.0, 2.0, 0.5]


async def test_one_that_is_lost_again_and_again_is_tried_with_more_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Minutes, and it is told the same each time; what is plugged in meanwhile is tried at once."""
    clock = Clock(monkeypatch)
    device = Device(*[5.0] * 7, clock=clock)
    relapses = Relapses()

    async def use() -> None:
        relapses.works(clock.now_s)
        await device.use()

    with pytest.raises(asyncio.CancelledError):
        await keep_open(device, use, device.told.append, None, relapses)
    assert clock.pauses_s == [0.5, 1.0, *relapse.PATIENCE_S, *[relapse.PATIENCE_S[-1]] * 2]
    assert [error.trouble for error in device.told[:2]] == [DeviceTrouble.LOST] * 2
    assert [error.trouble for error in device.told[2:]] == [DeviceTrouble.RELAPSING] * 5
    assert len({str(error) for error in device.told[2:]}) == 1


async def test_a_hung_device_ends_it() -> None:
    """Only the end of the process helps: it is not told and not tried again."""

    class Hung(Device):
        async def use(self) -> None:
            raise AudioDeviceHungError(DeviceTrouble.STALLED, "does not open")

    device = Hung()
    with pytest.raises(AudioDeviceHungError):
        await keep_open(device, device.use, device.told.append)
    assert device.told == []
    assert device.closed == 1


async def test_a_device_that_hangs_when_it_is_closed_ends_it() -> None:
    """The loss is told, the hanging raised."""

    class Hangs(Device):
        async def close(self) -> None:
            raise AudioDeviceHungError(DeviceTrouble.STALLED, "does not close")

    device = Hangs(0)
    with pytest.raises(AudioDeviceHungError, match="does not close"):
        await keep_open(device, device.use, device.told.append)
    assert len(device.told) == 1


async def test_an_unexpected_error_is_not_swallowed() -> None:
    """A bug ends the process, after the device was closed."""
    device = Device()

    async def use() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await keep_open(device, use, device.told.append)
    assert device.closed == 1


async def test_cancelled_in_the_middle_of_closing_it_closes_to_the_end() -> None:
    """Muted just when the device was lost: when the task is over the device is closed."""
    began, may_end = asyncio.Event(), asyncio.Event()
    log: list[str] = []

    class Slow(Device):
        async def close(self) -> None:
            began.set()
            await may_end.wait()
            log.append("closed")

    device = Slow(0)
    task = asyncio.create_task(keep_open(device, device.use, device.told.append))
    async with asyncio.timeout(PATIENCE_S):
        await began.wait()
        task.cancel()
        await asyncio.wait([task], timeout=0)
        assert not task.done()
        may_end.set()
        await asyncio.wait([task])
    assert task.cancelled()
    assert log == ["closed"]


async def test_the_pause_is_real_time() -> None:
    """Half a second passes before the second try, not less."""
    tries: list[float] = []

    async def use() -> None:
        tries.append(time.monotonic())
        raise lost()

    device = Device()
    task = asyncio.create_task(keep_open(device, use, device.told.append))
    await until(lambda: len(tries) == 2)
    task.cancel()
    await asyncio.wait([task])
    assert tries[1] - tries[0] >= FIRST_DELAY_S


# --- one device at a time, replaced while everything runs -----------------------------------------


class Card:
    """A device that tells what becomes of it; it closes when it may."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log
        self.may_close = asyncio.Event()
        self.may_close.set()
        self.breaks = asyncio.Event()

    async def use(self) -> None:
        self.log.append(f"{self.name} opened")
        await self.breaks.wait()
        self.breaks.clear()
        raise lost(f"{self.name} broke")

    async def close(self) -> None:
        await self.may_close.wait()
        self.log.append(f"{self.name} closed")


class Keeper:
    """Keeps one card after the other open, and remembers what happened."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.card = self.named("A")
        self.keeper = DeviceKeeper(self.card, "card", Card.use, self._lost, self._pause)

    def named(self, name: str) -> Card:
        return Card(name, self.log)

    def _lost(self, error: AudioDeviceError) -> None:
        self.log.append(str(error))

    async def _pause(self, _: float) -> bool:
        self.log.append("paused")
        return False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                self.keeper.start(tasks)
                yield
                raise asyncio.CancelledError

    async def until(self, *log: str) -> None:
        await until(lambda: self.log == list(log))


async def test_it_is_kept_open_from_the_start_to_the_end() -> None:
    """A loss is told, and it is opened again after a pause; whoever cancels it closes it."""
    keeper = Keeper()
    assert keeper.keeper.wanted
    async with keeper.running():
        await keeper.until("A opened")
        keeper.card.breaks.set()
        await keeper.until("A opened", "A broke", "A closed", "paused", "A opened")
        assert "card" in {task.get_name() for task in asyncio.all_tasks()}
    assert keeper.log[-2:] == ["A opened", "A closed"]


async def test_another_device_is_opened_when_the_old_one_is_closed() -> None:
    """They may be the same card; one that was replaced before its turn is never opened."""
    keeper = Keeper()
    middle, new = keeper.named("B"), keeper.named("C")
    async with keeper.running():
        await keeper.until("A opened")
        keeper.card.may_close.clear()
        keeper.keeper.replace(middle)
        keeper.keeper.replace(new)
        assert keeper.keeper.device is new
        closing = asyncio.create_task(keeper.keeper.closed())
        await asyncio.wait([closing], timeout=0.01)
        assert not closing.done()
        assert keeper.log == ["A opened"]
        keeper.card.may_close.set()
        await closing
        await keeper.until("A opened", "A closed", "C opened")


async def test_replaced_before_the_start_the_new_one_is_opened() -> None:
    """And the old one never was."""
    keeper = Keeper()
    keeper.keeper.replace(keeper.named("B"))
    async with keeper.running():
        await keeper.until("B opened")


async def test_shut_before_the_start_nothing_is_opened() -> None:
    """Not even one that takes its place, before it is wanted."""
    keeper = Keeper()
    keeper.keeper.shut()
    wanted = [keeper.keeper.wanted]
    async with keeper.running():
        keeper.keeper.replace(keeper.named("B"))
        await keeper.keeper.closed()
        assert keeper.log == []
        keeper.keeper.open()
        wanted.append(keeper.keeper.wanted)
        await keeper.until("B opened")
    assert wanted == [False, True]


async def test_opened_before_the_start_it_waits_for_it() -> None:
    """There is nobody yet to run it."""
    keeper = Keeper()
    keeper.keeper.open()
    await keeper.keeper.closed()
    assert keeper.log == []
    async with keeper.running():
        await keeper.until("A opened")


async def test_shut_and_opened_twice_is_once() -> None:
    """Each says how it is to be, not what to do."""
    keeper = Keeper()
    async with keeper.running():
        await keeper.until("A opened")
        keeper.keeper.open()
        keeper.keeper.shut()
        keeper.keeper.shut()
        await keeper.keeper.closed()
        assert keeper.log == ["A opened", "A closed"]
        keeper.keeper.open()
        keeper.keeper.open()
        await keeper.until("A opened", "A closed", "A opened")
    assert keeper.log == ["A opened", "A closed"] * 2


async def test_a_changed_mind_while_it_closes_counts() -> None:
    """Opened again it is closed first; shut again it stays so."""
    keeper = Keeper()
    async with keeper.running():
        await keeper.until("A opened")
        keeper.card.may_close.clear()
        for _ in range(2):
            keeper.keeper.shut()
            keeper.keeper.open()
        keeper.card.may_close.set()
        await keeper.until("A opened", "A closed", "A opened")
        keeper.card.may_close.clear()
        keeper.keeper.shut()
        keeper.keeper.open()
        keeper.keeper.shut()
        keeper.card.may_close.set()
        await keeper.keeper.closed()
    assert keeper.log == ["A opened", "A closed"] * 2
