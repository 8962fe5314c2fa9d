"""`WakeWord` keeps the detector of wake words and speech running; it knows who answers to which."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from device.assistant.settings import Settings
from device.news import Detection, News, Post
from device.ports import WakeDetector


class WakeWord:
    """One detector at a time. Used from the event loop's thread only."""

    def __init__(self, detector: WakeDetector, settings: Settings, post: Post) -> None:
        """`detector` has its networks loaded; what it hears is posted, and who answers to it."""
        self._detector = detector
        self._settings = settings
        self._post = post
        self._tasks: asyncio.TaskGroup | None = None
        self._running: asyncio.Task[None] | None = None
        self._tracking = False
        self._listening_for_stop = False

    @property
    def personas(self) -> Mapping[str, str | None]:
        """Who answers to each word; None: nobody in particular."""
        words = self._settings.now.wake.words
        # A detector has the words of the settings it was made for, in their order.
        return {name: word.persona for name, word in zip(self._detector.words, words, strict=False)}

    def _heard(self, news: News) -> None:
        if isinstance(news, Detection):
            news = replace(news, persona=self.personas.get(news.word) or "")
        self._post(news)

    @property
    def detector(self) -> WakeDetector:
        """The detector in use."""
        return self._detector

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Run the detector as a task of `tasks`."""
        self._tasks = tasks
        self.keep_clips()
        self._running = tasks.create_task(self._detector.run(self._heard), name="wake word")

    def replace(self, detector: WakeDetector) -> None:
        """Listen for other words from now on."""
        detector.track_speech(self._tracking)
        detector.listen_for_stop(self._listening_for_stop)
        self._detector = detector
        self.keep_clips()
        if self._running is not None:
            self._running.cancel()
        if self._tasks is not None:
            self.start(self._tasks)

    def track_speech(self, on: bool) -> None:
        """Say whether speech is to be followed beside the wake words."""
        if on is not self._tracking:
            self._tracking = on
            self._detector.track_speech(on)

    def listen_for_stop(self, on: bool) -> None:
        """Say whether something rings that a "stop" is to end, without a wake word."""
        if on is not self._listening_for_stop:
            self._listening_for_stop = on
            self._detector.listen_for_stop(on)

    def counters(self) -> Mapping[str, int]:
        """Return what the detector in use has counted."""
        return self._detector.counters

    def keep_clips(self) -> None:
        """Let the detector post the clips that the settings in force ask for."""
        self._detector.keep_clips(self._settings.now.wake.keep)

    def as_dict(self) -> dict[str, Any]:
        """Return the words, how long hops take, and the detector's counters for `status`."""
        scores = self._detector.scores
        return {
            "wake_words": list(self._detector.words),
            "wake_personas": dict(self.personas),
            "hop_ms": {"p50": round(scores.hop_ms_p50, 1), "max": round(scores.hop_ms_max, 1)},
            "counters": dict(self.counters()),
        }
