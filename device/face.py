"""The speaker's face: the board it sits on, and what the lights of that board show."""

from __future__ import annotations

import asyncio
import time

from device import ports as p
from device.board.lights import Pattern
from device.board.profiles import Profile
from device.config import Config
from device.faults import Faults
from device.latency import Latency
from device.panel import Panel
from device.parts import Parts
from device.telling import Telling
from device.vocabulary import PATTERNS, Conversation, State


class Face:
    """Used from the event loop's thread only."""

    def __init__(
        self,
        parts: Parts,
        panel: Panel,
        faults: Faults,
        telling: Telling,
        latency: Latency,
        profile: Profile,
    ) -> None:
        """`profile` is the board as far as it is known before the microphone is open."""
        self.profile = profile
        self._parts = parts
        self._panel = panel
        self._faults = faults
        self._telling = telling
        self._latency = latency

    @property
    def lights(self) -> int:
        """How many LEDs there are."""
        return self._panel.lights

    def start(self, config: Config, tasks: asyncio.TaskGroup, post: p.Post) -> None:
        """Claim the board's lights and button anew; which of them fail is posted."""
        profile = self.profile
        self._panel.use(
            lambda: self._parts.lights(config, profile),
            lambda: self._parts.button(config, profile),
        )
        self._faults.clear(*self._panel.start(tasks, post))

    def show(self, talk: Conversation) -> None:
        """Let the lights say how the conversation stands."""
        fault = talk.state is State.FAULT
        pattern = Pattern(self._telling.pattern if fault else PATTERNS[talk.state])
        self._panel.show(pattern)
        self._latency.shown(pattern.value, time.monotonic())

    def streaming(self, *, on: bool) -> None:
        """Mark that microphone audio is really leaving the device (or no longer)."""
        self._panel.streaming(on=on)

    def close(self) -> None:
        """Lights dark, button let go. Harmless when closed."""
        self._panel.close()
