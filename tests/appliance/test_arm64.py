"""The processor of every Pi, emulated: what is compiled for it, and what runs on it.

systemd does not boot under user-mode emulation, so this is what `./install.sh --demo` sets up, as
root, in a bare Debian 13 for arm64: packages, environment, compiled libraries. The demo itself is
held in real time, with which an emulated processor does not keep up (measured: its wake networks
take 1.6 s for 80 ms of sound, and the demo gives up after 20 s). So only its help is asked for, and
the networks are heard without a time limit.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.appliance.machine import CACHE, Completed, install_tools, lay_over, make_base, unmount
from tests.appliance.speaker import copy_checkout

pytestmark = [
    pytest.mark.appliance,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(
        "arm64" not in os.environ.get("PARLEY_APPLIANCE", ""),
        reason="takes half an hour: PARLEY_APPLIANCE=arm64",
    ),
]

BINFMT = Path("/proc/sys/fs/binfmt_misc")
CHECKOUT = "/root/parley"
PROCESSOR = "cortex-a53"
"""Of the smallest Pi that we support (3, Zero 2). QEMU's own default has pointer authentication, on
which it spends most of its time: a command starts in 2 s with this one and in 25 s with that."""


class Emulated:
    """Debian 13 for arm64 in a folder; this machine's kernel runs its programs with QEMU."""

    def __init__(self, layers: Path) -> None:
        self._layers = layers
        self._mounts: list[Path] = []

    def __enter__(self) -> Self:
        install_tools(qemu_aarch64_static="qemu-user-static", update_binfmts="binfmt-support")
        os.environ["QEMU_CPU"] = PROCESSOR
        if not (BINFMT / "register").exists():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], check=True)
            self._mounts.append(BINFMT)
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=True)
        options = {"packages": "ca-certificates", "name": "trixie-arm64"}
        self.root = lay_over(make_base("trixie", "--arch=arm64", **options), self._layers)
        self._mounts.append(self.root)
        for name, *how in (
            ("proc", "-t", "proc", "proc"),
            ("dev", "--bind", "/dev"),
            ("var/cache/apt/archives", "--bind", str(self._cache("apt-trixie-arm64"))),
            ("srv", "--bind", str(self._cache("downloads"))),
        ):
            subprocess.run(["mount", *how, self.root / name], check=True)
            self._mounts.append(self.root / name)
        copy_checkout(self.root / CHECKOUT.lstrip("/"))
        return self

    def __exit__(self, *_: object) -> None:
        for mount in reversed(self._mounts):
            if mount == BINFMT:
                subprocess.run(["update-binfmts", "--disable", "qemu-aarch64"], check=False)
            unmount(mount)

    def _cache(self, name: str) -> Path:
        (CACHE / name).mkdir(parents=True, exist_ok=True)
        return CACHE / name

    def run(self, *words: str, timeout_s: float) -> Completed:
        """Run a command in the checkout."""
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "QEMU_CPU": PROCESSOR,
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "UV_CACHE_DIR": "/srv/uv-trixie-arm64",
            "PIP_CACHE_DIR": "/srv/pip",
        }
        return subprocess.run(
            [
                *("chroot", str(self.root), "env", "-i", "-C", CHECKOUT),
                *(f"{name}={value}" for name, value in variables.items()),
                *words,
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulated]:
    if os.geteuid() != 0:
        pytest.skip("mounts and changes root: needs root")
    layers = Path(tempfile.mkdtemp(prefix="parley-arm64-"))
    try:
        with Emulated(layers) as machine:
            yield machine
    finally:
        shutil.rmtree(layers)


@pytest.fixture(autouse=True)
def _named(record_property: Callable[[str, object], None]) -> None:
    record_property("machine", "arm64")


def test_everything_is_there_for_arm64_or_compiles(emulated: Emulated) -> None:
    """From packages that are not there to a command that runs."""
    done = emulated.run("./install.sh", "--demo", "--help", timeout_s=5400)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "usage: parley demo" in done.stdout


def test_doctor_examines_it(emulated: Emulated) -> None:
    """It finds what a folder without sound card, key or systemd lacks, as JSON."""
    done = emulated.run(".venv/bin/parley", "doctor", "--json", timeout_s=1200)
    print(done.stdout, done.stderr)
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "broken"


HEARS = """
from types import SimpleNamespace
from device.cli.checks import wake
from device.config import parse

for result in wake.wake(SimpleNamespace(config=parse("{}", "none"))):
    print(result.name, result.figure)
"""


def test_the_wake_networks_hear_on_it(emulated: Emulated) -> None:
    """What is compiled for a Pi computes what it does elsewhere."""
    done = emulated.run(".venv/bin/python", "-c", HEARS, timeout_s=3600)
    print(done.stdout, done.stderr)
    assert "hey_jarvis heard in 2 of 2 recordings, 0 times where it was not" in done.stdout
