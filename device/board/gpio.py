"""`gpio_factory` gives gpiozero the right pins and words what goes wrong with pins.

Left alone, gpiozero tries one factory after the other and goes on with whatever loads, and passes
on bare exceptions of lgpio. It opens the GPIO chip by its number, which differs between kernels on
the Raspberry Pi 5; the chip's label does not. Importing lgpio changes the working directory and
leaves a FIFO there. All of that ends here.
"""

from __future__ import annotations

import atexit
import contextlib
import getpass
import importlib
import importlib.metadata
import logging
import os
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from device.board.profiles import Profile
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
    os.environ["LG_WD"] = _private_directory()
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


def _private_directory() -> str:
    """Return a directory for lgpio's pipes that only this user may enter.

    lgpio lets everybody read them (0664, whatever the umask), and who reads an event of the button
    takes it away: holding it would mute no more. The runtime directory is open to all, for the
    control socket.
    """
    wanted = os.environ.get("LG_WD"), os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    place = next((each for each in wanted if each and os.access(each, os.W_OK)), None)
    if place is not None and not Path(place).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return place
    directory = tempfile.mkdtemp(prefix="parley-lgpio-", dir=place)
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


_T = TypeVar("_T")

log = logging.getLogger(__name__)

_KERNEL = 1
"""Flag of `lgpio.gpio_get_line_info`: the line is in use by the kernel, for itself or for another
program."""

_HOLDERS = {"lg": "a program that uses lgpio", "sysfs": "a program that uses sysfs"}
"""Who names itself so."""

_MODEL_FILE = Path("/proc/device-tree/model")
_DEVICES = Path("/dev")


def gpio_factory(*, model_file: Path = _MODEL_FILE, devices: Path = _DEVICES) -> Any:
    """Return gpiozero's pin factory for this process, choosing it at the first call.

    One that is already set stays; ``GPIOZERO_PIN_FACTORY`` decides when it is set; otherwise it is
    lgpio on the chip of the 40-pin header. Raises BoardError where there is no such chip.
    """
    from gpiozero import Device  # noqa: PLC0415 - 0.2 s, and only where there are pins

    if Device.pin_factory is None:
        model = model_file.read_text() if model_file.exists() else ""
        asked = os.environ.get("GPIOZERO_PIN_FACTORY", "")
        if asked and asked.lower() != "lgpio":
            attempt(f"use GPIOZERO_PIN_FACTORY={asked}", lambda: _load_named(asked, model))
        else:
            Device.pin_factory = attempt(
                "open the GPIO chip", lambda: lgpio_factory(model, devices)
            )
    return Device.pin_factory


def attempt(
    doing: str, action: Callable[[], _T], hint: str = "", *, pins: Sequence[int] = ()
) -> _T:
    """Return ``action()``; BoardError ``cannot <doing>: <reason><hint>`` when the pins fail it.

    ``pins``: those it claims; where one is busy, the hint is who holds it as far as that is known.

    The new exception keeps nothing of the old one: its frames hold half-built gpiozero devices,
    and while those live their pins count as in use and a second try would fail.
    """
    try:
        return action()
    except _pin_errors() as error:
        reason = _reason(error)
    holders = _holders(pins) if "busy" in reason.lower() else ""
    raise BoardError(f"cannot {doing}: {reason}{holders or hint}")


def _holders(pins: Sequence[int]) -> str:
    """Name who holds pins, from what the kernel tells lgpio; empty where it tells nothing."""
    from gpiozero import Device  # noqa: PLC0415 - 0.2 s, and only where there are pins

    lgpio, chip = sys.modules.get("lgpio"), getattr(Device.pin_factory, "_handle", None)
    if lgpio is None or chip is None:
        return ""
    held = []
    for pin in pins:
        try:
            _status, _offset, flags, _name, holder = lgpio.gpio_get_line_info(chip, pin)
        except lgpio.error:
            continue
        who = holder.decode() if isinstance(holder, bytes) else str(holder)
        if flags & _KERNEL or who:
            held.append(
                f"GPIO{pin} is held by {_HOLDERS.get(who, f'{who!r}' if who else 'the kernel')}"
            )
    return f"; {' and '.join(held)}" if held else ""


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


def _load_named(name: str, model: str) -> None:
    from gpiozero import Device, NativePinFactoryFallback, PinFactoryFallback  # noqa: PLC0415 - 0.2 s, and only where there are pins

    if _is_pi_5(model) and name.lower() in {"rpigpio", "pigpio", "native"}:
        raise BoardError(
            f"GPIOZERO_PIN_FACTORY={name} does not work on a {model.rstrip(chr(0))}: only lgpio"
            " does; leave it unset"
        )
    with warnings.catch_warnings():
        # What was asked for, or an error: never something else that happens to load.
        warnings.simplefilter("error", PinFactoryFallback)
        warnings.simplefilter("error", NativePinFactoryFallback)
        Device.ensure_pin_factory()


def _is_pi_5(model: str) -> bool:
    return any(part in model for part in ("Pi 5", "Pi 500", "Compute Module 5"))
