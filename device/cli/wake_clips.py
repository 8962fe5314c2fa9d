"""``parley wakes`` lists, plays and labels clips of wakes, and says what they speak for."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from device.cli import presentation as shown
from device.cli import wake_sentences as sentences
from device.cli.remote import console, result
from device.cli.speaker_folders import speaker_folders
from device.errors import UnansweredError, WakeClipError
from device.text import printable_record

if TYPE_CHECKING:
    from device.state.wake_clips import ClipFolder

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_T = TypeVar("_T")


def add_commands(group: argparse.ArgumentParser, commands: Subparsers) -> None:
    """Add what can be done with clips; without more, `group` lists them."""
    _add_json(group, default=False)
    group.set_defaults(run=show)

    def command(name: str, about: str, run: Callable[..., int]) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=about, description=about)
        _add_json(parser, default=argparse.SUPPRESS)
        parser.set_defaults(run=run)
        return parser

    play_parser = command("play", "play a clip through the speaker's loudspeaker", play)
    _add_id(play_parser)
    label_parser = command("label", "say whether the word was said in a clip", label)
    _add_id(label_parser)
    label_parser.add_argument("said", choices=("yes", "no"), help="whether the word was said")
    about = "which threshold the labelled clips speak for; changes nothing"
    advise_parser = command("advise", about, advise)
    advise_parser.add_argument(
        "--config", type=Path, metavar="PATH", help="the configuration file, where no speaker runs"
    )
    about = "delete every clip, or the one that is named"
    clear_parser = command("clear", about, clear)
    clear_parser.add_argument("id", metavar="ID", nargs="?", help="only this one")


def _add_json(parser: argparse.ArgumentParser, default: Any) -> None:
    about = "the whole answer, for a script"
    parser.add_argument("--json", action="store_true", default=default, help=about)


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the clip's, as parley wakes lists it")


# --- what is done --------------------------------------------------------------------------------


def show(args: argparse.Namespace) -> int:
    """List every clip, and what is in the folder beside them."""
    try:
        told = result(args, _request("list"))
    except UnansweredError:
        told = _list(args)
    if args.json:
        return _print_json(told)
    told = printable_record(told)
    screen = console()
    shown.print_lines(sentences.head(told), screen)
    if told["clips"]:
        shown.print_table(sentences.table(told["clips"], screen.width), screen)
    shown.print_lines(sentences.strange(told), screen)
    return 0


def play(args: argparse.Namespace) -> int:
    """Have a running speaker play a clip."""
    try:
        told = result(args, _request("play", id=args.id))
    except UnansweredError as error:
        folder = _folder(args)
        _of_the_disk(args, lambda: folder.clip(args.id))
        path = folder.path / f"{args.id}.wav" if folder.path is not None else args.id
        raise WakeClipError(
            f"no speaker runs that could play {args.id}; another player can: aplay {path}"
        ) from error
    if args.json:
        return _print_json(told)
    print(f"plays {sentences.clip(printable_record(told))}")
    return 0


def label(args: argparse.Namespace) -> int:
    """Write down whether the word was said."""
    said = args.said == "yes"
    try:
        told = result(args, _request("label", id=args.id, said=said))
    except UnansweredError:
        told = _label(args, said=said)
    if args.json:
        return _print_json(told)
    print(sentences.labelled(printable_record(told)))
    return 0


def advise(args: argparse.Namespace) -> int:
    """Print what the labelled clips speak for."""
    try:
        told = result(args, _request("advise"))
    except UnansweredError:
        told = _advise(args)
    if args.json:
        return _print_json(told)
    told = printable_record(told)
    screen = console()
    for word, advice in told["words"].items():
        shown.print_lines([sentences.advice_head(word, advice)], screen)
        if advice["said"] or advice["not_said"]:
            shown.print_table(sentences.outcomes(advice), screen)
        shown.print_lines(sentences.verdict(word, advice), screen)
    shown.print_lines(sentences.left_out(told), screen)
    return 0


def clear(args: argparse.Namespace) -> int:
    """Delete every clip, or one."""
    one = {} if args.id is None else {"id": args.id}
    try:
        told = result(args, _request("clear", **one))
    except UnansweredError:
        told = {"removed": _clear(args)}
    if args.json:
        return _print_json(told)
    print(sentences.cleared(told["removed"]))
    return 0


def _request(action: str, **more: Any) -> dict[str, Any]:
    return {"command": "wakes", "action": action, **more}


def _print_json(told: dict[str, Any]) -> int:
    print(json.dumps(told, ensure_ascii=False, indent=2))
    return 0


# --- without a speaker ---------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> dict[str, Any]:
    from device.control.wake_records import contents_record  # noqa: PLC0415 - without a speaker
    from device.timers.clocks import local_zone  # noqa: PLC0415

    contents = _of_the_disk(args, _folder(args).contents)
    return {"keep": None, **contents_record(contents, local_zone())}


def _label(args: argparse.Namespace, *, said: bool) -> dict[str, Any]:
    from device.control.wake_records import kept_record  # noqa: PLC0415 - without a speaker
    from device.timers.clocks import local_zone  # noqa: PLC0415

    folder = _folder(args)
    return kept_record(_of_the_disk(args, lambda: folder.label(args.id, said=said)), local_zone())


def _clear(args: argparse.Namespace) -> int:
    from device.state.wake_clips import unknown_clip  # noqa: PLC0415 - without a speaker

    folder, name = _folder(args), args.id
    if name is None:
        return _of_the_disk(args, folder.clear)
    if not _of_the_disk(args, lambda: folder.remove(name)):
        raise unknown_clip(name)
    return 1


def _advise(args: argparse.Namespace) -> dict[str, Any]:
    from device.build import checked_config  # noqa: PLC0415 - without a speaker
    from device.control.wake_records import advice_record  # noqa: PLC0415

    config = checked_config.load(args.config)
    contents = _of_the_disk(args, _folder(args).contents)
    return {"keep": config.wake.keep, **advice_record(contents, config.wake)}


def _folder(args: argparse.Namespace) -> ClipFolder:
    """Return the clips of the speaker that is meant. Raises ControlError where that is unclear."""
    from device.state.wake_clips import ClipFolder  # noqa: PLC0415 - without a speaker

    return ClipFolder(speaker_folders(args)[0])


def _of_the_disk(args: argparse.Namespace, work: Callable[[], _T]) -> _T:
    """Do it with the rights of whose folder it is. Raises WakeClipError."""
    try:
        with _as_its_owner(speaker_folders(args)[0]):
            return work()
    except PermissionError as error:
        raise WakeClipError(
            f"{error.filename} may not be opened by this user: use sudo, or start the speaker"
        ) from error
    except OSError as error:
        where = error.filename or "the folder of clips"
        raise WakeClipError(f"{where} cannot be used: {error.strerror or error}") from error


@contextlib.contextmanager
def _as_its_owner(state: Path | None) -> Iterator[None]:
    """Be the speaker's user meanwhile, where root asks.

    What is written stays readable to the speaker, and whoever has taken that over gets nothing
    written or deleted that it could not write or delete by itself.
    """
    try:
        found = state.stat() if state is not None and os.geteuid() == 0 else None
    except OSError:
        found = None
    if found is None or found.st_uid == 0:
        yield
        return
    own_group = os.getegid()
    os.setegid(found.st_gid)
    os.seteuid(found.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(own_group)
