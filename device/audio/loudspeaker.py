"""The loudspeaker plays replies turn by turn, chimes over them, and sentences of our own.

Theory of operation. `Loudspeaker` lives on the event loop. It resamples what comes to the card's
rate and puts it into a `PlaybackBuffer`. What plays it is a `Card`: PortAudio's, fed by a thread
(`device.audio.playback_thread`), or one that is not there (`device.simulator.sound_card`). It takes
blocks from the buffer at its own pace, and through a `Playout` tells what it took and when that is
heard.

While the reply is paused its news wait too: what the card told just before comes after `go_on`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from device.audio import chimes
from device.audio.buffer import CAPACITY_S, PlaybackBuffer
from device.audio.cushion import Cushion
from device.audio.limiter import CEILING_DBFS, FULL_SCALE
from device.audio.overlay import GAP_MS
from device.audio.playout import Playout
from device.audio.reference import PlayedBlocks
from device.audio.resample import Resampler
from device.frames import REPLY_RATE_HZ, SAMPLE_BYTES
from device.news import PlaybackDrained, PlaybackNews, PlaybackStarved, Post
from device.ports import OpenDevice, Played

NO_TURN = -1


class Card(Protocol):
    """Something to play on: while it is open it takes blocks all the time, at its own pace."""

    @property
    def device(self) -> OpenDevice | None:
        """The device that is open, or was last; None before the first opening."""
        ...

    @property
    def description(self) -> str:
        """The device that is open (or was last, or is asked for), for status and messages."""
        ...

    @property
    def underruns(self) -> int:
        """How often it ran dry since the process began."""
        ...

    async def open(
        self, begin: Callable[[int], Playout], tell: Callable[[PlaybackNews], None]
    ) -> Playout:
        """Open the device, and give the playout that it takes from until it is closed.

        ``begin``, asked once, in any thread, makes one at the card's rate in Hz. ``tell`` gets the
        news on the loop's thread. Raises AudioDeviceError.
        """
        ...

    def rest(self, on: bool) -> None:
        """Say whether nothing is likely to be played soon, until the opposite is said."""
        ...

    def hurry(self) -> None:
        """Look soon whether there is something to play; harmless when there is not."""
        ...

    async def wait_lost(self) -> None:
        """Return never; raise AudioDeviceError when the open device is lost or stalls."""
        ...

    async def close(self) -> None:
        """Close the device. Harmless when closed. Raises AudioDeviceHungError."""
        ...


class Loudspeaker:
    """A :class:`device.ports.Speaker` on a card. ``volume`` is 0..100.

    ``ceiling_dbfs``: the loudest peak that is played, in dB of full scale.
    """

    def __init__(self, card: Card, volume: int = 60, ceiling_dbfs: float = CEILING_DBFS) -> None:
        self._card = card
        self._volume = volume
        self._ceiling_dbfs = ceiling_dbfs
        self._cushion = Cushion()
        self._played = PlayedBlocks()
        self._paused = False
        self._waiting_news: list[PlaybackNews] = []
        self._counters = {"starved": 0, "dropped_ms": 0, "stale_ms": 0}
        self._post: Post | None = None
        self._playout: Playout | None = None
        self._resampler = Resampler(REPLY_RATE_HZ, REPLY_RATE_HZ)
        self._half_sample = b""
        self._newest = NO_TURN
        self._ended = NO_TURN
        self._over = NO_TURN

    # --- for status -------------------------------------------------------------------------------

    @property
    def device(self) -> OpenDevice | None:
        """The device that is open, or was last; None before the first opening."""
        return self._card.device

    @property
    def description(self) -> str:
        """The device that is open (or was last, or is asked for), for status and messages."""
        return self._card.description

    @property
    def counters(self) -> Mapping[str, int]:
        """Since the process began.

        ``underruns``: the card ran dry. ``starved``: a turn's sound did not come fast enough.
        ``dropped_ms``: replies that came while no device was open or beyond what the buffer
        holds. ``stale_ms``: replies of turns that were over. ``cushion_ms``, as it is now: how
        much of a turn waits before it sounds.
        """
        return {
            "underruns": self._card.underruns,
            **self._counters,
            "cushion_ms": self._cushion.ms,
        }

    @property
    def audible(self) -> bool:
        """Whether anything of ours can be heard now, its latency included."""
        return self._playout is not None and time.monotonic() < self._playout.audible_until

    @property
    def level(self) -> float:
        """RMS of what is being played, 0..1 of full scale, after volume; 0 when silent."""
        return self._playout.level if self._playout is not None else 0.0

    # --- the device -------------------------------------------------------------------------------

    async def open(self, post: Post) -> None:
        """Find the device by name and open it. Raises AudioDeviceError."""
        self._post = post
        if self._playout is not None:
            return
        playout = await self._card.open(self._begin_playout, self._heard)
        playout.buffer.set_volume(self._volume)
        self._resampler = Resampler(REPLY_RATE_HZ, playout.buffer.rate_hz)
        self._half_sample = b""
        self._playout = playout

    def _begin_playout(self, rate_hz: int) -> Playout:
        buffer = PlaybackBuffer(
            rate_hz, self._volume, CAPACITY_S, self._ceiling_dbfs, self._cushion
        )
        return Playout(buffer, self._played)

    async def wait_lost(self) -> None:
        """Return never; raise AudioDeviceError when the open device is lost or stalls."""
        await self._card.wait_lost()

    async def close(self) -> None:
        """Close the device. A turn that was playing is reported as drained. Harmless when closed.

        Ends a pause. Raises AudioDeviceHungError when the card cannot be closed.
        """
        playout, self._playout = self._playout, None
        if playout is None:
            return
        self._let_news_come()
        try:
            await self._card.close()
        finally:
            if self._newest > self._over:
                self._drain(self._newest, playout.buffer.played_ms(self._newest), time.monotonic())

    def rest(self, on: bool) -> None:
        """Say whether nothing is likely to be played soon: then the card's stream may stop."""
        self._card.rest(on)

    # --- the sound --------------------------------------------------------------------------------

    def play(self, pcm: bytes, turn: int) -> None:
        """Append a chunk (s16le mono 24 kHz, any length) of a turn. Returns at once.

        A chunk of a turn that was cleared or ended, or older than the newest, is dropped. While no
        device is open chunks are dropped and counted.
        """
        if turn < self._newest or turn <= max(self._over, self._ended):
            self._counters["stale_ms"] += _milliseconds(pcm)
            return
        if self._playout is None:
            self._counters["dropped_ms"] += _milliseconds(pcm)
            return
        self._begin_turn(turn)
        pcm = self._half_sample + pcm
        whole = len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES
        self._half_sample = pcm[whole:]
        self._append(self._resampler.process(pcm[:whole]), turn)

    def _begin_turn(self, turn: int) -> None:
        if turn > self._newest:
            if self._newest > max(self._over, self._ended):
                self._end(self._newest)
            self._resampler.reset()
            self._half_sample = b""
            self._newest = turn

    def _append(self, pcm: bytes, turn: int) -> None:
        if self._playout is not None:
            self._count_dropped(self._playout.buffer.append(pcm, turn))
            self._card.hurry()

    def _end(self, turn: int) -> None:
        if self._playout is not None:
            self._count_dropped(self._playout.buffer.end(turn, self._resampler.finish()))

    def _count_dropped(self, samples: int) -> None:
        if self._playout is not None:
            self._counters["dropped_ms"] += samples * 1000 // self._playout.buffer.rate_hz

    def end_turn(self, turn: int) -> None:
        """No more of this turn will come: PlaybackDrained follows when it has been heard."""
        if turn < self._newest or turn <= max(self._over, self._ended):
            return
        if self._playout is None:
            self._newest = turn
            self._drain(turn, 0, time.monotonic())
            return
        self._begin_turn(turn)
        self._end(turn)
        self._half_sample = b""
        self._ended = turn

    def clear(self) -> int:
        """Throw the rest of the current turn away: silence at the card within 50 ms, no click.

        Returns how many milliseconds of the turn the card has taken. Chimes and sentences go on.
        Later chunks of that turn are dropped; no PlaybackDrained comes for it. Ends a pause.
        """
        if self._playout is None:
            return 0
        if self._newest <= self._over:
            self.go_on()
            return 0
        self._over = self._newest
        self._let_news_come()
        self._resampler.reset()
        self._half_sample = b""
        self._playout.buffer.clear()
        return self._playout.buffer.played_ms(self._newest)

    def pause(self) -> int:
        """Let the reply fall silent at the card within 50 ms, with a fade, and keep its place.

        Returns how many milliseconds of the newest turn the card has taken.
        Chimes and sentences go on, chunks are still appended, and no news of any turn come
        meanwhile. A turn that begins meanwhile is paused too. Nothing while no device is open.
        """
        if self._playout is None:
            return 0
        self._paused = True
        self._playout.buffer.pause()
        return self._playout.buffer.played_ms(self._newest)

    def go_on(self) -> int:
        """Go on, with a fade, where `pause` fell silent; harmless when it is not paused.

        Returns how many milliseconds of the newest turn the card has taken.
        """
        if self._playout is None:
            return 0
        played_ms = self._playout.buffer.played_ms(self._newest)
        self._playout.buffer.go_on()
        self._let_news_come()
        return played_ms

    def take_played(self) -> Sequence[Played]:
        """Return what the card was given since the last call, oldest first, without silences.

        Bounded to about two seconds: of a caller who comes later the oldest blocks are lost.
        """
        return self._played.take()

    def chime(self, name: str) -> None:
        """Play one of our chimes, by its name in `chimes.CHIMES`, over whatever plays."""
        if self._playout is not None:
            buffer = self._playout.buffer
            sound = chimes.render(name, buffer.rate_hz)
            buffer.chime(sound, chimes.LEAST_PERCENT.get(name, 0))
            self._card.hurry()

    def ring(self, rung_s: float, percent: int, words: bytes = b"") -> float:
        """Ring once, over whatever plays, and say ``words`` (s16le mono 24 kHz, whole) after it.

        ``rung_s``: for how long it has rung already, since it grows louder. ``percent``: its own
        volume, 0..100, whatever that of the rest is. A reply plays softly from now on, until
        `stop_ringing`. Returns how long it sounds, seconds; 0 while no device is open.
        """
        if self._playout is None:
            return 0.0
        buffer = self._playout.buffer
        sound = chimes.render("alarm", buffer.rate_hz, chimes.alarm_gain(rung_s))
        if words:
            resampler = Resampler(REPLY_RATE_HZ, buffer.rate_hz)
            pcm = resampler.process(words) + resampler.finish()
            said = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(FULL_SCALE)
            gap = np.zeros(buffer.rate_hz * GAP_MS // 1000, np.float32)
            sound = np.concatenate((sound, gap, said))
        buffer.ring(sound, percent)
        self._card.hurry()
        return len(sound) / buffer.rate_hz

    def stop_ringing(self) -> None:
        """Break off what rings, without a click; a reply is as loud as before. Harmless at rest."""
        if self._playout is not None:
            self._playout.buffer.stop_ringing()

    def announce(self, pcm: bytes) -> None:
        """Say a sentence of our own (s16le mono 24 kHz, whole) after the chimes that still play.

        It takes the place of one that is being said. Dropped while no device is open.
        """
        if self._playout is not None:
            buffer = self._playout.buffer
            resampler = Resampler(REPLY_RATE_HZ, buffer.rate_hz)
            whole = pcm[: len(pcm) // SAMPLE_BYTES * SAMPLE_BYTES]
            buffer.announce(resampler.process(whole) + resampler.finish())
            self._card.hurry()

    def hush(self) -> None:
        """Break off the sentence of our own, without a click; harmless when there is none."""
        if self._playout is not None:
            self._playout.buffer.hush()

    def set_volume(self, percent: int) -> None:
        """0..100, for all that plays; takes effect within one block."""
        self._volume = percent
        if self._playout is not None:
            self._playout.buffer.set_volume(percent)

    # --- what the card reports --------------------------------------------------------------------

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
