"""``parley spending`` shows what the model has cost, and lets its owner allow more."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from device.cli.presentation import print_table
from device.cli.remote import console, result
from device.cli.spending_sentences import TITLES, amount, ceiling
from device.records.budget import PERIODS, allowance
from device.text import printable_record

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

Told = Mapping[str, Any]
BAR_COLUMNS: Final = 20
FINE, PLAIN = "█░", "#."
STYLES: Final = {"": "green", "near": "yellow", "reached": "bold red"}


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
        help="whose limit (default: those that are reached, else the day's, else the month's)",
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
    told, screen = printable_record(told), console()
    print_table(_standings(told, _blocks(screen)), screen)
    for line in _notes(told):
        screen.print(line, markup=False, highlight=False)
    for period in PERIODS:
        if told["by_model"][period] and (period == "month" or _differs(told)):
            screen.print()
            print_table(_by_model(told, period), screen)
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
    currency, more = told["currency"], told["allowed"]["amount"]
    for period in told["allowed"]["periods"]:
        left = told[period]["left"]
        print(f"{more:.2f} {currency} more for {TITLES[period]}: {left:.2f} {currency} are left")
    for period in PERIODS:
        if told[period]["level"] == "reached":
            print(
                f"the limit of {TITLES[period]} is still reached: {amount(told, period)}; "
                f"parley spending allow AMOUNT --period {period}"
            )
    return 0


def _standings(told: Told, blocks: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    for _ in range(3):
        table.add_column(no_wrap=True)
    for period in PERIODS:
        about, most = told[period], ceiling(told[period])
        style = STYLES.get(about["level"], "white")
        bar = share = ""
        if most:
            filled = min(round(BAR_COLUMNS * about["spent"] / most), BAR_COLUMNS)
            bar = f"[{style}]{blocks[0] * filled}{blocks[1] * (BAR_COLUMNS - filled)}[/]"
            share = f"{100 * about['spent'] / most:.0f} %"
            if about["level"] == "reached":
                share += ", the limit is reached: parley spending allow 2.00"
            elif about["allowed"]:
                share += f", {about['allowed']:.2f} of it allowed beyond the limit"
        else:
            bar = "no limit is set"
        table.add_row(TITLES[period], escape(amount(told, period)), bar, share)
    return table


def _notes(told: Told) -> list[str]:
    about = f"by the prices of {told['prices_as_of']} or your own"
    lines = [
        f"An estimate: tokens as the server counts them, {about}. What is paid is the invoice."
    ]
    entries = told["by_model"]["month"]
    unknown = sorted({entry["model"] for entry in entries if not entry["price_known"]})
    for model in unknown:
        name = f"the model {model}" if model else "a model that is not known"
        lines.append(
            f"No price of {name} is known: it is counted as the dearest. Yours: spending.prices"
        )
    guessed = sum(entry["guessed"] for entry in entries)
    if guessed:
        turns = "1 answer was" if guessed == 1 else f"{guessed} answers were"
        lines.append(f"{turns} not counted to the end by the server, and guessed by the sound.")
    return lines


def _by_model(told: Told, period: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in (TITLES[period], "persona"):
        table.add_column(name)
    for name in ("answers", "tokens in", "tokens out", "searches", told["currency"]):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in told["by_model"][period]:
        tokens = entry["tokens"]
        going_in = sum(count for kind, count in tokens.items() if kind.endswith("_in"))
        table.add_row(
            escape(entry["model"] or "not known"),
            escape(entry["persona"] or "-"),
            f"{entry['turns']:,}",
            f"{going_in:,}",
            f"{sum(tokens.values()) - going_in:,}",
            f"{entry['searches']:,}",
            f"{entry['cost']:.4f}",
        )
    return table


def _differs(told: Told) -> bool:
    """Tell whether today's table says something that the month's does not."""
    return bool(told["by_model"]["day"] != told["by_model"]["month"])


def _blocks(screen: Console) -> str:
    return FINE if screen.encoding.lower().startswith("utf") and sys.stdout.isatty() else PLAIN


def _amount(text: str) -> float:
    try:
        allowance(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return float(text)
