"""`ModelFunctions` gives the model what the owner allows it, in an open talk only."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from device.assistant.books import Books
from device.assistant.house import House
from device.assistant.output import Output
from device.assistant.pictures import Pictures
from device.assistant.settings import Settings, TalkSettings
from device.assistant.talk import Talk
from device.config import as_persona, may_use
from device.conversation.states import RESTING
from device.faults import Faults
from device.news import Ask, Leaving, Post, ReplyAudio, Transcript
from device.ports import PICTURE, Declaration
from device.text import printable
from device.timers.alarm_clock import AlarmClock
from device.timers.answers import ANSWERS
from device.tools import camera, device, mcp, timers
from device.tools.confirmation import Confirmations
from device.tools.registry import Function, Registry

log = logging.getLogger(__name__)

_NOT_ANY_MORE = "the owner has switched the camera off meanwhile: say that you cannot look"

SHOWN_CHARACTERS = 200
"""Of a call's arguments, in the journal."""


class OwnDevice:
    """A :class:`device.tools.device.Device` that is this speaker."""

    def __init__(
        self,
        output: Output,
        books: Books,
        faults: Faults,
        set_volume: Callable[[int], None],
        post: Post,
    ) -> None:
        """`set_volume` also shows it on the lights."""
        self._output = output
        self._books = books
        self._faults = faults
        self._set_volume = set_volume
        self._post = post

    @property
    def volume(self) -> int:
        """How loud it is, 0..100."""
        return self._output.volume

    def set_volume(self, percent: int) -> None:
        """Be so loud from now on; more or less is as much as there is."""
        self._set_volume(percent)

    def called_by_hand(self, name: str) -> Callable[[str], None]:
        """Put on record that the owner calls a function; what is returned takes its outcome."""
        return self._books.called_by_hand(name)

    def leave(self, *, mutes: bool) -> None:
        """End the talk, or mute, when what is being said has been heard."""
        self._post(Leaving(mutes))

    async def report(self) -> Mapping[str, Any]:
        """Return how it stands, in words and numbers for a person."""
        faults = [fault.message for fault in self._faults.active]
        return {
            "wrong": faults or "nothing",
            "volume_percent": self.volume,
            **await self._books.today(),
        }


class ModelFunctions:
    """A :class:`device.ports.Functions` as the configuration in force wants it."""

    def __init__(
        self,
        settings: Settings,
        talk: Talk,
        own: OwnDevice,
        alarm_clock: AlarmClock,
        house: House,
        pictures: Pictures,
    ) -> None:
        self._settings = settings
        self._talk = talk
        self._own = own
        self._pictures = pictures
        self._alarm_clock = alarm_clock
        self._house = house
        spoken = TalkSettings(settings, talk)
        self._confirmations = Confirmations(lambda: spoken.now.live.language)
        self._persona = ""

    def of(self, persona: str) -> ModelFunctions:
        """Return what this persona may call, in its own talks only.

        Whoever talks, there is one question that waits for a yes: it is shared.
        """
        its = copy.copy(self)
        its._persona = persona
        return its

    def by_source(self, confirmations: Confirmations | None) -> Mapping[str, Sequence[Function]]:
        """Return every function by where it comes from: `device`, `timers`, `camera`, a server.

        Without `confirmations` nobody is asked before something is done.
        """
        tools = as_persona(self._settings.now, self._persona).tools
        found: dict[str, Sequence[Function]] = {}
        if tools.device:
            found["device"] = device.functions(self._own)
        if tools.timers:
            found["timers"] = timers.functions(self._ask_timers, self._take_back)
        if tools.camera != "off" and self._pictures.on:
            found["camera"] = camera.functions(self._pictures)
        offered = [tool for tool in self._house.tools if self._may_use(tool.server)]
        for server in dict.fromkeys(tool.server for tool in offered):
            own = [tool for tool in offered if tool.server == server]
            found[server] = mcp.functions(own, self._house.call, confirmations)
        return found

    def _may_use(self, source: str) -> bool:
        return may_use(self._settings.now, self._persona, source)

    def _registry(self, confirmations: Confirmations | None) -> Registry:
        sources = self.by_source(confirmations).values()
        return Registry([function for functions in sources for function in functions])

    async def _ask_timers(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return await ANSWERS[name](self._alarm_clock, arguments)

    def _take_back(self, answer: Mapping[str, Any]) -> None:
        self._alarm_clock.take_back(answer["set"]["id"])

    @property
    def declared(self) -> Sequence[Declaration]:
        """Every function that can be called now."""
        return self._registry(self._confirmations).declared

    @property
    def abilities(self) -> Sequence[str]:
        """What can be done with them, as verbs."""
        return self._registry(self._confirmations).abilities

    @property
    def facts(self) -> str:
        """What the model is told of the house."""
        names = {each.name for each in self._house.standings}
        return self._house.facts_of({name for name in names if self._may_use(name)})

    def overhear(self, news: ReplyAudio | Ask | Transcript) -> None:
        """Take a piece of the talk: it may be the yes that a call waits for, or its question."""
        match news:
            case ReplyAudio():
                self._confirmations.aloud()
            case Ask(text=text):
                self._confirmations.typed(text)
            case Transcript(who="user", text=text, final=False):
                self._confirmations.said(text)

    def talk_over(self) -> None:
        """Forget what was asked in it."""
        self._confirmations.forget()

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a function does, if somebody is talking to the speaker."""
        now = self._talk.now
        if now.state in RESTING or now.persona != self._persona:
            return {"error": "nobody is talking to this speaker now: do nothing"}
        self._tell(name, arguments)
        registry = self._registry(self._confirmations)
        tool = self._house.remembered(name)
        if name not in registry and tool is not None and self._may_use(tool.server):
            # It was declared when the talk began, and is not any more.
            registry = Registry(mcp.functions([tool], self._house.call, self._confirmations))
        answer = await registry.run(name, arguments)
        if PICTURE in answer and name not in self._registry(self._confirmations):
            return {"error": _NOT_ANY_MORE}
        return answer

    async def run_by_hand(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a function does because the owner says so: no talk is needed, nobody is asked."""
        log.info("tool %s called by hand", printable(name, SHOWN_CHARACTERS))
        self._tell(name, arguments)
        ended = self._own.called_by_hand(name)
        answer = await self._registry(None).run(name, arguments)
        ended("failed" if "error" in answer else "answered")
        if PICTURE in answer:
            # Whoever calls by hand is shown no picture, and nor is the model.
            told = {**answer["output"], "picture": "it was taken, and sent to nobody"}
            return {"output": told}
        return answer

    def _tell(self, name: str, arguments: Mapping[str, Any]) -> None:
        if self._settings.now.privacy.log_transcripts:
            told = printable(json.dumps(arguments, default=str), SHOWN_CHARACTERS)
            log.info("%s is called with %s", printable(name, SHOWN_CHARACTERS), told)

    def undo(self, name: str, answer: Mapping[str, Any]) -> None:
        """Take back what was answered so, where that can be."""
        self._registry(None).undo(name, answer)
