"""``parley timers`` sets, lists and changes timers, alarms and reminders of a running speaker."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from device.cli import presentation as shown
from device.cli import timer_sentences as sentences
from device.cli.remote import console, result
from device.text import printable_record
from device.timers.local_time import WEEKDAYS

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DURATIONS = "90, 90s, 10m, 1h30m, 1:30:00 or 2d"

_UNITS = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_CLOCK = re.compile(r"([0-9]{1,9}):([0-5][0-9]):([0-5][0-9])")
_PLAIN = re.compile(r"[0-9]{1,9}")
_TIME = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]")
_UNIT_WORD = re.compile(
    r"(?:s|secs?|seconds?|m|mins?|minutes?|h|hours?|hrs?|d|days?)\b", re.IGNORECASE
)
_LOOKS_NEGATIVE = re.compile(r"-[0-9]")


class Words(argparse.ArgumentParser):
    """Takes options before, between and after the words of a name, and "-5m" for no option."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**about)
        # argparse has no public way to say that more than "-5" is no option.
        self._negative_number_matcher = _LOOKS_NEGATIVE
        self._is_asking = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as `parse_known_intermixed_args` does, which calls this."""
        if self._is_asking:
            return super().parse_known_args(args, namespace)
        self._is_asking = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_asking = False


def add_parser(subparsers: Subparsers) -> None:
    """Add ``timers`` and what can be done with them."""
    about = "timers, alarms and reminders: without more, all there are"
    timers_parser = subparsers.add_parser("timers", help=about, description=about)
    _add_json(timers_parser, default=False)
    timers_parser.set_defaults(run=show)
    actions = timers_parser.add_subparsers(metavar="ACTION", parser_class=Words)

    def action(
        name: str, about: str, request: Callable[[argparse.Namespace], dict[str, Any]]
    ) -> argparse.ArgumentParser:
        parser = actions.add_parser(name, help=about, description=about)
        _add_json(parser, default=argparse.SUPPRESS)
        parser.set_defaults(run=do, action=name, request=request, parser=parser)
        return parser

    set_parser = action("set", "set a timer", _to_set)
    set_parser.add_argument(
        "duration", type=duration, metavar="DURATION", help=f"how long: {DURATIONS}"
    )
    _add_name(set_parser)

    at_parser = action("at", "set an alarm, or with --text a reminder", _to_set_at)
    at_parser.add_argument("time", type=time_of_day, metavar="HH:MM", help="local time")
    at_parser.add_argument(
        "--date", type=day, metavar="YYYY-MM-DD", help="on that day (default: the next such time)"
    )
    at_parser.add_argument(
        "--on", type=weekdays, metavar="DAYS", help="again and again, such as mon,tue,fri"
    )
    at_parser.add_argument("--text", help="what the speaker says when it rings")
    _add_name(at_parser)

    cancel_parser = action("cancel", "take one away, or all", _to_cancel)
    _add_which(cancel_parser, "its number or name; all: all there are")

    add_to_parser = action("add", "give one more time, or less", _to_add)
    _add_which(add_to_parser, "its number or name")
    add_to_parser.add_argument(
        "duration",
        type=more_or_less,
        metavar="DURATION",
        help="such as 5m; -5m takes five minutes off",
    )

    snooze_parser = action("snooze", "let what rings, or was just stopped, ring again", _to_snooze)
    snooze_parser.add_argument(
        "duration", nargs="?", type=duration, metavar="DURATION", help="after how long (default 9m)"
    )
    action("stop", "stop what rings", _to_stop)


def _add_json(parser: argparse.ArgumentParser, default: Any) -> None:
    about = "the whole answer, for a script"
    parser.add_argument("--json", action="store_true", default=default, help=about)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="*", metavar="NAME", help="what it is called, if anything")


def _add_which(parser: argparse.ArgumentParser, about: str) -> None:
    parser.add_argument("which", nargs="+", metavar="ID|NAME", help=about)


# --- what is done --------------------------------------------------------------------------------


def show(args: argparse.Namespace) -> int:
    """Print all there are."""
    answer = result(args, {"command": "timers", "action": "list"})
    if args.json:
        _print_json(answer)
        return 0
    told = printable_record(answer)
    if told["timers"]:
        shown.print_table(sentences.table(told["timers"]), console())
    else:
        print(f"{sentences.NONE_SET}; to set one: {sentences.TO_SET}")
    for entry in told.get("stopped_just_now", ()):
        again = f"to let it ring again: parley timers add {entry['id']} 9m"
        print(f"stopped just now: {sentences.named(entry)}; {again}")
    _warn(told)
    return 0


def do(args: argparse.Namespace) -> int:
    """Do one of the actions, and say what was done."""
    answer = result(args, {"command": "timers", **args.request(args)})
    if args.json:
        _print_json(answer)
        return 0
    told = printable_record(answer)
    for line in sentences.done(told):
        print(line)
    _warn(told)
    return 0


def _print_json(answer: dict[str, Any]) -> None:
    print(json.dumps(answer, ensure_ascii=False, indent=2))


def _warn(told: dict[str, Any]) -> None:
    if "warning" in told:
        print(f"parley: {told['warning']}; see: parley doctor", file=sys.stderr)


def _to_set(args: argparse.Namespace) -> dict[str, Any]:
    if args.name and (_UNIT_WORD.fullmatch(args.name[0]) or _with_unit(args.name[0]) is not None):
        args.parser.error(
            f"argument NAME: {args.name[0]!r} seems to be a part of the duration: write that in "
            f"one word, as {DURATIONS}"
        )
    return {"action": "set", "duration_s": args.duration, **_name(args)}


def _to_set_at(args: argparse.Namespace) -> dict[str, Any]:
    given = {"date": args.date, "weekdays": args.on, "text": args.text}
    told = {name: each for name, each in given.items() if each is not None}
    return {"action": "at", "time": args.time, **told, **_name(args)}


def _to_cancel(args: argparse.Namespace) -> dict[str, Any]:
    if args.which == ["all"]:
        return {"action": "cancel", "all": True}
    return {"action": "cancel", **_which(args)}


def _to_add(args: argparse.Namespace) -> dict[str, Any]:
    return {"action": "change", "add_s": args.duration, **_which(args)}


def _to_snooze(args: argparse.Namespace) -> dict[str, Any]:
    after = {} if args.duration is None else {"for_s": args.duration}
    return {"action": "snooze", **after}


def _to_stop(_: argparse.Namespace) -> dict[str, Any]:
    return {"action": "stop"}


def _name(args: argparse.Namespace) -> dict[str, str]:
    return {"name": " ".join(args.name)} if args.name else {}


def _which(args: argparse.Namespace) -> dict[str, str]:
    # The speaker takes a number for a name, and knows best which there are.
    return {"name": " ".join(args.which)}


# --- what was typed ------------------------------------------------------------------------------


def duration(text: str) -> int:
    """Return a duration in seconds."""
    seconds = int(text) if _PLAIN.fullmatch(text) else _with_unit(text)
    if seconds is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write it as {DURATIONS}")
    return seconds


def more_or_less(text: str) -> int:
    """Return a duration in seconds, less than 0 where it begins with a minus."""
    sign = text[:1] if text[:1] in {"+", "-"} else ""
    try:
        seconds = duration(text[len(sign) :])
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration: write it as {DURATIONS}, with a minus before it to take off"
        ) from None
    return -seconds if sign == "-" else seconds


def _with_unit(text: str) -> int | None:
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = map(int, found.groups())
        return (hours * 60 + minutes) * 60 + seconds
    found = _UNITS.fullmatch(text)
    if not text or found is None:
        return None
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def time_of_day(text: str) -> str:
    """Return a local time as the speaker takes it."""
    if not _TIME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time of day: write it as HH:MM, 00:00 to 23:59"
        )
    return text


def day(text: str) -> str:
    """Return a date as the speaker takes it."""
    try:
        # It takes more than one way of writing a date, and gives this one back.
        known = date.fromisoformat(text).isoformat() == text
    except ValueError:
        known = False
    if not known:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write it as YYYY-MM-DD")
    return text


def weekdays(text: str) -> list[str]:
    """Return weekdays as the speaker takes them."""
    named = [each.strip().lower() for each in text.split(",")]
    for each in named:
        if each not in WEEKDAYS:
            raise argparse.ArgumentTypeError(
                f"{each!r} is no weekday: write some of {','.join(WEEKDAYS)}"
            )
    return named
