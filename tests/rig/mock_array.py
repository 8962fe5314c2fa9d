"""`parley` beside a pretended XVF3800 on USB: its mute switch is moved over a socket.

``python -m tests.rig.mock_array SOCKET ARGUMENTS…`` runs ``parley ARGUMENTS…`` with pyusb on the
emulated bus. Each line sent to the Unix socket is ``mute 1``, ``mute 0``, ``unplug`` or ``plug``;
it is answered when it is so.
"""

from __future__ import annotations

import socket
import sys
import threading


def main() -> int:
    import usb.backend.libusb1

    from tests.rig.usb_device import Bus, Xvf3800Board

    board = Xvf3800Board()
    bus = Bus(board)
    usb.backend.libusb1.get_backend = lambda *_args, **_options: bus
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen()

    def drive() -> None:
        while True:
            client, _ = listener.accept()
            with client, client.makefile("rw") as lines:
                for line in lines:
                    match line.split():
                        case ["mute", level]:
                            board.pins[30] = int(level)
                        case ["unplug"]:
                            board.unplug()
                        case ["plug"]:
                            board.plugged = True
                    lines.write("done\n")
                    lines.flush()

    threading.Thread(target=drive, daemon=True).start()
    from device.__main__ import main as parley

    return parley(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
