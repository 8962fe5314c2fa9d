"""The processor of every Pi, emulated: what is compiled for it, and a whole conversation on it.

systemd does not boot under user-mode emulation, so this is what `./install.sh --demo` does, as
root, in a bare Debian 13 for arm64: packages, environment, compiled libraries, demonstration. How
fast an emulated processor is depends on the real one (measured: the wake networks take 49 ms for 80
ms of sound on one, 1.6 s on another, which has no fused multiply-add); the demonstration is in slow
motion where it must be.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
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
        reason="takes ten minutes: PARLEY_APPLIANCE=arm64",
    ),
]

BINFMT = Path("/proc/sys/fs/binfmt_misc")
CHECKOUT = "/root/parley"
PROCESSOR = "cortex-a53"
"""Of the smallest Pi that we support (3, Zero 2). QEMU's own default has pointer authentication, on
which it spends most of its time: a command starts in 2 s with this one and in 25 s with that."""


CORES = (PROCESSOR, "cortex-a72", "cortex-a76")
"""Of the Pi 3 and Zero 2, the Pi 4, the Pi 5."""
NEWER = "max"
"""All that QEMU can, such as scalable vectors, which no Pi has."""

NEEDS_SCALABLE_VECTORS = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# rdvl x0, #1: how long a scalable vector is; ret.
code.write(bytes.fromhex("2050bf04 c0035fd6"))
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
"""
"""What a wheel that was built for a newer core does while it is imported."""


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

    def run(self, *words: str, timeout_s: float, core: str = PROCESSOR) -> Completed:
        """Run a command in the checkout, on this core."""
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "QEMU_CPU": core,
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


@pytest.mark.parametrize("core", CORES)
def test_all_that_is_compiled_runs_on_every_pis_core(
    emulated: Emulated, core: str, record_property: Callable[[str, object], None]
) -> None:
    """As the installer tries it before a release is put in force."""
    began = time.monotonic()
    trial = (".venv/bin/python", "-I", "-m", "device.doctor.compiled")
    done = emulated.run(*trial, timeout_s=1200, core=core)
    record_property("trial s", f"{time.monotonic() - began:.0f}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_package_for_a_newer_core_is_named_by_trial_and_doctor(emulated: Emulated) -> None:
    """It runs where the instruction is there, and ends by SIGILL elsewhere, without a word."""
    [package] = (emulated.root / CHECKOUT.lstrip("/")).glob(
        ".venv/lib/python3*/site-packages/soxr/__init__.py"
    )
    good = package.read_text()
    package.write_text(good + NEEDS_SCALABLE_VECTORS)
    try:
        newer = emulated.run(".venv/bin/python", "-c", "import soxr", timeout_s=600, core=NEWER)
        trial = (".venv/bin/python", "-I", "-m", "device.doctor.compiled")
        older = emulated.run(*trial, timeout_s=1200)
        doctor = emulated.run(".venv/bin/parley", "doctor", timeout_s=1200)
    finally:
        package.write_text(good)
    print(newer.stderr, older.stderr, doctor.stdout)
    assert newer.returncode == 0
    assert older.returncode == 132
    assert older.stderr.startswith("soxr ")
    assert "ends by an illegal instruction (SIGILL)" in older.stderr
    assert doctor.returncode == 1
    assert doctor.stdout.startswith("processor  broken  soxr ")


def test_doctor_examines_it(emulated: Emulated) -> None:
    """It finds what a folder without sound card, key or systemd lacks, as JSON."""
    done = emulated.run(".venv/bin/parley", "doctor", "--json", timeout_s=1200)
    print(done.stdout, done.stderr)
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "broken"


def test_it_holds_the_conversation_of_the_demonstration(emulated: Emulated) -> None:
    """It hears its wake word, talks over TLS, resumes, is interrupted, and loses no sample."""
    done = emulated.run(".venv/bin/parley", "demo", "--out", "/tmp/out", timeout_s=3600)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    for happened in (
        "wake word hey_jarvis",
        "session resumed",
        "interrupted after",
        "the same, none lost or doubled",
    ):
        assert happened in done.stdout


def test_it_hears_a_person_through_its_own_voice(emulated: Emulated) -> None:
    """What cancels the echo computes there what it does elsewhere."""
    done = emulated.run(
        ".venv/bin/parley", "demo", "--room", "small", "--out", "/tmp/out", timeout_s=7000
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert "they talk on: the answer is over" in done.stdout
    cancelled = re.search(r"echo cancelled +([0-9.]+) dB", done.stdout)
    assert cancelled is not None
    assert float(cancelled[1]) > 10
