"""The thread that a stream lives in."""

from __future__ import annotations

import asyncio
import threading

import pytest

from device.audio import worker
from device.audio.portaudio import PortAudio
from device.audio.worker import StreamThread
from device.errors import AudioDeviceHungError
from tests.rig.sound import SoundServer, wait_until


async def test_what_the_thread_raises_while_opening_is_raised_to_who_started_it(
    sound_server: SoundServer,
) -> None:
    """Also what nobody expected: it must not end in a thread unseen."""

    def serve(_audio: PortAudio) -> None:
        raise ZeroDivisionError

    thread = StreamThread("test", serve, lambda: None)
    with pytest.raises(ZeroDivisionError):
        await thread.start("a device")


async def test_what_it_raises_later_is_kept_and_its_end_is_told(sound_server: SoundServer) -> None:
    """The loop side raises it where somebody waits."""
    ended = asyncio.Event()
    go_on = threading.Event()

    def serve(_audio: PortAudio) -> None:
        thread.opened()
        go_on.wait(10)
        raise ZeroDivisionError

    thread = StreamThread("test", serve, ended.set)
    await thread.start("a device")
    go_on.set()
    await asyncio.wait_for(ended.wait(), 5)
    assert isinstance(thread.failure, ZeroDivisionError)
    await thread.stop("a device")


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_a_start_that_does_not_come_to_an_end_stops_the_thread(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A device that hangs while it opens, or a hub that no longer wants it."""
    monkeypatch.setattr(worker, "OPEN_TIMEOUT_S", 0.2 if how == "timeout" else 10)
    serving = threading.Event()

    def serve(_audio: PortAudio) -> None:
        serving.set()
        wait_until(lambda: thread.must_leave, "the order to leave", 5)

    thread = StreamThread("test", serve, lambda: None)
    starting = asyncio.create_task(thread.start("device 'x'"))
    assert await asyncio.to_thread(serving.wait, 5)
    if how == "cancel":
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    else:
        with pytest.raises(AudioDeviceHungError, match="device 'x' does not open within"):
            await starting
    assert thread.stopping
    await thread.stop("device 'x'")


def test_a_thread_that_outlives_the_loop_says_nothing_any_more() -> None:
    """At the end of the process nobody listens."""
    called = []

    async def build() -> StreamThread:
        return StreamThread("test", lambda _audio: None, lambda: None)

    thread = asyncio.run(build())
    thread.call(lambda: called.append(1))
    assert called == []
