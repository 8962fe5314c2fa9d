"""`open_spi` opens the Raspberry Pi's SPI bus by hardware or says how to turn it on.

gpiozero goes on by bit-banging where the hardware fails, with a mere warning: that would take the
pins away from the SPI hardware, and a processor core with them.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import warnings
from pathlib import Path
from typing import Any

from device.board.advice import SPI_ON
from device.board.kernel import read_evidence
from device.errors import BoardError

SPI_RATE_HZ = 1_000_000
"""57 bytes take half a millisecond; an APA102's limit is far above."""


def open_spi(factory: Any, port: int, device: int, root: Path = Path("/")) -> Any:
    """Return gpiozero's SPI at 1 MHz, mode 0. Raises BoardError with what to do.

    ``root``: where the files are that tell why it does not open.
    """
    from gpiozero import SPIFixedRate, SPISoftwareFallback  # noqa: PLC0415 - only where there are pins

    with warnings.catch_warnings():
        warnings.simplefilter("error", SPISoftwareFallback)
        try:
            spi = factory.spi(port=port, device=device)
            reason = ""
        except SPISoftwareFallback as error:
            reason = str(error)
    # Outside of the handler: the exception would keep half-built devices, and their pins, in use.
    if reason:
        raise BoardError(_no_spi(port, device, reason, root))
    # Software SPI, which only a mock factory gives by itself, has no rate to set.
    with contextlib.suppress(SPIFixedRate):
        spi.rate = SPI_RATE_HZ
    return spi


def _no_spi(port: int, device: int, reason: str, root: Path) -> str:
    name = f"spidev{port}.{device}"
    node = root / "dev" / name
    if node.exists():
        if os.access(node, os.R_OK | os.W_OK):
            return f"/dev/{name} cannot be opened for the LEDs ({reason})"
        user = getpass.getuser()
        return (
            f"/dev/{name} may not be opened for the LEDs: user {user} is not in group spi;"
            f" run 'sudo usermod -aG spi {user}', and restart"
        )
    evidence = read_evidence(root)
    if evidence.spi_nodes:
        there = evidence.spi_nodes[0]
        return (
            f"there is no /dev/{name} for the LEDs, but /dev/{there}: set lights.spi to {there}"
            " (APA102 have no chip select: either will do)"
        )
    if evidence.boot is not None and evidence.boot.spi:
        return (
            f"there is no /dev/{name} for the LEDs: SPI is on in config.txt but not in force yet;"
            " reboot"
        )
    return (
        f"there is no /dev/{name} for the LEDs, SPI is off: run '{SPI_ON}' (or write dtparam=spi=on"
        " into /boot/firmware/config.txt) and reboot"
    )
