"""`PortAudioCard` plays through PortAudio, with a thread that keeps the card fed.

Theory of operation. A thread opens the device and keeps its stream open and fed, with silence when
there is nothing to play: it takes blocks from the playout as late as it can, so that no more than
`QUEUE_MS` are on their way to the card. That is what a cleared reply can still be heard for. It
asks how much room there is before it writes, so it never waits inside PortAudio
(`device.audio.capture_thread` says why), and from the same figure it knows when the last sample of
a turn will have left the card.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np

from device.audio.devices import Device, Facts, Layout, Wanted, choose, no_facts, output_layouts
from device.audio.opening_order import ORDER
from device.audio.playout import Playout
from device.audio.portaudio import PortAudio
from device.audio.stream_thread import Makeshift, StreamThread
from device.errors import AudioDeviceError, DeviceTrouble
from device.frames import SAMPLE_BYTES
from device.news import PlaybackNews
from device.ports import OpenDevice

PERIOD_MS = 20
"""A block is half of a period, or in silence a whole one where there is room for it."""

QUEUE_MS = 45
"""Longest that sound is on its way to the card. A card has room for two periods, less than this;
PulseAudio's plugin would take three. Measured there, clear to silence at the sink: 35 ms (median),
49 ms at most; with 60 instead of 45 it is 47 and 72, and with 30 a busy machine starves the sink.
"""

SHORTEST_WAIT_S = 0.002
LONGEST_WAIT_S = 0.005
"""Between two looks at the room. PortAudio knows of a card's progress only what the card told at
the end of its last period: who then waits for as long as the figures say comes later after every
period, until the card is dry. Looking often bounds how late that can be."""

SERVER_WAIT_S = 0.008
"""The same for plugins and servers, which tell their progress more finely and buffer more."""

EARLY_S = 0.003
"""In silence one looks so long before a card's period is over, and then as often as ever."""
SILENCE_MS = 12
"""Of silence is with a server when it gets the next period of it. What is on its way is what the
first sound has to wait for; with less, a busy machine lets the stream run dry, and what is played
after that comes later than the echo canceller knows."""

STALL_S = 3.0

OUTPUT_UNDERFLOWED = -9980
"""paOutputUnderflowed: the card ran dry just now; the stream goes on."""


REST_AFTER_S = 2.0
"""Of silence at rest after which the stream to a sound server is stopped. It starts within a
millisecond, and nothing has to wait for silence in it. A card's is not: some codecs pop when they
are put to sleep, and the echo canceller need not find its place again."""
PROBE_S = 10.0
"""How often it is looked then whether the server is still there; who cannot know it but by starting
the stream. A microphone at the same server knows it at once."""
LOOK_S = 0.5
"""The same, whether somebody needs PortAudio's list of devices made anew."""


class PortAudioCard:
    """A :class:`device.audio.loudspeaker.Card` on PortAudio.

    ``device`` is ``auto`` or a part of its name; ``microphone`` likewise, since its card speaks
    under ``auto``. ``facts`` tells how many channels of a card must be filled, and whether it must
    record first. Used from the event loop's thread only.
    """

    def __init__(
        self, device: str = "auto", facts: Facts = no_facts, microphone: str = "auto"
    ) -> None:
        self._wanted = Wanted(device, facts, microphone)
        self._device: OpenDevice | None = None
        self._underruns = 0
        self._lost = asyncio.Event()
        self._player: _Player | None = None
        self._rests = False

    @property
    def device(self) -> OpenDevice | None:
        """The device that is open, or was last; None before the first opening."""
        return self._player.device if self._player is not None else self._device

    @property
    def description(self) -> str:
        """The device that is open (or was last, or is asked for), for status and messages."""
        return str(self.device or f"output device '{self._wanted.name}'")

    @property
    def underruns(self) -> int:
        """How often it ran dry while something played, or in silence where it is a card itself."""
        return self._underruns

    async def open(
        self, begin: Callable[[int], Playout], tell: Callable[[PlaybackNews], None]
    ) -> Playout:
        """Find the device by name and open it, as `device.audio.loudspeaker.Card` says."""
        player = _Player(self._wanted, begin, self._lost.set, tell, self._ran_dry)
        await player.thread.start(f"output device '{self._wanted.name}'")
        self._lost.clear()
        self._player = player
        player.rest(self._rests)
        return player.playout.result()

    def _ran_dry(self) -> None:
        # The player's thread calls it, and nobody else writes the figure.
        self._underruns += 1

    def rest(self, on: bool) -> None:
        """Say whether nothing is likely to be played soon."""
        self._rests = on
        if self._player is not None:
            self._player.rest(on)

    def hurry(self) -> None:
        """Let the thread look whether there is something to play."""
        if self._player is not None:
            self._player.hurry.set()

    async def wait_lost(self) -> None:
        """Return never; raise AudioDeviceError: LOST or STALLED (nothing taken for 3 s)."""
        while True:
            player = self._player
            if player is not None:
                player.check()
            asleep = player is not None and player.asleep
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if asleep else STALL_S / 6):
                    await self._lost.wait()
                    self._lost.clear()

    async def close(self) -> None:
        """Close the device. Harmless when closed.

        Raises AudioDeviceHungError when the thread does not come back within 2 s.
        """
        player, self._player = self._player, None
        if player is not None:
            self._device = player.device
            player.rest(False)
            await player.thread.stop(f"output device {self._device}")


class _Player:
    """One opening of the card; all of it but ``check`` runs in its thread.

    ``begin`` is asked for a playout at the card's rate, ``tell`` is given its news on the loop's
    thread, and ``ran_dry`` is told each time the card did. ``playout`` has its result and
    ``device`` its facts once it is open.
    """

    def __init__(
        self,
        wanted: Wanted,
        begin: Callable[[int], Playout],
        lost: Callable[[], None],
        tell: Callable[[PlaybackNews], None],
        ran_dry: Callable[[], None],
    ) -> None:
        self.thread = StreamThread("loudspeaker", self._serve, lost)
        self.playout: Future[Playout] = Future()
        self.hurry = threading.Event()
        self._rests = False
        self.asleep = False
        """Whether nothing is taken, since the stream is stopped. ``lost`` is told when it ends."""
        self.device: OpenDevice | None = None
        self._yields = False
        """To a recording on the same card that wants to begin."""
        self._taken_at = time.monotonic()
        self._wanted = wanted
        self._begin = begin
        self._lost = lost
        self._tell = tell
        self._ran_dry = ran_dry

    def check(self) -> None:
        """Raise when the device was lost or takes nothing. Called on the loop's thread."""
        if self.thread.failure is not None:
            raise self.thread.failure
        stuck_s = time.monotonic() - self._taken_at
        excused = self.thread.stopping or self.thread.reopening or self.asleep
        if stuck_s >= STALL_S and not excused:
            raise AudioDeviceError(
                DeviceTrouble.STALLED,
                f"output device {self.device} has taken nothing for {STALL_S:g} s",
            )

    def rest(self, on: bool) -> None:
        """Say whether nothing is likely to be played soon. Called on the loop's thread."""
        self._rests = on
        self.hurry.set()

    def _serve(self, audio: PortAudio) -> None:
        wanted = self._wanted
        choice = choose(audio.devices(), wanted.name, "output", wanted.facts, wanted.microphone)
        device = choice.device
        makeshift = Makeshift(fallback=choice.fallback)
        facts = self._wanted.facts(device)
        layouts = output_layouts(device, facts.output_channels)
        self._yields = facts.capture_first
        with (
            ORDER.playing(facts.capture_first, self._leaves),
            audio.stream(device, "output", layouts, PERIOD_MS) as (stream, layout),
        ):
            self.device = device.opened(layout)
            playout = self._playout_at(layout.rate_hz)
            playout.opened()
            self._taken_at = time.monotonic()
            self.thread.opened()
            self._feed(audio, playout, stream, layout, device, makeshift)

    def _leaves(self) -> bool:
        return self.thread.stopping

    def _playout_at(self, rate_hz: int) -> Playout:
        if not self.playout.done():
            self.playout.set_result(self._begin(rate_hz))
        playout = self.playout.result()
        if playout.buffer.rate_hz != rate_hz:
            raise AudioDeviceError(
                DeviceTrouble.LOST,
                f"output device {self.device} came back with another rate: open it again",
            )
        return playout

    def _feed(
        self,
        audio: PortAudio,
        playout: Playout,
        stream: Any,
        layout: Layout,
        device: Device,
        makeshift: Makeshift,
    ) -> None:
        rate_hz = layout.rate_hz
        capacity_samples = stream.get_write_available()
        if capacity_samples <= 0:
            raise OSError(capacity_samples, "it takes no sound")
        pace = _Pace(capacity_samples, rate_hz, is_card=device.is_hardware)
        silence = bytes(pace.period_samples * layout.channels * SAMPLE_BYTES)
        began = waited = False
        idle_since = time.monotonic()
        while not self._may_leave(playout):
            free_samples = stream.get_write_available()
            if free_samples < 0 and free_samples != OUTPUT_UNDERFLOWED:
                raise OSError(free_samples, "it stopped taking sound")
            for news in playout.due(time.monotonic()):
                self.thread.call(partial(self._tell, news))
            self.hurry.clear()
            idle = playout.idle
            if not (idle and self._rests):
                idle_since = time.monotonic()
            elif not device.is_hardware and time.monotonic() - idle_since > REST_AFTER_S:
                self._sleep(audio, playout, stream, makeshift)
                began, idle_since = False, time.monotonic()
                continue
            if idle:
                makeshift.check()
            queued_samples = capacity_samples - max(0, free_samples)
            block_samples, wait_samples = pace.next_block(queued_samples, idle=idle)
            if wait_samples > 0:
                self._wait(wait_samples / rate_hz, pace, idle=idle, first=not waited)
                waited = True
                continue
            waited = False
            # Of a server it says nothing that all was fetched: it has a buffer of its own.
            if queued_samples == 0 and (playout.sounding or (began and device.is_hardware)):
                self._ran_dry()
            began = True
            block = playout.buffer.take(block_samples)
            if block.samples is None:
                stream.write(silence[: block_samples * layout.channels * SAMPLE_BYTES])
            else:
                stream.write(np.repeat(block.samples, layout.channels).tobytes())
            now = self._taken_at = time.monotonic()
            begins_at = now + queued_samples / rate_hz
            playout.given(block, block_samples, now, begins_at, begins_at + block_samples / rate_hz)

    def _sleep(self, audio: PortAudio, playout: Playout, stream: Any, makeshift: Makeshift) -> None:
        """Stop the stream until the rest is over, or something is to be played."""
        self.asleep = True
        audio.stop(stream)
        probe_at = time.monotonic() + PROBE_S
        while self._rests and playout.idle and not self._may_leave(playout):
            if not self.hurry.wait(LOOK_S) and time.monotonic() > probe_at:
                makeshift.check()
                self._wake_up()
                audio.start(stream)
                audio.stop(stream)
                self.asleep = True
                probe_at = time.monotonic() + PROBE_S
            self.hurry.clear()
        self._wake_up()
        audio.start(stream)
        playout.restarted()
        self._taken_at = time.monotonic()

    def _wake_up(self) -> None:
        """Be taken for stalled from now on: a server that hangs holds up who starts its stream."""
        self._taken_at = time.monotonic()
        self.asleep = False
        self.thread.call(self._lost)

    def _wait(self, wait_s: float, pace: _Pace, *, idle: bool, first: bool) -> None:
        """Wait for room; in silence on a server, until there is something to play."""
        wait_s = max(SHORTEST_WAIT_S, wait_s)
        if not pace.is_card:
            if idle:
                self.hurry.wait(wait_s)
            else:
                time.sleep(min(SERVER_WAIT_S, wait_s))
        elif idle and first:
            time.sleep(min(pace.period_s - EARLY_S, wait_s))
        else:
            time.sleep(min(LONGEST_WAIT_S, wait_s))

    def _may_leave(self, playout: Playout) -> bool:
        if self.thread.stopping:
            return True
        asked = self.thread.must_leave or (self._yields and ORDER.asked)
        return asked and playout.idle


class _Pace:
    """How much goes to the card at once, and when."""

    def __init__(self, capacity_samples: int, rate_hz: int, *, is_card: bool) -> None:
        self.is_card = is_card
        self._limit_samples = min(capacity_samples, rate_hz * QUEUE_MS // 1000)
        # A card may have taken other periods than it was asked for; blocks that do not fill them
        # would leave room that is of no use until the next one is over.
        self._tight = capacity_samples == self._limit_samples
        self.period_samples = capacity_samples // 2 if self._tight else rate_hz * PERIOD_MS // 1000
        self.period_s = self.period_samples / rate_hz
        silence_samples = self.period_samples + rate_hz * SILENCE_MS // 1000
        self._silence_samples = min(self._limit_samples, silence_samples)

    def next_block(self, queued_samples: int, *, idle: bool) -> tuple[int, int]:
        """Give the next block's length, and how much of what is queued must be played before it."""
        limit_samples = self._limit_samples
        if idle and not self.is_card:
            limit_samples = self._silence_samples
        room_samples = limit_samples - queued_samples
        block_samples = max(1, self.period_samples // 2)
        if idle and (room_samples >= self.period_samples or not self._tight):
            block_samples = self.period_samples
        return block_samples, block_samples - room_samples
