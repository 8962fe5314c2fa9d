"""`failure_of` says what an error of the kernel means for a camera, and what to do about it.

The kernel tells two kinds of "not allowed" apart: EACCES is the file's mode (the user is not in the
group of the node), EPERM is the device filter of the service's sandbox (DeviceAllow=).
"""

from __future__ import annotations

import errno
import os
import pwd
from typing import Final

from device.errors import CameraError

MEND: Final = "sudo parley doctor --fix"
"""Puts the user into the group, opens the sandbox for the configured camera, restarts."""

_GONE: Final = {errno.ENODEV, errno.ENXIO, errno.EIO, errno.EPROTO, errno.ESHUTDOWN, errno.EPIPE}


def failure_of(error: OSError, device: str, *, was_open: bool = False) -> CameraError:
    """Return what to tell of an error; ``was_open``: it had been opened already."""
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            what = "is not there: plug it in, or write another camera.source"
        case errno.EBUSY:
            what = f"is in use by another program: end that (sudo fuser -v {device} names it)"
        case errno.EACCES:
            what = (
                f"may not be opened by user {_user()}, who is not in the group video: {MEND}, or "
                f"sudo usermod -aG video {_user()} and sudo systemctl restart parley"
            )
        case errno.EPERM:
            what = (
                f"is kept out by the service's sandbox: {MEND}; where it was plugged in anew, sudo "
                "systemctl restart parley will do"
            )
        case errno.ENOSPC:
            what = "gets too little of its USB bus: plug it into another port, without a hub"
        case errno.EINVAL | errno.ENOTTY:
            what = "does not do what cameras do (V4L2): write another camera.source"
        case code if code in _GONE and was_open:
            what = "was unplugged, or its cable or its power fails: plug it in again"
        case code if code in _GONE:
            what = "does not answer: plug it out and in again"
        case _:
            what = f"cannot be used: {(error.strerror or str(error)).lower()}: plug it out and in"
    return CameraError(f"the camera {device} {what}")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
