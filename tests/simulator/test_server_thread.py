"""The stand-in in a thread of its own, as end-to-end tests use it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from device.errors import ScriptError
from device.simulator.script import Script, Turn
from tests.rig.server import ServerThread
from tests.simulator.raw_client import dial


async def test_it_serves_beside_another_loop() -> None:
    """Blocking calls work from any thread; the records are copies."""
    with ServerThread(Script(turns=(Turn(audio=20),))) as thread:
        assert thread.url.startswith("https://localhost:")
        assert thread.certificate.exists()
        assert thread.server is not None
        async with dial(thread.server) as client:
            await client.begin()
            await client.speak()
            assert thread.wait_for(lambda server: server.connections[0].turns, 5) == 1
            before = thread.connections
            assert [(asked.by, asked.turn) for asked in thread.questions] == [("speech", 1)]
            assert (thread.times_asked(1), thread.times_asked(2)) == (1, 0)
            thread.call(lambda server: server.go_away(5))
            await client.until("goAway")
            assert len(thread.connections[0].sent) == len(before[0].sent) + 1
        assert thread.audio == bytes(before[0].audio)
        assert thread.attempts == 1
        with pytest.raises(TimeoutError, match="1 attempts"):
            thread.wait_for(lambda server: server.attempts == 2, 0.01)


def test_nothing_is_left_when_it_cannot_start() -> None:
    """The error of the server arrives, and the thread is gone."""
    with pytest.raises(ScriptError), ServerThread(Script(turns=(Turn(audio="nothing"),))):
        pass
    assert "live-server" not in [thread.name for thread in threading.enumerate()]


def test_leaving_ends_thread_and_directory() -> None:
    """Also without any connection."""
    with ServerThread() as thread:
        directory: Path = thread.certificate.parent
    assert not directory.exists()
    assert "live-server" not in [each.name for each in threading.enumerate()]
