"""These commands speak to a running speaker: status, watch, ask, mute, volume and the like."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import select
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from device.cli import presentation as shown
from device.control.socket import call, socket_path
from device.errors import ControlError, ParleyError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

WHOLE_LINES = 10_000
"""Columns in which every line of a table finds room."""

READER_CHECK_S = 0.2
"""How often `watch` looks whether its output is still read."""


def add_parser(subparsers: Subparsers) -> None:
    """Add every command that needs a running speaker."""
    status_parser = subparsers.add_parser("status", help="what the speaker does, has and lacks")
    status_parser.add_argument("--json", action="store_true", help="everything, for a script")
    status_parser.set_defaults(run=status)

    watch_parser = subparsers.add_parser("watch", help="what happens, as it happens")
    watch_parser.add_argument("--json", action="store_true", help="one event per line")
    watch_parser.set_defaults(run=watch)

    ask_parser = subparsers.add_parser("ask", help="ask something in writing; it answers aloud")
    ask_parser.add_argument(
        "--as",
        dest="persona",
        metavar="NAME",
        help="who is asked, a name of personas, or default; else whoever talks",
    )
    ask_parser.add_argument("text", nargs="+", metavar="TEXT", help="the question")
    ask_parser.add_argument(
        "--image", type=Path, metavar="FILE", help="a picture that the question is about"
    )
    ask_parser.set_defaults(run=ask)

    volume_parser = subparsers.add_parser("volume", help="show or set the volume")
    volume_parser.add_argument("percent", nargs="?", type=_percent, metavar="0-100")
    volume_parser.set_defaults(run=volume)

    for name, does in {
        "mute": "close the microphone",
        "unmute": "open the microphone again",
        "stop": "be quiet and end the conversation",
        "reload": "read the configuration again",
    }.items():
        subparsers.add_parser(name, help=does).set_defaults(run=plain, command=name)


def status(args: argparse.Namespace) -> int:
    """Print the state of the speaker."""
    answer = result(args, {"command": "status"})
    if args.json:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        shown.status(answer, console())
    return 0


def watch(args: argparse.Namespace) -> int:
    """Print events until interrupted."""

    async def follow() -> None:
        async for event in _call(args, {"command": "watch"}):
            line = json.dumps(event, ensure_ascii=False) if args.json else shown.event(event)
            print(line, flush=True)

    asyncio.run(_while_read(follow()))
    # The stream only ends when the speaker does.
    print("parley: the speaker has stopped", file=sys.stderr)
    return 1


def ask(args: argparse.Namespace) -> int:
    """Send the question and print the answer's words as they come."""
    picture = _picture(args.image) if args.image is not None else b""

    async def follow() -> None:
        told, over = "", False
        request = {"command": "ask", "text": " ".join(args.text)}
        if args.persona is not None:
            request["as"] = args.persona
        async for record in _call(args, request, picture):
            over = "result" in record
            if record.get("event") != "transcript":
                continue
            if not record["final"]:
                told += record["text"]
                print(record["text"], end="", flush=True)
            elif not told:
                print(record["text"], end="", flush=True)
        print()
        _must_be_over(over)

    asyncio.run(follow())
    return 0


def volume(args: argparse.Namespace) -> int:
    """Set the volume, or print it."""
    request = {"command": "volume", "percent": args.percent}
    print(result(args, request)["volume"])
    return 0


def plain(args: argparse.Namespace) -> int:
    """Give a command that needs no argument and has little to tell."""
    answer = result(args, {"command": args.command})
    if args.command == "reload":
        changed = answer["changed"]
        print(f"in force: {', '.join(changed)}" if changed else "nothing has changed")
    return 0


async def _while_read(printing: Coroutine[Any, Any, None]) -> None:
    """Print until the end; raises BrokenPipeError as soon as nobody reads it any more."""
    tasks = {asyncio.create_task(printing), asyncio.create_task(_until_unread())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_unread() -> None:
    """Raise BrokenPipeError when the reader of our output is gone.

    Writing tells it too, but the next event may be hours away.
    """
    output = select.poll()
    try:
        output.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):
        await asyncio.Event().wait()  # closed, or not a file at all
    # Asked for nothing, poll still tells of errors and of the end.
    while not output.poll(0):  # noqa: ASYNC110 - no event says it
        await asyncio.sleep(READER_CHECK_S)
    raise BrokenPipeError


def _call(
    args: argparse.Namespace, request: dict[str, Any], attached: bytes = b""
) -> AsyncIterator[dict[str, Any]]:
    return call(socket_path(args.socket, os.environ), request, attached)


def _picture(path: Path) -> bytes:
    """Return a picture file as it is sent: made small here, with the rights of who asks.

    Raises ParleyError.
    """
    from device.camera.file import FileCamera  # noqa: PLC0415 - for pictures only

    try:
        there = path.is_file()
    except OSError as error:
        raise ParleyError(f"{path} cannot be read: {error.strerror or error}") from error
    if not there:
        raise ParleyError(f"there is no file {path}: name one with a picture (JPEG, PNG, WebP)")
    return asyncio.run(FileCamera(str(path)).take()).jpeg


def console() -> Console:
    """Return what prints a table: lines are broken for a person's terminal only.

    So grep finds the whole of one.
    """
    return Console(width=None if sys.stdout.isatty() else WHOLE_LINES)


def result(args: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    """Give a command that is over at once; return what it answered.

    Raises ControlError when nobody is there, refuses, or ends before it has answered.
    """

    async def last() -> dict[str, Any]:
        answer: dict[str, Any] = {}
        over = False
        async for record in _call(args, request):
            answer, over = record["result"], True
        _must_be_over(over)
        return answer

    return asyncio.run(last())


def _must_be_over(over: bool) -> None:
    if not over:
        raise ControlError("the speaker ended before it had answered; see: journalctl -u parley")


def _percent(text: str) -> int:
    try:
        percent = int(text)
    except ValueError:
        percent = -1
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 100")
    return percent
