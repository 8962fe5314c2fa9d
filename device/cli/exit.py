"""`leave` ends the process where threads may be left that never end.

Tested in tests/cli/test_hung_sound.py.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process at once, with what was said and logged: all of ours is closed by now.

    What may be left are threads of libraries: one that imports, waits for a name server, computes,
    or sits in PortAudio for ever. Neither asyncio nor the interpreter would end before they do, and
    one that comes back from C++ into an interpreter that is gone aborts the process (exit 134).
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
