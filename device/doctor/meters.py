"""The meters of ``parley doctor mic`` and ``wake`` show live what the microphone hears.

In a terminal they are a picture that moves, in a pipe one line of JSON a reading.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing, suppress
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from device.audio.levels import LEAST_DBFS
from device.build import real as build
from device.doctor.checklist import scene_of
from device.doctor.microphone import heard
from device.doctor.scene import Scene
from device.errors import AudioDeviceHungError, ControlError
from device.wake.catalogue import word_name

Reading = dict[str, Any]
"""As `device.control.meter.Meter` gives it."""

BAR = 40
LEAST_SHOWN_DBFS = -80.0
HOLD_S = 1.5
"""How long a peak stays on the meter."""
LATELY_S = 30.0


class Levels:
    """What the level meter shows."""

    def __init__(self) -> None:
        self._peaks: dict[int, tuple[float, float]] = {}
        """By channel: the peak that is held, and since when."""
        self._clipped: dict[int, int] = {}
        self._second: list[Reading] = []

    def take(self, reading: Reading) -> None:
        """Take the next reading."""
        self._second.append(reading)
        for place, level in enumerate(reading["levels"]):
            held, since = self._peaks.get(place, (LEAST_DBFS, 0.0))
            if level["peak_dbfs"] >= held or reading["time"] - since > HOLD_S:
                self._peaks[place] = level["peak_dbfs"], reading["time"]
            self._clipped[place] = self._clipped.get(place, 0) + level["clipped"]

    def line(self) -> dict[str, Any]:
        """Return what came since the last line, for a script."""
        second, self._second = self._second, []
        last = second[-1]
        lists = [reading["levels"] for reading in second if reading["levels"]]
        count = len(lists[-1]) if lists else 0
        channels = []
        for place in range(count):
            one = [levels[place] for levels in lists if len(levels) > place]
            channels.append(
                {
                    "rms_dbfs": max(level["rms_dbfs"] for level in one),
                    "peak_dbfs": max(level["peak_dbfs"] for level in one),
                    "floor_dbfs": one[-1]["floor_dbfs"],
                    "clipped": sum(level["clipped"] for level in one),
                    "dead": all(level["dead"] for level in one),
                }
            )
        about = {name: last[name] for name in ("time", "microphone", "channel", "silent_s")}
        return {**about, "muted": bool(last.get("muted")), "channels": channels}

    def picture(self, reading: Reading) -> RenderableType:
        """Draw the newest reading."""
        if reading.get("muted"):
            return Text("the microphone is muted: parley unmute", style="red")
        table = Table.grid(padding=(0, 1))
        for place, level in enumerate(reading["levels"]):
            held = self._peaks[place][0]
            clipped = self._clipped[place]
            name = f"[bold]{place}*[/]" if place == reading["channel"] else f"{place} "
            table.add_row(
                name,
                _bar(level["rms_dbfs"], held),
                f"{level['rms_dbfs']:6.1f} dBFS",
                f"peak {held:6.1f}",
                f"floor {level['floor_dbfs']:6.1f}",
                "[red]nothing but zeros[/]" if level["dead"] else "",
                f"[bold red]{clipped} cut off[/]" if clipped else "",
            )
        silent = reading["silent_s"] >= 1 and not reading["levels"]
        note = f"[red]nothing for {reading['silent_s']:.0f} s[/]" if silent else ""
        return Group(Text.from_markup(f"{escape(reading['microphone'])} {note}"), table)


def _bar(rms_dbfs: float, peak_dbfs: float) -> Text:
    def place(dbfs: float) -> int:
        share = (dbfs - LEAST_SHOWN_DBFS) / -LEAST_SHOWN_DBFS
        return min(BAR, max(0, round(share * BAR)))

    filled, peak = place(rms_dbfs), place(peak_dbfs)
    cells = ["█" if each < filled else "·" for each in range(BAR)]
    if 0 < peak <= BAR:
        cells[peak - 1] = "│"
    style = "red" if peak_dbfs > -1 else "yellow" if peak_dbfs > -6 else "green"
    return Text("".join(cells), style=style)


class Scores:
    """What the wake word meter shows."""

    def __init__(self, thresholds: Mapping[str, float], refractory_s: float) -> None:
        self._thresholds = thresholds
        self._refractory_s = refractory_s
        self._now: dict[str, float] = {}
        self._lately: dict[str, list[tuple[float, float]]] = {word: [] for word in thresholds}
        self._fired: list[tuple[float, str, float]] = []
        self._told = 0
        self._second: dict[str, float] = {}
        self._time = 0.0

    def take(self, reading: Reading) -> None:
        """Take the next reading."""
        self._time = reading["time"]
        self._now = reading["scores"] or self._now
        for word, score in reading["scores"].items():
            lately = self._lately.setdefault(word, [])
            lately.append((self._time, score))
            lately[:] = [each for each in lately if each[0] > self._time - LATELY_S]
            self._second[word] = max(score, self._second.get(word, 0.0))
            last = self._fired[-1][0] if self._fired else -self._refractory_s
            # Without an earlier one any is the first, whatever the clock says.
            ready = not self._fired or self._time - last >= self._refractory_s
            if score >= self._thresholds.get(word, 1.1) and ready:
                self._fired.append((self._time, word, score))

    def line(self) -> dict[str, Any]:
        """Return what came since the last line, for a script."""
        second, self._second = self._second, {}
        fired, self._told = self._fired[self._told :], len(self._fired)
        return {
            "time": self._time,
            "scores": second,
            "best": {word: self._best(word) for word in self._lately},
            "thresholds": dict(self._thresholds),
            "fired": [{"word": word, "score": score} for _, word, score in fired],
        }

    def _best(self, word: str) -> float:
        return max((score for _, score in self._lately[word]), default=0.0)

    def picture(self, reading: Reading) -> RenderableType:
        """Draw the newest reading."""
        if reading.get("muted"):
            return Text("the microphone is muted: parley unmute", style="red")
        table = Table.grid(padding=(0, 1))
        for word, threshold in self._thresholds.items():
            score, best = self._now.get(word, 0.0), self._best(word)
            filled, mark = round(score * BAR), min(BAR - 1, round(threshold * BAR))
            cells = ["█" if each < filled else "·" for each in range(BAR)]
            cells[mark] = "│"
            style = "bold green" if score >= threshold else "cyan"
            best_style = "green" if best >= threshold else "yellow"
            table.add_row(
                word,
                Text("".join(cells), style=style),
                f"{score:.2f}",
                f"[{best_style}]best of {LATELY_S:.0f} s {best:.2f}[/]",
                f"threshold {threshold:.2f}",
            )
        fired = [
            f"{self._time - at:.0f} s ago {word} ({score:.2f})"
            for at, word, score in self._fired[-3:]
        ]
        told = f"would have fired: {', '.join(fired) or 'not yet; say it'}"
        return Group(Text(reading["microphone"]), table, Text(told))


LINE_S = 1.0
"""Between two lines for a script."""


def mic(args: argparse.Namespace) -> int:
    """Show the levels until interrupted, or for so long."""
    return _until_interrupted(_shown(args, lambda _scene: Levels(), words=False))


def wake(args: argparse.Namespace) -> int:
    """Show the scores until interrupted, or for so long."""

    def scores(scene: Scene) -> Scores:
        settings = scene.config.wake
        thresholds = {word_name(word.model): word.threshold for word in settings.words}
        return Scores(thresholds, settings.refractory_s)

    return _until_interrupted(_shown(args, scores, words=True))


def _until_interrupted(showing: Coroutine[Any, Any, None]) -> int:
    """Ctrl-C is how a meter ends."""
    with suppress(KeyboardInterrupt):
        asyncio.run(showing)
    return 0


async def _shown(
    args: argparse.Namespace, make: Callable[[Scene], Levels | Scores], *, words: bool
) -> None:
    scene = await scene_of(args.config, args.socket, os.environ)
    if scene.unreachable:
        raise ControlError(scene.silence)
    meter = make(scene)
    source = _own(scene, words=words) if scene.owns_hardware else scene.ask("meter")
    as_lines = args.json or not sys.stdout.isatty()
    until = None if args.seconds is None else time.monotonic() + args.seconds
    with suppress(TimeoutError):
        async with asyncio.timeout_at(_on_the_loop(until)), aclosing(source) as readings:
            if as_lines:
                await _print_lines(readings, meter)
            else:
                await _draw(readings, meter, scene)


def _on_the_loop(until: float | None) -> float | None:
    # The loop's clock is CLOCK_MONOTONIC too, but it says so nowhere.
    loop = asyncio.get_running_loop()
    return None if until is None else loop.time() + until - time.monotonic()


async def _print_lines(readings: AsyncGenerator[Reading, None], meter: Levels | Scores) -> None:
    due = time.monotonic() + LINE_S
    async for reading in readings:
        meter.take(reading)
        if time.monotonic() >= due:
            due += LINE_S
            print(json.dumps(meter.line(), ensure_ascii=False), flush=True)


async def _draw(
    readings: AsyncGenerator[Reading, None], meter: Levels | Scores, scene: Scene
) -> None:
    console = Console(highlight=False)
    if isinstance(meter, Scores) and not scene.owns_hardware:
        console.print("the speaker runs: what it hears wakes it")
    console.print("[dim]Ctrl-C ends it[/]")
    with Live(console=console, auto_refresh=False) as live:
        async for reading in readings:
            meter.take(reading)
            live.update(meter.picture(reading), refresh=True)


async def _own(scene: Scene, *, words: bool) -> AsyncGenerator[Reading, None]:
    """The readings of a microphone that is opened here. Raises AudioDeviceError."""
    ear = build.microphone(scene.boards, scene.config)
    detector = await build.detector(scene.config) if words else None
    listening = None
    await ear.open()
    try:
        if detector is not None:
            listening = asyncio.create_task(detector.run(lambda _news: None))
        async with aclosing(heard(ear, detector)) as readings:
            async for reading in readings:
                yield reading
    finally:
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        with suppress(AudioDeviceHungError):
            await ear.close()
