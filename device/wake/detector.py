"""`OnnxWakeDetector` runs one worker thread between the microphone's frames and the news.

The event loop puts frames into a bounded inbox and never waits. The worker takes them out, runs the
networks, and posts what it hears on the loop. When it cannot keep up, the oldest
frames go first; that leaves a gap, so the worker begins afresh instead of joining what was apart.

The worker is no call of `device.threads`, which nobody waits for: its networks must not be used by
two threads, so whoever ends it waits until it has ended.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from device.frames import FRAME_MS, FRAME_SAMPLES, HOP_SAMPLES, Frame
from device.news import KeepWakes, Post, WakeNews
from device.ports import WakeScores
from device.threads import tell
from device.wake.worker import Hearing, Word

INBOX_FRAMES = 6000 // FRAME_MS
"""Six seconds. A loop that was held up hands over at once all that the microphone kept meanwhile
(five seconds of it): with less room the gap would leave the networks deaf for 1.7 s more."""

QUIET_FRAMES = 960 // FRAME_MS
"""So many are worth waking the worker for, although nothing is heard in them."""


class OnnxWakeDetector:
    """Hears openWakeWord's wake words. Implements ports.WakeDetector."""

    def __init__(
        self,
        words: Sequence[Word],
        patience: int = 1,
        refractory_s: float = 2.0,
        silence_ms: int = 700,
    ) -> None:
        """Nothing is loaded yet.

        ``patience``: hops of 80 ms in a row that must reach a word's threshold.
        ``refractory_s``: audio after a detection in which there is no other.
        ``silence_ms``: audio without speech after which speech has ended.
        """
        self.words: Sequence[str] = [word.name for word in words]
        self._make_hearing = lambda: Hearing(words, patience, refractory_s, silence_ms)
        self._hearing: Hearing | None = None
        self._inbox = _Inbox(INBOX_FRAMES)
        self._track_speech = self._listen_for_stop = False
        self._keeps: KeepWakes = "none"

    @property
    def counters(self) -> Mapping[str, int]:
        """``hops`` (of 80 ms), ``quiet`` (those of them that were too quiet to look at).

        And ``dropped`` (frames it could not keep up with), ``gaps``, and ``vetoed``: wake words
        that our own voice said.
        """
        hearing = self._hearing
        return {
            "hops": hearing.hops + hearing.quiet_hops if hearing else 0,
            "quiet": hearing.quiet_hops if hearing else 0,
            "dropped": self._inbox.dropped,
            "gaps": hearing.gaps if hearing else 0,
            "vetoed": hearing.vetoed if hearing else 0,
        }

    @property
    def hears(self) -> bool:
        """Whether a word that begins now would be heard: its networks have heard enough before."""
        return self._hearing is not None and self._hearing.warm

    @property
    def scores(self) -> WakeScores:
        """The last score of each word, and how long the hops take."""
        if self._hearing:
            return self._hearing.scores
        return WakeScores(dict.fromkeys(self.words, 0.0), 0.0, 0.0)

    async def load(self) -> None:
        """Load the networks in a thread; harmless when they are loaded.

        Raises WakeModelError. ``run`` does it too; call it first to know before promising to hear.
        """
        await self._loaded()

    async def run(self, post: Post) -> None:
        """Own the worker thread until cancelled; raises what the worker raised.

        When it returns the thread is gone, after at most one hop's inference.
        """
        hearing = await self._loaded()
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def deliver(news: WakeNews) -> None:
            if not ended.done():
                post(news)

        def fail(error: Exception) -> None:
            if not ended.done():
                ended.set_exception(error)

        def work() -> None:
            try:
                self._work(hearing, lambda news: tell(loop, deliver, news))
            except Exception as error:  # noqa: BLE001 - run() raises it, on the loop's thread
                tell(loop, fail, error)

        self._inbox.open()
        thread = threading.Thread(target=work, name="wake", daemon=True)
        thread.start()
        try:
            await ended
        finally:
            self._inbox.close()
            thread.join()

    def feed(self, frame: Frame, far_end: bytes | None = None, *, near: bool = False) -> None:
        """Take the next frame; returns at once. A gap in ``first_sample`` restarts the warm-up.

        ``far_end``: what of our own sound arrives in this frame, as it was played (s16le, 16 kHz,
        as long as the frame); None while nothing of ours can be heard. ``near``: whether somebody
        else is heard in it over our own sound. While ``run`` is not running the frame is ignored.
        """
        self._inbox.put((frame, far_end, near))

    def track_speech(self, on: bool) -> None:
        """Set whether to run speech detection too, and post SpeechChanged."""
        self._track_speech = on
        self._inbox.each(on)

    def listen_for_stop(self, on: bool) -> None:
        """Set whether to listen for "stop" without a wake word too, and post StopWord."""
        self._listen_for_stop = on

    def keep_clips(self, which: KeepWakes) -> None:
        """Set of which wakes to post the clips, WakeClip, too."""
        self._keeps = which

    async def _loaded(self) -> Hearing:
        if self._hearing is None:
            self._hearing = await asyncio.to_thread(self._make_hearing)
        return self._hearing

    def _work(self, hearing: Hearing, tell: Callable[[WakeNews], object]) -> None:
        """Take frames until the inbox closes. On the worker thread."""
        while heard := self._inbox.take():
            frame, far_end, near = heard
            hearing.keep(self._keeps)
            heard_in_it = hearing.hear(
                frame,
                self._track_speech,
                far_end,
                near=near,
                listen_for_stop=self._listen_for_stop,
            )
            for news in heard_in_it:
                tell(news)


Heard = tuple[Frame, bytes | None, bool]
"""A frame, what of our own sound arrives in it, and whether somebody else is heard over that."""


class _Inbox:
    """Frames on their way to the worker; the oldest make room for the newest.

    Nothing but speech can be heard before a hop is whole, so the worker sleeps until then; through
    what is quiet, which it only has to remember, for longer.
    """

    def __init__(self, size_frames: int) -> None:
        self._frames: deque[Heard] = deque(maxlen=size_frames)
        self._changed = threading.Condition()
        self._each = False
        self._due = 0
        """How many of them the worker is to have now."""
        self._closed = True
        self.dropped = 0

    def open(self) -> None:
        with self._changed:
            self._closed = False

    def close(self) -> None:
        """Let the worker go; what is left is not heard."""
        with self._changed:
            self._closed = True
            self._frames.clear()
            self._due = 0
            self._changed.notify()

    def each(self, on: bool) -> None:
        """Let the worker have each frame at once, what waits included, or hop by hop."""
        with self._changed:
            self._each = on
            if on:
                self._hand_over()

    def put(self, heard: Heard) -> None:
        frame = heard[0]
        with self._changed:
            if self._closed:
                return
            if len(self._frames) == self._frames.maxlen:
                self.dropped += 1
                self._due = max(0, self._due - 1)
            self._frames.append(heard)
            whole = frame.end_sample % HOP_SAMPLES < FRAME_SAMPLES
            enough = not frame.quiet or len(self._frames) >= QUIET_FRAMES
            if self._each or (whole and enough):
                self._hand_over()

    def _hand_over(self) -> None:
        self._due = len(self._frames)
        self._changed.notify()

    def take(self) -> Heard | None:
        """Wait for the next frame; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._due or self._closed)
            if self._closed:
                return None
            self._due -= 1
            return self._frames.popleft()
