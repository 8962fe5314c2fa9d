"""The speaker's face: the board it sits on, and what the lights of that board show."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from device import ports as p
from device.assistant.countdown import FAULT_SHOWN_S
from device.assistant.panel_parts import Panel
from device.assistant.parts import Parts
from device.board.profiles import Profile
from device.config import Config
from device.conversation.states import Conversation, State
from device.faults import Faults
from device.lights.choice import Situation, shown
from device.lights.patterns import Pattern
from device.service.latency import Latency
from device.signals import presumed_s

VOLUME_SHOWN_S = 1.5
"""How long the volume stays on the lights after it was set."""


class Moment:
    """Something that is so for a while. Used from the event loop's thread only."""

    def __init__(self, over: Callable[[], None]) -> None:
        """`over` is called when the time is."""
        self._over = over
        self._handle: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        """Whether it is so."""
        return self._handle is not None

    def begin(self, seconds: float) -> None:
        """Be so from now on for this long."""
        self.end()
        self._handle = asyncio.get_running_loop().call_later(seconds, self._run_out)

    def end(self) -> None:
        """Be so no more; `over` is not called."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _run_out(self) -> None:
        self._handle = None
        self._over()


class Face:
    """Used from the event loop's thread only."""

    def __init__(
        self, parts: Parts, panel: Panel, faults: Faults, latency: Latency, profile: Profile
    ) -> None:
        """`profile` is the board as far as it is known before the microphone is open."""
        self.profile = profile
        self._parts = parts
        self._panel = panel
        self._faults = faults
        self._latency = latency
        self._talk = Conversation()
        self._off: frozenset[str] = frozenset()
        self._percent = 0
        self.shows = Pattern.OFF
        """What the lights say, or would say if there were any."""
        self._alarming = Moment(self._look)
        self._volume_set = Moment(self._look)
        self._presumed = Moment(self._look)

    @property
    def lights(self) -> int:
        """How many LEDs there are."""
        return self._panel.lights

    def start(self, config: Config, tasks: asyncio.TaskGroup, post: p.Post) -> None:
        """Claim the board's lights and button anew; which of them fail is posted."""
        profile = self.profile
        self.adjust(config)
        self._panel.use(
            lambda: self._parts.lights(config, profile),
            lambda: self._parts.button(config, profile),
        )
        self._faults.clear(*self._panel.start(tasks, post))

    def adjust(self, config: Config) -> None:
        """Show things as the owner wants them now, on the lights that there are."""
        self._off = frozenset(config.lights.off_states)
        self._panel.adjust(config.lights)
        self._look()

    def show(self, talk: Conversation) -> None:
        """Let the lights say how the conversation stands, and which faults are in force."""
        if talk.state is not State.FAULT:
            self._alarming.end()
        elif self._talk.state is not State.FAULT:
            self._alarming.begin(FAULT_SHOWN_S)
        self._talk = talk
        self._look()

    def volume(self, percent: int) -> None:
        """Show for a moment what the volume, 0..100, was set to."""
        self._percent = percent
        self._volume_set.begin(VOLUME_SHOWN_S)
        self._look()

    def streaming(self, *, on: bool) -> None:
        """Mark that microphone audio is really leaving the device (or no longer)."""
        self._panel.streaming(on=on)

    def close(self) -> None:
        """Lights dark, button let go. Harmless when closed."""
        self._alarming.end()
        self._volume_set.end()
        self._presumed.end()
        self._panel.close()

    def _kinds(self) -> tuple[str, ...]:
        """The faults that are so as far as can be known, the newest last."""
        now = time.monotonic()
        ends = {
            fault.kind: fault.since + presumed_s(fault.kind, fatal=fault.fatal) - now
            for fault in self._faults.active
        }
        passing = [left_s for left_s in ends.values() if 0 < left_s < math.inf]
        if passing:
            self._presumed.begin(min(passing))
        return tuple(kind for kind in self._faults.kinds if ends[kind] > 0)

    def _look(self) -> None:
        situation = Situation(
            self._talk.state,
            self._talk.rest,
            self._kinds(),
            alarming=bool(self._alarming),
            volume=bool(self._volume_set),
            off=self._off,
        )
        self.shows = shown(situation)
        amount = self._percent / 100 if self.shows is Pattern.VOLUME else 0.0
        self._panel.show(self.shows, amount)
        self._latency.shown(self.shows.value, time.monotonic())
