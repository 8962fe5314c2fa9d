"""The loudspeaker is kept open, and replaced while everything runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from device.assistant.output import Mouth
from device.news import News, Post
from tests.rig.fakes import FakeSpeaker, lost, until


class Told:
    """A mouth and what it tells."""

    def __init__(self, speaker: FakeSpeaker) -> None:
        self.lost: list[str] = []
        self.back = 0
        self.mouth = Mouth(speaker, lambda error: self.lost.append(str(error)), self._back)

    def _back(self) -> None:
        self.back += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        def post(_: News) -> None:
            raise AssertionError("nothing is news here")

        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                self.mouth.start(tasks, post)
                yield
                raise asyncio.CancelledError


async def test_it_opens_tells_a_loss_and_opens_again() -> None:
    """What is wrong is told in words, the return without; a lost device is closed."""
    speaker = FakeSpeaker()
    speaker.opening = [lost("no output device")]
    told = Told(speaker)
    async with told.running():
        await until(lambda: told.lost == ["no output device"])
        assert told.back == 0
        await until(lambda: told.back == 1)
        assert speaker.is_open
        speaker.lose(lost("pulled out"))
        await until(lambda: told.lost == ["no output device", "pulled out"])
        await until(lambda: not speaker.is_open)


async def test_at_the_end_it_is_closed() -> None:
    """Whoever cancels the tasks need not think of it."""
    speaker = FakeSpeaker()
    async with Told(speaker).running():
        await until(lambda: speaker.is_open)
    assert not speaker.is_open


class Card:
    """One sound card that only one can have."""

    user: SlowSpeaker | None = None


class SlowSpeaker(FakeSpeaker):
    """Takes its time to let the card go."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card
        self.may_close = asyncio.Event()

    async def open(self, post: Post) -> None:
        assert self.card.user is None, "the card is taken"
        self.card.user = self
        await super().open(post)

    async def close(self) -> None:
        await self.may_close.wait()
        self.card.user = None
        await super().close()


async def test_a_new_one_waits_until_the_old_one_has_let_the_card_go() -> None:
    """Also when it is replaced again meanwhile."""
    card = Card()
    old, middle, new = (SlowSpeaker(card) for _ in range(3))
    middle.may_close.set()
    new.may_close.set()
    told = Told(old)
    async with told.running():
        await until(lambda: old.is_open)
        told.mouth.replace(middle)
        told.mouth.replace(new)
        assert told.mouth.speaker is new
        assert card.user is old
        old.may_close.set()
        await until(lambda: new.is_open)
        assert not old.is_open
        assert not middle.is_open
    assert told.lost == []


async def test_replaced_before_the_start_the_new_one_is_opened() -> None:
    """Nothing is opened before `start`."""
    old, new = FakeSpeaker(), FakeSpeaker()
    told = Told(old)
    told.mouth.replace(new)
    async with told.running():
        await until(lambda: new.is_open)
    assert not old.is_open
