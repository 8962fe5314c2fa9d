"""``parley config``: check a configuration, show what is in force, describe every key."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from device.cli.checked import load, warnings
from device.config import DEFAULT_PATH, Config, describe, schema
from device.errors import ConfigError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add ``config`` with its three commands; each leaves its handler in ``args.run``."""
    group = subparsers.add_parser("config", help="check, show or describe the configuration")
    commands = group.add_subparsers(metavar="COMMAND", required=True)

    check_parser = commands.add_parser("check", help="name every mistake, with its line")
    check_parser.set_defaults(run=check)
    show_parser = commands.add_parser("show", help="print every setting as it is in force")
    show_parser.set_defaults(run=show)
    schema_parser = commands.add_parser("schema", help="print the JSON Schema of the file")
    schema_parser.set_defaults(run=print_schema)

    for parser in (check_parser, show_parser):
        parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help="the file")
        parser.add_argument(
            "--config", type=Path, metavar="PATH", help=f"the file (default: {DEFAULT_PATH})"
        )


def check(args: argparse.Namespace) -> int:
    """Say that the file is fine, or print every mistake to stderr; warnings do not count.

    Returns the exit code.
    """
    asked: Path | None = args.path or args.config
    config = _load(asked)
    if config is None:
        return os.EX_CONFIG
    for warning in warnings(config):
        print(f"warning: {warning}", file=sys.stderr)
    if asked is None and not DEFAULT_PATH.exists():
        print(f"{DEFAULT_PATH} does not exist: the built-in defaults are in force")
    else:
        print(f"{asked or DEFAULT_PATH}: fine")
    return 0


def show(args: argparse.Namespace) -> int:
    """Print the effective configuration as YAML. Returns the exit code."""
    config = _load(args.path or args.config)
    if config is None:
        return os.EX_CONFIG
    print(describe(config), end="")
    return 0


def print_schema(_args: argparse.Namespace) -> int:
    """Print the JSON Schema. Returns the exit code."""
    print(json.dumps(schema(), indent=2))
    return 0


def _load(path: Path | None) -> Config | None:
    """Load the file; None after its mistakes went to stderr."""
    try:
        return load(path)
    except ConfigError as error:
        print(*error.lines(), sep="\n", file=sys.stderr)
        count = len(error.mistakes)
        if count > 1:
            print(f"{count} mistakes", file=sys.stderr)
        return None
