"""These folders are a speaker's own: one on the disk, and one in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

SERVICE_STATE: Final = Path("/var/lib/parley")
SERVICE_RUNTIME: Final = Path("/run/parley")
"""Those of an installed speaker, as the unit has them."""


def state_folder(environ: Mapping[str, str]) -> Path | None:
    """Return where it keeps what outlives it: as systemd says, or in the user's own folder."""
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0])
    if environ.get("XDG_STATE_HOME"):
        return Path(environ["XDG_STATE_HOME"], "parley")
    if environ.get("HOME"):
        return Path(environ["HOME"], ".local", "state", "parley")
    return None


def runtime_folder(environ: Mapping[str, str]) -> Path | None:
    """Return where it keeps what a restart may know and a power cut takes; None: nowhere."""
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        if environ.get(name):
            return Path(environ[name].split(":")[0])
    return None
