"""What the tests of whole sessions share: tries that follow each other sooner than a user's do."""

from __future__ import annotations

import pytest

from device.live import reconnect

SOONER = 5.0
"""How many times sooner; also how much sooner it is given up, so there are as many tries."""


@pytest.fixture
def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again and give up sooner, for tests of what a session tries and not of when it does.

    When it does is pure: `tests/live/test_reconnect.py` holds it to the true figures.
    """
    monkeypatch.setattr(reconnect, "WAITS_S", tuple(s / SOONER for s in reconnect.WAITS_S))
    monkeypatch.setattr(reconnect, "FIRST_PATIENCE_S", reconnect.FIRST_PATIENCE_S / SOONER)
