"""The thread that keeps the sound card fed, and what it reports of it.

See `device.audio.loudspeaker` for the theory of operation.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from device.audio.buffer import Block, PlaybackBuffer
from device.audio.devices import Device, Layout, Wanted, choose, output_layouts
from device.audio.opening_order import ORDER
from device.audio.portaudio import PortAudio
from device.audio.reference import PlayedBlocks
from device.audio.stream_thread import Makeshift, StreamThread
from device.audio.turns import Mark, What
from device.errors import AudioDeviceError, DeviceTrouble
from device.frames import SAMPLE_BYTES
from device.news import FirstSound, PlaybackDrained, PlaybackNews, PlaybackStarved
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

STALL_S = 3.0

OUTPUT_UNDERFLOWED = -9980
"""paOutputUnderflowed: the card ran dry just now; the stream goes on."""


class Player:
    """One opening of the loudspeaker.

    ``make_buffer`` is asked for one at the card's rate; ``played`` is told what the card was given.
    ``buffer`` and ``device`` are there once it is open. ``audible_until`` (CLOCK_MONOTONIC)
    and ``level`` are single values that the loop only reads.
    """

    buffer: PlaybackBuffer
    device: OpenDevice

    def __init__(
        self,
        wanted: Wanted,
        make_buffer: Callable[[int], PlaybackBuffer],
        lost: Callable[[], None],
        heard: Callable[[PlaybackNews], None],
        counters: dict[str, int],
        played: PlayedBlocks,
    ) -> None:
        self.thread = StreamThread("loudspeaker", self._serve, lost)
        self.audible_until = 0.0
        self.level = 0.0
        self._sounding = False
        self._yields = False
        """To a recording on the same card that wants to begin."""
        self._taken_at = time.monotonic()
        self._wanted = wanted
        self._make_buffer = make_buffer
        self._heard = heard
        self._counters = counters
        self._played = played
        self._due: deque[tuple[float, PlaybackNews]] = deque()

    def check(self) -> None:
        """Raise when the device was lost or takes nothing. Called on the loop's thread."""
        if self.thread.failure is not None:
            raise self.thread.failure
        stuck_s = time.monotonic() - self._taken_at
        if stuck_s >= STALL_S and not self.thread.stopping and not self.thread.reopening:
            raise AudioDeviceError(
                DeviceTrouble.STALLED,
                f"output device {self.device} has taken nothing for {STALL_S:g} s",
            )

    def _serve(self, audio: PortAudio) -> None:
        choice = choose(audio.devices(), self._wanted.name, "output", self._wanted.facts)
        device = choice.device
        makeshift = Makeshift(fallback=choice.fallback)
        facts = self._wanted.facts(device)
        layouts = output_layouts(device, facts.output_channels)
        self._yields = facts.capture_first
        with (
            ORDER.playing(facts.capture_first, self._leaves),
            audio.stream(device, "output", layouts, PERIOD_MS) as (stream, layout),
        ):
            self._begin(device, layout)
            self._played.opened(layout.rate_hz)
            self._taken_at = time.monotonic()
            self.thread.opened()
            self._feed(stream, layout, device, makeshift)

    def _leaves(self) -> bool:
        return self.thread.stopping

    def _begin(self, device: Device, layout: Layout) -> None:
        self.device = device.opened(layout)
        if not hasattr(self, "buffer"):
            self.buffer = self._make_buffer(layout.rate_hz)
        elif self.buffer.rate_hz != layout.rate_hz:
            raise AudioDeviceError(
                DeviceTrouble.LOST,
                f"output device {self.device} came back with another rate: open it again",
            )

    def _feed(self, stream: Any, layout: Layout, device: Device, makeshift: Makeshift) -> None:
        rate_hz = layout.rate_hz
        capacity_samples = stream.get_write_available()
        if capacity_samples <= 0:
            raise OSError(capacity_samples, "it takes no sound")
        pace = _Pace(capacity_samples, rate_hz)
        longest_wait_s = LONGEST_WAIT_S if device.is_hardware else SERVER_WAIT_S
        silence = bytes(pace.period_samples * layout.channels * SAMPLE_BYTES)
        began = False
        while not self._may_leave():
            free_samples = stream.get_write_available()
            if free_samples < 0 and free_samples != OUTPUT_UNDERFLOWED:
                raise OSError(free_samples, "it stopped taking sound")
            self._send_due()
            idle = self.buffer.idle and not self._due
            if idle:
                makeshift.check()
            queued_samples = capacity_samples - max(0, free_samples)
            room_samples = pace.limit_samples - queued_samples
            block_samples = pace.block_samples(room_samples, idle=idle)
            if room_samples < block_samples:
                wait_s = max(SHORTEST_WAIT_S, (block_samples - room_samples) / rate_hz)
                time.sleep(min(longest_wait_s, wait_s))
                continue
            # Of a server it says nothing that all was fetched: it has a buffer of its own.
            if queued_samples == 0 and (self._sounding or (began and device.is_hardware)):
                self._counters["underruns"] += 1
            began = True
            block = self.buffer.take(block_samples)
            if block.samples is None:
                stream.write(silence[: block_samples * layout.channels * SAMPLE_BYTES])
            else:
                stream.write(np.repeat(block.samples, layout.channels).tobytes())
            self._written(block, block_samples, queued_samples)

    def _may_leave(self) -> bool:
        if self.thread.stopping:
            return True
        asked = self.thread.must_leave or (self._yields and ORDER.asked)
        return asked and self.buffer.idle and not self._due

    def _written(self, block: Block, samples: int, queued_samples: int) -> None:
        now = self._taken_at = time.monotonic()
        begins_at = now + queued_samples / self.buffer.rate_hz
        ends_at = begins_at + samples / self.buffer.rate_hz
        self._played.note(block.samples, samples, begins_at)
        self.level = block.level
        self._sounding = block.samples is not None
        if self._sounding:
            self.audible_until = ends_at
        for mark in block.marks:
            self._due.append(self._news(mark, now, ends_at))

    def _news(self, mark: Mark, now: float, heard_at: float) -> tuple[float, PlaybackNews]:
        match mark.what:
            case What.FIRST:
                return now, FirstSound(mark.turn, now, heard_at - now)
            case What.STARVED:
                return now, PlaybackStarved(mark.turn, now)
            case What.LAST:
                played_ms = mark.played_samples * 1000 // self.buffer.rate_hz
                return heard_at, PlaybackDrained(mark.turn, played_ms, heard_at)

    def _send_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            self.thread.call(partial(self._heard, self._due.popleft()[1]))


class _Pace:
    """How much goes to the card at once."""

    def __init__(self, capacity_samples: int, rate_hz: int) -> None:
        self.limit_samples = min(capacity_samples, rate_hz * QUEUE_MS // 1000)
        # A card may have taken other periods than it was asked for; blocks that do not fill them
        # would leave room that is of no use until the next one is over.
        self._tight = capacity_samples == self.limit_samples
        self.period_samples = capacity_samples // 2 if self._tight else rate_hz * PERIOD_MS // 1000

    def block_samples(self, room_samples: int, *, idle: bool) -> int:
        """Give the next block's length, which may be more than there is room for: then wait."""
        if idle and (room_samples >= self.period_samples or not self._tight):
            return self.period_samples
        return max(1, self.period_samples // 2)
