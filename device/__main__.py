"""``parley`` and ``python -m device``: the command line's table of contents."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from device import __version__
from device.errors import ConfigError, ParleyError
from device.text import printable, printable_lines

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

GROUPS = {
    "device.cli.run": {"run"},
    "device.cli.demo": {"demo"},
    "device.cli.remote": {"status", "watch", "ask", "volume", "mute", "unmute", "stop", "reload"},
    "device.cli.timers": {"timers"},
    "device.cli.tools": {"tools"},
    "device.cli.audit": {"audit"},
    "device.cli.spending": {"spending"},
    "device.cli.stats": {"stats"},
    "device.cli.wakes": {"wakes"},
    "device.cli.devices": {"devices"},
    "device.cli.doctor": {"doctor"},
    "device.cli.config": {"config"},
    "device.cli.lights": {"lights"},
    "device.cli.token": {"token"},
    "device.cli.manual": {"man", "completion"},
}
"""The commands of each module: `parley status` need not import all that a speaker is made of."""
FIRST_LOOK = "device.cli.first_look"
"""Before the doctor: what it imports may be what does not run here."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.

    0 fine, 1 found broken or failed, 2 wrong usage, 78 (EX_CONFIG) a mistake in the configuration.
    """
    words = sys.argv[1:] if argv is None else argv
    if "run" in words:
        # A reload may be asked for while it still imports; the file is read after that anyway.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        if "doctor" in words and (found := import_module(FIRST_LOOK).first_look(words)) is not None:
            return int(found)
        args = parser(words).parse_args(words)
        code: int = args.run(args)
        sys.stdout.flush()
    except ConfigError as error:
        for line in error.lines():
            print(printable(line), file=sys.stderr)
        return os.EX_CONFIG
    except ParleyError as error:
        print(f"parley: {printable_lines(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The commands that are among these words (none: all); each leaves its handler in ``run``."""
    top = argparse.ArgumentParser(
        prog="parley", description="A smart speaker that talks through the Gemini Live API."
    )
    top.add_argument("--version", action="version", version=f"parley {__version__}")
    top.add_argument("--socket", metavar="PATH", help=argparse.SUPPRESS)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    asked = [module for module, names in GROUPS.items() if not names.isdisjoint(words)]
    for module in asked or GROUPS:
        import_module(module).add_parser(commands)
    _add_socket(commands)
    return top


def _add_socket(commands: Subparsers) -> None:
    """Every command takes --socket, also where it only decides which speaker is meant."""
    for command in commands.choices.values():
        command.add_argument(
            "--socket",
            metavar="PATH",
            default=argparse.SUPPRESS,
            help="the control socket (default: your own speaker's, or that in /run/parley)",
        )
        for action in command._actions:  # argparse has no public way to them
            if isinstance(action, argparse._SubParsersAction):
                _add_socket(action)


if __name__ == "__main__":
    sys.exit(main())
