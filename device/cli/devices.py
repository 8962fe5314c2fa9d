"""``parley devices``: the sound cards there are, and which ones Parley would take and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from device.audio.devices import Device, Verdict, explain
from device.audio.portaudio import list_devices
from device.board.profiles import profile_for
from device.config import Audio, load

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add ``devices``."""
    parser = subparsers.add_parser("devices", help="sound cards, and which one would be taken")
    parser.add_argument("--config", type=Path, metavar="PATH", help="the configuration file")
    parser.add_argument("--json", action="store_true", help="for a script")
    parser.set_defaults(run=devices)


def devices(args: argparse.Namespace) -> int:
    """Print every sound device; 1 when there is no microphone or no loudspeaker to take."""
    audio = load(args.config).audio
    return report(list_devices(), audio, as_json=args.json)


def report(found: Sequence[Device], audio: Audio, *, as_json: bool) -> int:
    """Print these devices and what would be made of them; returns the exit code."""
    verdicts = explain(found, audio.input.device, audio.output.device)
    if as_json:
        print(json.dumps([_record(verdict) for verdict in verdicts], indent=2))
    else:
        Console().print(_table(verdicts) if verdicts else "no sound device found")
    taken = any(v.microphone for v in verdicts) and any(v.loudspeaker for v in verdicts)
    return 0 if taken else 1


def _record(verdict: Verdict) -> dict[str, object]:
    about = asdict(verdict.device)
    del about["index"]
    return {
        **about,
        "board": profile_for(verdict.device.name).name,
        "microphone": verdict.microphone,
        "speaker": verdict.loudspeaker,
        "why": verdict.why,
    }


def _table(verdicts: list[Verdict]) -> Table:
    table = Table(
        "device", "in", "out", "rate", "board", "taken as", "why", box=None, pad_edge=False
    )
    for verdict in verdicts:
        device = verdict.device
        roles = {"microphone": verdict.microphone, "loudspeaker": verdict.loudspeaker}
        table.add_row(
            escape(device.name),
            str(device.input_channels),
            str(device.output_channels),
            f"{device.default_rate_hz} Hz",
            profile_for(device.name).name,
            " and ".join(role for role, taken in roles.items() if taken) or "-",
            escape(verdict.why),
        )
    return table
