"""`obstacle` tells whether it makes sense to dial: the time is plausible, a network is there.

Both are looked up on the device itself; nothing is sent. A Raspberry Pi has no clock of its own: it
starts with the time of its last shutdown, or with 1970, and every certificate is judged by it.
"""

from __future__ import annotations

import ipaddress
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from device.credentials.hosts import is_loopback
from device.live.symptoms import Family, Place, Symptom

RELEASED = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
"""No speaker with this code can have an earlier time."""

_ROUTES = (Path("/proc/net/route"), Path("/proc/net/ipv6_route"))
_UP = 0x1
"""RTF_UP of <linux/route.h>."""
_REJECT = 0x200
"""RTF_REJECT: a route to nowhere."""


def obstacle(host: str) -> Symptom | None:
    """Return why ``host`` (perhaps with a port) need not be dialled now, None when it may be.

    A server on this device needs no network.
    """
    now = time.time()
    if now < RELEASED:
        text = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return Symptom(Place.DIAL, Family.CLOCK, text=text, host=host)
    if not is_here(host) and not is_online():
        return Symptom(Place.DIAL, Family.OFFLINE, text="no route leads out", host=host)
    return None


def proxy_before(host: str) -> str | None:
    """Return the URL of the proxy that the environment puts before an HTTPS server; None: none.

    ``host`` is a name or an address without a port.
    """
    proxy = urllib.request.getproxies().get("https")
    if not proxy or urllib.request.proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def is_here(host: str) -> bool:
    """Tell whether this is a name or an address of this device itself."""
    name = urlsplit(f"//{host}").hostname or ""
    return is_loopback(name) or name.endswith(".localhost")


def is_online() -> bool:
    """Tell whether any route leads out of this device. True where the kernel does not tell."""
    version_4, version_6 = (_read(table) for table in _ROUTES)
    if version_4 is None and version_6 is None:
        return True
    routes = (*_routes_4(version_4 or ""), *_routes_6(version_6 or ""))
    return any(leads_out(*route) for route in routes)


def _read(table: Path) -> str | None:
    """A kernel without one of the two protocols has no table of it."""
    try:
        return table.read_text()
    except OSError:
        return None


def leads_out(interface: str, destination: str, flags: int) -> bool:
    """Tell whether a route is one to other machines.

    Link-local addresses do not count: an interface gives itself one when nobody else does.
    """
    network = ipaddress.ip_network(destination, strict=False)
    return (
        interface != "lo"
        and flags & _UP != 0
        and flags & _REJECT == 0
        and not (network.is_link_local or network.is_multicast)
    )


def _routes_4(table: str) -> Iterator[tuple[str, str, int]]:
    """Yield interface, destination and flags. Numbers are hexadecimal, in the machine's order."""
    for line in table.splitlines()[1:]:
        interface, destination, _, flags, _, _, _, mask, *_ = line.split()
        address = ipaddress.IPv4Address(int(destination, 16).to_bytes(4, "little"))
        width = int(mask, 16).bit_count()
        yield interface, f"{address}/{width}", int(flags, 16)


def _routes_6(table: str) -> Iterator[tuple[str, str, int]]:
    for line in table.splitlines():
        destination, width, _, _, _, _, _, _, flags, interface = line.split()
        address = ipaddress.IPv6Address(bytes.fromhex(destination))
        yield interface, f"{address}/{int(width, 16)}", int(flags, 16)
