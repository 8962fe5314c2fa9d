"""A host is this machine, at home or elsewhere, so a secret may go there in the clear. Pure."""

from __future__ import annotations

import ipaddress
from typing import Final

_HOME: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)
"""Where no router on the way out passes anything on: RFC 1918, 3927, 4193, 4291."""
_HOME_DOMAINS: Final = (
    *("local", "home.arpa", "internal", "lan", "home", "localdomain", "localhost", "fritz.box"),
)
"""Names that only the network at home knows: RFC 6762, 8375, 6761, and what routers use."""


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, where nobody else can listen.

    `host` is a name or an address, an IPv6 one without brackets. Of the names under ``localhost``
    some systems ask a name server, so they are not.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def at_home(host: str) -> bool:
    """Tell whether a host is one of the home, to which a secret may go without encryption. Pure.

    `host` is a name or an address, an IPv6 one without brackets.
    """
    host = host.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        domains = (host == domain or host.endswith(f".{domain}") for domain in _HOME_DOMAINS)
        return "." not in host or any(domains)
    return any(address in network for network in _HOME)
