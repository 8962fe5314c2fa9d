"""The microphone is kept open unless muted, and every frame of it is handed on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

import pytest

from device.assistant.input import Input
from device.errors import DeviceTrouble
from device.frames import FRAME_SAMPLES, Frame
from device.news import MicrophoneDelivers, MicrophoneLost, MicrophoneOpened, News
from tests.rig.fakes import FakeMicrophone, lost, microphone_device, until


async def pause(_: float) -> bool:
    """Wait for nothing between two tries."""
    await asyncio.sleep(0)
    return False


class Listener:
    """An input, and what it tells."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.microphone = FakeMicrophone("A", self.log)
        self.frames: list[Frame] = []
        self.delivers_after: list[int] = []
        """How many frames had been handed on each time it was told to deliver."""
        self.lost: list[MicrophoneLost] = []
        self.input = Input(self.microphone, self._post, self.frames.append, pause)

    def _post(self, news: News) -> None:
        match news:
            case MicrophoneOpened():
                self.log.append("told open")
            case MicrophoneDelivers():
                self.delivers_after.append(len(self.frames))
                self.log.append("delivers")
            case MicrophoneLost(message=message):
                self.lost.append(news)
                self.log.append(f"lost: {message}")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                self.input.start(tasks)
                await until(lambda: self.microphone.is_open)
                yield
                raise asyncio.CancelledError

    async def hear(self, frames: int) -> list[Frame]:
        wanted = len(self.frames) + frames
        delivered = self.microphone.deliver(frames)
        await until(lambda: len(self.frames) == wanted)
        return delivered


OPENED = ["A opened", "told open"]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    async with listener.listening():
        yield listener


async def test_every_frame_is_handed_on_in_order(listener: Listener) -> None:
    """And that it delivers is told before the first, once."""
    delivered = await listener.hear(5)
    assert listener.frames == delivered
    assert listener.log == [*OPENED, "delivers"]
    assert listener.delivers_after == [0]


async def test_an_open_microphone_that_delivers_nothing_does_not_deliver(
    listener: Listener,
) -> None:
    """That it is open is told at once: its levels are set then."""
    await until(lambda: listener.log == OPENED)
    assert listener.frames == []


async def test_a_lost_microphone_is_told_and_comes_back(listener: Listener) -> None:
    """By itself, as often as it happens; each time it is closed first."""
    await listener.hear(1)
    listener.microphone.fail(lost("pulled out"))
    await until(lambda: "lost: pulled out" in listener.log)
    assert listener.lost[0].trouble is DeviceTrouble.LOST
    await until(lambda: listener.microphone.is_open)
    await listener.hear(1)
    again = [*OPENED, "delivers"]
    assert listener.log == [*again, "lost: pulled out", "A closed", *again]


async def test_muted_the_device_is_closed(listener: Listener) -> None:
    """`closed` returns when it really is."""
    await listener.hear(10)
    listener.microphone.closing.clear()
    listener.input.mute()
    assert not listener.input.open
    waiting = asyncio.create_task(listener.input.closed())
    await asyncio.wait([waiting], timeout=0.01)
    assert not waiting.done()
    listener.microphone.closing.set()
    await waiting
    assert not listener.microphone.is_open
    listener.input.mute()
    await listener.input.closed()


async def test_unmuted_while_it_still_closes_it_is_opened_after_that(listener: Listener) -> None:
    """Never twice at once, and told as lost by nobody."""
    listener.microphone.closing.clear()
    listener.input.mute()
    listener.input.unmute()
    listener.input.mute()
    listener.input.unmute()
    assert listener.input.open
    listener.microphone.closing.set()
    await until(lambda: listener.log.count("told open") == 2)
    assert listener.log == [*OPENED, "A closed", *OPENED]


async def test_another_microphone_takes_over(listener: Listener) -> None:
    """When the first has let the card go; its stream begins anew."""
    await listener.hear(10)
    new = FakeMicrophone("B", listener.log)
    listener.input.replace(new)
    assert listener.input.microphone is new
    await until(lambda: new.is_open)
    new.deliver(2)
    await until(lambda: len(listener.frames) == 12)
    taken_over = ["A closed", "B opened", "told open", "delivers"]
    assert listener.log == [*OPENED, "delivers", *taken_over]
    assert [frame.first_sample for frame in listener.frames[10:]] == [0, FRAME_SAMPLES]


async def test_muted_right_after_it_was_replaced_it_stays_closed(listener: Listener) -> None:
    """A reload must not undo a mute."""
    listener.microphone.closing.clear()
    new = FakeMicrophone("B", listener.log)
    listener.input.replace(new)
    listener.input.mute()
    listener.microphone.closing.set()
    await listener.input.closed()
    assert not listener.input.open
    assert listener.log == [*OPENED, "A closed"]


async def test_replaced_while_muted_it_is_not_opened(listener: Listener) -> None:
    """Not before it is unmuted."""
    listener.input.mute()
    new = FakeMicrophone("B", listener.log)
    listener.input.replace(new)
    await listener.input.closed()
    assert not listener.input.open
    listener.input.unmute()
    await until(lambda: new.is_open)


async def test_muted_before_the_start_it_is_never_opened() -> None:
    """The owner had muted it before the restart."""
    listener = Listener()
    listener.input.mute()
    async with asyncio.TaskGroup() as tasks:
        listener.input.start(tasks)
    assert not listener.input.open
    assert listener.log == []


async def test_the_status_names_the_microphone_and_its_counters(listener: Listener) -> None:
    """Of the one in use."""
    await listener.hear(3)
    counters = {"frames": 3, "overruns": 0, "dropped": 0}
    assert listener.input.as_dict() == {
        "microphone": "A",
        "microphone_device": asdict(microphone_device("A")),
        "counters": counters,
    }
