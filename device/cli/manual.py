"""``parley man`` and ``parley completion`` are written from the command line's own parser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from device import __version__
from device.credentials.api_key import KEY_FILE, VARIABLES
from device.credentials.credential import FOLDER, VARIABLE_PREFIX

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


@dataclass(frozen=True, slots=True)
class Option:
    """One option or argument of a command."""

    flags: tuple[str, ...]
    """Such as ``-h`` and ``--help``; empty for an argument."""
    value: str
    """What stands for its value; empty for a switch."""
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class Page:
    """One command, and the commands below it."""

    words: tuple[str, ...]
    """Such as ``("config", "check")``; empty for the program itself."""
    help: str
    options: tuple[Option, ...]
    below: tuple[Page, ...] = field(default=())

    def all(self) -> Iterator[Page]:
        """Yield this page and all below, in the order of the help."""
        yield self
        for page in self.below:
            yield from page.all()


def add_parser(subparsers: Subparsers) -> None:
    """Add ``man`` and ``completion``."""
    man_parser = subparsers.add_parser("man", help="print the manual page (| man -l -)")
    man_parser.set_defaults(run=lambda _args: _print(man(contents())))
    completion_parser = subparsers.add_parser("completion", help="print a shell's completion")
    completion_parser.add_argument("shell", choices=["bash", "zsh", "fish"], help="the shell")
    completion_parser.set_defaults(run=lambda args: _print(SHELLS[args.shell](contents())))


def contents() -> Page:
    """Every command with its options, as the parser knows them."""
    from device.__main__ import parser  # noqa: PLC0415 - it is what imports this

    return _page(parser(), (), "")


def man(top: Page) -> str:
    """Write the manual page, in roff's man macros (man(7))."""
    lines = [
        f'.TH PARLEY 1 "" "parley {__version__}" "User Commands"',
        *(".SH NAME", "parley \\- a smart speaker that talks through the Gemini Live API"),
        *(".SH SYNOPSIS", ".B parley", ".I COMMAND", "[options]", ".SH COMMANDS"),
    ]
    for page in top.below:
        for each in page.all():
            lines += [".SS " + _roff(_usage(each)), _roff(each.help) + "."]
            for option in each.options:
                lines += [".TP", f".B {_roff(_named(option))}", _roff(option.help) or "\\&"]
    return "\n".join([*lines, *_MAN_END]) + "\n"


_MAN_END = (
    *(".SH FILES", ".TP", ".I /etc/parley/config.yaml", "The configuration."),
    *(".TP", f".I {KEY_FILE}", "The API key (root, 0600)."),
    *(".TP", f".I {FOLDER}/NAME", "The token of an MCP server (root, 0600): the file that its"),
    *("credential in the configuration names. The service gets it when it starts.",),
    *(".TP", ".I /etc/parley/tokens/speakers", "Who may ask parley token serve, by hashes."),
    *(".TP", ".I /run/parley/control.sock", "Where a running speaker is spoken to."),
    *(".TP", ".I /var/lib/parley/last_good.yaml", "The settings that were in force last."),
    *(".TP", ".I /var/lib/parley/timers.json", "The timers, alarms and reminders that are set."),
    *(".SH ENVIRONMENT", ".TP", f".B {', '.join(VARIABLES)}"),
    *("The key, where systemd hands over none.", ".TP", f".B {VARIABLE_PREFIX}NAME"),
    *("The token of an MCP server, where systemd hands over none: NAME is its credential in",),
    *("capitals, with _ for \\-.", ".SH EXIT STATUS"),
    "0: fine. 1: found broken or failed. 2: wrong usage. 78: a mistake in the configuration.",
)


def bash(top: Page) -> str:
    """Write the completion for bash."""
    pages = [page for page in top.all() if page.words]
    known = "|".join(f'"{" ".join(page.words)}"' for page in pages)
    files = "|".join(sorted({f for p in pages for o in p.options for f in o.flags if _is_path(o)}))
    words = [
        f'    "{" ".join(page.words)}") words="{" ".join(_words(page))}" ;;' for page in top.all()
    ]
    return "\n".join(
        [
            "# Completion of parley for bash, printed by: parley completion bash",
            "_parley() {",
            '    local current=${COMP_WORDS[COMP_CWORD]} path="" longer word words=""',
            '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
            '        longer="${path:+$path }$word"',
            f"        case $longer in {known}) path=$longer ;; esac",
            "    done",
            "    case ${COMP_WORDS[COMP_CWORD-1]} in",
            f'    {files}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;',
            "    esac",
            "    case $path in",
            *words,
            "    esac",
            '    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")',
            "}",
            "complete -o filenames -o bashdefault -F _parley parley",
            "",
        ]
    )


def zsh(top: Page) -> str:
    """Write the completion for zsh, which takes bash's."""
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash(top)}"


def fish(top: Page) -> str:
    """Write the completion for fish."""
    lines = ["# Completion of parley for fish, printed by: parley completion fish"]
    for page in top.all():
        seen = [f"__fish_seen_subcommand_from {word}" for word in page.words]
        when = "; and ".join(seen) or "__fish_use_subcommand"
        start = f"complete -c parley -n '{when}'"
        lines += [
            f"{start} -f -a {below.words[-1]} -d {_quoted(below.help)}" for below in page.below
        ]
        for option in page.options:
            text = _quoted(option.help)
            if option.choices:
                lines.append(f"{start} -f -a '{' '.join(option.choices)}' -d {text}")
            for flag in option.flags:
                kind = f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                lines.append(f"{start} {kind}{' -r' if option.value else ''} -d {text}")
    return "\n".join(lines) + "\n"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


def _page(parser: argparse.ArgumentParser, words: tuple[str, ...], about: str) -> Page:
    options, below = [], []
    for action in parser._actions:  # argparse has no public way to them
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            below += [
                _page(each, (*words, name), helps.get(name, ""))
                for name, each in action.choices.items()
            ]
        elif action.help != argparse.SUPPRESS:
            options.append(_option(action))
    return Page(words, about, tuple(options), tuple(below))


def _option(action: argparse.Action) -> Option:
    value = ""
    if action.nargs != 0:
        given = action.metavar or action.dest.upper()
        value = given if isinstance(given, str) else " ".join(given)
    choices = tuple(map(str, action.choices)) if action.choices is not None else ()
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    return Option(tuple(action.option_strings), value, choices, text)


def _words(page: Page) -> list[str]:
    found = [below.words[-1] for below in page.below]
    for option in page.options:
        found += [*option.flags, *(option.choices if not option.flags else ())]
    return found


def _is_path(option: Option) -> bool:
    return option.value in {"PATH", "FILE", "DIR"}


def _usage(page: Page) -> str:
    arguments = [option.value for option in page.options if not option.flags]
    return " ".join(["parley", *page.words, *arguments])


def _named(option: Option) -> str:
    return " ".join([", ".join(option.flags), option.value]).strip()


def _roff(text: str) -> str:
    """Keep roff from taking a part of the text for something of its own (groff_char(7))."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _print(text: str) -> int:
    sys.stdout.write(text)
    return 0
