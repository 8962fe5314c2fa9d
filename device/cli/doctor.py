"""`parley doctor`: measures what a running speaker hears of itself, and says what that means."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from device.control import call, socket_path
from device.errors import ControlError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

GOOD_ERLE_DB = 12.0
LITTLE_LEFT_DB = 8.0
"""As in `device.audio.duplex`: what of the two a speaker is content with."""
LATE_MS = 400.0
FAST_PPM = 200.0
"""From which figures on the table advises something."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "doctor", help="say something, listen to it, and tell what the microphone hears"
    )
    parser.add_argument("--json", action="store_true", help="the figures, for a script")
    parser.set_defaults(run=doctor)


def doctor(args: argparse.Namespace) -> int:
    """Have the speaker measure its echo; 1 when that shows something broken."""
    console = Console()
    if not args.json:
        console.print("The speaker says a few sentences and listens to them; please be quiet …")
    answer = asyncio.run(_measured(args))
    findings = _findings(answer)
    broken = any(verdict == "broken" for _, _, verdict, _ in findings)
    if args.json:
        print(json.dumps({**answer, "broken": broken}, ensure_ascii=False, indent=2))
    else:
        console.print(_table(findings))
    return int(broken)


async def _measured(args: argparse.Namespace) -> dict[str, Any]:
    async for record in call(socket_path(args.socket, os.environ), {"command": "measure"}):
        result: dict[str, Any] = record["result"]
        return result
    raise ControlError("the speaker ended before it had answered; see: journalctl -u parley")


Finding = tuple[str, str, str, str]
"""What, its figure, ok | note | broken, and what to do."""


def _findings(answer: dict[str, Any]) -> list[Finding]:
    echo, duplex = answer["echo"], answer["duplex"]
    hears = echo["return_loss_db"] is not None
    rows: list[Finding] = [
        (
            "loudspeaker to microphone",
            _return_loss(echo["return_loss_db"]),
            "ok" if hears else "broken",
            "" if hears else "have it quiet, turn the volume up; see: parley devices",
        ),
        ("noise of the room", _figure(echo["noise_dbfs"], "dBFS"), "ok", ""),
    ]
    if duplex["canceller"] == "software" and hears:
        rows += _of_the_canceller(echo)
    full = duplex["mode"] == "full"
    advice = "" if full else "the wake word and the button still interrupt a reply"
    rows.append(("over a reply", f"{duplex['mode']} duplex: {duplex['why']}", "ok", advice))
    return rows


def _of_the_canceller(echo: dict[str, Any]) -> list[Finding]:
    left_db = echo["residue_db"]
    good = echo["erle_db"] >= GOOD_ERLE_DB or (left_db is not None and left_db <= LITTLE_LEFT_DB)
    late = echo["delay_ms"] is not None and echo["delay_ms"] > LATE_MS
    fast = echo["drift_ppm"] is not None and abs(echo["drift_ppm"]) > FAST_PPM
    return [
        (
            "echo cancelled",
            f"{echo['erle_db']:.1f} dB, {_figure(left_db, 'dB left over the noise')}",
            "ok" if good else "note",
            "" if good else "a lower volume, more distance or another loudspeaker distort less",
        ),
        (
            "delay",
            _figure(echo["delay_ms"], "ms"),
            "note" if late else "ok",
            "a sound server with a large buffer is in between" if late else "",
        ),
        (
            "drift of the two clocks",
            _figure(echo["drift_ppm"], "ppm"),
            "note" if fast else "ok",
            "use one card for both" if fast else "",
        ),
    ]


def _return_loss(value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{abs(value):.1f} dB {'quieter' if value >= 0 else 'louder'} than what is played"


def _figure(value: float | None, unit: str) -> str:
    return "not known" if value is None else f"{value:.1f} {unit}"


def _table(findings: list[Finding]) -> Table:
    styles = {"ok": "green", "note": "yellow", "broken": "bold red"}
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(overflow="fold")
    for what, figure, verdict, advice in findings:
        style = styles[verdict]
        table.add_row(what, escape(figure), f"[{style}]{verdict}[/]", escape(advice))
    return table
