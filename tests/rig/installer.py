"""Runs install.sh's functions one by one, on whatever they are to believe is their machine."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]

Completed = subprocess.CompletedProcess[str]


def run(*command: str | Path, **environ: str) -> Completed:
    """Run a command in the checkout, without a terminal."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def sourced(commands: str, **environ: str) -> Completed:
    """Run commands with the installer's functions, without its main.

    Whoever runs the tests may ignore signals, and a shell cannot trap what it was told to ignore.
    """
    heeding = ("env", "--default-signal=INT,HUP")
    return run(*heeding, "bash", "-c", _functions() + commands, **environ)


def hung_up_on(commands: str, *, prompt: str) -> int:
    """Run commands on a terminal of their own that goes away at the prompt; returns the exit code.

    As when a connection is lost: the kernel sends SIGHUP, and whoever writes gets an error.
    """
    process, ours = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execvp("bash", ["bash", "-c", _functions() + commands])
    shown = b""
    while prompt.encode() not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _functions() -> str:
    script = (ROOT / "install.sh").read_text().removesuffix('main "$@"; eval exit\n')
    return script.replace("${BASH_SOURCE[0]}", str(ROOT / "install.sh"))


def on_a_terminal(commands: str, *, prompt: str, typed: str, unseen: bool = False) -> str:
    """Run commands as `sourced` does, type a line at the prompt; returns what the screen showed.

    ``unseen``: no key is touched before the terminal has stopped showing what is typed.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["bash", "-c", _functions() + commands],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
    ):
        os.close(theirs)
        shown = b""
        typing = typed.encode() + b"\n"
        # A terminal whose last user has gone says EIO.
        with contextlib.suppress(OSError):
            while block := os.read(ours, 4096):
                shown += block
                if typing and prompt.encode() in shown:
                    while unseen and termios.tcgetattr(ours)[3] & termios.ECHO:
                        time.sleep(0.01)
                    os.write(ours, typing)
                    typing = b""
    os.close(ours)
    return shown.decode()
