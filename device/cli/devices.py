"""``parley devices`` lists the sound cards, which ones Parley would take, and the board."""

from __future__ import annotations

import argparse
import getpass
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
from device.board.detection import Finding
from device.board.profiles import profile_for
from device.build import checked_config as checked
from device.build.boards import Boards
from device.cli.board_report import board_report, board_table
from device.config import Config
from device.errors import AudioDeviceError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add ``devices``."""
    parser = subparsers.add_parser(
        "devices", help="sound cards and board: what would be taken, and why"
    )
    parser.add_argument("--config", type=Path, metavar="PATH", help="the configuration file")
    parser.add_argument("--json", action="store_true", help="for a script")
    parser.set_defaults(run=devices)


def devices(args: argparse.Namespace) -> int:
    """Print every sound device and the board.

    Returns 1 when there is no microphone or no loudspeaker to take. Raises ConfigError.
    """
    config = checked.load(args.config)
    trouble = ""
    try:
        found = list_devices()
    except AudioDeviceError as error:
        found, trouble = [], str(error)
    return report(found, config, Boards(), as_json=args.json, trouble=trouble)


def report(
    found: Sequence[Device], config: Config, boards: Boards, *, as_json: bool, trouble: str = ""
) -> int:
    """Print these devices, the board, and what would be made of them; returns the exit code.

    ``trouble``: why there may be more devices than were found.
    """
    audio = config.audio
    facts = boards.input_facts(config)
    verdicts = explain(found, audio.input.device, audio.output.device, facts)
    microphone = next((v.device for v in verdicts if v.microphone), None)
    loudspeaker = next((v.device for v in verdicts if v.loudspeaker), None)
    board = boards.finding(config, microphone)
    if audio.input.device == "auto" and _hidden(found, best := boards.finding(config, None)):
        board = best
    about = board_report(board, config, microphone, loudspeaker)
    missing = [*([trouble] if trouble else []), *_hidden(found, board)]
    about["advice"] = [*missing, *about["advice"]]
    if as_json:
        told = {"devices": [_record(verdict) for verdict in verdicts], "board": about}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        console.print(_table(verdicts) if verdicts else "no sound device found")
        console.print()
        console.print(board_table(about))
    return 0 if microphone is not None and loudspeaker is not None else 1


def _hidden(found: Sequence[Device], board: Finding) -> list[str]:
    """A card that is taken does not show itself to others: say so, lest it be looked for."""
    card = board.card
    if card is None or any(
        device.input_channels and device.card == card.number for device in found
    ):
        return []
    if not card.allowed:
        user = getpass.getuser()
        who = (
            f"user {user} is not in group audio; run 'sudo usermod -aG audio {user}', and log in"
            " again"
        )
    elif card.recorder:
        who = f"'{card.recorder}' has it open"
    else:
        who = "another program has it open, which may be the speaker itself ('parley status')"
    return [f"card {card.number} '{card.name}' is not among the microphones above: {who}"]


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
