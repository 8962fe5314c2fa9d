"""The speaker's face: shows the conversation's pattern on the LEDs, redrawing only what changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from device.board.lights import FRAME_S, Pattern, is_static, render
from device.errors import BoardError
from device.ports import Colour, Lights, PartLost, Post


class Lamp:
    """Draws the pattern that is set, until closed. Used from the event loop's thread only."""

    def __init__(
        self, lights: Lights, level: Callable[[], float], left: Callable[[], float]
    ) -> None:
        """`level` gives the loudness of the reply, 0..1; `left` what is left to begin to speak."""
        self._lights = lights
        self._level = level
        self._left = left
        self._pattern = Pattern.OFF
        self._since = time.monotonic()
        self._streaming = False
        self._changed = asyncio.Event()
        self._shown: tuple[Colour, ...] | None = None

    @property
    def count(self) -> int:
        """How many LEDs there are."""
        return self._lights.count

    def open(self) -> None:
        """Claim the LEDs. Raises BoardError."""
        self._lights.open()

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
            left=self._left(),
        )
        if colours != self._shown:
            self._shown = colours
            self._lights.show(colours)

    async def _pause(self) -> None:
        still = is_static(self._pattern, streaming=self._streaming) or not self._lights.count
        try:
            async with asyncio.timeout(None if still else FRAME_S):
                await self._changed.wait()
        except TimeoutError:
            return
