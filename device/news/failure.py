"""A failure tells why a session could not open or go on.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """Why a session could not open or go on; each is told to the person in its own way."""

    OFFLINE = "offline"
    """This device has no network at all."""
    CLOCK = "clock"
    """This device's clock is so wrong that no certificate could be judged."""
    DNS = "dns"
    NETWORK = "network"
    """The server cannot be reached, or the connection to it was lost."""
    PORTAL = "portal"
    """Something that wants a sign-in answered in the server's place."""
    PROXY = "proxy"
    TLS = "tls"
    KEY = "key"
    TOKEN = "token"  # noqa: S105 - a kind, not one
    """The token server gives no ephemeral token, or the server does not take it."""
    QUOTA = "quota"
    BILLING = "billing"
    """The account behind the key has no credit left."""
    CAP = "cap"
    """Google's own cap on what the project or account may spend in a month is reached."""
    MODEL = "model"
    SETTINGS = "settings"
    """The server refuses what the configuration asks of it."""
    SERVER = "server"
    TIMEOUT = "timeout"
    """No answer came, or none that could be heard."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A told end of a session."""

    kind: FailureKind
    message: str
    """For the owner: names the thing and says what to do; never holds the key."""
    retryable: bool
    """Whether trying again without changing anything can help."""
    at_token_server: bool = False
    """Whether it was met where tokens are asked for: nothing to whoever asks for none."""
