"""Give gpiozero the right pin factory, and tell what goes wrong with pins in plain words.

Left alone, gpiozero tries one factory after the other and goes on with whatever loads, opens the
wrong GPIO chip on some Raspberry Pi 5 kernels, and passes on bare exceptions of lgpio. Importing
lgpio also changes the working directory and leaves a FIFO there. All of that ends here.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from device.board.profiles import Profile
from device.errors import BoardError

if TYPE_CHECKING:
    from types import ModuleType

_T = TypeVar("_T")

log = logging.getLogger(__name__)

CHIP_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Kernel's names of the chips behind the 40-pin header: Pi 5, Pi 4, and all before."""

_MODEL_FILE = Path("/proc/device-tree/model")
_DEVICES = Path("/dev")


def gpio_factory(*, model_file: Path = _MODEL_FILE, devices: Path = _DEVICES) -> Any:
    """Return gpiozero's pin factory for this process, choosing it at the first call.

    One that is already set stays; ``GPIOZERO_PIN_FACTORY`` decides when it is set; otherwise it is
    lgpio on the chip of the 40-pin header. Raises BoardError where there is no such chip.
    """
    from gpiozero import Device  # noqa: PLC0415 - 0.2 s, and only where there are pins

    if Device.pin_factory is None:
        asked = os.environ.get("GPIOZERO_PIN_FACTORY", "")
        if asked:
            attempt(f"use GPIOZERO_PIN_FACTORY={asked}", lambda: _load_named(asked))
        else:
            Device.pin_factory = attempt(
                "open the GPIO chip", lambda: _lgpio_factory(model_file, devices)
            )
    return Device.pin_factory


def attempt(doing: str, action: Callable[[], _T], hint: str = "") -> _T:
    """Return ``action()``; BoardError ``cannot <doing>: <reason><hint>`` when the pins fail it.

    The new exception keeps nothing of the old one: its frames hold half-built gpiozero devices,
    and while those live their pins count as in use and a second try would fail.
    """
    try:
        return action()
    except _pin_errors() as error:
        reason = _reason(error)
    raise BoardError(f"cannot {doing}: {reason}{hint}")


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    # lgpio's errors say their text in quotes.
    return text[1:-1] if text[0] == text[-1] == "'" else text


def let_go(*steps: Callable[[], object]) -> None:
    """Do every step, whatever the one before it raised, so that everything is released."""
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - close() never raises, and its caller is ending
            log.warning("releasing pins: %s", error)


def refuse_taken(pin: int, part: str, key: str, profile: Profile) -> None:
    """Raise BoardError when the board needs this pin for its sound."""
    if pin in profile.taken_pins:
        raise BoardError(
            f"GPIO{pin} cannot be {part}: the {profile.label} needs it for its sound; change {key}"
        )


def _pin_errors() -> tuple[type[Exception], ...]:
    from gpiozero import GPIOZeroError, GPIOZeroWarning  # noqa: PLC0415 - 0.2 s, and only where there are pins

    # RuntimeError: RPi.GPIO; OSError: the native and pigpio factories.
    known = (GPIOZeroError, GPIOZeroWarning, ImportError, OSError, RuntimeError)
    own = getattr(sys.modules.get("lgpio"), "error", None)
    return known if own is None else (*known, own)


def _load_named(name: str) -> None:
    from gpiozero import Device  # noqa: PLC0415 - 0.2 s, and only where there are pins

    if "lgpio" in name.lower():
        _real_lgpio()
    Device.ensure_pin_factory()


def _lgpio_factory(model_file: Path, devices: Path) -> Any:
    model = model_file.read_text() if model_file.exists() else ""
    if "Raspberry Pi" not in model:
        raise BoardError(
            "LEDs and button on GPIO pins need a Raspberry Pi, and this machine is none;"
            " set lights.driver to none or terminal"
        )
    lgpio = _real_lgpio()
    chip = _header_chip(lgpio, devices)
    return importlib.import_module("gpiozero.pins.lgpio").LGPIOFactory(chip=chip)


def _real_lgpio() -> ModuleType:
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
    seen = []
    for number, path in _chips(devices):
        label = _chip_label(lgpio, number)
        if label in CHIP_LABELS:
            return number
        seen.append(f"{path} ({label or 'cannot be opened: is the user in group gpio?'})")
    raise BoardError(
        f"no GPIO chip is called {' or '.join(CHIP_LABELS)}; found: {', '.join(seen) or 'none'}"
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
