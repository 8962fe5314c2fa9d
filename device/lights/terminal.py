"""`TerminalLights` draws LEDs in a terminal, for the demo and for machines without any."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from typing import TextIO

from device.board.colour import BLACK
from device.errors import BoardError
from device.ports import Colour

FRAMES_KEPT = 256


class TerminalLights:
    """LEDs as coloured blocks on one line.

    The cursor rests at the start of the line, so that other output begins there. A stream that is
    no terminal is never written to; ``frames`` holds the last ones either way.
    """

    def __init__(self, stream: TextIO, count: int) -> None:
        self._stream = stream
        self._count = count
        self.brightness = 100
        """Not used: a terminal is as bright as it is."""
        self._drawn: tuple[Colour, ...] | None = None
        self.frames: deque[tuple[Colour, ...]] = deque(maxlen=FRAMES_KEPT)
        """What was shown, oldest first; a frame equal to the one before it is not repeated."""

    @property
    def count(self) -> int:
        """How many LEDs are drawn."""
        return self._count

    def open(self) -> None:
        """Draw all LEDs dark. Raises BoardError."""
        self._drawn = None
        self.show([BLACK] * self._count)

    def show(self, colours: Sequence[Colour]) -> None:
        """Draw every LED. Raises BoardError when the terminal is gone."""
        frame = tuple(colours)
        if len(frame) != self._count:
            raise ValueError(f"{len(frame)} colours for {self._count} LEDs")
        if frame == self._drawn:
            return
        self.frames.append(frame)
        self._drawn = frame
        try:
            if self._stream.isatty():
                self._stream.write(line_of_blocks(frame))
                self._stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise BoardError(f"cannot draw the lights on the terminal: {error}") from error

    def close(self) -> None:
        """Draw all LEDs dark and leave their line."""
        if self._drawn is None:
            return
        # The terminal may be gone; there is nothing to darken then.
        with contextlib.suppress(BoardError, OSError, ValueError):
            self.show([BLACK] * self._count)
            self._leave_line()
        self._drawn = None

    def _leave_line(self) -> None:
        if self._stream.isatty():
            self._stream.write("\n")
            self._stream.flush()


def line_of_blocks(colours: Sequence[Colour]) -> str:
    """Return one line that draws each LED as a block in true colour, a dark one as two dots."""
    cells = (
        "\x1b[2m··\x1b[0m" if colour == BLACK else "\x1b[38;2;{};{};{}m██\x1b[0m".format(*colour)
        for colour in colours
    )
    return "\r" + " ".join(cells) + "\x1b[K\r"
