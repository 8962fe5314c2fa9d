"""`Wanted` holds what the owner wants of one MCP server: where it is, what of it counts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from device.text import printable

TIMEOUT_S = 10.0
"""How long a tool may take unless the owner says otherwise; `timeout_s` in tools.mcp has the same
default. A light takes a second; Home Assistant itself gives up after 60 s."""
HIDDEN = "[secret]"
"""Stands for a secret where a server has put it into a text."""
SHORTEST_SECRET = 4
"""What is shorter is no secret, and blotting it out would make text unreadable."""
LONGEST_PLACE = 200
"""Characters of an address or a command that are shown."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One configured server; exactly one of ``url`` and ``command`` is there."""

    name: str
    """Its functions are called ``NAME_…``."""
    url: str | None = field(default=None, repr=False)
    command: tuple[str, ...] | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    """Sent as bearer token; a command finds it in its environment, as ``MCP_TOKEN``."""
    only: tuple[str, ...] = ()
    """Shell-style patterns over the server's own names of tools; empty: all."""
    never: tuple[str, ...] = ()
    confirm: tuple[str, ...] = ()
    timeout_s: float = TIMEOUT_S
    """How long one call may take."""

    @property
    def place(self) -> str:
        """Where it is, fit to be shown: no query, no name or password, no arguments."""
        if self.url is None:
            return printable((self.command or ("",))[0], LONGEST_PLACE)
        return printable(shown_url(self.url), LONGEST_PLACE)

    def blot(self, text: str) -> str:
        """Return a text without the secret."""
        if self.secret is None or len(self.secret) < SHORTEST_SECRET:
            return text
        return text.replace(self.secret, HIDDEN)


def shown_url(url: str) -> str:
    """Return an address without what may be secret in it: user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, netloc, parts.path, "", ""))
    except ValueError:
        return "an address that is none"
