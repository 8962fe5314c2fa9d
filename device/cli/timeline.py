"""`Timeline` shows the demo while it runs, and the figures that it ends with.

Tested in tests/cli/test_demo.py.
"""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from device.credentials.api_key import VARIABLES
from device.echo.path import EchoFigures
from device.events import PublicEvent
from device.frames import MICROPHONE_RATE_HZ, SAMPLE_BYTES
from device.lights.render import Pattern, render
from device.ports import Colour
from device.simulator.voices import load

LEDS = 12
LOOK_S = 0.2
"""How far into a pattern the picture of it is taken."""

SHADES = " ·░▒▓█"

BARGE_IN = {
    "began": "[yellow]somebody talks over the answer:[/] it pauses",
    "confirmed": "they talk on: the answer is over",
    "dismissed": "nobody talked on: the answer goes on",
}


class Timeline:
    """Prints each event as a line with its time; collects what the figures need."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._stream: dict[int, bytes] = {}
        """What the microphone heard: PCM by its place in samples."""
        self._figures: list[tuple[str, str]] = []
        self._said_at = 0.0
        self._stopped_at = 0.0
        self._set_at = 0.0
        self._answers = 0
        self._gave_up = False
        self._equal = False

    # --- the conversation ---

    def user_says(self, words: str) -> None:
        """The user begins to say this."""
        self._said_at = time.monotonic()
        self._print(f'[bold]you say:[/] "{words}"')

    def user_stopped(self) -> None:
        """The user has said it."""
        self._stopped_at = time.monotonic()

    def said(self, line: str, sample: int) -> None:
        """Remember what the microphone hears from this sample on."""
        self._stream[sample] = load(line)[0]

    def gave_up(self) -> None:
        """The conversation did not go on."""
        self._gave_up = True
        self._print("[bold red]nothing more came: the demo gives up[/]")

    def show(self, event: PublicEvent) -> None:
        """Print an event, if it says something to a stranger."""
        line = self._line(event)
        if line:
            self._print(line, event.time)

    def _line(self, event: PublicEvent) -> str:
        match event.event, event.fields:
            case "state", {"to": to, "reason": reason}:
                return f"[bold]{to}[/] [dim]({reason})[/]  {_leds(to)}"
            case "wake", {"word": word, "score": score}:
                self._figure("wake word score", f"{score:.2f} ({word})")
                return f"wake word {word}, score {score:.2f}"
            case "session", {"what": "opened" | "resumed" as what, "latency_ms": latency_ms}:
                name = "time to session" if what == "opened" else "time to resume after goAway"
                self._figure(name, f"{latency_ms:.0f} ms")
                if what == "opened":
                    saved_ms = 1000 * (event.time - self._said_at)
                    self._figure("words saved by the pre-roll", f"{saved_ms:.0f} ms of speech")
                return f"session {what} in {latency_ms:.0f} ms"
            case "session", {"what": "closed", "reason": reason}:
                return f"session closed ({reason})"
            case "go_away", {"time_left_s": left}:
                return f"[yellow]goAway[/]: the server will end this connection in {left:g} s"
            case "uplink", {"what": what, "frames": frames, "bytes": size}:
                seconds = size / SAMPLE_BYTES / MICROPHONE_RATE_HZ
                return f"uplink {what}" + (f" ({frames} frames, {seconds:.1f} s)" if frames else "")
            case "transcript", {"who": who, "text": text, "final": True}:
                return (
                    f'[dim]the server heard:[/] "{text}"' if who == "user" else f"[green]{text}[/]"
                )
            case "reply", {"what": "first_sound"}:
                self._answers += 1
                waited_ms = 1000 * (event.time - self._stopped_at)
                self._figure(
                    f"end of speech to first sound, answer {self._answers}", f"{waited_ms:.0f} ms"
                )
                return "first sound of the answer"
            case "reply", {"what": "interrupted", "played_ms": played_ms}:
                return f"[yellow]interrupted[/] after {played_ms / 1000:.1f} s"
            case "barge_in", {"what": what}:
                return BARGE_IN[what]
            case "reply", {"what": "drained", "played_ms": played_ms}:
                return f"all heard ({played_ms / 1000:.1f} s)"
            case "fault", {"message": message}:
                return f"[bold red]fault[/]: {message}"
        return self._done(event)

    def _done(self, event: PublicEvent) -> str:
        """What the speaker does for the user."""
        match event.event, event.fields:
            case "tool", {"what": "called", "name": name}:
                return f"the model calls [bold]{name}[/]"
            case "picture", {"bytes": size, "width": width, "height": height}:
                self._figure("the picture that left", f"{width} x {height} px, {size} bytes")
                return (
                    f"a shutter clicks, and a picture leaves: {size} bytes  {_leds('picture', 0.0)}"
                )
            case "timer", {"what": "set", "due": due}:
                self._set_at = event.time
                return f"a timer is set, for {due[11:19]}"
            case "timer", {"what": "ringing"}:
                self._figure("the timer rings after", f"{event.time - self._set_at:.3f} s")
                return f"[bold yellow]it rings[/]  {_leds('ringing')}"
            case "timer", {"what": "stopped"}:
                self._figure("the ringing stops", "at the word, without a wake word or a server")
                return "it is silent"
        return ""

    # --- the figures ---

    def show_echo(self, figures: EchoFigures) -> None:
        """Note what was measured of the room; what goes up is then no copy of what was said."""
        self._equal = figures.erle_db is not None
        for name, value, unit in (
            ("echo below what is played", figures.return_loss_db, "dB"),
            ("echo cancelled", figures.erle_db, "dB"),
            ("delay of the echo", figures.delay_ms, "ms"),
            ("drift of the clocks", figures.drift_ppm, "ppm"),
        ):
            self._figure(name, "not known" if value is None else f"{value:.1f} {unit}")

    def judge(self, uplink: bytes) -> None:
        """Compare what the server received with what the microphone heard, and note it."""
        heard = self._microphone_pcm()
        place = heard.find(uplink) if uplink else -1
        self._equal = place >= 0
        samples = len(uplink) // SAMPLE_BYTES
        verdict = "the same, none lost or doubled" if self._equal else "NOT the same"
        self._figure("microphone samples at the server", f"{samples}: {verdict}")
        question = min(self._stream)
        saved_ms = (question - place / SAMPLE_BYTES) * 1000 / MICROPHONE_RATE_HZ
        if self._equal:
            self._figure("pre-roll before the first word", f"{saved_ms:.0f} ms")

    @property
    def fine(self) -> bool:
        """Whether it went to its end, and every sample arrived, or the echo was cancelled."""
        return self._equal and not self._gave_up

    def print_figures(self, wav: Path, *, card: str) -> None:
        """Print the figures and what to do next."""
        table = Table("figure", "value", title="\nWhat happened", title_justify="left", box=None)
        for name, value in self._figures:
            table.add_row(name, value)
        self._console.print(table)
        self._console.print(f"\nThe answers as they were heard: {wav} (played by: {card})")
        self._console.print("[bold]The answering side was a stand-in.[/] To talk to the real one:")
        self._console.print(f"    {VARIABLES[0]}=… .venv/bin/parley run", markup=False)

    def _microphone_pcm(self) -> bytes:
        end = max(place + len(pcm) // SAMPLE_BYTES for place, pcm in self._stream.items())
        silence = bytes(60 * MICROPHONE_RATE_HZ * SAMPLE_BYTES)
        heard = bytearray(end * SAMPLE_BYTES)
        for place, pcm in self._stream.items():
            heard[place * SAMPLE_BYTES : place * SAMPLE_BYTES + len(pcm)] = pcm
        return bytes(heard) + silence

    def _figure(self, name: str, value: str) -> None:
        self._figures.append((name, value))

    def _print(self, line: str, at: float | None = None) -> None:
        passed_s = (time.monotonic() if at is None else at) - self._began
        # The lights are drawn on the line we are about to use.
        if self._console.is_terminal:
            self._console.file.write("\r\x1b[K")
        self._console.print(f"[cyan]{passed_s:6.2f} s[/]  {line}", soft_wrap=True)


def _leds(state: str, after_s: float = LOOK_S) -> str:
    """The LEDs as they look in this state, as a row of blocks."""
    colours = render(Pattern(state), after_s, LEDS)
    return "".join(map(_block, colours))


def _block(colour: Colour) -> str:
    red, green, blue = colour
    shade = SHADES[-(-max(colour) * (len(SHADES) - 1) // 255)]
    return str(Text.assemble((shade, f"rgb({red},{green},{blue})")).markup)
