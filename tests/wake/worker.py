"""The detector at work: who listens to it, how it is fed and waited for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from device.frames import FRAME_SAMPLES, Frame
from device.news import News
from device.wake.detector import OnnxWakeDetector
from tests.wake.conftest import Clip


def frames(samples: Clip, first_sample: int = 0) -> Iterator[Frame]:
    for start in range(0, samples.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        place = first_sample + start
        yield Frame(samples[start : start + FRAME_SAMPLES].tobytes(), place, place / 16_000)


class Listener:
    """Keeps what was posted, and on which thread."""

    def __init__(self) -> None:
        self.news: asyncio.Queue[News] = asyncio.Queue()
        self.threads: set[int] = set()

    def post(self, news: News) -> None:
        self.threads.add(threading.get_ident())
        self.news.put_nowait(news)

    async def next(self) -> News:
        return await asyncio.wait_for(self.news.get(), 10)


@contextlib.asynccontextmanager
async def running(detector: OnnxWakeDetector, listener: Listener) -> AsyncIterator[None]:
    """The detector at work; on leaving, it is cancelled and its thread must be gone."""
    await detector.load()
    task = asyncio.create_task(detector.run(listener.post))
    await until(wake_threads)
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert wake_threads() == []


def wake_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "wake"]


async def feed(
    detector: OnnxWakeDetector, samples: Clip, first_sample: int = 0, far_end: Clip | None = None
) -> None:
    """Feed as fast as the worker hears, so that nothing is dropped."""
    before = detector.counters["hops"]
    for number, frame in enumerate(frames(samples, first_sample), 1):
        start = frame.first_sample - first_sample
        ours = None if far_end is None else far_end[start : start + FRAME_SAMPLES].tobytes()
        detector.feed(frame, ours)
        if number % 40 == 0:
            await until_hops(detector, before + number // 4)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the worker is a thread and tells nobody
            await asyncio.sleep(0.001)


async def until_hops(detector: OnnxWakeDetector, hops: int) -> None:
    await until(lambda: detector.counters["hops"] >= hops)
