"""What systemd is told, and that nobody waits for it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.service.notify import Notifier, notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def received(systemd: socket.socket) -> list[str]:
    """Everything that has arrived."""
    systemd.setblocking(False)
    told = []
    while True:
        try:
            told.append(systemd.recv(1000).decode())
        except BlockingIOError:
            return told


@pytest.mark.parametrize("address", ["", "vsock:2:1234"])
def test_without_systemd_nobody_is_told(address: str) -> None:
    """Started by hand there is no socket to write to; one of a machine is none of ours."""
    notifier({"NOTIFY_SOCKET": address} if address else {})("READY=1")


def test_with_systemd_its_socket_is_told(tmp_path: Path, systemd: socket.socket) -> None:
    """The message arrives as sd_notify(3) sends it."""
    notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})("STATUS=idle")
    assert systemd.recv(100) == b"STATUS=idle"


def test_an_abstract_socket_is_told_too() -> None:
    """A container's manager has one."""
    name = f"parley-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(5)
        notifier({"NOTIFY_SOCKET": f"@{name}"})("WATCHDOG=1")
        assert listening.recv(100) == b"WATCHDOG=1"


def test_a_full_socket_holds_nobody_up_and_the_newest_of_each_is_told_later(
    tmp_path: Path, systemd: socket.socket
) -> None:
    """In their order; READY is not lost."""
    notify = Notifier(str(tmp_path / "notify"))
    began = time.monotonic()
    for count in range(10_000):
        notify(f"STATUS={count}")
    assert time.monotonic() - began < 5
    notify("READY=1")
    notify("WATCHDOG=1")
    notify("STATUS=muted")
    taken = received(systemd)
    assert taken[0] == "STATUS=0"
    assert "READY=1" not in taken
    notify("WATCHDOG=1")
    assert received(systemd) == ["READY=1", "STATUS=muted", "WATCHDOG=1"]


def test_a_manager_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    """And one that comes back is told."""
    path = tmp_path / "notify"
    notify = Notifier(str(path))
    notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(5)
        notify("WATCHDOG=1")
        assert listening.recv(100) == b"WATCHDOG=1"
