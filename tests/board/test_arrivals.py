"""What is plugged in is noticed, and whoever waits for it is woken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from device.board import arrivals
from device.board.arrivals import Arrivals
from tests.rig.fakes import until


class Desk:
    """Things come and go, and are looked at a hundred times a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(arrivals, "LOOK_S", 0.01)
        self.there = {"card 0"}
        self.looks = 0
        self.came = 0
        self.arrivals = Arrivals(self._plugged)

    def _plugged(self) -> frozenset[str]:
        self.looks += 1
        return frozenset(self.there)

    def _note(self) -> None:
        self.came += 1

    async def looked(self) -> None:
        """Wait until what is there now was seen twice."""
        looks = self.looks
        await until(lambda: self.looks > looks + 3)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        watching = asyncio.create_task(self.arrivals.watch(self._note))
        await self.looked()
        yield
        watching.cancel()
        await asyncio.wait([watching])


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


async def test_what_was_there_before_has_not_come(desk: Desk) -> None:
    """Nor has anything come when something goes."""
    async with desk.watched():
        desk.there = set()
        await desk.looked()
        assert desk.came == 0


async def test_what_comes_is_told_once(desk: Desk) -> None:
    """Also when it was away for less than a look."""
    async with desk.watched():
        desk.there = {"card 0", "array 5"}
        await until(lambda: desk.came == 1)
        desk.there = {"card 0", "array 6"}
        await until(lambda: desk.came == 2)
        await desk.looked()
        assert desk.came == 2


async def test_an_array_that_comes_bit_by_bit_is_told_when_it_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its USB device is there before its card."""
    desk = Desk(monkeypatch)
    told_at: list[int] = []
    looks = iter([set(), {"array"}, {"array", "card"}, {"array", "card", "control"}])
    seen: set[str] = set()

    def plugged() -> frozenset[str]:
        nonlocal seen
        desk.looks += 1
        seen = next(looks, seen)
        return frozenset(seen)

    watching = asyncio.create_task(Arrivals(plugged).watch(lambda: told_at.append(desk.looks)))
    await until(lambda: desk.looks > 8)
    watching.cancel()
    await asyncio.wait([watching])
    assert told_at == [5]


async def test_all_who_wait_are_woken(desk: Desk) -> None:
    """The next pause lasts again."""
    async with desk.watched():
        waiting = [asyncio.create_task(desk.arrivals.pause(3600)) for _ in range(2)]
        desk.there = {"card 0", "card 1"}
        assert await asyncio.gather(*waiting) == [True, True]
        assert await desk.arrivals.pause(0.01) is False
