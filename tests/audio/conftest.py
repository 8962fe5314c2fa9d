"""The sound server that the tests of this room play to and listen from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rig.sound import SoundServer


@pytest.fixture
def sound_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    """A running server that this process's sound goes to."""
    with SoundServer() as server:
        server.apply(monkeypatch)
        yield server
