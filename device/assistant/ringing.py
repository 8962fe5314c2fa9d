"""`Ringing` lets timers and alarms be heard, and tells what was missed.

The alarm clock says what rings and when that is over; here it becomes sound. What rings says its
name, or what it reminds of, at every third alarm, by the voice that needs no network.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from device.announcements.announcer import Announcer
from device.assistant.output import Output
from device.assistant.settings import TalkSettings
from device.audio.chimes import ALARM_EVERY_S, ALARM_PAUSE_S
from device.config import Config
from device.news import TimerNews
from device.timers.alarm_clock import AlarmClock

SAID_EVERY = 3
"""Alarms from one that says its words to the next; the second is the first."""
SOFTEST_PERCENT = 20
"""Nobody who turned the speaker down last night wants to sleep on: softer only by `timers.volume`.
"""

Spoken = Callable[[Config, str], bytes | None]


class Ringing:
    """Used from the event loop's thread only."""

    def __init__(
        self,
        alarm_clock: AlarmClock,
        settings: TalkSettings,
        output: Output,
        announcer: Announcer,
        spoken: Spoken,
    ) -> None:
        """`spoken` speaks a text, in a thread of its own; None where there is no voice."""
        self._alarm_clock = alarm_clock
        self._settings = settings
        self._output = output
        self._announcer = announcer
        self._spoken = spoken
        self._tasks: asyncio.TaskGroup | None = None
        self._next: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._alarms = 0
        self._words: dict[int, bytes] = {}
        """What is said of what rings."""
        self._missed: list[TimerNews] = []
        """What was missed, and nobody was told of."""
        self._audible = False
        """Whether the loudspeaker is open."""

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Let things ring in their time, as tasks of `tasks`."""
        self._tasks = tasks
        tasks.create_task(self._alarm_clock.run(), name="timers")

    def follow(self, news: TimerNews) -> None:
        """Begin to ring, ring on or cease, and tell what was missed."""
        if news.what == "missed":
            self._missed.append(news)
            self._tell_missed()
        if news.what == "ringing" and self._tasks is not None and (news.text or news.name):
            self._tasks.create_task(self._prepare(news), name="words of what rings")
        rings = self._alarm_clock.ringing
        self._words = {
            entry.id: self._words[entry.id] for entry in rings if entry.id in self._words
        }
        if not rings:
            self.close()
        elif self._next is None:
            self._since, self._alarms = time.monotonic(), 0
            self._sound()

    def stop(self) -> None:
        """Let nothing ring any more that rings now."""
        self._alarm_clock.silence()

    def audible(self, audible: bool) -> None:
        """Take note whether the loudspeaker is open: what was missed before is told then."""
        self._audible = audible
        self._tell_missed()

    def close(self) -> None:
        """Be silent. Harmless when nothing rings."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
            self._output.speaker.stop_ringing()

    def as_dict(self) -> dict[str, Any]:
        """Return how many there are, what rings, and what is next, for `status`."""
        clock = self._alarm_clock
        due = clock.next_due
        return {
            "set": len(clock.entries),
            "next_due": None if due is None else due.isoformat(timespec="seconds"),
            "ringing": [entry.id for entry in clock.ringing],
            "kept": clock.is_kept,
        }

    def _sound(self) -> None:
        self._alarms += 1
        says = self._alarms % SAID_EVERY == SAID_EVERY - 1
        words = b"".join(self._words.values()) if says else b""
        volume = self._settings.now.timers.volume
        percent = max(self._output.volume, SOFTEST_PERCENT) if volume is None else volume
        rung_s = time.monotonic() - self._since
        sounds_s = self._output.speaker.ring(rung_s, percent, words)
        after_s = max(ALARM_EVERY_S, sounds_s + ALARM_PAUSE_S)
        self._next = asyncio.get_running_loop().call_later(after_s, self._sound)

    async def _prepare(self, news: TimerNews) -> None:
        """Have the words spoken, beside the first alarm."""
        words = await self._speak(news.text or news.name)
        if words and any(entry.id == news.id for entry in self._alarm_clock.ringing):
            self._words[news.id] = words

    def _tell_missed(self) -> None:
        if self._audible and self._missed and self._tasks is not None:
            missed, self._missed = self._missed, []
            self._tasks.create_task(self._tell(missed), name="missed alarms")

    async def _tell(self, missed: list[TimerNews]) -> None:
        told = (f"{news.name or news.text}, {_time_of(news)}".strip(", ") for news in missed)
        words = await self._speak(". ".join(told))
        self._announcer.tell(self._settings.now, "missed", words or b"")

    async def _speak(self, text: str) -> bytes | None:
        return await asyncio.to_thread(self._spoken, self._settings.now, text)


def _time_of(news: TimerNews) -> str:
    """Return when it was due, as a clock shows it; empty where nobody knows."""
    return news.due[11:16] if news.due is not None else ""
