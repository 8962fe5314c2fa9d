"""`Panel` claims the board's lights and button, and shows on the lights how the speaker stands."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from device.assistant.countdown import FAULT_SHOWN_S, Countdown
from device.assistant.output import Output
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

VOLUME_SHOWN_S = 1.5
"""How long the volume stays on the lights after it was set."""
PICTURE_SHOWN_S = 1.2
"""How long it stays there that a picture was taken: three flashes, to be seen by whoever looks up
at the sound of the shutter."""
PICTURES_SHOWN_S = 2.5
"""How long after a picture has left the lights say that pictures do: one comes every second."""


class Hardware:
    """Lights and button, replaced together when the board or its settings change."""

    def __init__(self, output: Output, countdown: Countdown) -> None:
        """`output` tells how loud the reply is, `countdown` what is left to begin to speak."""
        self._output = output
        self._countdown = countdown
        self._animation: Animation | None = None
        self._button: GpioButton | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._brightness = Brightness()
        self._pattern = Pattern.OFF
        self._amount = 0.0
        self._hue: int | None = None
        self._streaming = False
        self._pictures = False

    @property
    def count(self) -> int:
        """How many LEDs there are."""
        return self._animation.count if self._animation else 0

    def claim(
        self,
        lights: Callable[[], Lights],
        button: Callable[[], GpioButton | None],
        tasks: asyncio.TaskGroup,
        post: Post,
    ) -> list[str]:
        """Let the old hardware go, claim what these make, and draw as a task of `tasks`.

        A part that fails is posted once. Returns which of `lights` and `button` did not fail.
        """
        self.close()
        fine = {
            "lights": self._claim_lights(lights, tasks, post),
            "button": self._claim_button(button, post),
        }
        return [part for part, works in fine.items() if works]

    def adjust(self, settings: LightSettings) -> None:
        """Take other settings for the LEDs that there are; which they are stays as it is."""
        self._brightness.settings = settings
        if self._animation is not None:
            self._animation.redraw()

    def show(self, pattern: Pattern, amount: float = 0.0, hue: int | None = None) -> None:
        """Show another pattern from now on; `amount` and `hue` as the animation takes them."""
        self._pattern, self._amount, self._hue = pattern, amount, hue
        if self._animation is not None:
            self._animation.show(pattern, amount, hue)

    def streaming(self, *, on: bool) -> None:
        """Mark that microphone audio is really leaving the device (or no longer)."""
        self._streaming = on
        if self._animation is not None:
            self._animation.streaming(on=on)

    def pictures(self, *, on: bool) -> None:
        """Mark that pictures are leaving the device (or no longer)."""
        self._pictures = on
        if self._animation is not None:
            self._animation.pictures(on=on)

    def close(self) -> None:
        """Let the button go, then let the lights go dark. Harmless when closed."""
        if self._button is not None:
            self._button.close()
            self._button = None
        if self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None
        if self._animation is not None:
            self._animation.close()
            self._animation = None

    def _claim_lights(
        self, make: Callable[[], Lights], tasks: asyncio.TaskGroup, post: Post
    ) -> bool:
        try:
            self._animation = Animation(make(), self._level, self._left, self._brightness)
            self._animation.open()
        except BoardError as error:
            # The speaker goes on in the dark, and says so.
            post(PartLost("lights", str(error), time.monotonic()))
            return False
        self._animation.show(self._pattern, self._amount, self._hue)
        self._animation.streaming(on=self._streaming)
        self._animation.pictures(on=self._pictures)
        self._drawing = tasks.create_task(self._animation.run(post), name="lights")
        return True

    def _claim_button(self, make: Callable[[], GpioButton | None], post: Post) -> bool:
        try:
            self._button = make()
            if self._button is not None:
                self._button.start(post)
        except BoardError as error:
            post(PartLost("button", str(error), time.monotonic()))
            return False
        return True

    def _level(self) -> float:
        return self._output.level

    def _left(self) -> float:
        return self._countdown.left


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


class Panel:
    """Used from the event loop's thread only."""

    def __init__(
        self, parts: Parts, faults: Faults, latency: Latency, hardware: Hardware, profile: Profile
    ) -> None:
        """`profile` is the board as far as it is known before the microphone is open."""
        self._profile = profile
        self._parts = parts
        self._hardware = hardware
        self._faults = faults
        self._latency = latency
        self._talk = Conversation()
        self._off: frozenset[str] = frozenset()
        self._hues: dict[str, int | None] = {}
        self._percent = 0
        self._shows = Pattern.OFF
        self._alarming = Moment(self._look)
        self._volume_set = Moment(self._look)
        self._presumed = Moment(self._look)
        self._looks = False
        self._looked = Moment(self._look)
        self._pictures_left = Moment(lambda: hardware.pictures(on=False))

    @property
    def profile(self) -> Profile:
        """The board whose lights and button are claimed."""
        return self._profile

    @property
    def lights(self) -> int:
        """How many LEDs there are."""
        return self._hardware.count

    @property
    def shows(self) -> Pattern:
        """What the lights say, or would say if there were any."""
        return self._shows

    def claim(self, profile: Profile, config: Config, tasks: asyncio.TaskGroup, post: Post) -> None:
        """Claim this board's lights and button; which of them fail is posted."""
        self._profile = profile
        self.adjust(config)
        fine = self._hardware.claim(
            lambda: self._parts.lights(config, profile),
            lambda: self._parts.button(config, profile),
            tasks,
            post,
        )
        self._faults.clear(*fine)

    def adjust(self, config: Config) -> None:
        """Show things as the owner wants them now, on the lights that there are."""
        self._off = frozenset(config.lights.off_states)
        self._hues = {name: persona.hue for name, persona in config.personas.items()}
        self._hardware.adjust(config.lights)
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
        self._hardware.streaming(on=on)

    def camera_looks(self, *, looks: bool) -> None:
        """Show that a picture is being taken, and for a moment that one was."""
        self._looks = looks
        self._looked.begin(PICTURE_SHOWN_S)
        self._look()

    def picture_left(self) -> None:
        """Mark that a picture has left the device: for longer than until the next of a stream."""
        self._hardware.pictures(on=True)
        self._pictures_left.begin(PICTURES_SHOWN_S)

    def close(self) -> None:
        """Let the lights go dark, and the button go. Harmless when closed."""
        self._looked.end()
        self._pictures_left.end()
        self._alarming.end()
        self._volume_set.end()
        self._presumed.end()
        self._hardware.close()

    def _kinds(self) -> tuple[str, ...]:
        """Return the faults that are so as far as can be known, the newest last."""
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
            ringing=bool(self._talk.ringing),
            picture=self._looks or bool(self._looked),
            volume=bool(self._volume_set),
            off=self._off,
        )
        self._shows = shown(situation)
        amount = self._percent / 100 if self._shows is Pattern.VOLUME else 0.0
        self._hardware.show(self._shows, amount, self._hues.get(self._talk.persona))
        self._latency.shown(self._shows.value, time.monotonic())
