"""A speaker that is asked one question of a server on a bad day, and what comes of it.

All but microphone, wake word and card is the product: hub, session over TLS, loudspeaker. So many
of them can be asked at a time, in every state, each in a second or two.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import yaml

from device import news as n
from device.assistant.parts import Parts
from device.audio.loudspeaker import Loudspeaker
from device.config import Config
from device.frames import (
    FRAME_MS,
    FRAME_SAMPLES,
    MICROPHONE_RATE_HZ,
    REPLY_RATE_HZ,
    Frame,
)
from device.live.departures import Sent
from device.live.resumption import Past
from device.live.session import LiveSession
from device.ports import Functions
from device.simulator.certificate import Certificate, make_certificate
from device.simulator.live_server import LiveServer
from device.simulator.refusals import ACCESS_DENIED, QUOTA, Refusal
from device.simulator.script import Script
from device.simulator.sound_card import SimulatedCard
from device.simulator.turns import Turn
from tests.rig.fakes import Hub
from tests.rig.no_answers import (
    DEAD_LINE,
    EMPTY,
    ENDLESS,
    LATE_SOUND,
    NOTHING,
    REJECTED,
    REJECTED_ODDLY,
    STUCK,
    TEXT_ONLY,
    UNSAID,
)

Where = Literal["new", "kept", "over"]
"""Where it is asked: at rest, in the follow-up window of a talk, over a reply."""
Way = Literal["voice", "held", "typed"]

WHERES: tuple[Where, ...] = ("new", "kept", "over")
WAYS: tuple[Way, ...] = ("voice", "held", "typed")
MODELS = ("gemini-3.1-flash-live-preview", "gemini-3.8-live")
ALWAYS = 99

GOOD = Turn(heard="weather", says="It is sunny.", audio=600, pace="burst")
PATIENCE_S = 9.0
"""How long the speaker waits for an answer in all."""
GIVES_UP_S = 60.0
VOICE_MS = 700
AUDIBLE = 150
"""Peak of a sample of the card that can be heard."""


@dataclass(frozen=True)
class Day:
    """A kind of bad day."""

    name: str
    turns: tuple[Turn, ...] = ()
    """What comes in place of the answer, each as often as it says."""
    instead: Turn | None = None
    """What the answer itself is; None: a good one."""
    script: dict[str, Any] = field(default_factory=dict)
    ends: Literal["answered", "told"] = "answered"
    requests: int = 3
    """At most so many for the question."""
    completes: bool = True
    """Whether ``turnComplete`` follows the interruption of the reply before."""


def no_answer(name: str, turn: Turn) -> list[Day]:
    return [
        Day(f"{name}, once", (turn,)),
        Day(f"{name}, always", (replace(turn, times=ALWAYS),), ends="told"),
    ]


DAYS = (
    *(Day("a good answer", requests=1), *no_answer("1 empty", EMPTY)),
    *no_answer("2 text only", TEXT_ONLY),
    *no_answer("3 rejected", REJECTED),
    *no_answer("3 rejected, oddly", REJECTED_ODDLY),
    *no_answer("4 dead line", DEAD_LINE),
    Day("4 late sound", instead=LATE_SOUND, requests=1),
    *no_answer("5 nothing", NOTHING),
    *no_answer("5 unsaid", UNSAID),
    Day("6 never turnComplete", instead=replace(ENDLESS, audio=600), requests=1),
    Day(
        "7 no end of the turn before",
        instead=replace(GOOD, heard_at="around"),
        requests=1,
        completes=False,
    ),
    Day("8 a field refused", script={"refusals": (Refusal(field="voice"),)}, requests=1),
    Day(
        "9 search refused",
        script={"refusals": (Refusal(code=1011, reason=QUOTA, field="search"),)},
        requests=1,
    ),
    Day(
        "10 project denied",
        script={"refusals": (Refusal(code=1008, reason=ACCESS_DENIED),)},
        ends="told",
        requests=0,
    ),
    Day("16 stuck on a tone", (STUCK,)),
    Day(
        "19 odd messages",
        instead=replace(GOOD, chunk_ms=(300, 5), repeats="fragments"),
        script={"empty_every": 4},
        requests=1,
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What came of a question. Seconds since its end."""

    ended: str
    """``answered``, ``told``, or ``silence``."""
    after_s: float
    """Until the answer's first sound, or until it was told."""
    sound_s: float
    """Until anything at all was heard."""
    requests: int
    unheard: tuple[str, ...]


class TalkingHub(Hub):
    """An assistant with real sessions, and a real loudspeaker on a simulated card."""

    def __init__(self, config: str) -> None:
        self.card = SimulatedCard()
        self._loudspeaker = Loudspeaker(self.card, volume=100)
        self._sample = 0
        self._voice = asyncio.Queue[bytes]()
        super().__init__(config)

    def parts(self) -> Parts:
        return replace(super().parts(), speaker=lambda _: self._loudspeaker, session=self._live)

    def _live(
        self,
        config: Config,
        number: int,
        past: Past,
        post: n.Post,
        on_sent: Sent,
        functions: Functions,
    ) -> LiveSession:
        patience_s = config.conversation.reply_timeout_s
        return LiveSession(
            config.live,
            "AIzaTheKeyOfThisTestIsNobodysBusiness01",
            number=number,
            post=post,
            past=past,
            on_sent=on_sent,
            patience_s=patience_s,
            place=config.place,
            functions=functions,
        )

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Run, with a microphone that delivers in real time."""
        async with self.running(hearing=False):
            ticking = asyncio.create_task(self._tick())
            try:
                await _until(lambda: self.state == "idle")
                yield
            finally:
                ticking.cancel()
                await asyncio.wait([ticking])

    async def _tick(self) -> None:
        began, count = time.monotonic(), 0
        noise = np.random.default_rng(1)
        while True:
            due = began + count * FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            count += 1
            pcm = noise.integers(-3, 4, FRAME_SAMPLES).astype("<i2").tobytes()
            if not self._voice.empty():
                pcm = self._voice.get_nowait()
            self.microphone.put(Frame(pcm, self._sample, time.monotonic()))
            self._sample += FRAME_SAMPLES

    def wake(self) -> None:  # type: ignore[override] # nothing opens at once here
        self.detector.hear(self._sample)

    async def speak(self) -> None:
        """Say something; returns when its last frame is out."""
        self._speech(speaking=True)
        loud = np.random.default_rng(2)
        for _ in range(VOICE_MS // FRAME_MS):
            pcm = loud.integers(-6_000, 6_000, FRAME_SAMPLES).astype("<i2").tobytes()
            self._voice.put_nowait(pcm)
        end = self._sample + VOICE_MS * MICROPHONE_RATE_HZ // 1000
        await _until(lambda: self._sample >= end)

    async def stop_speaking(self) -> None:
        """Take note that they have finished, as it is noticed a little later."""
        noticed = self._sample + 300 * MICROPHONE_RATE_HZ // 1000
        await _until(lambda: self._sample >= noticed)
        self._speech(speaking=False)

    def _speech(self, *, speaking: bool) -> None:
        self.assistant.post(n.SpeechChanged(speaking, self._sample, time.monotonic()))

    def heard_since(self, sample: int) -> bool:
        """Tell whether the card was given something audible from this sample on."""
        return bool(np.any(np.abs(self.card.heard[sample:].astype(np.int32)) > AUDIBLE))

    def heard_after(self, at: float) -> float | None:
        """Return when the card was first given something audible from then on."""
        since = max(0, round((at - self.card.time_of(0)) * REPLY_RATE_HZ))
        heard = np.flatnonzero(np.abs(self.card.heard[since:].astype(np.int32)) > AUDIBLE)
        return self.card.time_of(since + int(heard[0])) if len(heard) else None


def script_of(day: Day, where: Where) -> Script:
    """Return a script in which each question gets the next thing to come, whatever was lost."""
    before = {
        "new": (),
        "kept": (replace(GOOD, audio=300),),
        "over": (replace(GOOD, audio=30_000, interruption_completes=day.completes),),
    }[where]
    answer = replace(day.instead or GOOD, first=(*before, *day.turns), first_over="all")
    return Script(turns=(answer,), silence_ms=300, loop=False, **day.script)


def config_of(server: str, model: str, day: Day) -> str:
    live: dict[str, Any] = {
        "model": model,
        "endpoint": server,
        "fallback_models": [],
        "voice": "Kore",
    }
    if "search" in day.name:
        live["google_search"] = True
    audio = {"echo_cancellation": "off", "duplex": "full"}
    talk = {"reply_timeout_s": PATIENCE_S, "follow_up_s": 20}
    return yaml.safe_dump({"live": live, "audio": audio, "conversation": talk})


async def ask(
    day: Day, where: Where, model: str, way: Way, certificate: Certificate, directory: Path
) -> Outcome:
    """Bring the speaker into a state, ask it, and wait for what comes of it."""
    script = script_of(day, where)
    async with LiveServer(script, directory=directory, certificate=certificate) as server:
        hub = TalkingHub(config_of(server.url, model, day))
        async with hub.listening():
            await _come_to(hub, where)
            before, asked_before = len(hub.events), len(server.questions)
            asked = len(hub.card.heard)
            end = await _question(hub, where, way)
            found = await _outcome(hub, before, end, (asked, len(hub.card.heard)))
            requests = len(server.questions) - asked_before
            sound = hub.heard_after(end)
            told = tuple(str(e.fields["what"]) for e in hub.told("unheard"))
            return replace(
                found,
                requests=requests,
                unheard=told,
                sound_s=(sound or end) - end,
            )


async def _come_to(hub: TalkingHub, where: Where) -> None:
    if where == "new":
        return
    hub.wake()
    await _until(lambda: hub.state == "listening")
    await hub.speak()
    await hub.stop_speaking()
    what = "drained" if where == "kept" else "first_sound"
    await _until(lambda: hub.told("reply", what=what))


async def _question(hub: TalkingHub, where: Where, way: Way) -> float:
    post = hub.assistant.post
    if way == "typed":
        post(n.Ask("What is the weather?"))
        return time.monotonic()
    if way == "held":
        post(n.Pressed("hold", time.monotonic()))
        post(n.Hold())
        await hub.speak()
        await hub.stop_speaking()
        end = time.monotonic()
        post(n.Release(heard=True))
        return end
    if where == "new":
        hub.wake()
    if where == "over":
        post(n.BargedIn(hub.detector.fed[-1].first_sample, time.monotonic()))
    await hub.speak()
    end = time.monotonic()
    await hub.stop_speaking()
    return end


async def _outcome(hub: TalkingHub, before: int, end: float, marks: tuple[int, int]) -> Outcome:
    """Wait until an answer was heard to its end, a fault was told, or it is at rest again.

    ``marks``: what the card had taken before the question, and at its end.
    """

    def found() -> tuple[str, float] | None:
        first: dict[int, float] = {}
        for event in hub.events[before:]:
            match event.event, event.fields:
                case "reply", {"what": "first_sound", "turn": turn}:
                    first[turn] = event.time
                case "reply", {"what": "drained", "turn": turn} if turn in first:
                    return "answered", first[turn]
                case "fault", {"cleared": False}:
                    return "told", event.time
                case "state", {"to": "idle"}:
                    return "silence", event.time
        return None

    try:
        await _until(lambda: found() is not None)
        ended, at = found() or ("silence", end)
        if ended == "told":
            # By what the card took: one that catches up stamps what it plays late as in time.
            since = marks[0] if at < end else marks[1]
            await _until(lambda: hub.heard_since(since), every_s=0.2)
    except TimeoutError:
        told = " ".join(str(event.as_record()) for event in hub.events[before:])
        return Outcome(f"nothing was heard: {hub.state}; {told}", GIVES_UP_S, 0.0, 0, ())
    return Outcome(ended, at - end, 0.0, 0, ())


async def _until(condition: Callable[[], object], every_s: float = 0.01) -> None:
    async with asyncio.timeout(GIVES_UP_S):
        while not condition():  # noqa: ASYNC110 - not all that is waited for is an event
            await asyncio.sleep(every_s)


Case = tuple[Day, Where, str, Way]


def cases() -> list[Case]:
    """Return every day in every state, of each model, in each way that it can be asked."""
    return [
        (day, where, model, way)
        for day in DAYS
        for where in WHERES
        for model in MODELS
        for way in WAYS
        if day.requests or where == "new"
    ]


def wanted(case: Case, outcome: Outcome) -> bool:
    """Tell whether this may come of it.

    Live API: 3.8 may choose not to answer what it has heard, or what was said after a reply. And of
    whom nothing was told, after a reply, nobody knows whether the server has heard anybody speak:
    it may have been a television, so that is asked again, and told nobody.
    """
    day, where, model, way = case
    soon = {"answered": outcome.ended == "answered", "told": outcome.ended == "told"}[day.ends]
    may_choose = model == "gemini-3.8-live" and way == "voice"
    chosen = may_choose and (day.name.startswith("5 unsaid") or where == "kept") and day.turns
    unheard = way == "voice" and where == "kept" and day.name == "5 nothing, always"
    silent = (chosen or unheard) and outcome.ended == "silence"
    return bool(soon or silent) and outcome.requests <= day.requests


async def ask_all(chosen: Sequence[Case], directory: Path, at_a_time: int) -> list[Outcome]:
    """Ask in each of these cases, so many at a time."""
    certificate = make_certificate(directory)
    free = asyncio.Semaphore(at_a_time)

    async def one(number: int, case: Case) -> Outcome:
        day, where, model, way = case
        own = directory / str(number)
        own.mkdir()
        async with free:
            return await ask(day, where, model, way, certificate, own)

    with trusting(certificate):
        return await asyncio.gather(*(one(*each) for each in enumerate(chosen)))


@contextmanager
def trusting(certificate: Certificate) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", os.fspath(certificate.certificate))
        yield
