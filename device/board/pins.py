"""Give gpiozero the right pin factory, and tell what goes wrong with pins in plain words.

Left alone, gpiozero tries one factory after the other and goes on with whatever loads, opens the
wrong GPIO chip on some Raspberry Pi 5 kernels, and passes on bare exceptions of lgpio. Importing
lgpio also changes the working directory and leaves a FIFO there. All of that ends here.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from device.board.gpiochip import lgpio_factory
from device.board.profiles import Profile
from device.errors import BoardError

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
