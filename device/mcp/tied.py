"""`main` ties a local MCP server to the life of the speaker, and becomes its command.

It is run as a program, by its path and without site-packages: ``tied.py PARENT PROGRAM ARGUMENT…``.
The kernel sends SIGTERM to a process whose parent has died if that process has asked for it (prctl
(2), PR_SET_PDEATHSIG); what is asked for outlives execve(2), and needs no privilege. setpriv(1)
could ask, too, but calls capset(2) each time, which the unit's sandbox forbids.

Tested in tests/mcp/test_stdio.py.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Ask the kernel, and become the command; or end where the parent has died before."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
    os.execv(command[0], command)  # noqa: S606 - the owner's command


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
