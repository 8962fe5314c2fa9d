"""The speaker's face: shows the conversation's pattern on the LEDs, redrawing only what changes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from device.board.lights import Pattern, is_static, render, scale
from device.errors import BoardError
from device.ports import Colour, Lights, PartLost, Post

log = logging.getLogger(__name__)

REDRAW_S = 0.05
"""20 pictures a second: smooth to the eye, cheap for a software PWM."""


class Lamp:
    """Draws the pattern that is set, until closed. Used from the event loop's thread only."""

    def __init__(self, lights: Lights, brightness: int, level: Callable[[], float]) -> None:
        """`brightness` is 0..100; `level` gives the loudness of the reply, 0..1."""
        self._lights = lights
        self.brightness = brightness
        self._level = level
        self._pattern = Pattern.OFF
        self._since = time.monotonic()
        self._streaming = False
        self._changed = asyncio.Event()
        self._shown: tuple[Colour, ...] | None = None

    @property
    def count(self) -> int:
        """How many LEDs there are."""
        return self._lights.count

    def open(self, post: Post) -> None:
        """Claim the LEDs; where that fails the speaker goes on in the dark, and says so."""
        try:
            self._lights.open()
        except BoardError as error:
            post(PartLost("lights", str(error), time.monotonic()))

    def show(self, pattern: Pattern) -> None:
        """Show another pattern from now on."""
        if pattern is not self._pattern:
            self._pattern, self._since = pattern, time.monotonic()
            self._changed.set()

    def streaming(self, *, on: bool) -> None:
        """Mark that microphone audio is really leaving the device (or no longer)."""
        self._streaming = on
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
        elapsed_s = time.monotonic() - self._since
        colours = render(
            self._pattern,
            elapsed_s,
            self._lights.count,
            streaming=self._streaming,
            level=self._level(),
        )
        colours = scale(colours, self.brightness)
        if colours != self._shown:
            self._shown = colours
            self._lights.show(colours)

    async def _pause(self) -> None:
        still = is_static(self._pattern) or not self._lights.count
        try:
            async with asyncio.timeout(None if still else REDRAW_S):
                await self._changed.wait()
        except TimeoutError:
            return
