"""``parley doctor mic`` and ``wake``: what the microphone hears, live, and what would wake it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any

from rich.console import Console
from rich.live import Live

from device.build import real as build
from device.doctor.checklist import scene_of
from device.doctor.meter_view import Levels, Reading, Scores
from device.doctor.microphone import heard
from device.doctor.scene import Scene
from device.errors import AudioDeviceHungError, ControlError
from device.wake.catalogue import word_name

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
