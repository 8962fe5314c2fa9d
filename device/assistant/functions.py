"""`ModelFunctions` gives the model what the owner allows it, in an open talk only."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from device.assistant.output import Output
from device.assistant.sessions import Sessions
from device.assistant.settings import Settings
from device.assistant.talk import Talk
from device.conversation.states import RESTING
from device.faults import Faults
from device.news import Leaving, Post
from device.ports import Declaration
from device.text import printable
from device.timers.alarm_clock import AlarmClock
from device.timers.answers import ANSWERS
from device.tools import device, timers
from device.tools.registry import Registry

log = logging.getLogger(__name__)

SHOWN_CHARACTERS = 200
"""Of a call's arguments, in the journal."""


class OwnDevice:
    """A :class:`device.tools.device.Device` that is this speaker."""

    def __init__(
        self,
        output: Output,
        sessions: Sessions,
        faults: Faults,
        set_volume: Callable[[int], None],
        post: Post,
    ) -> None:
        """`set_volume` also shows it on the lights."""
        self._output = output
        self._sessions = sessions
        self._faults = faults
        self._set_volume = set_volume
        self._post = post
        self._began = time.time()

    @property
    def volume(self) -> int:
        """How loud it is, 0..100."""
        return self._output.volume

    def set_volume(self, percent: int) -> None:
        """Be so loud from now on; more or less is as much as there is."""
        self._set_volume(percent)

    def leave(self, *, mutes: bool) -> None:
        """End the talk, or mute, when what is being said has been heard."""
        self._post(Leaving(mutes))

    def report(self) -> Mapping[str, Any]:
        """Return how it stands, in words and numbers for a person."""
        faults = [fault.message for fault in self._faults.active]
        return {
            "wrong": faults or "nothing",
            "volume_percent": self.volume,
            "sound_sent_s": round(self._sessions.sent_s, 1),
            "sent_since": time.strftime("%Y-%m-%d %H:%M", time.localtime(self._began)),
        }


class ModelFunctions:
    """A :class:`device.ports.Functions` as the configuration in force wants it."""

    def __init__(
        self, settings: Settings, talk: Talk, own: OwnDevice, alarm_clock: AlarmClock
    ) -> None:
        self._settings = settings
        self._talk = talk
        self._own = own
        self._alarm_clock = alarm_clock

    @property
    def _registry(self) -> Registry:
        tools = self._settings.now.tools
        return Registry(
            [
                *(device.functions(self._own) if tools.device else ()),
                *(timers.functions(self._ask_timers, self._take_back) if tools.timers else ()),
            ]
        )

    async def _ask_timers(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return await ANSWERS[name](self._alarm_clock, arguments)

    def _take_back(self, answer: Mapping[str, Any]) -> None:
        self._alarm_clock.take_back(answer["set"]["id"])

    @property
    def declared(self) -> Sequence[Declaration]:
        """Every function that can be called now."""
        return self._registry.declared

    @property
    def abilities(self) -> Sequence[str]:
        """What can be done with them, as verbs."""
        return self._registry.abilities

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a function does, if somebody is talking to the speaker."""
        if self._talk.state in RESTING:
            return {"error": "nobody is talking to this speaker now: do nothing"}
        if self._settings.now.privacy.log_transcripts:
            told = printable(json.dumps(arguments, default=str), SHOWN_CHARACTERS)
            log.info("%s is called with %s", printable(name, SHOWN_CHARACTERS), told)
        return await self._registry.run(name, arguments)

    def undo(self, name: str, answer: Mapping[str, Any]) -> None:
        """Take back what was answered so, where that can be."""
        self._registry.undo(name, answer)
