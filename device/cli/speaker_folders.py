"""`speaker_folders` finds the folders of the speaker that a command means.

Tested in tests/cli/test_audit.py.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from device.control.socket import SERVICE, socket_path
from device.state import folders


def speaker_folders(args: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Return the state and the runtime directory: one's own, or those of the installed speaker."""
    own = folders.state_folder(os.environ), folders.runtime_folder(os.environ)
    if os.environ.get("STATE_DIRECTORY"):
        return own
    is_service = socket_path(args.socket, os.environ) == SERVICE
    if is_service or not (own[0] and own[0].exists()):
        return folders.SERVICE_STATE, folders.SERVICE_RUNTIME
    return own
