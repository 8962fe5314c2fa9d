"""The panel claims the board's lights and button and shows how the conversation stands."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from device import news as n
from device.assistant.countdown import FAULT_SHOWN_S
from device.assistant.parts import Parts
from device.board.button import GpioButton
from device.board.profiles import Profile
from device.config import Config
from device.config import Lights as LightSettings
from device.conversation.states import Conversation, State
from device.errors import BoardError
from device.faults import Faults
from device.lights.animation import Animation
from device.lights.brightness import Brightness
from device.lights.choice import Situation, shown
from device.lights.patterns import Pattern
from device.news import PartLost, Post
from device.ports import Lights
from device.service.latency import Latency
from device.signals import presumed_s


class Panel:
    """Lights and button, replaced together when the board or its settings change."""

    def __init__(self, level: Callable[[], float], left: Callable[[], float]) -> None:
        """`level` gives the loudness of what is being played, 0..1; `left`: `Countdown.left`."""
        self._level = level
        self._left = left
        self._lamp: Animation | None = None
        self._button: GpioButton | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._brightness = Brightness()
        self._pattern = Pattern.OFF
        self._amount = 0.0
        self._streaming = False

    @property
    def lights(self) -> int:
        """How many LEDs there are."""
        return self._lamp.count if self._lamp else 0

    def use(self, lights: Callable[[], Lights], button: Callable[[], GpioButton | None]) -> None:
        """Let the old hardware go and take what these make; what fails is told by `start`."""
        self.close()
        self._make_lights = lights
        self._make_button = button

    def start(self, tasks: asyncio.TaskGroup, post: Post) -> list[str]:
        """Claim the hardware and draw, as a task of `tasks`. A part that fails is posted once.

        Returns which of `lights` and `button` did not fail.
        """
        fine = {"lights": self._start_lamp(tasks, post), "button": self._start_button(post)}
        return [part for part, works in fine.items() if works]

    def adjust(self, settings: LightSettings) -> None:
        """Take other settings for the LEDs that there are; which they are stays as it is."""
        self._brightness.settings = settings
        if self._lamp is not None:
            self._lamp.redraw()

    def show(self, pattern: Pattern, amount: float = 0.0) -> None:
        """Show another pattern from now on; `amount`, 0..1, for one that measures."""
        self._pattern, self._amount = pattern, amount
        if self._lamp is not None:
            self._lamp.show(pattern, amount)

    def streaming(self, *, on: bool) -> None:
        """Mark that microphone audio is really leaving the device (or no longer)."""
        self._streaming = on
        if self._lamp is not None:
            self._lamp.streaming(on=on)

    def close(self) -> None:
        """Button first, then the lights go dark. Harmless when closed."""
        if self._button is not None:
            self._button.close()
            self._button = None
        if self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None
        if self._lamp is not None:
            self._lamp.close()
            self._lamp = None

    def _start_lamp(self, tasks: asyncio.TaskGroup, post: Post) -> bool:
        try:
            self._lamp = Animation(self._make_lights(), self._level, self._left, self._brightness)
            self._lamp.open()
        except BoardError as error:
            # The speaker goes on in the dark, and says so.
            post(PartLost("lights", str(error), time.monotonic()))
            return False
        self._lamp.show(self._pattern, self._amount)
        self._lamp.streaming(on=self._streaming)
        self._drawing = tasks.create_task(self._lamp.run(post), name="lights")
        return True

    def _start_button(self, post: Post) -> bool:
        try:
            self._button = self._make_button()
            if self._button is not None:
                self._button.start(post)
        except BoardError as error:
            post(PartLost("button", str(error), time.monotonic()))
            return False
        return True


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

    def start(self, config: Config, tasks: asyncio.TaskGroup, post: n.Post) -> None:
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
