"""One thread owns a PortAudio stream from its opening to its closing.

PortAudio may hang in any call, so nothing of it happens on the event loop's thread, and the loop
waits for this thread with a deadline. The thread is a daemon: one that never comes back does not
keep the process from ending, which is then the only cure. It is no call of `device.threads`: it
has priorities of its own, is told to stop, and its stream may be opened anew in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable

from device.audio import portaudio
from device.errors import AudioDeviceHungError, CardsChangedError, DeviceTrouble
from device.threads import tell

OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0
NICE = -10

CARDS_LOOK_S = 2.0
CARDS_PATIENCE_S = 30.0
"""Before another look when the last choice was made from an old list, as somebody had to be left in
peace: else the stream would be interrupted again and again for as long as that lasts."""


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
        self._left_at: float | None = None
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

    @property
    def reopening(self) -> bool:
        """Whether the stream is closed only for a moment, to be opened anew. Any thread.

        No longer than an opening may take: whoever hangs then is stalled.
        """
        left_at = self._left_at
        return left_at is not None and time.monotonic() - left_at < OPEN_TIMEOUT_S

    def opened(self) -> None:
        """Say that the stream is open. Called by ``serve``."""
        self._left_at = None
        self.call(self._opened.set)

    def call(self, function: Callable[[], None]) -> None:
        """Have ``function`` called on the loop's thread. Called by ``serve``."""
        tell(self._loop, function)

    def _run(self) -> None:
        # The card has room for 40 ms. An ordinary user may not (LimitNICE= allows it): then not.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            while not self._stopping.is_set():
                with portaudio.running() as audio:
                    self._serve(audio)
                    self._left_at = time.monotonic()
        except Exception as error:  # noqa: BLE001 - raised again on the loop, by who waits there
            self.failure = error
        self.call(self._end)

    def _end(self) -> None:
        self._ended.set()
        self._opened.set()
        self._on_end()

    async def start(self, what: str) -> None:
        """Start the thread and wait until its stream is open; ``what`` names it in messages.

        Cancelled, it waits up to 2 s for the thread to end, so that a device that was opening is
        closed when it returns. Raises what ``serve`` raised, AudioDeviceHungError when nothing
        happens for 10 s.
        """
        self._thread.start()
        try:
            await asyncio.wait_for(self._opened.wait(), OPEN_TIMEOUT_S)
        except BaseException as error:  # cancelled too: no thread is left behind
            self._stopping.set()
            if isinstance(error, TimeoutError):
                raise AudioDeviceHungError(
                    DeviceTrouble.STALLED, f"{what} does not open within {OPEN_TIMEOUT_S:g} s"
                ) from None
            await self._let_end()
            raise
        if self._ended.is_set() and self.failure is not None:
            raise self.failure

    async def _let_end(self) -> None:
        ending = self._loop.create_task(self._ended.wait())
        deadline = self._loop.time() + CLOSE_TIMEOUT_S
        while not ending.done() and self._loop.time() < deadline:
            # Being cancelled once more changes nothing: the device is still to be closed.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([ending], timeout=deadline - self._loop.time())
        ending.cancel()

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


class Makeshift:
    """Watches, for a stream on a device that was only a fallback, whether another card comes.

    Belongs to the stream's thread; made when the device was chosen.
    """

    def __init__(self, *, fallback: bool) -> None:
        self._fallback = fallback
        self._seen = portaudio.cards()
        current = self._seen == portaudio.cards_at_start()
        self._next_look_at = time.monotonic() + (CARDS_LOOK_S if current else CARDS_PATIENCE_S)

    def check(self) -> None:
        """Raise CardsChangedError when the cards are not those of PortAudio's list any more.

        Looks every 2 s, and believes what it saw twice: a card that came just now may not be ready.
        """
        if not self._fallback or time.monotonic() < self._next_look_at:
            return
        self._next_look_at = time.monotonic() + CARDS_LOOK_S
        before, self._seen = self._seen, portaudio.cards()
        if self._seen == before != portaudio.cards_at_start():
            raise CardsChangedError(
                DeviceTrouble.LOST, "another sound card came or went: choosing again"
            )
