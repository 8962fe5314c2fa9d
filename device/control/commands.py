"""`Commands` answers what can be asked of a running speaker over the control socket."""

from __future__ import annotations

import asyncio
import reprlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from device.assistant.hub import Assistant
from device.assistant.status import Status
from device.config import DEFAULT_PERSONA, describe
from device.config.file import ConfigFile
from device.control import audit, spending, statistics, timers, tools, wakes
from device.control.enclosure import MOST_BYTES, enclosed
from device.control.meter import Meter
from device.control.socket import Command, Record, Records
from device.errors import ConfigError, ControlError, MeasuringError, MutingError, ParleyError
from device.events import EventName, PublicEvent, Subscription
from device.news import Ask, Stop
from device.text import printable

ASK_TEXT_CHARACTERS = 4000
SHOWN_NAME = 40
"""Characters of a persona's name in an error; none has more than 32."""
LASTING = frozenset(
    {"ask", "audit", "measure", "meter", "spending", "stats", "tools", "wakes", "watch"}
)
"""The commands that are not over at once; of `tools`, a call of what a slow server does, of those
that ask the books what a slow disk does."""
ATTACHED = {"ask": MOST_BYTES}
"""What may come with a command beside its line: a picture, with a question."""


class Commands:
    """The commands of one speaker. Used from the event loop's thread only."""

    def __init__(self, assistant: Assistant, reload: Callable[[], Any], file: ConfigFile) -> None:
        """`reload` is an async function that reads the configuration again and applies it."""
        self._assistant = assistant
        self._reload = reload
        self._file = file
        self._state = Status(assistant, file)

    def table(self) -> Mapping[str, Command]:
        """Every command by its name."""
        return {
            "ask": self._ask,
            "audit": self._audit,
            "config": self._config,
            "measure": self._measure,
            "meter": self._meter,
            "mute": self._mute,
            "reload": self._reload_config,
            "spending": self._spending,
            "stats": self._stats,
            "status": self._status,
            "stop": self._stop,
            "timers": self._timers,
            "tools": self._tools,
            "unmute": self._unmute,
            "volume": self._volume,
            "wakes": self._wakes,
            "watch": self._watch,
        }

    async def _status(self, _: Record) -> Records:
        yield {"result": self._state.as_dict()}

    async def _audit(self, request: Record) -> Records:
        hub = self._assistant
        yield {"result": await audit.answer(hub.audit, hub.settings.now, request)}

    async def _stats(self, request: Record) -> Records:
        yield {"result": await statistics.answer(self._assistant.statistics, request)}

    async def _spending(self, request: Record) -> Records:
        yield {"result": await spending.answer(self._assistant.spending, request)}

    async def _config(self, _: Record) -> Records:
        """Every setting in force, as YAML, and where it comes from."""
        settings = describe(self._assistant.settings.now)
        yield {"result": {**self._file.as_dict(), "settings": settings}}

    async def _mute(self, _: Record) -> Records:
        try:
            await self._assistant.mute.mute()
        except MutingError as error:
            raise ControlError(str(error)) from error
        yield {"result": {"muted": True}}

    async def _unmute(self, _: Record) -> Records:
        try:
            await self._assistant.mute.unmute()
        except MutingError as error:
            raise ControlError(str(error)) from error
        yield {"result": {"muted": False}}

    async def _stop(self, _: Record) -> Records:
        self._assistant.post(Stop())
        yield {"result": {"state": self._assistant.talk.state.label}}

    async def _timers(self, request: Record) -> Records:
        yield {"result": await timers.answer(self._assistant.alarm_clock, request)}

    async def _tools(self, request: Record) -> Records:
        """List the model's functions, or call one by hand; takes as long as that does."""
        hub = self._assistant
        yield {"result": await tools.answer(hub.functions, hub.house, request)}

    async def _wakes(self, request: Record) -> Records:
        """List, label, play or clear clips of wakes, or tell what they speak for."""
        yield {"result": await wakes.answer(self._assistant, request)}

    async def _measure(self, _: Record) -> Records:
        """Say something and tell what came back of it; takes ten seconds."""
        hub = self._assistant
        try:
            await hub.measurement.measure()
        except MeasuringError as error:
            raise ControlError(str(error)) from error
        figures = hub.echo.as_dict()
        yield {"result": {"duplex": figures["duplex"], "echo": figures["echo"]}}

    async def _meter(self, _: Record) -> Records:
        """Tell ten times a second what the microphone hears, until the client goes away."""
        source, wake_word = self._assistant.input, self._assistant.wake_word
        meter = Meter(lambda: source.microphone, lambda: wake_word.detector)
        async with aclosing(meter.readings()) as readings:
            async for reading in readings:
                yield {**reading, "muted": not source.open}

    async def _volume(self, request: Record) -> Records:
        percent = request.get("percent")
        if percent is not None:
            if type(percent) is not int or not 0 <= percent <= 100:
                given = reprlib.repr(percent)
                raise ControlError(f"volume {given} is not a whole number from 0 to 100")
            self._assistant.set_volume(percent)
        yield {"result": {"volume": self._assistant.output.volume}}

    async def _reload_config(self, _: Record) -> Records:
        try:
            changed = await self._reload()
        except ConfigError as error:
            raise ControlError("\n".join(error.lines())) from error
        except ParleyError as error:
            raise ControlError(str(error)) from error
        yield {"result": {"changed": sorted(changed)}}

    async def _watch(self, _: Record) -> Records:
        async with aclosing(self._events()) as events:
            async for event in events:
                yield event.as_record()

    async def _ask(self, request: Record) -> Records:
        """Yield the transcript as it comes; the result when the answer has been heard."""
        text = request.get("text")
        if not isinstance(text, str) or not text.strip():
            raise ControlError("there is nothing to ask: give a text")
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise ControlError("the text has half a character (a lone surrogate): send all of it")
        if len(text) > ASK_TEXT_CHARACTERS:
            raise ControlError(
                f"the text has {len(text)} characters; at most {ASK_TEXT_CHARACTERS} can be asked"
            )
        attached = request.get("attached")
        picture = enclosed(attached) if isinstance(attached, bytes) else None
        question = Ask(text.strip(), picture, persona=self._persona(request.get("as")))
        if refusal := self._assistant.spending.refusal:
            # Told aloud as well: it is as if somebody had called.
            self._assistant.post(question)
            raise ControlError(refusal)
        answer = _Answer(self._assistant.talk.now.turn)

        def ask() -> None:
            self._assistant.post(question)
            answer.persona = self._assistant.talk.now.persona or None

        asked = self._events(first=ask)
        async with aclosing(asked) as events:
            async for event in events:
                if event.event == "transcript" and event.fields["who"] == "model":
                    yield event.as_record()
                if answer.is_over(event):
                    break
        if answer.failure:
            raise ControlError(answer.failure)
        yield {"result": {"state": self._assistant.talk.state.label}}

    def _persona(self, name: object) -> str | None:
        """Return who is asked; None: whoever talks. Raises ControlError for a name nobody has."""
        known = [*self._assistant.settings.now.personas, DEFAULT_PERSONA]
        if name is None or name in known:
            return "" if name == DEFAULT_PERSONA else name
        shown = printable(name, SHOWN_NAME) if isinstance(name, str) else reprlib.repr(name)
        raise ControlError(f"there is no persona {shown!r}; there are: {', '.join(known)}")

    async def _events(
        self, first: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[PublicEvent, None]:
        """Every event from now on; `first` is called once nothing can be missed any more."""
        news = asyncio.Event()
        with self._assistant.bus.subscribe(news.set) as subscription:
            first()
            while True:
                news.clear()
                for event in _taken(subscription):
                    yield event
                await news.wait()


def _taken(subscription: Subscription) -> list[PublicEvent]:
    """What waits to be read; a reader that was too slow is told how much it lost."""
    events = []
    if subscription.lost:
        events.append(PublicEvent(EventName.LOST, time.monotonic(), {"events": subscription.lost}))
        subscription.lost = 0
    while (event := subscription.take()) is not None:
        events.append(event)
    return events


class _Answer:
    """Follows the events of one typed question until its answer is over."""

    def __init__(self, turn: int) -> None:
        """`turn`: the newest before the question; its end is not that of the answer."""
        self._before = turn
        self._heard = False
        self.persona: str | None = None
        """Who was asked; None: nobody in particular."""
        self.failure = ""

    @property
    def _asked(self) -> str:
        return self.persona or DEFAULT_PERSONA

    def is_over(self, event: PublicEvent) -> bool:
        """Tell whether this event ends the answer; `failure` then says what went wrong."""
        match event.event, event.fields:
            case "unheard", {"what": "told", "why": why}:
                told = str(why).replace("_", " ")
                self.failure = f"the answer could not be heard ({told}), though it was asked again"
                return True
            case "session", {"what": "failed", "reason": reason}:
                self.failure = str(reason)
                return True
            case "session", {"what": "opening"} if event.fields.get("persona") != self.persona:
                # What is said from now on answers another question.
                if not self._heard:
                    whose = event.fields.get("persona")
                    called = f"{whose or DEFAULT_PERSONA} was called before {self._asked} answered"
                    self.failure = f"no answer came: {called}"
                return True
            case "reply", {"what": "first_sound", "turn": turn} if turn > self._before:
                self._heard = True
            case "reply", {"what": "drained", "turn": turn} if turn > self._before:
                return True
            case "state", {"from": "speaking", "to": to} if to not in {"thinking", "connecting"}:
                return True
            case "state", {"to": "idle" | "muted" | "fault" as to}:
                self.failure = f"no answer came ({to}: {event.fields['reason']})"
                return True
        return False
