"""Runs install.sh's functions one by one, on whatever they are to believe is their machine."""

from __future__ import annotations

import os
import subprocess
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
    """Run commands with the installer's functions, without its main."""
    script = (ROOT / "install.sh").read_text().removesuffix('main "$@"\n')
    script = script.replace("${BASH_SOURCE[0]}", str(ROOT / "install.sh"))
    return run("bash", "-c", script + commands, **environ)
