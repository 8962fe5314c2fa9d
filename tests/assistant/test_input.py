"""The microphone is kept open unless muted; what it heard last is remembered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from device.assistant.input import RING_S, Ears, Listener
from device.echo.canceller import Heard
from device.frames import FRAME_BYTES, FRAME_SAMPLES, Frame
from device.news import Detection, News
from tests.rig.fakes import FakeDetector, FakeMicrophone, lost, until

OURS = bytes(FRAME_BYTES)


class Head:
    """Ears, and what they tell."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.microphone = FakeMicrophone("A", self.log)
        self.detector = FakeDetector()
        self.frames: list[Frame] = []
        self.posted: list[News] = []
        listener = Listener(
            self._frame,
            lambda error: self.log.append(f"lost: {error}"),
            lambda: self.log.append("back"),
            lambda: None,
        )
        self.ears = Ears(self.microphone, self.detector, listener, self._clean)

    def _clean(self, frame: Frame) -> Heard:
        return Heard(frame, OURS, near=frame.first_sample % (2 * 320) == 0)

    def _frame(self, heard: Heard) -> None:
        assert self.detector.fed[-1] is heard.frame
        assert self.detector.far_ends[-1] == OURS
        assert self.detector.talked_over[-1] == heard.near
        self.frames.append(heard.frame)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                self.ears.start(tasks, self.posted.append)
                await until(lambda: self.microphone.is_open)
                yield
                raise asyncio.CancelledError

    async def hear(self, frames: int) -> list[Frame]:
        wanted = len(self.frames) + frames
        delivered = self.microphone.deliver(frames)
        await until(lambda: len(self.frames) == wanted)
        return delivered


@pytest.fixture
async def head() -> AsyncIterator[Head]:
    head = Head()
    async with head.listening():
        yield head


async def test_every_frame_reaches_detector_and_listener_in_order(head: Head) -> None:
    """And `back` comes before the first, once."""
    delivered = await head.hear(5)
    assert head.frames == head.detector.fed == delivered
    assert head.log == ["A opened", "back"]


async def test_what_the_detector_hears_is_posted(head: Head) -> None:
    """It runs beside the microphone, with the hub's own post."""
    await until(lambda: head.detector.running)
    head.detector.hear(640)
    assert isinstance(head.posted[0], Detection)


async def test_the_pre_roll_reaches_back_from_a_sample_or_from_now(head: Head) -> None:
    """Frames that end by then are left out, and so are those that were sent already."""
    delivered = await head.hear(100)
    second = delivered[50:]
    assert head.ears.since(delivered[-1].end_sample, 1.0, after=0) == second
    assert head.ears.since(None, 1.0, after=0) == second
    assert head.ears.since(delivered[79].end_sample, 0.6, after=0) == second
    assert head.ears.since(None, 1.0, after=delivered[89].end_sample) == delivered[90:]


async def test_the_memory_is_bounded(head: Head) -> None:
    """However long it runs."""
    delivered = await head.hear(round(RING_S * 50) + 7)
    assert head.ears.since(None, 100.0, after=0) == delivered[7:]


async def test_nothing_from_before_a_gap_is_remembered(head: Head) -> None:
    """What was lost in between would be missing in the middle of a word."""
    await head.hear(10)
    head.microphone.skip(5)
    delivered = await head.hear(3)
    assert head.ears.since(None, 100.0, after=0) == delivered


async def test_a_lost_microphone_is_told_and_comes_back(head: Head) -> None:
    """By itself, as often as it happens; each time it is closed first."""
    await head.hear(1)
    head.microphone.fail(lost("pulled out"))
    await until(lambda: "lost: pulled out" in head.log)
    await until(lambda: head.microphone.is_open)
    await head.hear(1)
    assert head.log == ["A opened", "back", "lost: pulled out", "A closed", "A opened", "back"]


async def test_muted_the_device_is_closed_and_the_memory_empty(head: Head) -> None:
    """`closed` returns when it really is; what was heard before is not sent afterwards."""
    await head.hear(10)
    head.microphone.closing.clear()
    head.ears.mute()
    assert not head.ears.open
    assert head.ears.since(None, 100.0, after=0) == []
    waiting = asyncio.create_task(head.ears.closed())
    await asyncio.wait([waiting], timeout=0.01)
    assert not waiting.done()
    head.microphone.closing.set()
    await waiting
    assert not head.microphone.is_open
    head.ears.mute()
    await head.ears.closed()


async def test_unmuted_while_it_still_closes_it_is_opened_after_that(head: Head) -> None:
    """Never twice at once, and told as lost by nobody."""
    head.microphone.closing.clear()
    head.ears.mute()
    head.ears.unmute()
    head.ears.mute()
    head.ears.unmute()
    assert head.ears.open
    head.microphone.closing.set()
    await until(lambda: head.log.count("A opened") == 2)
    assert head.log == ["A opened", "A closed", "A opened"]


async def test_another_microphone_takes_over(head: Head) -> None:
    """When the first has let the card go; its stream begins anew."""
    await head.hear(10)
    new = FakeMicrophone("B", head.log)
    head.ears.replace_microphone(new)
    await until(lambda: new.is_open)
    new.deliver(2)
    await until(lambda: len(head.frames) == 12)
    assert head.log == ["A opened", "back", "A closed", "B opened", "back"]
    assert [frame.first_sample for frame in head.ears.since(None, 9.0, after=-1)] == [
        0,
        FRAME_SAMPLES,
    ]


async def test_muted_right_after_it_was_replaced_it_stays_closed(head: Head) -> None:
    """A reload must not undo a mute."""
    head.microphone.closing.clear()
    new = FakeMicrophone("B", head.log)
    head.ears.replace_microphone(new)
    head.ears.mute()
    head.microphone.closing.set()
    await head.ears.closed()
    assert not head.ears.open
    assert head.log == ["A opened", "A closed"]


async def test_replaced_while_muted_it_is_not_opened(head: Head) -> None:
    """Not before it is unmuted."""
    head.ears.mute()
    new = FakeMicrophone("B", head.log)
    head.ears.replace_microphone(new)
    await head.ears.closed()
    assert not head.ears.open
    head.ears.unmute()
    await until(lambda: new.is_open)


async def test_another_detector_takes_over(head: Head) -> None:
    """The old one is stopped, the new one hears the next frame."""
    await until(lambda: head.detector.running)
    await head.hear(1)
    old, new = head.detector, FakeDetector("computer")
    head.ears.replace_detector(new)
    head.detector = new
    await until(lambda: new.running and not old.running)
    await head.hear(1)
    assert len(old.fed) == len(new.fed) == 1


async def test_an_error_of_the_detector_is_not_swallowed() -> None:
    """A deaf speaker ends, and is started again."""
    head = Head()

    async def live() -> None:
        async with head.listening():
            head.detector.fail(ZeroDivisionError())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await live()
    assert caught.group_contains(ZeroDivisionError)
    assert not head.microphone.is_open
