"""`processor` says whether what is compiled in a release runs on this processor, and which it is.

A wheel may be built for a newer processor than the one that is there: the card was put into an
older Raspberry Pi, or a package gave up on old cores. Then the process ends by SIGILL, without a
word. So the packages are loaded and run one by one in a child (`device.doctor.compiled`), and what
became of that is told here. Only Python's own library is imported: anything else may be what does
not run.
"""

from __future__ import annotations

import functools
import re
import signal
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING

from device.doctor.compiled import Trial, try_out
from device.doctor.result import Result, broken, fine, hint

if TYPE_CHECKING:
    from device.doctor.scene import Scene

IMPLEMENTERS = {0x41: "ARM", 0x51: "Qualcomm", 0x61: "Apple"}
ARM_CORES = {
    0xC07: "Cortex-A7",
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
}
"""Part numbers of /proc/cpuinfo (Linux, arch/arm64/include/asm/cputype.h): Pi 2, Pi 3 and Zero 2,
Pi 4 and Pi 5 are A7, A53, A72 and A76."""

ADVICE = (
    "a package of this release needs a newer processor (was the card in another Raspberry Pi?): "
    "install the release before it (its checkout, then sudo ./install.sh) and report this line; "
    "where it ran before on this very machine, too low a voltage does this too: try another power "
    "supply"
)


@functools.cache
def trial() -> Trial:
    """What became of loading and running all that is compiled here; takes seconds, once."""
    return try_out()


def processor(scene: Scene) -> Iterator[Result]:
    """Report whether all that is compiled loads and runs on this processor."""
    yield result(trial(), processor_name(scene.root))


def result(tried: Trial, name: str) -> Result:
    """What the doctor says of a trial on the processor of this name."""
    figures = {"processor": name, "packages": len(tried.ran), "failed": tried.failed}
    told = told_of(tried, name)
    if not told:
        figure = f"{name}: all {len(tried.ran)} compiled packages load and run"
        return fine("processor", figure, **figures)
    if not tried.ended:
        return hint("processor", told, "try again when less runs here", None, **figures)
    advice = ADVICE if tried.signal else "install it anew: sudo ./install.sh"
    return broken("processor", told, advice, None, signal=tried.signal, **figures)


def told_of(tried: Trial, name: str) -> str:
    """Return in one sentence what did not run on the processor of this name; empty: all of it."""
    if tried.fine:
        return ""
    package = _with_version(tried.failed)
    if not tried.ended:
        return f"{package} was still loading or running after {tried.took_s:.0f} s"
    if not tried.signal:
        return f"{package} does not run here: {tried.why or 'it gives no reason'}"
    if tried.signal == "SIGILL":
        return (
            f"{package} ends by an illegal instruction (SIGILL): it uses instructions that this "
            f"processor has not ({name})"
        )
    how = f"{tried.signal} ({_described(tried.signal)})"
    return f"{package} ends by {how} on this processor ({name})"


def processor_name(root: Path = Path("/")) -> str:
    """Return what a person calls this processor, with the board where the kernel knows it."""
    told = _text(root / "proc/cpuinfo")
    core = _field(told, "model name") or _arm_core(told) or "unknown processor"
    board = _text(root / "proc/device-tree/model").strip("\0\n ")
    return f"{core}, {board}" if board else core


def _arm_core(cpuinfo: str) -> str:
    try:
        implementer = int(_field(cpuinfo, "CPU implementer"), 16)
        part = int(_field(cpuinfo, "CPU part"), 16)
    except ValueError:
        return ""
    maker = IMPLEMENTERS.get(implementer, f"implementer {implementer:#x}")
    core = ARM_CORES.get(part) if implementer == 0x41 else None
    return f"{maker} {core or f'part {part:#x}'}"


def _field(cpuinfo: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _described(name: str) -> str:
    known = signal.Signals.__members__.get(name)
    return (signal.strsignal(known) or name).lower() if known else name


def _with_version(module: str) -> str:
    """Return the name of the package that holds a module, with its version."""
    top = module.partition(".")[0]
    for package in (*packages_distributions().get(top, ()), top):
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
    return module
