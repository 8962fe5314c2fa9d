"""Which hosts are this machine; those of the home are in tests/config/test_mcp.py."""

from __future__ import annotations

import pytest

from device.credentials.hosts import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_nobody_else_can_listen_there(host: str) -> None:
    """What goes there leaves this machine on no wire."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["speaker.localhost", "localhost.example.com", "0.0.0.0", "::", "192.168.1.5", "[::1]", ""],
)
def test_somebody_else_may(host: str) -> None:
    """A name that a name server is asked for, an address of all, one of the home."""
    assert not is_loopback(host)
