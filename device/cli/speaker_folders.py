"""`speaker_folders` finds the folders of the speaker that a command means.

Tested in tests/cli/test_audit.py.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from device.control.socket import SERVICE, socket_path
from device.errors import ControlError
from device.state import folders


def speaker_folders(args: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Return the state and the runtime directory: one's own, or those of the installed speaker.

    Raises ControlError where a socket is named on which nobody answers: another speaker's records
    would be taken for those of the one that was meant, and another's clips be deleted.
    """
    own = folders.state_folder(os.environ), folders.runtime_folder(os.environ)
    if os.environ.get("STATE_DIRECTORY"):
        return own
    asked = socket_path(args.socket, os.environ)
    is_service = asked == SERVICE
    if args.socket is not None and not is_service:
        raise ControlError(
            f"nobody answers on {asked}, and whose folder is meant cannot be told from a socket: "
            "set STATE_DIRECTORY to that speaker's folder, or leave --socket out"
        )
    if is_service or not (own[0] and own[0].exists()):
        return folders.SERVICE_STATE, folders.SERVICE_RUNTIME
    return own
