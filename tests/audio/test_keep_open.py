"""Keeping a device open: tried again with growing patience, closed whatever happens."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from device.audio.keep_open import FIRST_DELAY_S, LONGEST_DELAY_S, STABLE_S, keep_open
from device.errors import AudioDeviceError, AudioDeviceHungError, DeviceTrouble
from tests.rig.fakes import lost, until


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
    async with asyncio.timeout(5):
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
