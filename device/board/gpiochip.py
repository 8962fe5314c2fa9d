"""Opens the GPIO chip behind the 40-pin header through lgpio, and says what is in the way.

gpiozero goes by the chip's number, which differs between kernels on the Raspberry Pi 5; its label
does not. Importing lgpio changes the working directory and leaves a FIFO there: not here.
"""

from __future__ import annotations

import atexit
import contextlib
import getpass
import importlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import BoardError

if TYPE_CHECKING:
    from types import ModuleType

CHIP_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Kernel's names of the chips behind the 40-pin header: Pi 5, Pi 4, and all before."""

_NEEDED = "2.0.1.post3"
"""Of gpiozero. 2.0 is the first with lgpio, two releases after it miss an import, and 1.6 is what
Debian has."""


def lgpio_factory(model: str, devices: Path) -> Any:
    """Return gpiozero's factory on the header's chip, found by its label. Raises BoardError.

    ``model``: what the device tree calls the machine; ``devices``: where its device nodes are.
    """
    if "Raspberry Pi" not in model:
        raise BoardError(
            "LEDs and button on GPIO pins need a Raspberry Pi, and this machine is none;"
            " set lights.driver to none or terminal"
        )
    lgpio = real_lgpio()
    chip = _header_chip(lgpio, devices)
    try:
        return importlib.import_module("gpiozero.pins.lgpio").LGPIOFactory(chip=chip)
    except (ImportError, AttributeError, NameError, TypeError) as error:
        reason = str(error)
    raise BoardError(
        f"gpiozero {_version('gpiozero')} cannot use lgpio on this Pi ({reason}): it must be"
        f" {_NEEDED} or later; run Parley's ./install.sh again"
    )


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"


def real_lgpio() -> ModuleType:
    """Import lgpio so that it leaves the working directory alone; BoardError when it is no good."""
    if "LG_WD" not in os.environ:
        os.environ["LG_WD"] = _writable_directory()
    try:
        # Left at once, so that the change lgpio makes while it is imported is undone.
        with contextlib.chdir("."):
            lgpio = importlib.import_module("lgpio")
    except ImportError as error:
        raise BoardError(f"lgpio is missing ({error}): sudo apt install python3-lgpio") from None
    if not hasattr(lgpio, "gpiochip_open"):
        # PyPI's lgpio 0.0.0.2, which pip takes where there is no wheel, is an empty module.
        raise BoardError(
            f"{lgpio.__file__} is an empty stand-in for lgpio: uninstall it and"
            " sudo apt install python3-lgpio"
        )
    return lgpio


def _writable_directory() -> str:
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if runtime and os.access(runtime, os.W_OK):
        return runtime
    directory = tempfile.mkdtemp(prefix="parley-lgpio-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def _header_chip(lgpio: ModuleType, devices: Path) -> int:
    """Return N of the /dev/gpiochipN whose pins are the header's; it differs between kernels."""
    seen, forbidden = [], False
    for number, path in _chips(devices):
        label = _chip_label(lgpio, number)
        if label in CHIP_LABELS:
            return number
        closed = label is None and not os.access(path, os.R_OK | os.W_OK)
        forbidden = forbidden or closed
        seen.append(f"{path} ({label or ('may not be opened' if closed else 'does not open')})")
    cure = ""
    if forbidden:
        user = getpass.getuser()
        cure = (
            f"; user {user} is not in group gpio: run 'sudo usermod -aG gpio {user}', and restart"
        )
    raise BoardError(
        f"no GPIO chip is called {' or '.join(CHIP_LABELS)};"
        f" found: {', '.join(seen) or 'none'}{cure}"
    )


def _chips(devices: Path) -> Iterator[tuple[int, Path]]:
    for path in sorted(devices.glob("gpiochip[0-9]*")):
        yield int(path.name.removeprefix("gpiochip")), path


def _chip_label(lgpio: ModuleType, number: int) -> str | None:
    try:
        handle = lgpio.gpiochip_open(number)
    except lgpio.error:
        return None
    try:
        _status, _lines, _name, label = lgpio.gpio_get_chip_info(handle)
    finally:
        lgpio.gpiochip_close(handle)
    return label.decode() if isinstance(label, bytes) else str(label)
