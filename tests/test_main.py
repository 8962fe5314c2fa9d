"""The command line as a whole: commands, exit codes, and where errors go."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import pytest

from device import __version__
from device.__main__ import GROUPS, main, parser
from device.errors import ConfigError, ControlError, Mistake

Capture = pytest.CaptureFixture[str]


def commands(of: argparse.ArgumentParser) -> set[str]:
    (group,) = (a for a in of._actions if isinstance(a, argparse._SubParsersAction))
    return set(group.choices)


def test_the_table_names_the_commands_of_every_group() -> None:
    """What it leaves out could only be reached by a help text."""
    for module, names in GROUPS.items():
        alone = argparse.ArgumentParser()
        import_module(module).add_parser(alone.add_subparsers())
        assert commands(alone) == names
    assert commands(parser()) == set().union(*GROUPS.values())


def test_only_the_group_that_is_asked_for_is_loaded() -> None:
    """A word that happens to be a command's name costs time and nothing else."""
    assert commands(parser(["status", "--json"])) == GROUPS["device.cli.remote"]
    assert commands(parser(["ask", "run"])) == GROUPS["device.cli.remote"] | {"run"}
    args = parser(["--socket", "demo", "stop"]).parse_args(["--socket", "demo", "stop"])
    assert (args.socket, args.command) == ("demo", "stop")


def leaves(of: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    groups = [a for a in of._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        yield of
    for group in groups:
        for below in group.choices.values():
            yield from leaves(below)


def test_every_command_takes_the_socket() -> None:
    """Also those inside a group, wherever it is written."""
    for command in leaves(parser()):
        assert "--socket" in command._option_string_actions, command.prog
    for words in [
        "config check --socket s f",
        "config --socket s check f",
        "--socket s config sho",
    ]:
        split = words.replace("sho", "show f").split()
        args = parser(split).parse_args(split)
        assert (args.socket, str(args.path)) == ("s", "f")


IMPATIENT = """
import os, signal, sys
from device import __main__

class Module:
    def add_parser(self, subparsers):
        os.kill(os.getpid(), signal.SIGHUP)
        subparsers.add_parser("run").set_defaults(run=lambda _args: 7)

sys.modules["impatient"] = Module()
__main__.GROUPS.clear()
__main__.GROUPS["impatient"] = {"run"}
sys.exit(__main__.main(sys.argv[1:]))
"""


def test_a_reload_that_comes_too_early_does_not_end_the_speaker() -> None:
    """What it is made of takes seconds to import on a small board; the file is read later."""
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "run"],
        cwd=Path(__file__).parents[1],
        timeout=60,
        check=False,
    )
    assert done.returncode == 7


@pytest.mark.parametrize("words", [[], ["explode"], ["status", "--colour"], ["volume", "loud"]])
def test_wrong_usage_is_exit_code_2(capsys: Capture, words: list[str]) -> None:
    """With the usage on standard error."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: parley")


def test_the_help_names_every_command(capsys: Capture) -> None:
    """Also when it is all that is asked for."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    told = shown.split()
    assert all(name in told for names in GROUPS.values() for name in names)


def test_the_version_is_printed(capsys: Capture) -> None:
    """And nothing else."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"parley {__version__}\n"


def broken() -> NoReturn:
    raise ZeroDivisionError


def mistaken() -> NoReturn:
    raise ConfigError("c.yaml", [Mistake("a", "wrong", 1, 2), Mistake("b", "too", 3, 4)])


def refused() -> NoReturn:
    raise ControlError("nobody is there")


def hostile() -> NoReturn:
    raise ControlError("it said \x1b[2J\nand a second line")


def mistyped() -> NoReturn:
    raise ConfigError("c.yaml", [Mistake("a", "\x1b[2J", 1, 2)])


def interrupted() -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("does", "code", "told"),
    [
        (lambda: 0, 0, ""),
        (lambda: 1, 1, ""),
        (mistaken, os.EX_CONFIG, "c.yaml:1:2: a: wrong\nc.yaml:3:4: b: too\n"),
        (refused, 1, "parley: nobody is there\n"),
        (hostile, 1, "parley: it said �[2J\nand a second line\n"),
        (mistyped, os.EX_CONFIG, "c.yaml:1:2: a: �[2J\n"),
        (interrupted, 130, ""),
    ],
)
def test_errors_become_lines_and_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, does: Callable[[], int], code: int, told: str
) -> None:
    """78 for the configuration, so that systemd does not try it again."""
    monkeypatch.setitem(sys.modules, "command_of_a_test", command(does))
    monkeypatch.setitem(GROUPS, "command_of_a_test", {"act"})
    assert main(["act"]) == code
    assert capsys.readouterr() == ("", told)


def test_an_unexpected_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug shows with its traceback."""
    monkeypatch.setitem(sys.modules, "command_of_a_test", command(broken))
    monkeypatch.setitem(GROUPS, "command_of_a_test", {"act"})
    with pytest.raises(ZeroDivisionError):
        main(["act"])


class command:  # noqa: N801 - stands for a module
    """A group with one command."""

    def __init__(self, does: Callable[[], int]) -> None:
        self.does = does

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        subparsers.add_parser("act").set_defaults(run=lambda _args: self.does())


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """`parley config schema | head -0`: no traceback, also not at exit."""
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "device", "config", "schema"],
            cwd=Path(__file__).parents[1],
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"")
