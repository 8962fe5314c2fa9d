"""The appliance on a board with 426 MB and one slow core, as a Zero 2 W has them for programs.

No swap: where the board would swap, something is killed here, which is harder.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from device.simulator.script import Script
from tests.appliance.bounds import Bounds
from tests.appliance.machine import Machine
from tests.appliance.speaker import InnerSound, Speaker
from tests.appliance.test_appliance import ANSWER, Record, talks
from tests.rig.server import ServerThread

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(3600)]

MEMORY_MB = 426
"""MemTotal of a Zero 2 W with Raspberry Pi OS (github.com/raspberrypi/picamera2, issue 1358)."""
CORES = 0.35
ASKED_FOR = os.environ.get("PARLEY_APPLIANCE", "small").split()
EVENING = 6
"""How many questions."""


@pytest.fixture(scope="module")
def bounds() -> Bounds:
    if os.geteuid() != 0:
        pytest.skip("boots a machine: needs root")
    if "small" not in ASKED_FOR:
        pytest.skip("PARLEY_APPLIANCE names other machines")
    return Bounds(MEMORY_MB, CORES)


@pytest.fixture(scope="module")
def speaker(bounds: Bounds) -> Iterator[Speaker]:
    with ExitStack() as stack:
        machine = stack.enter_context(Machine("trixie", bounds))
        sound = stack.enter_context(InnerSound(machine))
        server = stack.enter_context(ServerThread(Script(turns=(ANSWER,) * 20)))
        yield Speaker(machine, sound, server)


@pytest.fixture(autouse=True)
def _named(speaker: Speaker, record_property: Record) -> None:
    record_property("machine", "small")


def test_it_is_installed(speaker: Speaker, bounds: Bounds, record_property: Record) -> None:
    """With what there is; how long it takes and how much memory is said beforehand."""
    began = time.monotonic()
    with bounds.worst_mb() as most:
        done = speaker.install("--yes", "--key-file", "/home/owner/key.txt", timeout_s=3000)
    print(done.stdout)
    record_property("took s", f"{time.monotonic() - began:.0f}")
    record_property("memory at the worst moment MB", most[0])
    assert done.returncode == 0, done.stdout
    assert f"{MEMORY_MB} MB of memory: about " in done.stdout
    assert " is ready: " in done.stdout
    assert bounds.killed() == 0


def test_a_good_upgrade_is_not_taken_back(
    speaker: Speaker, bounds: Bounds, record_property: Record
) -> None:
    """Although the old one runs beside the building of the new one, which then starts cold."""
    speaker.release("0.2.0")
    with bounds.worst_mb() as most:
        done = speaker.install("--yes", timeout_s=3000)
    print(done.stdout)
    record_property("memory at the worst moment MB", most[0])
    assert done.returncode == 0, done.stdout
    assert speaker.current == "0.2.0"
    assert bounds.killed() == 0


def test_it_talks_for_an_evening(speaker: Speaker, bounds: Bounds, record_property: Record) -> None:
    """Question after question; it does not grow past what there is."""
    speaker.write_config()
    speaker.machine.run("systemctl", "restart", "parley", timeout_s=200)
    speaker.until_active()
    with bounds.worst_mb() as most:
        # The sound server has to share the slow core, which on a board is the card's work.
        took = [talks(speaker, alike=0.3) for _ in range(EVENING)]
    status = speaker.path(f"/proc/{speaker.pid}/status").read_text()
    [resident_kb] = re.findall(r"VmHWM:\s+(\d+) kB", status)
    record_property("first sound after s", f"{min(took):.1f} to {max(took):.1f}")
    record_property("speaker at most MB", int(resident_kb) // 1024)
    record_property("machine at most MB", most[0])
    assert bounds.killed() == 0
