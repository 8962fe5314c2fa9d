"""The thread that a stream lives in."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from device.audio import portaudio
from device.audio import stream_thread as worker
from device.audio.portaudio import PortAudio
from device.audio.stream_thread import Makeshift, StreamThread
from device.errors import AudioDeviceError, AudioDeviceHungError
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


async def test_a_cancelled_start_returns_when_the_device_is_closed(
    sound_server: SoundServer,
) -> None:
    """Muted while it was opening, the microphone is closed when that is told."""
    serving, go_on = threading.Event(), threading.Event()
    closed = []

    def serve(_audio: PortAudio) -> None:
        serving.set()
        go_on.wait(10)
        closed.append(True)

    thread = StreamThread("test", serve, lambda: None)
    starting = asyncio.create_task(thread.start("device 'x'"))
    assert await asyncio.to_thread(serving.wait, 5)
    for _ in range(2):
        starting.cancel()
        done, _pending = await asyncio.wait([starting], timeout=0.1)
        assert not done
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert closed == [True]


async def test_a_cancelled_start_does_not_wait_for_a_hung_device_for_ever(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The close timeout holds here too."""
    monkeypatch.setattr(worker, "CLOSE_TIMEOUT_S", 0.2)
    serving, go_on = threading.Event(), threading.Event()

    def serve(_audio: PortAudio) -> None:
        serving.set()
        go_on.wait(10)

    thread = StreamThread("test", serve, lambda: None)
    starting = asyncio.create_task(thread.start("device 'x'"))
    assert await asyncio.to_thread(serving.wait, 5)
    starting.cancel()
    done, _pending = await asyncio.wait([starting], timeout=3)
    assert done
    go_on.set()
    await thread.stop("device 'x'")


async def test_a_stream_that_is_opened_anew_says_so_but_not_for_ever(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile nobody is stalled; one that hangs there is, after the time of an opening."""
    left, again = threading.Event(), threading.Event()
    rounds = []

    def serve(_audio: PortAudio) -> None:
        rounds.append(True)
        if len(rounds) == 1:
            thread.opened()
            left.wait(10)
        else:
            again.wait(10)
            thread.opened()
            wait_until(lambda: thread.must_leave, "the order to leave", 5)

    thread = StreamThread("test", serve, lambda: None)
    await thread.start("a device")

    def reopening() -> bool:
        return thread.reopening

    assert not reopening()
    left.set()
    await asyncio.to_thread(wait_until, reopening, "the stream to be left", 5)
    monkeypatch.setattr(worker, "OPEN_TIMEOUT_S", 0.0)
    assert not reopening()
    monkeypatch.setattr(worker, "OPEN_TIMEOUT_S", 10.0)
    assert reopening()
    again.set()
    await asyncio.to_thread(wait_until, lambda: not reopening(), "the stream to be open", 5)
    await thread.stop("a device")


def test_only_a_fallback_minds_other_cards_and_only_when_they_have_settled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What was asked for stays; a card must be there at two looks before it is chosen."""
    now = [100.0]
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: now[0]))
    cards = tmp_path / "cards"
    cards.write_text("one card")
    monkeypatch.setattr(portaudio, "CARDS", cards)
    monkeypatch.setattr(portaudio, "cards_at_start", lambda: "one card")
    chosen, makeshift = Makeshift(fallback=False), Makeshift(fallback=True)
    cards.write_text("two cards")
    late = Makeshift(fallback=True)
    makeshift.check()
    now[0] += 2
    makeshift.check()
    now[0] += 2
    chosen.check()
    late.check()
    with pytest.raises(AudioDeviceError, match="choosing again"):
        makeshift.check()
    now[0] += 26
    with pytest.raises(AudioDeviceError, match="choosing again"):
        late.check()
