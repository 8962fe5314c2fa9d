"""``parley spending`` shows what the model has cost, and lets its owner allow more."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from device.cli import spending_sentences as sentences
from device.cli.presentation import print_table
from device.cli.remote import console, result
from device.records.budget import PERIODS, allowance
from device.text import printable_record

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

Told = Mapping[str, Any]
BAR_COLUMNS: Final = 20
LEAST_BAR_COLUMNS: Final = 6
FINE, PLAIN = "█░", "#."
STYLES: Final = {"": "green", "near": "yellow", "reached": "bold red"}
_LEAST_FIRST: Final = (("tokens in", "tokens out"), ("searches",), ("answers",))
"""What is left out of a table that has no room for it; all of it is told to a pipe."""
_GAP: Final = 2
"""Between two columns."""
_DIGITS, _FEW_DIGITS = 4, 2
_LARGE: Final = 1_000
"""From here on nobody looks for a hundredth of a cent."""


def add_parser(subparsers: Subparsers) -> None:
    """Add ``spending`` and ``spending allow``."""
    about = "what the model has cost today and this month, an estimate; allow: let it cost more"
    parser = subparsers.add_parser("spending", help=about, description=about)
    parser.add_argument("--json", action="store_true", help="everything, for a script")
    parser.set_defaults(run=show)
    actions = parser.add_subparsers(metavar="ACTION")
    about = "let it cost so much more until the day (or the month) is over"
    allow_parser = actions.add_parser("allow", help=about, description=about)
    allow_parser.add_argument(
        "amount", type=_amount, metavar="AMOUNT", help="such as 2.00, in spending.currency"
    )
    allow_parser.add_argument(
        "--period",
        choices=PERIODS,
        help="day or month: whose limit (default: what is reached, else the day's, or the month's)",
    )
    allow_parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="for a script"
    )
    allow_parser.set_defaults(run=allow)


def show(args: argparse.Namespace) -> int:
    """Print what was spent."""
    told = result(args, {"command": "spending"})
    if args.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    screen = console()
    show_on(screen, printable_record(told), _blocks(screen))
    return 0


def allow(args: argparse.Namespace) -> int:
    """Allow more, and say for how long."""
    request = {"command": "spending", "allow": args.amount}
    if args.period is not None:
        request["period"] = args.period
    told = result(args, request)
    if args.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    for line in sentences.granted(printable_record(told)):
        print(line)
    return 0


def show_on(screen: Console, told: Told, blocks: str) -> None:
    """Print all of it: how it stands, what follows, whose it was, and how sure that is."""
    print_table(_standings(told, screen.width, blocks), screen)
    _print(sentences.outlook(told), screen)
    for period in PERIODS:
        if told["by_model"][period] and (period == "month" or _differs(told)):
            screen.print()
            print_table(_by_model(told, period, screen.width), screen)
    screen.print()
    _print((("", line) for line in sentences.notes(told)), screen, "dim")


def _print(lines: Iterable[tuple[str, str]], screen: Console, style: str = "") -> None:
    table = Table.grid()
    for level, line in lines:
        # A style of the whole cell would be one of the spaces behind the line, too.
        table.add_row(Text.assemble((line, STYLES[level] if level else style)))
    if table.rows:
        print_table(table, screen)


def _standings(told: Told, columns: int, blocks: str) -> Table:
    """Return a row for the day and one for the month; bars take the room that there is."""
    rows = [(sentences.TITLES[each], sentences.amount(told, each)) for each in PERIODS]
    shares = [sentences.percent(told[each]) for each in PERIODS]
    taken = sum(max(map(len, column)) + _GAP for column in (*zip(*rows, strict=True), shares))
    bar = min(columns - taken, BAR_COLUMNS)
    bars = bar >= LEAST_BAR_COLUMNS and any(told[each]["limit"] is not None for each in PERIODS)
    table = Table.grid(padding=(0, _GAP))
    table.add_column(style="bold", no_wrap=True)
    for _ in range(3 if bars else 2):
        table.add_column()
    for period, (title, amount), share in zip(PERIODS, rows, shares, strict=True):
        style = STYLES[told[period]["level"]]
        cells = [Text(title), Text(amount)]
        if bars:
            cells.append(Text(_bar(told[period], bar, blocks), style))
        table.add_row(*cells, Text(share, style if told[period]["level"] else ""))
    return table


def _bar(about: Told, columns: int, blocks: str) -> str:
    """Return a bar that is full where the limit is reached, and empty where nothing was spent."""
    if about["limit"] is None:
        return ""
    filled = int(sentences.share(about) * columns)
    filled = max(filled, 1) if about["spent"] else 0
    return blocks[0] * filled + blocks[1] * (columns - filled)


class _Column(NamedTuple):
    """A column of figures."""

    name: str
    cells: Sequence[str]

    @property
    def width(self) -> int:
        return max(map(len, (self.name, *self.cells))) + _GAP


def _by_model(told: Told, period: str, columns: int) -> Table:
    """Return a row for each model and persona; figures without room are left out, the cost last."""
    entries = told["by_model"][period]
    names = [_name(entry) for entry in entries]
    room = columns - max(map(len, (sentences.TITLES[period], *names)))
    figures = _figures(entries, told["currency"])
    for least in _LEAST_FIRST:
        if sum(each.width for each in figures) > room:
            figures = [each for each in figures if each.name not in least]
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    table.add_column(sentences.TITLES[period], overflow="fold")
    for figure in figures:
        table.add_column(Text(figure.name), justify="right", no_wrap=True)
    for name, *cells in zip(names, *(each.cells for each in figures), strict=True):
        table.add_row(Text(name), *map(Text, cells))
    return table


def _name(entry: Told) -> str:
    model = entry["model"] or "not known"
    return f"{model} ({entry['persona']})" if entry["persona"] else str(model)


def _figures(entries: Sequence[Told], currency: str) -> list[_Column]:
    going_in = [_tokens(entry, going_in=True) for entry in entries]
    coming_out = [_tokens(entry, going_in=False) for entry in entries]
    digits = _DIGITS if max(entry["cost"] for entry in entries) < _LARGE else _FEW_DIGITS
    found = [
        _Column("answers", [f"{entry['turns']:,}" for entry in entries]),
        _Column("tokens in", [f"{count:,}" for count in going_in]),
        _Column("tokens out", [f"{count:,}" for count in coming_out]),
        _Column("searches", [f"{entry['searches']:,}" for entry in entries]),
        _Column(currency, [_cost(entry["cost"], digits) for entry in entries]),
    ]
    return [each for each in found if each.name != "searches" or set(each.cells) != {"0"}]


def _tokens(entry: Told, *, going_in: bool) -> int:
    counts = entry["tokens"].items()
    return sum(count for kind, count in counts if kind.endswith("_in") is going_in)


def _cost(cost: float, digits: int) -> str:
    least = 10.0**-digits
    return f"<{least:.{digits}f}" if 0 < cost < least else f"{cost:,.{digits}f}"


def _differs(told: Told) -> bool:
    """Tell whether today's table says something that the month's does not."""
    return bool(told["by_model"]["day"] != told["by_model"]["month"])


def _blocks(screen: Console) -> str:
    return FINE if screen.encoding.lower().startswith("utf") and sys.stdout.isatty() else PLAIN


def _amount(text: str) -> float:
    if "," in text:
        meant = text.replace(",", ".") if re.fullmatch(r"\d+,\d{1,2}", text) else "e.g. 2.00"
        raise argparse.ArgumentTypeError(f"{text[:40]!r} has a comma: write {meant}")
    try:
        allowance(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return float(text)
