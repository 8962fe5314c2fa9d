"""``parley tools`` lists the functions that the model can call, and calls one by hand."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from device.cli import presentation as shown
from device.cli import tool_sentences as sentences
from device.cli.remote import console, result
from device.text import printable, printable_record

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

EXAMPLE = '{"name": "Kitchen Light"}'
SHOWN_CHARACTERS = 40
"""Of what was typed, where it is no JSON."""


def add_parser(subparsers: Subparsers) -> None:
    """Add ``tools`` and its ``call``."""
    about = "the functions that the model can call, and the MCP servers some of them come from"
    tools_parser = subparsers.add_parser("tools", help=about, description=about)
    tools_parser.add_argument("--json", action="store_true", help="the whole answer, for a script")
    tools_parser.set_defaults(run=show)
    actions = tools_parser.add_subparsers(metavar="[call]")
    about = "call a function by hand and print its answer; nobody is asked first"
    call_parser = actions.add_parser("call", help=about, description=about)
    call_parser.add_argument("name", metavar="NAME", help="such as home_HassTurnOff")
    call_parser.add_argument(
        "arguments",
        nargs="?",
        metavar="JSON",
        help=f"its arguments, such as '{EXAMPLE}'; -: read from standard input (default: none)",
    )
    call_parser.set_defaults(run=call, parser=call_parser)


def show(args: argparse.Namespace) -> int:
    """Print all there are, what they cost, and how each server stands."""
    answer = result(args, {"command": "tools"})
    if args.json:
        _print_json(answer)
        return 0
    told = printable_record(answer)
    if told["functions"]:
        shown.print_table(sentences.table(told["functions"]), console())
        print()
    print(sentences.total(told["functions"], told["facts_tokens"]))
    for standing in told["servers"]:
        for line in sentences.server(standing):
            print(line)
    return 0


def call(args: argparse.Namespace) -> int:
    """Call one and print its answer; 1 where that is an error."""
    arguments = _arguments(args)
    answer = result(args, {"command": "tools", "call": args.name, "arguments": arguments})
    _print_json(answer["answer"])
    return int("error" in answer["answer"])


def _print_json(answer: Any) -> None:
    print(json.dumps(answer, ensure_ascii=False, indent=2))


def _arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was typed, or came through a pipe. Leaves with 2 where it is no JSON object."""
    if args.arguments is None:
        return {}
    read = sys.stdin.buffer.read() if args.arguments == "-" else args.arguments
    what = "standard input" if args.arguments == "-" else "argument JSON"
    try:
        text = read.decode() if isinstance(read, bytes) else read
        given: Any = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        args.parser.error(
            f"{what}: this is no JSON at {place}: {error.msg.lower()}{_seen(error)}; write it as "
            f"'{EXAMPLE}'"
        )
    except UnicodeDecodeError as error:
        args.parser.error(f"{what}: this is no UTF-8 at byte {error.start + 1}")
    except (ValueError, RecursionError):
        # A number of thousands of digits, or thousands of lists in each other.
        args.parser.error(f"{what}: this JSON is too long or too deep: write it as '{EXAMPLE}'")
    if not isinstance(given, dict):
        kind = printable(json.dumps(given), SHOWN_CHARACTERS)
        args.parser.error(f"{what}: {kind} is no JSON object: write it as '{EXAMPLE}'")
    arguments: dict[str, Any] = given
    return arguments


def _seen(error: json.JSONDecodeError) -> str:
    rest = error.doc[error.pos : error.pos + SHOWN_CHARACTERS].partition("\n")[0]
    return f", before {printable(rest)!r}" if rest.strip() else ", at its end"
