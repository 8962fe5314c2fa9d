"""``parley lights`` shows all light patterns, and switches off LEDs that a crash left on."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from device.board.profiles import Profile
from device.board.usb_control import Load, libusb
from device.build.boards import Boards, corrected
from device.config import Config, load
from device.errors import BoardError, ConfigError
from device.lights.drivers import TerminalLights, switch_off
from device.lights.patterns import MOTIONS, Pattern
from device.lights.picture import Exhibit, exhibits, picture
from device.lights.render import FRAME_S, render

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

COUNTS = (1, 3, 12)
PICTURE_S, PICTURE_COLUMNS = 10.0, 100
SHORTEST_S, LONGEST_S = 4.0, 10.0
"""How long each is played: twice round where that is between."""
_VOICE_PEAK = 0.2
_COUNTDOWN_S = 6.0
_ROUND_S = 8.0
"""Somebody who talks walks once around the ring."""


def add_parser(subparsers: Subparsers) -> None:
    """Add ``lights``."""
    parser = subparsers.add_parser(
        "lights", help="every light pattern, with what it means, here in the terminal"
    )
    names = [pattern.value for pattern in Pattern]
    parser.add_argument(
        "--count", type=int, choices=COUNTS, default=12, help="how many LEDs (default: 12)"
    )
    parser.add_argument(
        "--state",
        choices=names,
        metavar="NAME",
        help=f"only this one, on and on: {', '.join(names)}",
    )
    parser.add_argument(
        "--hue",
        type=_degrees,
        metavar="0-359",
        help="the hue of a persona: 0 red, 120 green, 240 blue; only a talk's patterns have it",
    )
    parser.add_argument(
        "--picture", action="store_true", help="as a still picture, time to the right"
    )
    parser.add_argument(
        "--off",
        action="store_true",
        help="switch the board's own LEDs off, which a speaker that was killed has left on",
    )
    parser.add_argument(
        "--config", type=Path, metavar="PATH", help="the configuration file, for --off"
    )
    parser.set_defaults(run=lights)


def _degrees(text: str) -> int:
    if text.isdecimal() and int(text) < 360:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 359")


def lights(args: argparse.Namespace) -> int:
    """Show the patterns, or switch the LEDs off; returns 0."""
    if args.off:
        return darken(args.config)
    chosen = [one for one in exhibits(args.count) if args.state in {None, one.pattern.value}]
    if args.picture or not sys.stdout.isatty():
        print_picture(args.count, chosen)
    else:
        # Among others there is nothing to see of lights that are off.
        seen = [one for one in chosen if args.state or one.pattern is not Pattern.OFF]
        play(seen, args.count, sys.stdout, endless=args.state is not None, hue=args.hue)
    return 0


def print_picture(count: int, chosen: Iterable[Exhibit]) -> None:
    """Print exhibits with their meanings, a line for each LED."""
    leds = "one LED" if count == 1 else f"{count} LEDs, a line each"
    print(f"{leds}; {PICTURE_S:g} seconds from left to right, the darker the blanker")
    for one in chosen:
        print(f"\n{one.means}")
        print(picture(count, [one], span_s=PICTURE_S, columns=PICTURE_COLUMNS))


def play(
    chosen: list[Exhibit],
    count: int,
    stream: TextIO,
    *,
    endless: bool = False,
    hue: int | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Play exhibits one after the other on a terminal; `endless` until Ctrl-C.

    `hue`, 0..359 degrees, is that of the persona that talks.
    """
    leds = TerminalLights(stream, count)
    try:
        while True:
            for one in chosen:
                _play(one, leds, stream, pause, hue)
            if not endless:
                return
    except KeyboardInterrupt:
        return
    finally:
        leds.close()


def _play(
    one: Exhibit,
    leds: TerminalLights,
    stream: TextIO,
    pause: Callable[[float], None],
    hue: int | None,
) -> None:
    print(f"\n{one.name}: {one.means}", file=stream)
    leds.open()
    span_s = min(LONGEST_S, max(SHORTEST_S, 2 * MOTIONS[one.pattern].period_s))
    for step in range(round(span_s / FRAME_S)):
        at_s = step * FRAME_S
        leds.show(
            render(
                one.pattern,
                at_s,
                leds.count,
                streaming=one.streaming,
                pictures=one.pictures,
                level=_VOICE_PEAK * abs(math.sin(at_s * 3)),
                left=max(0.0, 1 - at_s / _COUNTDOWN_S),
                direction=None if one.direction is None else (at_s / _ROUND_S) % 1.0,
                amount=one.amount,
                hue=hue,
            )
        )
        pause(FRAME_S)


def darken(path: Path | None, boards: Boards | None = None, usb: Load = libusb) -> int:
    """Switch off the LEDs of the board that the configuration means; returns 0 whatever happens.

    What cannot be darkened is told on stderr: a unit whose speaker has died must not fail a second
    time by its lights. Takes 5 s at most, when an array hangs.
    """
    try:
        config = load(path)
    except ConfigError:
        # What is wrong with it was told by the speaker; the board is found without it.
        config = Config()
    for board in _boards(config, boards or Boards()):
        try:
            switch_off(board, driver=config.lights.driver, gpio_pins=config.lights.pins, usb=usb)
        except BoardError as error:
            _tell(error)
        except Exception as error:  # noqa: BLE001 - told; see above
            _tell(error)
    return 0


def _boards(config: Config, boards: Boards) -> list[Profile]:
    """Every board that the dead process may have lit: with one microphone it is the only one."""
    try:
        found = boards.finding(config, None)
    except BoardError as error:
        _tell(error)
        return []
    if config.board != "auto" or config.lights.driver != "auto":
        return [found.board]
    others = [corrected(other.profile, config) for other in found.candidates]
    return [found.board, *(other for other in others if other != found.board)]


def _tell(error: Exception) -> None:
    print(f"parley: the lights may have stayed on: {error}", file=sys.stderr)
