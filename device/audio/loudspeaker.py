"""The loudspeaker: plays replies turn by turn, chimes over them, and sentences of our own.

Theory of operation. `PortAudioSpeaker` lives on the event loop. It resamples what comes to the
card's rate and puts it into a `PlaybackBuffer`. A thread (`Player`) opens the device and keeps its
stream open and fed, with silence when there is nothing to play: it takes blocks from the buffer as
late as it can, so that no more than `QUEUE_MS` are on their way to the card. That is what a cleared
reply can still be heard for. It asks how much room there is before it writes, so it never waits
inside PortAudio (see `device.audio.microphone` for why), and from the same figure it knows when the
last sample of a turn will have left the card.

While the reply is paused its news wait too: what the thread told just before comes after `go_on`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence

from device.audio import chimes
from device.audio.buffer import CAPACITY_S, PlaybackBuffer
from device.audio.cushion import Cushion
from device.audio.devices import Facts, Wanted, no_facts
from device.audio.limiter import CEILING_DBFS
from device.audio.playback_thread import STALL_S, Player
from device.audio.reference import PlayedBlocks
from device.audio.resample import Resampler
from device.frames import REPLY_RATE_HZ, SAMPLE_BYTES
from device.news import PlaybackDrained, PlaybackNews, PlaybackStarved, Post
from device.ports import OpenDevice, Played

NO_TURN = -1


class PortAudioSpeaker:
    """A Speaker on PortAudio. ``device`` is ``auto`` or a part of its name; ``volume`` 0..100.

    ``ceiling_dbfs``: the loudest peak that is played, in dB of full scale. ``facts`` tells how many
    channels of a card must be filled, and whether it must record first.
    """

    def __init__(
        self,
        device: str = "auto",
        volume: int = 60,
        ceiling_dbfs: float = CEILING_DBFS,
        facts: Facts = no_facts,
    ) -> None:
        self._wanted = Wanted(device, facts)
        self._volume = volume
        self._ceiling_dbfs = ceiling_dbfs
        self._cushion = Cushion()
        self._played = PlayedBlocks()
        self._paused = False
        self._waiting_news: list[PlaybackNews] = []
        self._device: OpenDevice | None = None
        self._counters = {"underruns": 0, "starved": 0, "dropped_ms": 0, "stale_ms": 0}
        self._post: Post | None = None
        self._player: Player | None = None
        self._lost = asyncio.Event()
        self._resampler = Resampler(REPLY_RATE_HZ, REPLY_RATE_HZ)
        self._half_sample = b""
        self._newest = NO_TURN
        self._ended = NO_TURN
        self._over = NO_TURN

    # --- for status -------------------------------------------------------------------------------

    @property
    def device(self) -> OpenDevice | None:
        """The device that is open, or was last; None before the first opening."""
        return self._player.device if self._player is not None else self._device

    @property
    def description(self) -> str:
        """The device that is open (or was last, or is asked for), for status and messages."""
        return str(self.device or f"output device '{self._wanted.name}'")

    @property
    def counters(self) -> Mapping[str, int]:
        """Since the process began.

        ``underruns``: the card ran dry while something played, or in the silence between where the
        device is a card itself. ``starved``: a turn's sound did not come fast enough.
        ``dropped_ms``: replies that came while no device was open or beyond what the buffer
        holds. ``stale_ms``: replies of turns that were over. ``cushion_ms``, as it is now: how
        much of a turn waits before it sounds.
        """
        return {**self._counters, "cushion_ms": self._cushion.ms}

    @property
    def audible(self) -> bool:
        """Whether anything of ours can be heard now, its latency included."""
        return self._player is not None and time.monotonic() < self._player.audible_until

    @property
    def level(self) -> float:
        """RMS of what is being played, 0..1 of full scale, after volume; 0 when silent."""
        return self._player.level if self._player is not None else 0.0

    # --- the device -------------------------------------------------------------------------------

    async def open(self, post: Post) -> None:
        """Find the device by name and open it. Raises AudioDeviceError."""
        self._post = post
        if self._player is not None:
            return
        player = Player(
            self._wanted,
            self._make_buffer,
            self._lost.set,
            self._heard,
            self._counters,
            self._played,
        )
        await player.thread.start(f"output device '{self._wanted.name}'")
        player.buffer.set_volume(self._volume)
        self._resampler = Resampler(REPLY_RATE_HZ, player.buffer.rate_hz)
        self._half_sample = b""
        self._lost.clear()
        self._player = player

    def _make_buffer(self, rate_hz: int) -> PlaybackBuffer:
        return PlaybackBuffer(rate_hz, self._volume, CAPACITY_S, self._ceiling_dbfs, self._cushion)

    async def wait_lost(self) -> None:
        """Return never; raise AudioDeviceError: LOST or STALLED (nothing taken for 3 s)."""
        while True:
            player = self._player
            if player is not None:
                player.check()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STALL_S / 6):
                    await self._lost.wait()
                    self._lost.clear()

    async def close(self) -> None:
        """Close the device. A turn that was playing is reported as drained. Harmless when closed.

        Ends a pause. Raises AudioDeviceHungError when the thread does not come back within 2 s.
        """
        player, self._player = self._player, None
        if player is None:
            return
        self._let_news_come()
        self._device = player.device
        try:
            await player.thread.stop(f"output device {self._device}")
        finally:
            if self._newest > self._over:
                self._drain(self._newest, player.buffer.played_ms(self._newest), time.monotonic())

    # --- the sound --------------------------------------------------------------------------------

    def play(self, pcm: bytes, turn: int) -> None:
        """Append a chunk (s16le mono 24 kHz, any length) of a turn. Returns at once.

        A chunk of a turn that was cleared or ended, or older than the newest, is dropped. While no
        device is open chunks are dropped and counted.
        """
        if turn < self._newest or turn <= max(self._over, self._ended):
            self._counters["stale_ms"] += _milliseconds(pcm)
            return
        if self._player is None:
            self._counters["dropped_ms"] += _milliseconds(pcm)
            return
        self._begin(turn)
        pcm = self._half_sample + pcm
        whole = len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES
        self._half_sample = pcm[whole:]
        self._append(self._resampler.process(pcm[:whole]), turn)

    def _begin(self, turn: int) -> None:
        if turn > self._newest:
            if self._newest > max(self._over, self._ended):
                self._end(self._newest)
            self._resampler.reset()
            self._half_sample = b""
            self._newest = turn

    def _append(self, pcm: bytes, turn: int) -> None:
        if self._player is not None:
            self._count_dropped(self._player.buffer.append(pcm, turn))

    def _end(self, turn: int) -> None:
        if self._player is not None:
            self._count_dropped(self._player.buffer.end(turn, self._resampler.finish()))

    def _count_dropped(self, samples: int) -> None:
        if self._player is not None:
            self._counters["dropped_ms"] += samples * 1000 // self._player.buffer.rate_hz

    def end_turn(self, turn: int) -> None:
        """No more of this turn will come: PlaybackDrained follows when it has been heard."""
        if turn < self._newest or turn <= max(self._over, self._ended):
            return
        if self._player is None:
            self._newest = turn
            self._drain(turn, 0, time.monotonic())
            return
        self._begin(turn)
        self._end(turn)
        self._half_sample = b""
        self._ended = turn

    def clear(self) -> int:
        """Throw the rest of the current turn away: silence at the card within 50 ms, no click.

        Returns how many milliseconds of the turn the card has taken. Chimes and sentences go on.
        Later chunks of that turn are dropped; no PlaybackDrained comes for it. Ends a pause.
        """
        if self._player is None:
            return 0
        if self._newest <= self._over:
            self.go_on()
            return 0
        self._over = self._newest
        self._let_news_come()
        self._resampler.reset()
        self._half_sample = b""
        self._player.buffer.clear()
        return self._player.buffer.played_ms(self._newest)

    def pause(self) -> None:
        """Let the reply fall silent at the card within 50 ms, with a fade, and keep its place.

        Chimes and sentences go on, chunks are still appended, and no news of any turn come
        meanwhile. A turn that begins meanwhile is paused too. Nothing while no device is open.
        """
        if self._player is not None:
            self._paused = True
            self._player.buffer.pause()

    def go_on(self) -> None:
        """Go on, with a fade, where `pause` fell silent; harmless when it is not paused."""
        if self._player is not None:
            self._player.buffer.go_on()
            self._let_news_come()

    def take_played(self) -> Sequence[Played]:
        """What the card was given since the last call, oldest first; stretches of silence left out.

        Bounded to about two seconds: of a caller who comes later the oldest blocks are lost.
        """
        return self._played.take()

    def chime(self, name: str) -> None:
        """Play one of our chimes, by its name in `chimes.CHIMES`, over whatever plays."""
        if self._player is not None:
            buffer = self._player.buffer
            buffer.chime(chimes.render(name, buffer.rate_hz))

    def announce(self, pcm: bytes) -> None:
        """Say a sentence of our own (s16le mono 24 kHz, whole) after the chimes that still play.

        It takes the place of one that is being said. Dropped while no device is open.
        """
        if self._player is not None:
            buffer = self._player.buffer
            resampler = Resampler(REPLY_RATE_HZ, buffer.rate_hz)
            whole = pcm[: len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES]
            buffer.announce(resampler.process(whole) + resampler.finish())

    def hush(self) -> None:
        """Break off the sentence of our own, without a click; harmless when there is none."""
        if self._player is not None:
            self._player.buffer.hush()

    def set_volume(self, percent: int) -> None:
        """0..100, for all that plays; takes effect within one block."""
        self._volume = percent
        if self._player is not None:
            self._player.buffer.set_volume(percent)

    # --- what the thread reports ------------------------------------------------------------------

    def _heard(self, news: PlaybackNews) -> None:
        if self._paused:
            self._waiting_news.append(news)
            return
        if news.turn <= self._over:
            return
        if isinstance(news, PlaybackDrained):
            self._drain(news.turn, news.played_ms, news.time)
            return
        if isinstance(news, PlaybackStarved):
            self._counters["starved"] += 1
        self._send(news)

    def _let_news_come(self) -> None:
        self._paused = False
        waiting, self._waiting_news = self._waiting_news, []
        for news in waiting:
            self._heard(news)

    def _drain(self, turn: int, played_ms: int, at: float) -> None:
        self._over = turn
        self._send(PlaybackDrained(turn, played_ms, at))

    def _send(self, news: PlaybackNews) -> None:
        if self._post is not None:
            self._post(news)


def _milliseconds(pcm: bytes) -> int:
    return len(pcm) * 1000 // (REPLY_RATE_HZ * SAMPLE_BYTES)
