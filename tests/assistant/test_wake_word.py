"""The detector of wake words and speech is kept running, and replaced while everything runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from device.assistant.settings import Settings
from device.assistant.wake_word import WakeWord
from device.config import Config, parse
from device.news import Detection, News
from tests.rig.fakes import FakeDetector, frame, until


class Worker(FakeDetector):
    """Remembers how often it was told whether to follow speech, and whether something rings."""

    def __init__(self, *words: str) -> None:
        super().__init__(*words)
        self.told: list[bool] = []
        self.told_of_ringing: list[bool] = []

    def track_speech(self, on: bool) -> None:
        super().track_speech(on)
        self.told.append(on)

    def listen_for_stop(self, on: bool) -> None:
        super().listen_for_stop(on)
        self.told_of_ringing.append(on)


class Listener:
    """A detector that runs, and what it posts."""

    def __init__(self) -> None:
        self.posted: list[News] = []
        self.detector = Worker()
        self.settings = Settings(Config())
        self.wake_word = WakeWord(self.detector, self.settings, self.posted.append)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                self.wake_word.start(tasks)
                await until(lambda: self.detector.running)
                yield
                raise asyncio.CancelledError


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    async with listener.listening():
        yield listener


async def test_what_the_detector_hears_is_posted(listener: Listener) -> None:
    """It runs beside the microphone, with the hub's own post."""
    listener.detector.hear(640)
    assert isinstance(listener.posted[0], Detection)


async def test_another_detector_takes_over(listener: Listener) -> None:
    """The old one is stopped, the new one posts."""
    old, new = listener.detector, Worker("computer")
    listener.wake_word.replace(new)
    assert listener.wake_word.detector is new
    await until(lambda: new.running and not old.running)
    new.hear(640)
    assert [news.word for news in listener.posted if isinstance(news, Detection)] == ["computer"]


async def test_replaced_before_the_start_the_new_one_runs() -> None:
    """And the old one never does."""
    listener, new = Listener(), Worker("computer")
    old, listener.detector = listener.detector, new
    listener.wake_word.replace(new)
    async with listener.listening():
        assert not old.running


async def test_the_detector_is_told_whether_to_follow_speech_only_when_that_changes(
    listener: Listener,
) -> None:
    """A new one begins with what the old one did, whoever replaces it in the middle of a talk."""
    for on in (False, True, True, False, True):
        listener.wake_word.track_speech(on)
    assert listener.detector.told == [True, False, True]
    new = Worker("computer")
    listener.wake_word.replace(new)
    assert new.tracking
    listener.wake_word.track_speech(True)
    listener.wake_word.track_speech(False)
    assert new.told == [True, False]


async def test_the_detector_is_told_whether_something_rings_only_when_that_changes(
    listener: Listener,
) -> None:
    """A new one that comes while it rings listens for "stop" too."""
    for on in (False, True, True, False, True):
        listener.wake_word.listen_for_stop(on)
    assert listener.detector.told_of_ringing == [True, False, True]
    new = Worker("computer")
    listener.wake_word.replace(new)
    listener.wake_word.listen_for_stop(True)
    listener.wake_word.listen_for_stop(False)
    assert new.told_of_ringing == [True, False]


async def test_the_detector_posts_the_clips_that_the_settings_ask_for(listener: Listener) -> None:
    """Whichever takes over; a change of the settings is told at once."""
    assert listener.detector.keeps == "none"
    listener.settings.replace(parse("wake: {keep: near}", "test.yaml"))
    listener.wake_word.keep_clips()
    kept = [listener.detector.keeps]
    another = FakeDetector("other")
    listener.wake_word.replace(another)
    assert [*kept, another.keeps] == ["near", "near"]


async def test_an_error_of_the_detector_is_not_swallowed() -> None:
    """A deaf speaker ends, and is started again."""
    listener = Listener()

    async def live() -> None:
        async with listener.listening():
            listener.detector.fail(ZeroDivisionError())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await live()
    assert caught.group_contains(ZeroDivisionError)


async def test_who_answers_to_a_word_is_told_with_it(listener: Listener) -> None:
    """As the settings in force have it: other personas need no other networks."""
    worker = Worker("hey_test", "alexa")
    listener.wake_word.replace(worker)
    await until(lambda: worker.running)
    for persona in ("null", "puck", "eve"):
        words = f"[{{model: hey_jarvis}}, {{model: alexa, persona: {persona}}}]"
        config = parse(f"wake: {{words: {words}}}\npersonas: {{puck: , eve: }}", "test.yaml")
        listener.settings.replace(config)
        for word in (0, 1):
            worker.hear(1_280, word)
    told = [(news.word, news.persona) for news in listener.posted if isinstance(news, Detection)]
    of_the_first = ("hey_test", "")
    assert told == [
        *(of_the_first, ("alexa", "")),
        *(of_the_first, ("alexa", "puck")),
        *(of_the_first, ("alexa", "eve")),
    ]
    assert listener.wake_word.as_dict()["wake_personas"] == {"hey_test": None, "alexa": "eve"}


async def test_the_status_names_the_words_and_how_long_a_hop_takes(listener: Listener) -> None:
    """In milliseconds, to a tenth."""
    listener.detector.feed(frame(0))
    assert listener.wake_word.as_dict() == {
        "wake_words": ["hey_test"],
        "wake_personas": {"hey_test": None},
        "hop_ms": {"p50": 7.0, "max": 12.5},
        "counters": {"hops": 1, "quiet": 0, "dropped": 0, "gaps": 0},
    }
