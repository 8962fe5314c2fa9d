"""The thread that one PortAudio stream lives in, from its opening to its closing.

PortAudio may hang in any call, so nothing of it happens on the event loop's thread, and the loop
waits for this thread with a deadline. The thread is a daemon: one that never comes back does not
keep the process from ending, which is then the only cure.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable

from device.audio import portaudio
from device.errors import AudioDeviceHungError, DeviceTrouble

OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0
NICE = -10


class StreamThread:
    """Runs ``serve`` in a thread, inside PortAudio, until it is told to stop or ``serve`` raises.

    ``serve`` opens a stream, calls ``opened()``, and returns soon after ``must_leave`` turned
    true. Unless it was told to stop it is then called again, with a fresh list of devices.
    ``on_end`` is called on the loop's thread when all is over; ``failure`` says why.
    """

    def __init__(
        self,
        name: str,
        serve: Callable[[portaudio.PortAudio], None],
        on_end: Callable[[], None],
    ) -> None:
        self.failure: Exception | None = None
        self._serve = serve
        self._on_end = on_end
        self._stopping = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._opened = asyncio.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def must_leave(self) -> bool:
        """Whether the stream is to be closed now. Any thread."""
        return self._stopping.is_set() or portaudio.stale()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop for good. Any thread."""
        return self._stopping.is_set()

    def opened(self) -> None:
        """Say that the stream is open. Called by ``serve``."""
        self.call(self._opened.set)

    def call(self, function: Callable[[], None]) -> None:
        """Have ``function`` called on the loop's thread. Called by ``serve``."""
        # A loop that was closed under us wants nothing any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        # The card has room for 40 ms. An ordinary user may not (LimitNICE= allows it): then not.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            while not self._stopping.is_set():
                with portaudio.running() as audio:
                    self._serve(audio)
        except Exception as error:  # noqa: BLE001 - raised again on the loop, by who waits there
            self.failure = error
        self.call(self._end)

    def _end(self) -> None:
        self._ended.set()
        self._opened.set()
        self._on_end()

    async def start(self, what: str) -> None:
        """Start the thread and wait until its stream is open; ``what`` names it in messages.

        Raises what ``serve`` raised, AudioDeviceHungError when nothing happens for 10 s.
        """
        self._thread.start()
        try:
            await asyncio.wait_for(self._opened.wait(), OPEN_TIMEOUT_S)
        except BaseException as error:
            self._stopping.set()
            if isinstance(error, TimeoutError):
                raise AudioDeviceHungError(
                    DeviceTrouble.STALLED, f"{what} does not open within {OPEN_TIMEOUT_S:g} s"
                ) from None
            raise
        if self._ended.is_set() and self.failure is not None:
            raise self.failure

    async def stop(self, what: str) -> None:
        """Tell the thread to stop and wait for it; ``what`` names it in messages.

        Raises AudioDeviceHungError when it does not come back within 2 s.
        """
        self._stopping.set()
        try:
            await asyncio.wait_for(self._ended.wait(), CLOSE_TIMEOUT_S)
        except TimeoutError:
            raise AudioDeviceHungError(
                DeviceTrouble.STALLED,
                f"{what} does not close within {CLOSE_TIMEOUT_S:g} s; restart the process",
            ) from None
