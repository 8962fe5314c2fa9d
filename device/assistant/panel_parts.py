"""The board's face and finger: lights and button of the profile in force."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from device.board.button import GpioButton
from device.config import Lights as LightSettings
from device.errors import BoardError
from device.lights.animation import Lamp
from device.lights.brightness import Dimmer
from device.lights.patterns import Pattern
from device.ports import Lights, PartLost, Post


class Panel:
    """Lights and button, replaced together when the board or its settings change."""

    def __init__(self, level: Callable[[], float], left: Callable[[], float]) -> None:
        """`level` gives the loudness of what is being played, 0..1; `left`: `Countdown.left`."""
        self._level = level
        self._left = left
        self._lamp: Lamp | None = None
        self._button: GpioButton | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._dimmer = Dimmer()
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
        self._dimmer.settings = settings
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
            self._lamp = Lamp(self._make_lights(), self._level, self._left, self._dimmer)
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
