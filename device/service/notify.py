"""`Notifier` tells systemd how the speaker stands, and never waits for it.

`systemd.daemon.notify` waits while the socket's queue is full, which takes nothing but a service
manager that is busy, or stopped in a debugger; all of the speaker would wait with it. What finds no
room here waits itself, the newest of each kind, and goes with the next message.

Source: sd_notify(3). Tested in tests/service/test_notify.py.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

Notify = Callable[[str], None]


def notifier(environment: Mapping[str, str]) -> Notify:
    """The function that tells systemd; one that does nothing when systemd is not there."""
    address = environment.get("NOTIFY_SOCKET", "")
    # Anything else is a machine's (vsock) and no service's.
    return Notifier(address) if address[:1] in {"/", "@"} else _nobody_listens


def _nobody_listens(message: str) -> None:
    """Stand in for systemd where it did not start us."""


class Notifier:
    """Sends to one socket. Used from the event loop's thread only; every call returns at once."""

    def __init__(self, address: str) -> None:
        """``address``: a path, or with ``@`` in front an abstract name."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._waiting: dict[str, str] = {}
        """Messages by what they assign, oldest first."""

    def __call__(self, message: str) -> None:
        """Tell it, after what still waits. Where nobody listens any more it is lost."""
        kind = message.partition("=")[0]
        self._waiting.pop(kind, None)
        self._waiting[kind] = message
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            for waits, told in list(self._waiting.items()):
                try:
                    sending.sendto(told.encode(), self._address)
                except BlockingIOError:
                    return
                except OSError:
                    # It is gone, and comes back with a socket of the same name, or not at all.
                    pass
                del self._waiting[waits]
