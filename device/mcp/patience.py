"""`wait_s` says how long until a server that cannot be used is tried again. Pure."""

from __future__ import annotations

from device.mcp.failures import Fault

FIRST_S = 1.0
"""Before the first try after a server went; twice as long before each further one."""
NETWORK_LONGEST_S = 60.0
"""The longest wait for what comes back by itself: a router, a hub that is updated. A try costs the
network a packet or two."""
LONGEST_S = 300.0
"""The longest wait for what somebody has to mend, and for a command that ends again and again: a
start of it can cost a Pi seconds of a processor."""
REFUSED_S = 300.0
"""Before a token that was refused is sent again. Home Assistant tells its owner of each, and can
ban an address after a few; a new token comes with a restart of the speaker."""
MEND_S = 30.0
"""The first wait for what somebody has to mend."""
JITTER = 0.25
"""Each wait is longer or shorter by up to this share: not every speaker of a house at once."""
STABLE_S = 60.0
"""How long a server must have been there for the tries before to be forgotten."""

_REFUSED = frozenset({Fault.UNAUTHORIZED, Fault.FORBIDDEN})
_TO_MEND = frozenset(
    {
        *(Fault.TLS, Fault.NOT_FOUND, Fault.METHOD, Fault.REDIRECTED, Fault.NOT_MCP),
        *(Fault.COMMAND, Fault.ADDRESS, Fault.VERSION, Fault.LIBRARY, Fault.CREDENTIAL),
    }
)
_LOCAL = frozenset({Fault.EXITED, Fault.SILENT, Fault.TOO_LONG})


def wait_s(fault: Fault, tries: int, chance: float) -> float:
    """Return the seconds to wait after so many failed tries in a row (1: the first).

    ``chance`` is a number 0..1 that decides the jitter.
    """
    if fault is Fault.FORGOTTEN and tries <= 1:
        return 0.0
    if fault in _REFUSED:
        first, longest = REFUSED_S, REFUSED_S
    elif fault in _TO_MEND:
        first, longest = MEND_S, LONGEST_S
    else:
        first, longest = FIRST_S, LONGEST_S if fault in _LOCAL else NETWORK_LONGEST_S
    wait = min(longest, first * 2.0 ** min(tries - 1, 16))
    return wait * (1 + JITTER * (2 * chance - 1))
