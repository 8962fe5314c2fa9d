"""Runs in the sandbox of parley.service and tells as JSON what it may do; standard library only."""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

CLONE_NEWUSER = 0x1000_0000
IN_CREATE = 0x100
SPI_MAJOR, USB_MAJOR, SOUND_MAJOR, TAPE_MAJOR = 153, 189, 116, 9


def outcome(attempt: Callable[[], object]) -> str:
    """What came of it: `done`, or the name of the error."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def write(path: str) -> Callable[[], object]:
    return lambda: Path(path).write_text("x")


def read(path: str | Path) -> Callable[[], object]:
    return lambda: Path(path).read_bytes()


def open_device(major: int) -> Callable[[], object]:
    # Where no driver is, opening ends with ENXIO; where the sandbox is in the way, with EPERM.
    return lambda: os.close(os.open(f"/dev/rig-{major}", os.O_RDWR))


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library."""
    result: int = getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def wake_by_the_clocks() -> None:
    """By both of them, and when /etc/localtime is replaced."""
    for clock in (time.CLOCK_REALTIME, time.CLOCK_BOOTTIME):
        os.close(call("timerfd_create", clock, os.O_CLOEXEC))
    watch = call("inotify_init1", os.O_CLOEXEC)
    call("inotify_add_watch", watch, b"/etc", IN_CREATE)
    os.close(watch)


def write_and_execute() -> None:
    memory = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    mmap.mmap(-1, 4096, prot=memory).close()


def main() -> None:
    """Try everything; the result is written into the state directory."""
    state = Path(os.environ["STATE_DIRECTORY"])
    runtime = Path(os.environ["RUNTIME_DIRECTORY"])
    tried = {
        "key": read(Path(os.environ["CREDENTIALS_DIRECTORY"]) / "gemini_api_key"),
        "state": write(str(state / "probe")),
        "runtime": write(str(runtime / "probe")),
        "group of the sound card": read("/dev/rig-group"),
        "sound": open_device(SOUND_MAJOR),
        "spi": open_device(SPI_MAJOR),
        "usb": open_device(USB_MAJOR),
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(0, 0)),
        "clocks": wake_by_the_clocks,
        "zone": read("/etc/localtime"),
        "word of a time server": read("/run/systemd/timesync/synchronized"),
        "tape": open_device(TAPE_MAJOR),
        "usr": write("/usr/probe"),
        "etc": write("/etc/probe"),
        "release": write("/opt/parley/current/probe"),
        "config": write("/etc/parley/config.yaml"),
        "home": lambda: list(Path("/home/owner").iterdir()),
        "key file": read("/etc/parley/credentials/gemini_api_key"),
        "passwords": read("/etc/shadow"),
        "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
        "user namespace": lambda: call("unshare", CLONE_NEWUSER),
        "written code": write_and_execute,
        "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
        "clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
        # `struct timex`, all zeros: nothing is set.
        "state of the clock": lambda: call("adjtimex", ctypes.create_string_buffer(512)),
        "other users' processes": read("/proc/1/status"),
        "chown": lambda: os.chown(state / "probe", 0, 0),
    }
    told = {what: outcome(attempt) for what, attempt in tried.items()}
    Path(sys.argv[1]).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
