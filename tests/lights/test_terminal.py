"""LEDs drawn in a terminal."""

from __future__ import annotations

import io

import pytest

from device.board.colour import BLACK
from device.errors import BoardError
from device.lights.render import WHITE
from device.lights.terminal import FRAMES_KEPT, TerminalLights, line_of_blocks


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class GoneTerminal(Terminal):
    """A terminal whose window was closed."""

    gone = False

    def write(self, text: str) -> int:
        if self.gone:
            raise BrokenPipeError(32, "broken pipe")
        return super().write(text)


def test_leds_are_blocks_in_true_colour_on_one_line() -> None:
    """Carriage return, one coloured block per LED, the rest cleared, the cursor at the start."""
    assert line_of_blocks([(255, 0, 7), BLACK]) == (
        "\r\x1b[38;2;255;0;7m██\x1b[0m \x1b[2m··\x1b[0m\x1b[K\r"
    )


def test_frames_are_redrawn_in_place_and_the_line_is_left_at_the_end() -> None:
    """Dark at the start, dark at the end, no newline in between; an equal frame draws nothing."""
    terminal = Terminal()
    lights = TerminalLights(terminal, 2)
    lights.open()
    lights.show([WHITE, BLACK])
    lights.show([WHITE, BLACK])
    lights.close()
    lights.close()
    dark = line_of_blocks([BLACK, BLACK])
    assert terminal.getvalue() == dark + line_of_blocks([WHITE, BLACK]) + dark + "\n"


def test_a_stream_that_is_no_terminal_gets_nothing() -> None:
    """A log file is not to fill with escape codes; the frames can be read all the same."""
    stream = io.StringIO()
    lights = TerminalLights(stream, 1)
    lights.open()
    lights.show([(1, 2, 3)])
    lights.show([(1, 2, 3)])
    lights.close()
    assert stream.getvalue() == ""
    assert list(lights.frames) == [(BLACK,), ((1, 2, 3),), (BLACK,)]


def test_only_the_last_frames_are_kept() -> None:
    """A speaker that runs for weeks does not fill its memory."""
    lights = TerminalLights(io.StringIO(), 1)
    lights.open()
    for n in range(2 * FRAMES_KEPT):
        lights.show([(n % 256, n // 256, 0)])
    assert len(lights.frames) == FRAMES_KEPT
    assert lights.frames[-1] == ((255, 1, 0),)


def test_a_terminal_that_is_gone_is_told_and_closing_never_raises() -> None:
    """The speaker goes on without lights, whether the terminal went or the stream was closed."""
    terminal = GoneTerminal()
    lights = TerminalLights(terminal, 1)
    lights.open()
    terminal.gone = True
    with pytest.raises(BoardError, match=r"cannot draw the lights on the terminal: .*broken pipe"):
        lights.show([WHITE])
    lights.close()
    closed = Terminal()
    lights = TerminalLights(closed, 1)
    lights.open()
    closed.close()
    with pytest.raises(BoardError, match="closed file"):
        lights.show([WHITE])
    lights.close()


def test_a_wrong_number_of_colours_is_a_mistake_of_the_caller() -> None:
    """As with any other driver."""
    lights = TerminalLights(Terminal(), 3)
    with pytest.raises(ValueError, match="1 colours for 3 LEDs"):
        lights.show([WHITE])
    assert lights.count == 3
