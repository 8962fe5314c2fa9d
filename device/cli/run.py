"""``parley run`` is the daemon, in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from device import __version__
from device.assistant.hub import Assistant
from device.assistant.parts import Parts
from device.assistant.reload import Reloader
from device.audio.portaudio import loud_stderr
from device.build import checked_config as checked
from device.build import real as build
from device.cli.exit import leave
from device.config import DEFAULT_PATH, Config
from device.config.file import ConfigFile
from device.config.last_good import LastGood
from device.control.commands import ATTACHED, LASTING, Commands
from device.control.socket import ControlServer, listening_path
from device.errors import (
    AudioDeviceHungError,
    ConfigError,
    Mistake,
    OutgrownError,
    ParleyError,
    WakeModelError,
)
from device.live.session import warm_up
from device.service import journal
from device.service.event_loop import EventLoop
from device.service.notify import notifier
from device.state.folders import state_folder

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

log = logging.getLogger(__name__)


def add_parser(subparsers: Subparsers) -> None:
    """Add ``run``."""
    parser = subparsers.add_parser("run", help="be the speaker, in the foreground")
    parser.add_argument("--config", type=Path, metavar="PATH", help="the configuration file")
    parser.add_argument("--verbose", action="store_true", help="tell the journal everything")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the speaker until SIGTERM or SIGINT; returns the exit code."""
    journal.set_up(os.environ, verbose=args.verbose)
    file = _config_file(args.config)
    parts = build.real_parts(os.environ)
    path = listening_path(args.socket, os.environ)
    # It is not closed where the speaker has run: that would wait for threads nobody waits for.
    runner = asyncio.Runner(loop_factory=EventLoop)
    try:
        runner.run(speak(file, parts, path))
    except ConfigError:
        runner.get_loop().close()
        raise
    except WakeModelError as missing:
        runner.get_loop().close()
        raise ConfigError(str(args.config or DEFAULT_PATH), [_in_wake_words(missing)]) from missing
    except ExceptionGroup as group:  # of the hub's tasks; whatever it is ends the process
        loud_stderr()
        incurable, unexpected = group.split((AudioDeviceHungError, OutgrownError))
        if incurable is not None:
            log.critical("%s", incurable.exceptions[0])
        if unexpected is not None:
            log.critical("an unexpected failure ends the speaker", exc_info=unexpected)
        leave(1)
    leave(0)


def _config_file(given: Path | None) -> ConfigFile:
    path = given or DEFAULT_PATH
    last_good = LastGood(state_folder(os.environ), path, checked.parse)
    return ConfigFile(path, partial(warned, partial(checked.load, given)), last_good)


def _in_wake_words(missing: WakeModelError) -> Mistake:
    """A network that cannot be used is a mistake of the file: systemd must not try it again."""
    return Mistake("wake.words", str(missing), 0, 0)


async def speak(file: ConfigFile, parts: Parts, socket: Path) -> None:
    """Be a speaker made of these parts until a signal says stop.

    Raises what keeps it from starting: ConfigError, WakeModelError, ControlError; or, in an
    ExceptionGroup, what failed unexpectedly later.
    """
    config = file.first()
    notify = notifier(os.environ)
    detector = await parts.detector(config)
    watchdog_usec = os.environ.get("WATCHDOG_USEC")
    assistant = Assistant(config, parts, detector, notify, watchdog_usec)
    reloader = Reloader(assistant, file)
    if file.mistakes:
        assistant.faults.begin("config", "; ".join(file.mistakes))
    settling = asyncio.create_task(_settle(file, config))
    stopped = _cancelled_by_signals(reloader)
    try:
        commands = Commands(assistant, reloader.reload, file).table()
        async with ControlServer(socket, commands, LASTING, ATTACHED):
            log.info("parley %s starts; control socket %s", __version__, socket)
            await assistant.run()
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
        log.info("stopped")
    finally:
        settling.cancel()


async def _settle(file: ConfigFile, config: Config) -> None:
    """Do beside everything else what the first sound and the first wake word need not wait for."""
    if not file.mistakes:
        await file.accepted(config)
    await warm_up()
    # The SDK is a hundred thousand objects; a collection that visits them all in the middle of a
    # conversation would hold up the sound for a third of a second on a small Pi.
    gc.collect()
    gc.freeze()


def warned(read: Callable[[], Config]) -> Config:
    """Read the configuration, and say in the journal what will not work for ever."""
    config = read()
    for warning in checked.warnings(config):
        log.warning("%s", warning)
    return config


def _cancelled_by_signals(reloader: Reloader) -> asyncio.Event:
    """SIGTERM and SIGINT cancel this task, once, and set the event; SIGHUP reloads."""
    loop, task, stopped = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

    def stop() -> None:
        if task is not None and not stopped.is_set():
            stopped.set()
            task.cancel()

    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        reloading = loop.create_task(_reload(reloader))
        reloads.add(reloading)
        reloading.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    return stopped


async def _reload(reloader: Reloader) -> None:
    try:
        await reloader.reload()
    except ParleyError as error:
        # The mistakes are a fault by now; what was in force stays so.
        log.warning("the configuration is refused, the old one stays in force: %s", error)
