"""The scene is what the checks look at: one machine, one configuration, perhaps a speaker.

Tested in tests/doctor/test_machine.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.board.usb_control import Load, libusb
from device.build.boards import Boards
from device.config import Config
from device.control.socket import call
from device.credentials.lookup import without_secrets
from device.errors import ParleyError
from device.live.tokens import Tokens
from device.ports import OpenDevice

UNIT = "parley.service"
COMMAND_S = 10.0
"""How long a command of the system may take."""
NOT_THERE = 127
"""A shell's exit code of a command that is not there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command of the system ended."""

    code: int
    """Its exit code; 127 when it is not installed, -1 when it did not end in time."""
    out: str = ""
    err: str = ""

    @property
    def worked(self) -> bool:
        """Whether it did what it should."""
        return self.code == 0


def run_command(words: Sequence[str]) -> Outcome:
    """Run a command of the system, without any secret in its environment. Any thread."""
    environment = without_secrets(os.environ)
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            list(words),
            env={**environment, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(-1, err=f"{words[0]} did not end within {COMMAND_S:g} s")
    except OSError as error:
        return Outcome(NOT_THERE, err=str(error.strerror))
    out, err = (each.decode(errors="replace") for each in (done.stdout, done.stderr))
    return Outcome(done.returncode, out, err)


@dataclass(frozen=True, slots=True)
class Space:
    """Room on a disk."""

    total_bytes: int
    free_bytes: int
    read_only: bool


def space_at(path: Path) -> Space:
    """Return the room where a path is or would be. Raises OSError."""
    while not path.exists() and path != path.parent:
        path = path.parent
    usage = shutil.disk_usage(path)
    return Space(usage.total, usage.free, bool(os.statvfs(path).f_flag & os.ST_RDONLY))


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the speaker runs as."""

    name: str
    uid: int
    gids: frozenset[int]
    """All its groups."""
    gid: int = -1
    """The one that its files get; -1: whichever they have."""


def _nobody_reads(_text: str) -> None:
    """Where no person is there."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a check may look at; tests put another machine below ``root``."""

    config: Config
    """The file's; where that is wrong the running speaker's, else the defaults."""
    config_path: Path
    socket: Path
    account: Account
    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=dict)
    state_folder: Path | None = None
    status: Mapping[str, Any] | None = None
    """What the running speaker says of itself; None: none runs, or it may not be asked."""
    silence: str = ""
    """Why nobody answered, where nobody did."""
    alive: bool = False
    """Whether a speaker runs, though it may not be asked."""
    hung: bool = False
    """Whether one runs that does not answer at all."""
    offline: bool = False
    """Whether nothing may be sent."""
    present: bool = False
    """Whether a person is there who can press a button."""
    tell: Callable[[str], None] = _nobody_reads
    """Says something to that person."""
    notes: dict[str, str] = field(default_factory=dict)
    """What a check found out for those after it."""
    made: dict[str, Tokens] = field(default_factory=dict)
    """What a check has made for those after it."""
    run: Callable[[Sequence[str]], Outcome] = run_command
    space: Callable[[Path], Space] = space_at
    usb: Load = libusb
    """What arrays on USB are reached by."""

    @property
    def owns_hardware(self) -> bool:
        """Whether microphone, loudspeaker and pins are ours to open."""
        return self.status is None and not self.alive

    @property
    def unreachable(self) -> bool:
        """Whether they are a speaker's that cannot be asked."""
        return self.status is None and self.alive

    @property
    def microphone(self) -> OpenDevice | None:
        """What the running speaker hears with, or did last; None where that is not known."""
        told = self.status or {}
        return OpenDevice.from_record(told.get("microphone_device"))

    @property
    def loudspeaker(self) -> OpenDevice | None:
        """What the running speaker speaks with, or did last; None where that is not known."""
        told = self.status or {}
        return OpenDevice.from_record(told.get("speaker_device"))

    @property
    def boards(self) -> Boards:
        """Who knows the board of this machine."""
        return Boards(self.root)

    def ask(self, command: str, **fields: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Give the running speaker a command. Raises ControlError."""
        return call(self.socket, {"command": command, **fields})

    def must(self, words: Sequence[str]) -> None:
        """Run a command of the system. Raises ParleyError when it does not work."""
        outcome = self.run(words)
        if not outcome.worked:
            raise ParleyError(f"{' '.join(words)}: {outcome.err.strip() or outcome.code}")

    def text(self, name: str) -> str | None:
        """Return a file below the root; None when it cannot be read."""
        try:
            return (self.root / name).read_text(errors="replace").strip("\0\n ")
        except OSError:
            return None
