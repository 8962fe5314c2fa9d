"""`small_text` reads files out of the speaker's own folder, as root.

Whoever has got hold of the speaker has that folder too: so a link to a file of root's is not
followed, and a pipe that never ends is not waited for.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST_BYTES = 65_536
"""What the speaker itself reads of most of them; one that is cut off there is no JSON any more."""


def small_content(path: Path, largest_bytes: int = LARGEST_BYTES) -> bytes:
    """Return what is in a file, up to the limit. Raises OSError (EINVAL: a pipe)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
            raise OSError(code, "it is no file", str(path))
        return os.read(descriptor, largest_bytes)
    finally:
        os.close(descriptor)


def small_text(path: Path) -> str:
    """Return the same as text; why it cannot be read, where it cannot."""
    try:
        return small_content(path).decode(errors="replace")
    except OSError as error:
        return f"{path}: {error.strerror}\n"
