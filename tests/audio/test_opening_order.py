"""Recording before playback, on cards where the places of their channels depend on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from device.audio.opening_order import CaptureFirst


def never() -> bool:
    return False


def asked(order: CaptureFirst) -> bool:
    return order.asked


class Stream:
    """A thread that holds a stream from `start` to `stop`."""

    def __init__(self, log: list[str], name: str, order: Callable[[], object]) -> None:
        self._log, self._name, self._order = log, name, order
        self.open = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._order() as begun:  # type: ignore[attr-defined]
            self._log.append(f"{self._name} begins")
            if begun is not None:
                begun()
            self.open.set()
            assert self._ends.wait(10)
        self._log.append(f"{self._name} ends")

    def stop(self) -> None:
        self._ends.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@contextmanager
def streams(log: list[str]) -> Iterator[Callable[[str, Callable[[], object]], Stream]]:
    made: list[Stream] = []

    def make(name: str, order: Callable[[], object]) -> Stream:
        made.append(Stream(log, name, order))
        return made[-1]

    yield make
    for stream in made:
        stream.stop()


def test_playback_waits_for_the_recording_and_makes_room_for_the_next() -> None:
    """Whoever of the two threads comes first, and also after a mute."""
    order = CaptureFirst()
    log: list[str] = []
    with streams(log) as start:
        playback = start("playback", lambda: order.playing(True, never))
        assert not playback.open.wait(0.1)
        recording = start("recording", lambda: order.recording(True, never))
        assert playback.open.wait(10)
        assert log == ["recording begins", "playback begins"]
        assert not asked(order)
        recording.stop()
        again = start("recording", lambda: order.recording(True, never))
        assert not again.open.wait(0.1)
        assert asked(order)
        playback.stop()
        assert again.open.wait(10)
        assert not asked(order)
        assert log[2:] == ["recording ends", "playback ends", "recording begins"]


def test_nobody_waits_for_ever() -> None:
    """A muted speaker chimes, and a microphone is opened while a long reply plays."""
    order = CaptureFirst(playback_waits_s=0.01, recording_waits_s=0.01)
    log: list[str] = []
    with streams(log) as start:
        assert start("playback", lambda: order.playing(True, never)).open.wait(10)
        assert start("recording", lambda: order.recording(True, never)).open.wait(10)


@pytest.mark.parametrize("what", ["playing", "recording"])
def test_who_is_told_to_stop_waits_no_longer(what: str) -> None:
    """Closing has two seconds."""
    order = CaptureFirst(60, 60)
    log: list[str] = []
    with streams(log) as start:
        if what == "recording":
            assert start("playback", lambda: order.playing(True, lambda: True)).open.wait(10)
        assert start(what, lambda: getattr(order, what)(True, lambda: True)).open.wait(10)


def test_a_recording_that_fails_to_begin_is_not_waited_for() -> None:
    """Its card was refused: playback goes on as if it had never asked."""
    order = CaptureFirst()

    def fails() -> None:
        with order.recording(True, never):
            assert asked(order)
            raise OSError("busy")

    with pytest.raises(OSError, match="busy"):
        fails()
    assert not asked(order)


def test_other_cards_are_not_concerned() -> None:
    """They open as they come."""
    order = CaptureFirst(60, 60)
    with order.playing(False, never), order.recording(False, never) as begun:
        begun()
        assert not asked(order)
    with order.playing(True, lambda: True), order.recording(False, never):
        pass
