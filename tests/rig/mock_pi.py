"""`parley` with the pins of a pretended Raspberry Pi: the button is pressed over a socket.

``python -m tests.rig.mock_pi SOCKET LEDFILE ARGUMENTS…`` runs ``parley ARGUMENTS…`` on gpiozero's
MockFactory. Each line sent to the Unix socket is a level and a pin (``low 17``, ``high 17``); it is
answered when the pin has it. LEDFILE holds the last SPI frame in hex, one line.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path


def main() -> int:
    os.environ["GPIOZERO_PIN_FACTORY"] = "mock"
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory, MockSPIDevice

    factory = Device.pin_factory = MockFactory()
    leds = Path(sys.argv[2])

    class Leds(MockSPIDevice):  # type: ignore[misc]
        """Writes down each SPI frame when the chip select lets go."""

        def on_select(self) -> None:
            if self.select_pin.state == self.select_high:
                self.on_start()
            else:
                bits = "".join("1" if bit else "0" for bit in self.rx_buf)
                leds.write_text(f"{int(bits or '0', 2):0{len(bits) // 4}x}\n")

    device = Leds(11, 10, 9, 7)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen()
    threading.Thread(target=_drive, args=(listener, factory), daemon=True).start()
    from device.__main__ import main as parley

    try:
        return parley(sys.argv[3:])
    finally:
        del device


def _drive(listener: socket.socket, factory: object) -> None:
    while True:
        client, _ = listener.accept()
        with client, client.makefile("rw") as lines:
            for line in lines:
                level, pin = line.split()
                getattr(factory.pin(int(pin)), f"drive_{level}")()  # type: ignore[attr-defined]
                lines.write("done\n")
                lines.flush()


if __name__ == "__main__":
    sys.exit(main())
