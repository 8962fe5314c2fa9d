"""``parley config`` checks a configuration, shows what is in force, and describes every key."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.build.checked_config import load, warnings
from device.config import DEFAULT_PATH, Config, describe, schema
from device.control.socket import call, socket_path
from device.errors import ConfigError, ControlError

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
    """Print the effective configuration as YAML, and where it comes from. Returns the exit code.

    That is the running speaker's, unless a file was named or none runs.
    """
    asked: Path | None = args.path or args.config
    running = _running(args) if asked is None else None
    if running is not None:
        print(*(f"# {line}" for line in _origin(running)), sep="\n")
        print(running["settings"], end="")
        return 0
    config = _load(asked)
    if config is None:
        return os.EX_CONFIG
    if asked is not None or DEFAULT_PATH.exists():
        print(f"# {asked or DEFAULT_PATH}")
    else:
        print(f"# {DEFAULT_PATH} does not exist: the built-in defaults")
    print(describe(config), end="")
    return 0


def _origin(running: dict[str, Any]) -> list[str]:
    """Say where the settings of the running speaker come from."""
    file, mistakes = running["file"], running["mistakes"]
    match running["in_force"]:
        case "file":
            return [f"in force, from {file}"]
        case "defaults":
            return [f"in force: the built-in defaults, since {file} does not exist"]
    return [f"in force: the last good settings, since {file} is refused:", *mistakes]


def _running(args: argparse.Namespace) -> dict[str, Any] | None:
    """Ask the speaker what is in force; None when there is none to ask."""

    async def ask() -> dict[str, Any] | None:
        socket = socket_path(getattr(args, "socket", None), os.environ)
        async for record in call(socket, {"command": "config"}):
            result: dict[str, Any] = record["result"]
            return result
        return None

    try:
        return asyncio.run(ask())
    except ControlError:
        return None


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
