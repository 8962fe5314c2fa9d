"""A house that talks with its speaker for weeks: events as they come, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from random import Random

from device import news as n
from device.events import EventName, PublicEvent, reply, session, unheard
from tests.assistant.test_statistics import Speaker

HOURS = (*range(6, 9), *range(12, 14), *range(17, 23))
"""When somebody is at home and awake."""
DAY_S = 86_400


class House:
    """Talks by chance, and counts by itself what they come to."""

    def __init__(self, speaker: Speaker, seed: int = 1) -> None:
        self.speaker = speaker
        self.sums: Counter[str] = Counter()
        self.answers_ms: list[float] = []
        self.days: list[int] = []
        """Talks of each."""
        self._chance = Random(seed)
        self._turn = 0

    async def lives(self, days: int, talks: int, evening: Callable[[], Awaitable[None]]) -> None:
        """Let days pass, from midnight on, with so many talks each."""
        for _ in range(days):
            begin = self.speaker.wall
            times = sorted(
                3_600 * self._chance.choice(HOURS) + self._chance.randrange(3_500)
                for _ in range(talks)
            )
            for at in times:
                self._passes(begin + at - self.speaker.wall)
                self._talk()
            self._passes(begin + DAY_S - self.speaker.wall)
            self.days.append(talks)
            await evening()

    def _passes(self, seconds: float) -> None:
        """Let time pass in steps of ten minutes at most, as somebody is awake all the time."""
        while seconds > 0:
            step = min(seconds, 600.0)
            self.speaker.passes(step)
            seconds -= step

    def _talk(self) -> None:
        for event in self._events():
            self.speaker.happens(event)

    def _events(self) -> Iterator[PublicEvent]:
        """What a talk of one to three questions tells."""
        chance, sums = self._chance, self.sums
        now = self.speaker.steady

        def state(before: str, after: str, at: float, reason: str = "") -> PublicEvent:
            return PublicEvent(EventName.STATE, at, {"from": before, "to": after, "reason": reason})

        sums["talks"] += 1
        sums["wakes"] += 1
        yield PublicEvent(EventName.WAKE, now, {"word": "hey_jarvis", "score": 0.9})
        yield state("idle", "connecting", now, "wake word")
        yield session("opened", now + 0.4, latency_ms=400.0, model="m")
        yield state("connecting", "listening", now + 0.4)
        at = now + 0.4
        if chance.random() < 0.05:
            sums["false_starts"] += 1
            yield state("listening", "idle", at + 6)
            sums["talk_ms"] += 6_400
            return
        for _ in range(chance.randint(1, 3)):
            self._turn += 1
            waits_ms = chance.lognormvariate(6.8, 0.4)
            ended, heard = at + 2, at + 2 + waits_ms / 1000
            yield PublicEvent(EventName.TRANSCRIPT, at, {"who": "user", "text": "q", "final": True})
            latency = self.speaker.latency
            latency.note(n.SpeechChanged(False, 0, ended))
            yield PublicEvent(EventName.ACTIVITY, ended, {"what": "ended"})
            latency.note(n.ReplyAudio(1, self._turn, b"", heard - 0.05))
            latency.note(n.FirstSound(self._turn, heard))
            yield reply("first_sound", self._turn, 0, heard)
            latency.note(n.PlaybackDrained(self._turn, 3_000, heard + 3))
            yield reply("drained", self._turn, 3_000, heard + 3)
            fields = {"turn": self._turn, "prompt": 900, "response": 75, "total": 975}
            cost = {"cost": 0.0025, "currency": "USD"}
            yield PublicEvent(EventName.USAGE, heard + 3, {**fields, **cost})
            self.speaker.statistics.sent(100)
            self.answers_ms.append(waits_ms)
            sums["answers"] += 1
            sums["down_ms"] += 3_000
            sums["up_frames"] += 100
            sums["tokens"] += 975
            at = heard + 3
        if chance.random() < 0.02:
            sums["unheard"] += 1
            yield unheard("silent", "told", at)
        yield state("listening", "idle", at)
        sums["talk_ms"] += round(1000 * (at - now))
