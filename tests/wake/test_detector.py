"""The worker thread: what it hears is posted, what it raises surfaces, and it goes when told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from device.errors import WakeModelError
from device.frames import FRAME_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.news import Detection, SpeechChanged, SpeechJudged, StopWord, WakeNews
from device.ports import WakeDetector
from device.wake.detector import INBOX_FRAMES, QUIET_FRAMES, OnnxWakeDetector
from device.wake.worker import Hearing, Word
from tests.rig.ringing import HELD_OUT
from tests.rig.speech import espeak, noise
from tests.wake.conftest import Clip
from tests.wake.worker import Listener, feed, frames, running, until, until_hops, wake_threads


def wait_here(detector: OnnxWakeDetector, hops: int) -> None:
    """Wait without letting the loop run: what the worker posts stays on its way."""
    give_up_at = time.monotonic() + 10
    while detector.counters["hops"] < hops:
        assert time.monotonic() < give_up_at
        time.sleep(0.001)


def padded(*parts: Clip) -> Clip:
    """Joined, and cut to whole runs of 40 frames."""
    joined = np.concatenate(parts)
    return joined[: joined.size // 12_800 * 12_800]


@pytest.fixture(scope="module")
def jarvis() -> Clip:
    return padded(noise(2.0, 20.0), espeak("hey jarvis"), noise(2.0, 20.0))


@pytest.fixture
def detector() -> OnnxWakeDetector:
    return OnnxWakeDetector([Word("hey_jarvis", 0.5)])


@pytest.fixture
def listener() -> Listener:
    return Listener()


def test_it_is_what_the_hub_expects(detector: OnnxWakeDetector) -> None:
    """It fits the Protocol, and knows its words before anything is loaded."""
    port: WakeDetector = detector
    assert port.words == ["hey_jarvis"]
    assert port.counters == {"hops": 0, "quiet": 0, "dropped": 0, "gaps": 0, "vetoed": 0}
    assert detector.scores.last == {"hey_jarvis": 0.0}


async def test_a_wake_word_is_posted_on_the_loops_thread(
    detector: OnnxWakeDetector, listener: Listener, jarvis: Clip
) -> None:
    """Found by the worker, told on the thread of the event loop."""
    async with running(detector, listener):
        await feed(detector, jarvis)
        news = await listener.next()
    assert isinstance(news, Detection)
    assert news.word == "hey_jarvis"
    assert news.time == pytest.approx((news.end_sample - FRAME_SAMPLES) / 16_000)
    assert listener.threads == {threading.get_ident()}
    hops = jarvis.size // 1280
    expected = {"hops": hops, "quiet": 0, "dropped": 0, "gaps": 0, "vetoed": 0}
    assert detector.counters == expected
    assert detector.scores.hop_ms_max > 0.0


class WatchedWord(Word):
    """Notes who reads its threshold: whoever loads the networks."""

    readers: ClassVar[set[int]] = set()

    def __getattribute__(self, name: str) -> object:
        if name == "threshold":
            WatchedWord.readers.add(threading.get_ident())
        return super().__getattribute__(name)


class WatchedFrame(Frame):
    """Notes who reads its samples: whoever runs the networks."""

    readers: ClassVar[set[int]] = set()

    def __getattribute__(self, name: str) -> object:
        if name == "pcm":
            WatchedFrame.readers.add(threading.get_ident())
        return super().__getattribute__(name)


async def test_the_networks_never_run_on_the_loops_thread(listener: Listener) -> None:
    """Neither loading them nor hearing with them holds up the loop."""
    detector = OnnxWakeDetector([WatchedWord("hey_jarvis", 0.5)])
    async with running(detector, listener):
        for place in range(0, 40 * FRAME_SAMPLES, FRAME_SAMPLES):
            detector.feed(WatchedFrame(bytes(640), place, 0.0))
        await until_hops(detector, 10)
    assert WatchedWord.readers
    assert WatchedFrame.readers
    assert threading.get_ident() not in WatchedWord.readers | WatchedFrame.readers


async def test_what_we_play_reaches_the_networks_with_its_frame(
    detector: OnnxWakeDetector, listener: Listener, jarvis: Clip
) -> None:
    """The same sound is a wake word while nothing of ours sounds, and vetoed while it is ours."""
    async with running(detector, listener):
        await feed(detector, jarvis, far_end=jarvis)
        assert detector.counters["vetoed"] > 0
        assert listener.news.empty()
        await feed(detector, jarvis, 10 * jarvis.size)
        assert isinstance(await listener.next(), Detection)


async def test_a_frame_and_what_we_play_stay_together(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are dropped: they come and go in pairs."""
    heard: list[tuple[int, bytes | None, bool]] = []

    def hear(
        self: Hearing,
        frame: Frame,
        track: bool,
        far_end: bytes | None,
        *,
        near: bool,
        listen_for_stop: bool,
    ) -> Iterator[WakeNews]:
        heard.append((frame.first_sample, far_end, near))
        return iter(())

    monkeypatch.setattr(Hearing, "hear", hear)
    detector = OnnxWakeDetector([Word("hey_jarvis", 0.5)])
    count = 20 * INBOX_FRAMES

    def ours(place: int) -> bytes | None:
        return None if place % 3 == 0 else place.to_bytes(4, "little") * 160

    async with running(detector, listener):
        for place in range(0, count * FRAME_SAMPLES, FRAME_SAMPLES):
            near = place % 5 == 0
            detector.feed(Frame(bytes(640), place, 0.0), ours(place), near=near)
        # What is left is less than a hop.
        detector.track_speech(True)
        await until(lambda: heard and heard[-1][0] == (count - 1) * FRAME_SAMPLES)
    assert len(heard) + detector.counters["dropped"] == count
    assert all((ours(place), place % 5 == 0) == (far, near) for place, far, near in heard)


async def test_speech_is_posted_while_it_is_tracked(
    detector: OnnxWakeDetector, listener: Listener
) -> None:
    """Switched on from the loop, heard by the worker from the next frame on."""
    clip = padded(noise(1.0, 20.0), espeak("what time is it"), noise(2.0, 20.0))
    async with running(detector, listener):
        await feed(detector, clip)
        assert listener.news.empty()
        detector.track_speech(True)
        await feed(detector, clip, clip.size)
        detector.track_speech(False)
        await feed(detector, clip, 2 * clip.size)
    news = [listener.news.get_nowait() for _ in range(listener.news.qsize())]
    began, ended = (each for each in news if isinstance(each, SpeechChanged))
    judged = [each for each in news if isinstance(each, SpeechJudged)]
    assert (began.speaking, ended.speaking) == (True, False)
    assert clip.size < began.end_sample < ended.end_sample < 2 * clip.size
    assert abs(len(judged) - clip.size // 512) <= 2


async def test_a_stop_is_posted_while_it_is_listened_for(
    detector: OnnxWakeDetector, listener: Listener
) -> None:
    """Switched on from the loop while something rings, heard by the worker; and off again."""
    clip = padded(noise(2.0, 20.0), espeak("stop", HELD_OUT[0]), noise(1.0, 20.0))
    async with running(detector, listener):
        await feed(detector, clip)
        detector.listen_for_stop(True)
        await feed(detector, clip, clip.size)
        detector.listen_for_stop(False)
        await feed(detector, clip, 2 * clip.size)
        await until(listener.news.qsize)
    news = [listener.news.get_nowait() for _ in range(listener.news.qsize())]
    (stop,) = (each for each in news if isinstance(each, StopWord))
    assert clip.size + 32_000 < stop.end_sample <= 2 * clip.size


async def test_a_broken_network_surfaces_before_anything_runs(listener: Listener) -> None:
    """load() raises what is wrong with the configured word; so does run()."""
    detector = OnnxWakeDetector([Word("hey_jarvs", 0.5)])
    with pytest.raises(WakeModelError, match="did you mean 'hey_jarvis'"):
        await detector.load()
    with pytest.raises(WakeModelError, match="did you mean 'hey_jarvis'"):
        await detector.run(listener.post)
    assert wake_threads() == []


async def test_what_the_worker_raises_run_raises(
    detector: OnnxWakeDetector, listener: Listener
) -> None:
    """A thread that dies is never silent: the daemon must not stay up deaf."""
    task = asyncio.create_task(detector.run(listener.post))
    await until(wake_threads)
    detector.track_speech(True)
    detector.feed(Frame(b"odd", 0, 0.0))
    with pytest.raises(ValueError, match="buffer size"):
        await asyncio.wait_for(task, 10)
    assert wake_threads() == []


async def test_too_many_frames_are_dropped_oldest_first_and_counted(
    detector: OnnxWakeDetector, listener: Listener, jarvis: Clip
) -> None:
    """A flood that no worker can swallow: every frame is heard or counted, and it hears on."""
    flood = noise(200.0, 20.0)
    fed = (flood.size + jarvis.size) // FRAME_SAMPLES

    def all_accounted_for() -> bool:
        counters = detector.counters
        cut_short = 3 * (counters["gaps"] + 1)  # a gap costs the frames of an unfinished hop
        return counters["dropped"] + 4 * counters["hops"] + cut_short >= fed

    async with running(detector, listener):
        for frame in frames(flood):
            detector.feed(frame)
        assert detector.counters["dropped"] > 0
        await feed(detector, jarvis, 10 * flood.size)
        news = await listener.next()
        await until(all_accounted_for)
    assert isinstance(news, Detection)
    assert news.end_sample > 10 * flood.size
    counters = detector.counters
    # A hop that begins in a gap ends where it would without it, so it may be one frame long.
    assert counters["dropped"] + 4 * counters["hops"] <= fed + 3 * (counters["gaps"] + 1)
    assert counters["dropped"] <= fed - INBOX_FRAMES
    assert counters["gaps"] >= 1


async def test_a_word_amid_what_a_held_up_loop_hands_over_is_heard(
    detector: OnnxWakeDetector, listener: Listener, jarvis: Clip
) -> None:
    """All that the microphone keeps for it, five seconds, comes at once and leaves no gap."""
    before = noise(3.0)
    kept_samples = 5 * MICROPHONE_RATE_HZ
    rest = noise((kept_samples - jarvis.size) / MICROPHONE_RATE_HZ)
    async with running(detector, listener):
        await feed(detector, before)
        for frame in frames(np.concatenate([jarvis, rest]), before.size):
            detector.feed(frame)
        news = await listener.next()
    assert isinstance(news, Detection)
    assert before.size < news.end_sample <= before.size + jarvis.size + MICROPHONE_RATE_HZ
    assert (detector.counters["dropped"], detector.counters["gaps"]) == (0, 0)


async def test_it_can_run_again_after_it_was_cancelled(
    detector: OnnxWakeDetector, listener: Listener, jarvis: Clip
) -> None:
    """What was fed in between is not heard; the networks are not loaded again."""
    async with running(detector, listener):
        await feed(detector, noise(0.8))
    for frame in frames(noise(4.0)):
        detector.feed(frame)
    assert detector.counters["dropped"] == 0
    async with running(detector, listener):
        await feed(detector, jarvis, 160_000)
        assert isinstance(await listener.next(), Detection)
    assert detector.counters["gaps"] == 1


async def test_what_was_still_waiting_is_not_heard_later(
    detector: OnnxWakeDetector, listener: Listener
) -> None:
    """Frames of before a cancellation are old news when it runs again."""
    async with running(detector, listener):
        for frame in frames(noise(2.0)):
            detector.feed(frame)
    before = detector.counters["hops"]
    async with running(detector, listener):
        await feed(detector, noise(0.8), 160_000)
    assert detector.counters["hops"] == before + 10


async def test_nothing_is_posted_after_the_end(
    detector: OnnxWakeDetector, listener: Listener, jarvis: Clip
) -> None:
    """News that were on their way when run() was cancelled reach nobody."""
    await detector.load()
    task = asyncio.create_task(detector.run(listener.post))
    await until(wake_threads)
    before_the_word = 25_600
    await feed(detector, jarvis[:before_the_word])
    for frame in frames(jarvis[before_the_word:], before_the_word):
        detector.feed(frame)
        wait_here(detector, frame.end_sample // 1280)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert listener.news.empty()


async def test_the_worker_wakes_once_a_hop_and_for_each_frame_while_it_follows_speech(
    detector: OnnxWakeDetector, listener: Listener, heard: list[int]
) -> None:
    """Also after a gap, whose hops lie where they would without it."""
    async with running(detector, listener):
        for wakes in (3, 7, 11):
            await sleeps_until(detector, heard, range(wakes - 3, wakes + 1))
        # Of the end of a hop, and of the next one.
        await sleeps_until(detector, heard, range(22, 24))
        await sleeps_until(detector, heard, range(24, 28))
        detector.track_speech(True)
        for number in range(28, 31):
            await sleeps_until(detector, heard, range(number, number + 1))


async def test_what_is_quiet_wakes_the_worker_seldom_and_counts_as_heard(
    detector: OnnxWakeDetector, listener: Listener, jarvis: Clip
) -> None:
    """Hops of both kinds show that it lives; a word after them is heard as ever."""
    before = noise(7.68, 20.0)
    async with running(detector, listener):
        for number, frame in enumerate(frames(before), 1):
            detector.feed(replace(frame, quiet=number > 1))
            if number % QUIET_FRAMES == 0:
                await until_hops(detector, number // 4 - 1)
        assert detector.counters["quiet"] == detector.counters["hops"] == 95
        assert detector.hears is False
        await feed(detector, jarvis, before.size)
        assert isinstance(await listener.next(), Detection)
        assert detector.hears is True


async def test_through_what_is_quiet_the_worker_sleeps_for_twelve_hops(
    detector: OnnxWakeDetector, listener: Listener, heard: list[int]
) -> None:
    """And has what waits with the first hop that is not."""
    async with running(detector, listener):
        await sleeps_until(detector, heard, range(48), quiet=range(48))
        await sleeps_until(detector, heard, range(48, 60), quiet=range(48, 56))


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the frames that the worker has taken."""
    taken: list[int] = []
    hear = Hearing.hear

    def note(self: Hearing, frame: Frame, track_speech: bool, *_: Any, **__: Any) -> Any:
        taken.append(frame.first_sample // FRAME_SAMPLES)
        return hear(self, frame, track_speech)

    monkeypatch.setattr(Hearing, "hear", note)
    return taken


async def sleeps_until(
    detector: OnnxWakeDetector, heard: list[int], numbers: range, quiet: Container[int] = ()
) -> None:
    """Feed these frames: the worker takes none before the last is there, and then all."""
    before = list(heard)
    for number in numbers:
        assert heard == before
        place = number * FRAME_SAMPLES
        detector.feed(Frame(bytes(640), place, 0.0, quiet=number in quiet))
        if number != numbers[-1]:
            # Long enough for a worker that was woken by mistake; a slow one proves nothing.
            await asyncio.sleep(0.005)
    await until(lambda: heard == [*before, *numbers])
