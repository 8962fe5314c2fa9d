"""`CaptureThread` reads one opening of a sound card, and wakes the event loop for what it read.

Theory of operation. The thread opens the device, reads 20 ms blocks, has `FrameCutter` find the
frames in them, and closes it. Blocks go into a bounded queue, whose oldest are dropped when nobody
takes them, and the event loop is woken.

At rest, when nothing but a wake word is awaited, it is woken for each whole hop of the wake word's
networks only, and where `QuietGate` finds nothing in it a few times a second. Nothing is heard
later by that: no word is found before a hop is whole.

The thread asks how much there is before it reads, so it never waits inside PortAudio. That keeps it
stoppable when a device delivers nothing (a blocking read waits for ever on a suspended PulseAudio
source or a PipeWire that died), and a card that was pulled out shows as an error instead of
PortAudio 19.6's endless loop. Whether the device delivers is judged by the time of the last block
alone, never by what PortAudio says of the stream.

Tested in tests/audio/test_microphone.py.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from device.audio.devices import (
    CardFacts,
    Device,
    Layout,
    Wanted,
    choose,
    choose_channel,
    input_layouts,
)
from device.audio.frame_cutter import FrameCutter, Stretch
from device.audio.opening_order import ORDER
from device.audio.portaudio import PortAudio
from device.audio.quiet import QuietGate
from device.audio.stream_thread import Makeshift, StreamThread
from device.frames import FRAME_SAMPLES, HOP_SAMPLES, SAMPLE_BYTES
from device.ports import OpenDevice

STEP_MS = 20
PERIOD_MS = 40
"""Twice that is what a card buffers for us. It tells of it once in a period, so Python may be late
by somewhat less than one without losing a sample."""

QUEUE_BLOCKS = 5_000 // STEP_MS
SHORTEST_WAIT_S = 0.004
LONGEST_WAIT_S = 0.005
"""Between two looks at what there is. PortAudio knows of a card's progress only what the card told
at the end of its last period: who waits for as long as the figures say comes ever later after it.
"""

SERVER_WAIT_S = 0.008
"""The same for plugins and servers, which buffer more."""

HOP_FRAMES = HOP_SAMPLES // FRAME_SAMPLES
HOP_BYTES = HOP_SAMPLES * SAMPLE_BYTES
QUIET_HOPS = 4
"""At rest so many quiet ones, a third of a second, wait for the loop to be woken."""
QUIET_HOPS_AT_ONCE = 2
"""While it is quiet so many are looked at together, since to begin is what costs. What rises then
is found a hop later; a word is longer, and found when it ends."""
EARLY_S = 0.003
"""At rest one looks so long before a card's period is over, and then as often as ever."""

LEAST_PERIOD_S = 0.0005
"""What comes in less is told sample by sample."""

INPUT_OVERFLOWED = -9981
"""paInputOverflowed: the card overran just now; the stream goes on."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What was opened."""

    device: Device
    layout: Layout
    channel: int
    facts: CardFacts

    @property
    def open_device(self) -> OpenDevice:
        """The device and how it is open, for whoever tells of it."""
        return self.device.opened(self.layout, self.channel)


@dataclass(slots=True)
class CapturedBlock:
    """What one read gave."""

    opening: Opening
    number: int
    """Counts the steps of 20 ms of all openings of one reader; this is its first."""
    steps: int
    data: bytes
    at: float
    """CLOCK_MONOTONIC when its last sample could be read."""
    stretch: Stretch
    """What it made whole."""
    quiet: bool = False
    """Whether nothing in that rises above the noise of the room; not known but at rest."""


class CaptureThread:
    """The thread's side of one opening of the microphone.

    ``blocks``, ``woken`` and ``rest`` are all that both sides touch: appending to a bounded deque
    and taking from its other end are atomic, and a block is not changed once it is in there.
    ``delivered_at`` is CLOCK_MONOTONIC of the last block, or of the beginning. ``opening`` is there
    once it is open.
    """

    opening: Opening

    def __init__(
        self,
        wanted: Wanted,
        channel: int | Literal["auto"],
        frame_cutter: FrameCutter,
        arrived: Callable[[], None],
        watched: Callable[[], int],
    ) -> None:
        """``arrived`` wakes the loop; ``watched`` tells how many want each block at once."""
        self.blocks: deque[CapturedBlock] = deque(maxlen=QUEUE_BLOCKS)
        self.woken = False
        """Whether the loop was woken, and has not looked since."""
        self.delivered_at = time.monotonic()
        self.thread = StreamThread("microphone", self._serve, arrived)
        self._wanted = wanted
        self._channel = channel
        self._frame_cutter = frame_cutter
        self._arrived = arrived
        self._watched = watched
        self._number = 0
        self._rests = False
        self._resting = threading.Lock()
        """The rest holds it as long as it lasts: who waits for it waits for its end."""
        self._read_data = b""
        self._read_steps = 0
        """What was read and is no block yet."""
        self._held: list[CapturedBlock] = []
        self._held_steps = 0
        """At rest, what holds no end of a hop yet."""
        self._latest = b""
        """At rest, what the gate looks at."""
        self._gate = QuietGate()
        self._quiet = False
        """Whether the last hop was."""

    def rest(self, on: bool) -> None:
        """Wake the loop seldom, or at each block. Called on the loop's thread."""
        if on is self._rests:
            return
        self._rests = on
        if on:
            self._resting.acquire()
        else:
            self._resting.release()

    @property
    def _at_rest(self) -> bool:
        return self._rests and not self._watched()

    def _serve(self, audio: PortAudio) -> None:
        choice = choose(audio.devices(), self._wanted.name, "input", self._wanted.facts)
        device = choice.device
        makeshift = Makeshift(fallback=choice.fallback)
        facts = self._wanted.facts(device)
        channel = choose_channel(self._channel, facts.channel, device.input_channels)
        layouts = input_layouts(device, channel, facts.rates_hz)
        with (
            ORDER.recording(facts.capture_first, self._leaves) as begun,
            audio.stream(device, "input", layouts, PERIOD_MS) as (stream, layout),
        ):
            begun()
            self.opening = Opening(device, layout, channel, facts)
            self.delivered_at = time.monotonic()
            self.thread.opened()
            self._read(stream, self.opening, makeshift)

    def _leaves(self) -> bool:
        return self.thread.stopping

    def _read(self, stream: Any, opening: Opening, makeshift: Makeshift) -> None:
        rate_hz = opening.layout.rate_hz
        step_samples = rate_hz * STEP_MS // 1000
        self._give()  # what is left of the opening before
        begun = False
        card = _CardPace(time.monotonic()) if opening.device.is_hardware else None
        while not self.thread.must_leave:
            makeshift.check()
            available = stream.get_read_available()
            if card is not None:
                card.look(time.monotonic(), max(0, available) / rate_hz)
            missing_steps = self._missing_steps
            if available < step_samples:
                if available < 0 and available != INPUT_OVERFLOWED:
                    raise OSError(available, "it stopped delivering")
                self._wait(card, missing_steps, max(0, available) / rate_hz)
                continue
            steps = min(available // step_samples, missing_steps)
            data = stream.read(steps * step_samples, exception_on_overflow=False)
            if card is not None:
                card.take(steps * STEP_MS / 1000)
            self.delivered_at = time.monotonic()
            # What is there already behind it came later.
            at = self.delivered_at - (available - steps * step_samples) / rate_hz
            if not begun:
                began_at = at - steps * step_samples / rate_hz
                self._frame_cutter.begin(opening.layout, opening.channel, began_at)
                begun = True
            self._read_data += data
            self._read_steps += steps
            if steps == missing_steps:
                self._end_block(opening, at)
        if self._read_data:
            self._end_block(opening, self.delivered_at)

    @property
    def _missing_steps(self) -> int:
        """Return how many more make a block: one, or at rest all of a hop, or of two.

        At least one: a resampler holds something back.
        """
        if not self._at_rest:
            return 1
        hops = QUIET_HOPS_AT_ONCE if self._quiet else 1
        return max(1, hops * HOP_FRAMES - self._held_steps - self._read_steps)

    def _wait(self, card: _CardPace | None, missing_steps: int, available_s: float) -> None:
        """Wait for what is missing of a step; at rest of a hop, unless the rest ends."""
        if not self._at_rest:
            longest_s = LONGEST_WAIT_S if card is not None else SERVER_WAIT_S
            time.sleep(max(SHORTEST_WAIT_S, min(longest_s, STEP_MS / 1000 - available_s)))
        elif card is not None:
            time.sleep(card.wait_s)
        else:
            # A server holds no more than a hop and a half.
            missing_s = ((missing_steps - 1) % HOP_FRAMES + 1) * STEP_MS / 1000 - available_s
            if self._resting.acquire(timeout=max(SHORTEST_WAIT_S, missing_s)):
                self._resting.release()

    def _end_block(self, opening: Opening, at: float) -> None:
        data, steps = self._read_data, self._read_steps
        self._read_data, self._read_steps = b"", 0
        stretch = self._frame_cutter.take(data, at)
        self._hand_over(CapturedBlock(opening, self._number, steps, data, at, stretch))
        self._number += steps

    def _hand_over(self, block: CapturedBlock) -> None:
        self._held.append(block)
        self._held_steps += block.steps
        if not self._at_rest:
            self._latest = b""
            self._quiet = False
            self._give()
            self._wake()
            return
        self._latest = (self._latest + block.stretch.pcm)[-HOP_BYTES * QUIET_HOPS_AT_ONCE :]
        if not block.stretch.ends_hop:
            return
        hops = QUIET_HOPS_AT_ONCE if self._quiet else 1
        heard = self._latest[-HOP_BYTES * hops :]
        whole = len(heard) == HOP_BYTES * hops
        self._quiet = whole and self._gate.hear(np.frombuffer(heard, "<i2"))
        for each in self._held:
            each.quiet = self._quiet
        self._give()
        if not self._quiet or len(self.blocks) * hops >= QUIET_HOPS:
            self._wake()

    def _give(self) -> None:
        self.blocks.extend(self._held)
        self._held = []
        self._held_steps = 0

    def _wake(self) -> None:
        if not self.woken:
            self.woken = True
            self.thread.call(self._arrived)


class _CardPace:
    """When a card is looked at next, at rest: just before the end of its period, and then often.

    It tells its progress once in a period, and has room for two. Whoever waits for a whole one each
    time, and a little longer each time, comes later and later after its end.
    """

    def __init__(self, now: float) -> None:
        self._looked_at = now
        self._left_s = 0.0
        """What was there at the last look, and was not taken."""
        self._period_s = math.inf
        self._phase_s = math.inf
        """No longer ago the last period had ended at the last look."""

    def look(self, now: float, available_s: float) -> None:
        """Take note of how much there is, in seconds of sound."""
        passed_s = now - self._looked_at
        self._phase_s += passed_s
        came_s = available_s - self._left_s
        if came_s > LEAST_PERIOD_S:
            self._period_s = min(self._period_s, came_s)
            self._phase_s = max(0.0, min(passed_s, self._phase_s - came_s))
        self._left_s, self._looked_at = available_s, now

    def take(self, seconds: float) -> None:
        """Take note that so much was read."""
        self._left_s -= seconds

    @property
    def wait_s(self) -> float:
        """How long to wait until the next look."""
        early_s = self._period_s - self._phase_s - EARLY_S
        if 0 < early_s < math.inf:
            return max(SHORTEST_WAIT_S, early_s)
        return LONGEST_WAIT_S
