"""`parley` on a device without a clock of its own: it is 1970 until a file is there.

``python -m tests.rig.wrong_clock FILE ARGUMENT...``. Only Python's idea of the time of day is
wrong: with Debian's libfaketime around the process every ``time.sleep`` of Python 3.11 fails.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from device.__main__ import main

DAY_S = 86_400.0


def pretend(put_right: Path) -> None:
    """Have it be the second of January 1970 until that file exists."""
    real = time.time

    def now() -> float:
        return real() if put_right.exists() else DAY_S

    time.time = now


if __name__ == "__main__":
    pretend(Path(sys.argv[1]))
    raise SystemExit(main(sys.argv[2:]))
