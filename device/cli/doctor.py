"""`parley doctor` looks at everything a speaker needs, with figures, and mends what it can.

`parley doctor mic` and `wake` are meters to look at while one speaks; `parley doctor bundle` packs
what whoever helps needs to know, without a secret in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from device import __version__
from device.audio.portaudio import quiet_stderr
from device.cli.exit import leave
from device.doctor import meters
from device.doctor.bundle import pack, secrets_of
from device.doctor.checklist import CHECKS, scene_of
from device.doctor.examination import Check, Found, cure, examine, is_broken
from device.doctor.redaction import Redactor
from device.doctor.result import Verdict, worst
from device.doctor.scene import Scene
from device.service.event_loop import EventLoop
from device.threads import left_behind

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

STYLES = {
    Verdict.FINE: "green",
    Verdict.HINT: "yellow",
    Verdict.BROKEN: "bold red",
    Verdict.SKIPPED: "dim",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add the command, and those below it."""
    parser = subparsers.add_parser(
        "doctor", help="check everything a speaker needs, and mend what can be mended"
    )
    parser.add_argument("--json", action="store_true", help="the figures, for a script")
    parser.add_argument("--fix", action="store_true", help="mend what can be mended")
    _add_scene(parser)
    parser.set_defaults(run=doctor)
    below = parser.add_subparsers(metavar="[mic | wake | bundle]")
    for name, run, does in (
        ("mic", meters.mic, "how loud the microphone is, as you speak"),
        ("wake", meters.wake, "how sure the wake word networks are, as you speak"),
    ):
        meter = below.add_parser(name, help=does)
        meter.add_argument("--seconds", type=_seconds, metavar="N", help="end after so long")
        meter.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="one line a second, for a script; so is what goes into a pipe",
        )
        _add_config(meter, default=argparse.SUPPRESS)
        meter.set_defaults(run=run)
    bundle = below.add_parser("bundle", help="pack what whoever helps needs to know; no secrets")
    bundle.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a .tar.gz")
    bundle.add_argument(
        "--lines", type=int, default=500, metavar="N", help="of the journal (default: 500)"
    )
    _add_scene(bundle, default=argparse.SUPPRESS)
    bundle.set_defaults(run=bundled)


def _add_config(parser: argparse.ArgumentParser, default: Any = None) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="PATH", default=default, help="the configuration file"
    )


def _add_scene(parser: argparse.ArgumentParser, default: Any = None) -> None:
    _add_config(parser, default)
    for flag, does in (
        ("--offline", "send nothing: leave the network and the model out"),
        ("--press", "ask for a press of the button also where no terminal is"),
    ):
        parser.add_argument(flag, action="store_true", default=default or False, help=does)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def doctor(args: argparse.Namespace) -> int:
    """Look at everything; 1 when something is broken."""
    return _to_the_end(_doctor, args)


def bundled(args: argparse.Namespace) -> int:
    """Look at everything and pack it, with what else helps."""
    return _to_the_end(_bundled, args)


def _to_the_end(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command; the exit code is its own also where a check hangs for ever."""
    before = left_behind()
    try:
        code = command(args)
    except KeyboardInterrupt:
        code = 130
    if left_behind() - before:
        leave(code)
    return code


def _doctor(args: argparse.Namespace) -> int:
    console = Console(highlight=False)
    began = time.monotonic()
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        found, redactor = runner.run(_examined(args, console))
    took_s = time.monotonic() - began
    if args.json:
        print(json.dumps(redactor.value(record(found, took_s)), ensure_ascii=False, indent=2))
    else:
        console.print(_table(found, redactor))
        console.print(_summary(found, took_s))
    return int(is_broken(found))


def _bundled(args: argparse.Namespace) -> int:
    console = Console(highlight=False)
    args.json, args.fix = False, False
    began = time.monotonic()
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        scene = runner.run(_scene(args, console))
        found = runner.run(_looked(scene, console, quiet=False, fix=False))
    path = args.file or Path(f"parley-bundle-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    names = pack(path, scene, record(found, time.monotonic() - began), args.lines)
    console.print(f"{path}: {', '.join(names)}")
    console.print("no key and nothing that was said is in it; look through it before you send it")
    return 0


async def _examined(args: argparse.Namespace, console: Console) -> tuple[list[Found], Redactor]:
    scene = await _scene(args, console)
    found = await _looked(scene, console, quiet=args.json, fix=args.fix)
    return found, Redactor(secrets_of(scene))


async def _scene(args: argparse.Namespace, console: Console) -> Scene:
    person = sys.stdin.isatty() and sys.stdout.isatty() and not args.json
    return await scene_of(
        args.config,
        args.socket,
        os.environ,
        offline=args.offline,
        present=args.press or person,
        tell=lambda text: None if args.json else console.print(f"[bold]{escape(text)}[/]"),
    )


async def _looked(scene: Scene, console: Console, *, quiet: bool, fix: bool) -> list[Found]:
    def began(check: Check) -> None:
        if check.doing and not quiet:
            console.print(f"[dim]{escape(check.doing)}[/]")

    # What ALSA has to say of a busy machine is no news for a person.
    with quiet_stderr():
        found = await examine(scene, CHECKS, began)
        return await cure(scene, found) if fix else found


def record(found: Sequence[Found], took_s: float) -> dict[str, Any]:
    """Return what was found, for scripts: names stay as they are."""
    return {
        "version": __version__,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": str(worst([each.result for each in found])),
        "broken": is_broken(found),
        "took_s": round(took_s, 1),
        "checks": [
            {"group": each.check.group, **each.result.as_record(), "cured": each.cured}
            for each in found
        ],
    }


def _table(found: Sequence[Found], redactor: Redactor) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    group = ""
    for each in found:
        result = each.result
        if each.check.group != group:
            group = each.check.group
            table.add_row(f"[bold]{group}[/]")
        style = STYLES[result.verdict]
        told = escape(redactor.text(result.figure))
        if result.advice:
            fixable = " [dim](--fix can)[/]" if result.cure else ""
            told += f"\n[{style}]→ {escape(redactor.text(result.advice))}[/]{fixable}"
        if each.cured:
            told += f"\n[green]→ done: {escape(each.cured)}[/]"
        table.add_row(f"  {result.name}", f"[{style}]{result.verdict}[/]", told)
    return table


def _summary(found: Sequence[Found], took_s: float) -> str:
    counts: Mapping[Verdict, list[str]] = {
        verdict: [each.result.name for each in found if each.result.verdict is verdict]
        for verdict in Verdict
    }
    parts = []
    for verdict in (Verdict.BROKEN, Verdict.HINT, Verdict.FINE, Verdict.SKIPPED):
        names = counts[verdict]
        told = names and verdict in {Verdict.BROKEN, Verdict.HINT}
        which = f" ({', '.join(names)})" if told else ""
        ending = "s" if verdict is Verdict.HINT and len(names) != 1 else ""
        parts.append(f"[{STYLES[verdict]}]{len(names)} {verdict}{ending}{which}[/]")
    return f"\n{', '.join(parts)}; {took_s:.0f} s"
