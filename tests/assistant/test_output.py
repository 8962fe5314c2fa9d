"""The loudspeaker is kept open, and replaced while everything runs; it keeps its volume."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from device.assistant.output import Output
from device.news import News, Post, SpeakerLost, SpeakerOpened
from tests.rig.fakes import FakeSpeaker, lost, until


async def pause(_: float) -> bool:
    """Wait for nothing between two tries."""
    await asyncio.sleep(0)
    return False


class Told:
    """An output and what it tells."""

    def __init__(self, speaker: FakeSpeaker) -> None:
        self.lost: list[str] = []
        self.opened = 0
        self.output = Output(speaker, 60, self._post, pause)

    def _post(self, news: News) -> None:
        match news:
            case SpeakerOpened():
                self.opened += 1
            case SpeakerLost(message=message):
                self.lost.append(message)
            case _:
                raise AssertionError(f"{news} is no news of a loudspeaker")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                self.output.start(tasks)
                yield
                raise asyncio.CancelledError


class Silent(FakeSpeaker):
    """Remembers how often it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0

    def was_opened(self, times: int) -> bool:
        return self.opened == times

    async def open(self, post: Post) -> None:
        await super().open(post)
        self.opened += 1


async def test_it_opens_tells_a_loss_and_opens_again() -> None:
    """What is wrong is told in words, the return without; a lost device is closed."""
    speaker = Silent()
    speaker.opening = [lost("no output device")]
    told = Told(speaker)
    async with told.running():
        await until(lambda: told.opened == 1)
        assert told.lost == ["no output device"]
        assert speaker.is_open
        speaker.lose(lost("pulled out"))
        await until(lambda: told.opened == 2)
        assert told.lost == ["no output device", "pulled out"]
        assert speaker.opened == 2
    assert not speaker.is_open


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
        told.output.replace(middle)
        told.output.replace(new)
        assert told.output.speaker is new
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
    told.output.replace(new)
    async with told.running():
        await until(lambda: new.is_open)
    assert not old.is_open


async def test_a_new_one_is_as_loud_as_the_old_one() -> None:
    """Whatever the file said when it was made."""
    old, new = FakeSpeaker(), FakeSpeaker()
    output = Told(old).output
    output.set_volume(35)
    output.replace(new)
    assert (old.volumes, new.volumes) == ([35], [35])


@pytest.mark.parametrize(("asked", "given"), [(-20, 0), (0, 0), (35, 35), (100, 100), (110, 100)])
async def test_the_volume_has_its_ends(asked: int, given: int) -> None:
    """A button that is pressed once more changes nothing."""
    speaker = FakeSpeaker()
    output = Told(speaker).output
    assert output.volume == 60
    assert output.set_volume(asked) == output.volume == given
    assert speaker.volumes == [given]


async def test_the_status_names_the_loudspeaker_and_what_it_counted() -> None:
    """Of the one in use; how loud it is right now is for the lights."""
    speaker = FakeSpeaker()
    output = Told(speaker).output
    speaker.level = 0.25
    assert output.level == 0.25
    assert output.as_dict() == {
        "speaker": "loudspeaker A",
        "speaker_device": None,
        "volume": 60,
        "counters": {"underruns": 0},
    }


async def test_one_that_is_lost_again_and_again_is_told_to_be_back_once_it_has_lasted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its returns in between are no news."""
    monkeypatch.setattr("device.audio.keep_open.FIRST_DELAY_S", 0.0)
    monkeypatch.setattr("device.audio.relapse.PATIENCE_S", (0.0,))
    speaker = Silent()
    told = Told(speaker)
    async with told.running():
        for opened in range(1, 7):
            await until(partial(speaker.was_opened, opened))
            if opened == 6:
                monkeypatch.setattr("device.audio.keep_open.PROVEN_S", 0.001)
            speaker.lose(lost("output device 'A' is gone"))
        assert told.opened == 3
        await until(lambda: told.opened == 4)
    assert told.lost[:2] == ["output device 'A' is gone"] * 2
    assert len(told.lost) == 6
    [lasting] = set(told.lost[2:])
    assert "3 times in a row" in lasting
