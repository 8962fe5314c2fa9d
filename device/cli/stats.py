"""``parley stats`` shows what the speaker did: talks, wakes, how soon it answers, what failed."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console

from device.cli import stats_sentences as sentences
from device.cli.presentation import print_lines, print_table
from device.cli.remote import result
from device.cli.speaker_folders import speaker_folders
from device.errors import UnansweredError
from device.records.statistics import BY, DEFAULT_DAYS, MOST_DAYS
from device.text import printable_record

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

LONG_DAYS, LONGEST_DAYS = 31, 120
"""Longer times are shown by the week, or by the month: more lines are looked at by nobody."""


def add_parser(subparsers: Subparsers) -> None:
    """Add ``stats``."""
    about = "what the speaker did: talks, wakes, how soon it answers, what went wrong, what it took"
    parser = subparsers.add_parser("stats", help=about, description=about)
    parser.add_argument("--json", action="store_true", help="everything, for a script")
    parser.add_argument(
        "--days",
        default=DEFAULT_DAYS,
        type=_days,
        metavar="N",
        help=f"the last 1 to {MOST_DAYS} days, today among them (default: {DEFAULT_DAYS})",
    )
    parser.add_argument(
        "--by",
        choices=BY,
        help="what is summed up: the day, week or month (default: by how long the time is)",
    )
    parser.set_defaults(run=stats)


def stats(args: argparse.Namespace) -> int:
    """Print it. Asks the speaker, or reads what it has written where none runs."""
    by = args.by or ("day" if args.json else _span(args.days))
    try:
        request = {"command": "stats", "days": args.days, "by": by}
        told = {**result(args, request), "live": True}
    except UnansweredError:
        told = {**_read(args, by), "live": False}
    if args.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    told = printable_record(told)
    screen = _screen()
    blocks = sentences.FINE if screen.encoding.lower().startswith("utf") else sentences.PLAIN
    print_lines(sentences.head(told), screen)
    if not told["sums"]["ran_s"]:
        return 0
    screen.print()
    print_table(sentences.spans(told, screen.width, blocks), screen)
    for line in sentences.hours(told, blocks):
        screen.print(line, highlight=False)
    screen.print()
    print_table(sentences.rest(told["sums"]), screen)
    return 0


def _screen() -> Console:
    """Return what prints: a table is no wider than is read at a glance."""
    if not sys.stdout.isatty():
        return Console(width=sentences.WHOLE_COLUMNS, no_color=True, highlight=False)
    found = Console(highlight=False)
    return Console(width=min(found.width, sentences.WHOLE_COLUMNS), highlight=False)


def _span(days: int) -> str:
    if days > LONGEST_DAYS:
        return "month"
    return "week" if days > LONG_DAYS else "day"


def _days(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_DAYS:
        return int(text[:9])
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_DAYS}")


def _read(args: argparse.Namespace, by: str) -> dict[str, Any]:
    """Read the books of a speaker that does not run. Raises RecordsError."""
    from device.records.reader import ask_records  # noqa: PLC0415 - only where no speaker runs
    from device.records.statistics import report  # noqa: PLC0415
    from device.records.tables import TABLES  # noqa: PLC0415
    from device.timers.clocks import local_zone  # noqa: PLC0415

    now, zone = time.time(), local_zone()
    return ask_records(
        *speaker_folders(args), TABLES, lambda books: report(books, now, args.days, zone, by)
    )
