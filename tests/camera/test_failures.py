"""Each error of the kernel is told in words that say what to do."""

from __future__ import annotations

import errno
import os

import pytest

from device.camera.failures import failure_of

PATH = "/dev/v4l/by-id/usb-X-video-index0"


def told(code: int, *, was_open: bool = False) -> str:
    return str(failure_of(OSError(code, os.strerror(code)), PATH, was_open=was_open))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ENOENT", "is not there: plug it in, or write another camera.source"),
        ("EBUSY", f"is in use by another program: end that (sudo fuser -v {PATH} names it)"),
        (
            "EACCES",
            "is not in the group video: sudo parley doctor --fix, or sudo usermod -aG video",
        ),
        ("EPERM", "is kept out by the service's sandbox: sudo parley doctor --fix; where it was"),
        ("ENOSPC", "gets too little of its USB bus: plug it into another port, without a hub"),
        ("ENOTTY", "does not do what cameras do (V4L2): write another camera.source"),
        ("EINVAL", "does not do what cameras do (V4L2): write another camera.source"),
        ("ENODEV", "does not answer: plug it out and in again"),
        ("ENOMEM", "cannot be used: cannot allocate memory: plug it out and in"),
    ],
)
def test_it_names_the_camera_and_what_to_do(code: str, words: str) -> None:
    """Two kinds of "not allowed" among them: the user's group, and the sandbox."""
    message = told(getattr(errno, code))
    assert message.startswith(f"the camera {PATH} ")
    assert words in message


@pytest.mark.parametrize("code", ["ENODEV", "EIO", "EPROTO", "ENXIO", "ESHUTDOWN"])
def test_one_that_was_open_was_unplugged(code: str) -> None:
    """The drivers do not agree on a number for it."""
    message = told(getattr(errno, code), was_open=True)
    assert message.endswith("was unplugged, or its cable or its power fails: plug it in again")
