"""``parley audit`` shows what left the device: when, how much, why, and to whom."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC
from typing import TYPE_CHECKING, Any

from device.cli import audit_sentences as sentences
from device.cli import presentation as shown
from device.cli.remote import console, result
from device.cli.speaker_folders import speaker_folders
from device.errors import UnansweredError
from device.text import printable_record

if TYPE_CHECKING:
    import sqlite3

    from device.records.audit import Sums

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add ``audit``."""
    about = "what left this device: sound, pictures and texts, and the functions that were called"
    parser = subparsers.add_parser("audit", help=about, description=about)
    parser.add_argument("--json", action="store_true", help="everything, for a script")
    parser.add_argument(
        "--since",
        default="today",
        type=moment,
        metavar="WHEN",
        help="2h, 3d, today (default), yesterday, a date such as 2026-11-01, or all",
    )
    parser.set_defaults(run=audit)


def moment(text: str) -> str:
    """Return what was typed, if it means a moment: which one is for the speaker's clock to say."""
    from device.records.since import since  # noqa: PLC0415 - for this command only

    try:
        since(text, time.time(), UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def audit(args: argparse.Namespace) -> int:
    """Print it. Asks the speaker, or reads what it has written where none runs."""
    try:
        told = _ask(args)
    except UnansweredError:
        told = _read(args)
    if args.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    told = printable_record(told)
    screen = console()
    shown.print_lines(sentences.head(told), screen)
    if entries := told["entries"]:
        shown.print_table(sentences.table(entries, screen.width), screen)
        shown.print_lines(sentences.letters(entries, screen.width), screen)
    shown.print_lines(sentences.total(told), screen)
    return 0


def _ask(args: argparse.Namespace) -> dict[str, Any]:
    request: dict[str, Any] = {"command": "audit", "since": args.since}
    told = result(args, request)
    entries = list(told["entries"])
    while (after := told["next"]) is not None:
        told = result(args, {**request, "after": after})
        entries += told["entries"]
    return {**told, "entries": entries, "live": True}


def _read(args: argparse.Namespace) -> dict[str, Any]:
    """Read the books of a speaker that does not run. Raises RecordsError."""
    from device.records import audit as kept  # noqa: PLC0415 - only where no speaker runs
    from device.records.reader import ask_records  # noqa: PLC0415
    from device.records.since import since  # noqa: PLC0415
    from device.records.tables import TABLES  # noqa: PLC0415
    from device.timers.clocks import local_zone  # noqa: PLC0415

    zone = local_zone()
    begin = since(args.since, time.time(), zone)

    def question(books: sqlite3.Connection) -> tuple[list[dict[str, Any]], Sums]:
        entries, after = kept.page(books, begin, kept.START, zone)
        while after is not None:
            more, after = kept.page(books, begin, after, zone)
            entries += more
        return entries, kept.sums(books, begin)

    entries, found = ask_records(*speaker_folders(args), TABLES, question)
    sums = found.as_dict()
    told = {"since": kept.moment_of(begin, zone), "entries": entries, "next": None, "sums": sums}
    return {**told, "camera": None, "wake_clips": None, "live": False}
