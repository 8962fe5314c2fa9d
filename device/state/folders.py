"""These folders are a speaker's own: one on the disk, and one in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zlib import crc32

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
    """Return where it keeps what a restart may know and a power cut takes; None: nowhere.

    An ordinary user may have several speakers, each with a state directory of its own: each has a
    folder of its own in memory too. It need not be there yet.
    """
    state = state_folder(environ)
    if state is None:
        return None
    if environ.get("RUNTIME_DIRECTORY"):
        return Path(environ["RUNTIME_DIRECTORY"].split(":")[0])
    if environ.get("XDG_RUNTIME_DIR"):
        own = f"{crc32(os.fsencode(state.absolute())):08x}"
        return Path(environ["XDG_RUNTIME_DIR"], "parley", own)
    return None
