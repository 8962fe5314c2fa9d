"""`Animation` draws on the LEDs what is to be shown, and nothing that is shown already."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from device.errors import BoardError
from device.lights.brightness import Brightness
from device.lights.patterns import MOTIONS, Pattern
from device.lights.render import next_change_s, render
from device.news import PartLost, Post
from device.ports import Colour, Lights, Pointing


class Animation:
    """Draws the pattern that is set, until closed. Used from the event loop's thread only.

    A still picture is drawn once and then waited upon: no timer runs, unless there is a night to
    be looked for once a minute.
    """

    def __init__(
        self,
        lights: Lights,
        level: Callable[[], float],
        left: Callable[[], float],
        brightness: Brightness | None = None,
    ) -> None:
        """`level` gives the loudness of the reply, 0..1; `left` what is left to begin to speak."""
        self._lights = lights
        self._pointing = lights if isinstance(lights, Pointing) else None
        self._level = level
        self._left = left
        self._brightness = brightness
        self._pattern = Pattern.OFF
        self._amount = 0.0
        self._hue: int | None = None
        self._since = time.monotonic()
        self._drawn_s = 0.0
        self._streaming = False
        self._pictures = False
        self._changed = asyncio.Event()
        self._shown: tuple[tuple[Colour, ...], int] | None = None

    @property
    def count(self) -> int:
        """How many LEDs there are."""
        return self._lights.count

    def open(self) -> None:
        """Claim the LEDs. Raises BoardError."""
        self._lights.open()

    def show(self, pattern: Pattern, amount: float = 0.0, hue: int | None = None) -> None:
        """Show another pattern from now on; `amount`, 0..1, for one that measures.

        `hue`, 0..359 degrees, is that of whoever talks; None where there is none.
        """
        if (pattern, amount) != (self._pattern, self._amount):
            self._pattern, self._amount, self._since = pattern, amount, time.monotonic()
            self._changed.set()
        if hue != self._hue:
            self._hue = hue
            self._changed.set()

    def streaming(self, *, on: bool) -> None:
        """Mark that microphone audio is really leaving the device (or no longer)."""
        self._streaming = on
        self._changed.set()

    def pictures(self, *, on: bool) -> None:
        """Mark that pictures are leaving the device (or no longer)."""
        self._pictures = on
        self._changed.set()

    def redraw(self) -> None:
        """The settings have changed: look at them."""
        self._changed.set()

    async def run(self, post: Post) -> None:
        """Draw until cancelled. A driver that fails is given up, and told once."""
        try:
            while True:
                self._changed.clear()
                self._draw()
                await self._pause()
        except BoardError as error:
            post(PartLost("lights", str(error), time.monotonic()))

    def close(self) -> None:
        """All LEDs off, whatever happened before."""
        self._lights.close()

    def _draw(self) -> None:
        self._drawn_s = time.monotonic() - self._since
        colours = render(
            self._pattern,
            self._drawn_s,
            self._lights.count,
            streaming=self._streaming,
            pictures=self._pictures,
            level=self._level(),
            left=self._left(),
            direction=self._direction(),
            amount=self._amount,
            hue=self._hue,
        )
        if self._brightness is not None:
            self._lights.brightness = self._brightness.percent
        shown = colours, self._lights.brightness
        if shown != self._shown:
            self._shown = shown
            self._lights.show(colours)

    def _direction(self) -> float | None:
        # To ask is what makes an array look: only where it is shown.
        if self._pointing is None or not MOTIONS[self._pattern].points:
            return None
        return self._pointing.direction()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._still_s()):
                await self._changed.wait()
        except TimeoutError:
            return

    def _still_s(self) -> float | None:
        if not self._lights.count:
            return None
        sparks = self._streaming or self._pictures
        change_s = next_change_s(self._pattern, self._drawn_s, streaming=sparks)
        night_s = self._brightness.look_again_s if self._brightness is not None else None
        due_s = [seconds for seconds in (change_s, night_s) if seconds is not None]
        return min(due_s, default=None)
