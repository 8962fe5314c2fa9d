"""The microphone delivers one channel of a sound card as 20 ms frames at 16 kHz.

Theory of operation. A thread (`_Reader`) opens the device, reads 20 ms blocks, has `FrameCutter`
make frames of them, and closes it. Blocks and their frames go into a bounded queue, whose oldest
are dropped when nobody takes them, and the event loop is woken.

At rest, when nothing but a wake word is awaited, the loop is woken for each whole hop of the wake
word's networks only, and where `QuietGate` finds nothing in it a few times a second. Nothing is
heard later by that: no word is found before a hop is whole.

The thread asks how much there is before it reads, so it never waits inside PortAudio. That keeps it
stoppable when a device delivers nothing (a blocking read waits for ever on a suspended PulseAudio
source or a PipeWire that died), and a card that was pulled out shows as an error instead of
PortAudio 19.6's endless loop. Whether the device delivers is judged by the time of the last block
alone, never by what PortAudio says of the stream.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from device.audio.devices import (
    CardFacts,
    Device,
    Facts,
    Layout,
    Wanted,
    choose,
    choose_channel,
    input_layouts,
    no_facts,
)
from device.audio.frame_cutter import FrameCutter, LossMeter
from device.audio.liveness import Liveness
from device.audio.opening_order import ORDER
from device.audio.portaudio import PortAudio
from device.audio.quiet import QuietGate
from device.audio.stream_thread import Makeshift, StreamThread
from device.errors import AudioDeviceError, DeviceTrouble
from device.frames import FRAME_SAMPLES, HOP_SAMPLES, Frame
from device.ports import Block, OpenDevice, Tap

STEP_MS = 20
PERIOD_MS = 40
"""Twice that is what a card buffers for us. It tells of it once in a period, so Python may be late
by somewhat less than one without losing a sample."""

QUEUE_BLOCKS = 5_000 // STEP_MS
STALL_S = 3.0
SHORTEST_WAIT_S = 0.004
LONGEST_WAIT_S = 0.005
"""Between two looks at what there is. PortAudio knows of a card's progress only what the card told
at the end of its last period: who waits for as long as the figures say comes ever later after it.
"""

SERVER_WAIT_S = 0.008
"""The same for plugins and servers, which buffer more."""

HOP_FRAMES = HOP_SAMPLES // FRAME_SAMPLES
QUIET_HOPS = 4
"""At rest so many quiet ones, a third of a second, wait for the loop to be woken."""
EARLY_S = 0.003
"""At rest one looks so long before a card's period is over, and then as often as ever."""

LEAST_PERIOD_S = 0.0005
"""What comes in less is told sample by sample."""

INPUT_OVERFLOWED = -9981
"""paInputOverflowed: the card overran just now; the stream goes on."""


@dataclass(frozen=True, slots=True)
class _Opening:
    """What was opened."""

    device: Device
    layout: Layout
    channel: int
    facts: CardFacts

    @property
    def open_device(self) -> OpenDevice:
        return self.device.opened(self.layout, self.channel)


@dataclass(frozen=True, slots=True)
class _Block:
    """What one read gave."""

    opening: _Opening
    number: int
    """Counts the steps of 20 ms of all openings of one reader; this is its first."""
    steps: int
    data: bytes
    at: float
    """CLOCK_MONOTONIC when its last sample could be read."""
    frames: Sequence[Frame]
    """What it made whole."""


def _cure(opening: _Opening) -> str:
    """What an owner can do for a dead microphone."""
    if not opening.device.is_hardware:
        return "see that the source is not muted in the sound server, or plug it out and in again"
    first = "press its mute button if its red light is on, or " if opening.facts.mutes else ""
    return f"{first}plug it out and in again"


class PortAudioMicrophone:
    """A Microphone on PortAudio.

    ``device`` is ``auto`` or a part of the device's name; ``channel`` counts from 0, and ``auto``
    is the one that ``facts`` tells, or 0 where they tell none.
    """

    def __init__(
        self,
        device: str = "auto",
        channel: int | Literal["auto"] = "auto",
        facts: Facts = no_facts,
    ) -> None:
        self._wanted = Wanted(device, facts)
        self._channel = channel
        self._device: OpenDevice | None = None
        self._counters = {"frames": 0, "overruns": 0, "dropped": 0}
        self.taps: set[Tap] = set()
        self._frame_cutter = FrameCutter()
        self._frames: deque[Frame] = deque()
        self._rests = False
        self._arrived = asyncio.Event()
        self._stall_timer: asyncio.TimerHandle | None = None
        self._reader: _Reader | None = None
        self._losses = LossMeter(1)
        self._liveness = Liveness(1.0, 1, is_card=False)
        self._suspect = False
        self._opening: _Opening | None = None
        self._next_number = 0

    @property
    def device(self) -> OpenDevice | None:
        """The device that is open, or was last; None before the first opening."""
        return self._device

    @property
    def description(self) -> str:
        """The device that is open (or was last, or is asked for), for status and messages."""
        return str(self._device or f"input device '{self._wanted.name}'")

    @property
    def counters(self) -> Mapping[str, int]:
        """``frames``, ``overruns``, ``dropped``: since the process began.

        ``frames`` were given out. ``dropped`` are frames thrown away because nobody read them for
        5 s. ``overruns`` are the times the card lost samples before we read them: PortAudio hides
        that from a reader who wants the stream to survive it, so it is judged by the clock, with
        the limits that `LossMeter` names.
        """
        return self._counters

    def rest(self, on: bool) -> None:
        """Say whether nothing is awaited but a wake word."""
        if on is self._rests:
            return
        self._rests = on
        if self._reader is not None:
            self._reader.rest(on)
            # What waits for a wake of the loop need not any more.
            self._arrived.set()

    async def open(self) -> None:
        """Find the device by name and open it.

        Raises AudioDeviceError, its message naming what was asked for and what there is instead.
        """
        if self._reader is not None:
            return
        watched = self.taps.__len__
        reader = _Reader(
            self._wanted, self._channel, self._frame_cutter, self._arrived.set, watched
        )
        await reader.thread.start(f"input device '{self._wanted.name}'")
        self._reader = reader
        reader.rest(self._rests)
        self._device = reader.opening.open_device
        self._opening = None
        self._next_number = 0
        self._watch(reader)

    def _watch(self, reader: _Reader) -> None:
        """Wake a waiting ``read()`` when the last block will be too old."""
        self._arrived.set()
        due_s = max(0.2, reader.delivered_at + STALL_S - time.monotonic())
        self._stall_timer = asyncio.get_running_loop().call_later(due_s, self._watch, reader)

    async def read(self) -> Frame:
        """Wait for the next frame. Cancelling loses no frame.

        Raises AudioDeviceError: LOST when the device is gone (or closed), STALLED when it has
        delivered nothing for 3 s, DEAD when what it delivers cannot be sound; after that there is
        no frame, of this opening or the next, before it is sound again.
        """
        while not self._frames:
            self._arrived.clear()
            reader = self._reader
            if reader is None:
                raise AudioDeviceError(DeviceTrouble.LOST, f"{self.description} is not open")
            reader.woken = False
            if reader.blocks:
                self._take(reader.blocks.popleft())
                continue
            self._check(reader)
            await self._arrived.wait()
        self._counters["frames"] += 1
        return self._frames.popleft()

    def _take(self, block: _Block) -> None:
        layout = block.opening.layout
        step_bytes = len(block.data) // block.steps
        step_samples = step_bytes // layout.channels // layout.sample_bytes
        if block.opening is not self._opening:
            self._losses = LossMeter(layout.rate_hz)
            self._liveness = Liveness(
                step_samples / layout.rate_hz,
                layout.channels * layout.sample_bytes,
                is_card=block.opening.device.is_hardware,
                gates=block.opening.facts.gates,
                doubted=self._suspect,
            )
            self._opening = block.opening
            self._device = block.opening.open_device
        elif block.number != self._next_number:
            self._counters["dropped"] += block.number - self._next_number
        self._next_number = block.number + block.steps
        if self._losses.add(block.steps * step_samples, block.at):
            self._counters["overruns"] += 1
        for tap in self.taps:
            tap(Block(block.data, layout.channels, layout.sample_bytes, block.opening.channel))
        for begin in range(0, len(block.data), step_bytes):
            symptom = self._liveness.add(block.data[begin : begin + step_bytes])
            if symptom is not None:
                self._suspect = True
                raise AudioDeviceError(
                    DeviceTrouble.DEAD,
                    f"input device {self.description} delivers {symptom}: {_cure(block.opening)}",
                )
        self._suspect = self._suspect and not self._liveness.alive
        if not self._suspect:
            self._frames.extend(block.frames)

    def _check(self, reader: _Reader) -> None:
        """Raise when there is no use in waiting for the next block."""
        if reader.thread.failure is not None:
            raise reader.thread.failure
        silent_s = time.monotonic() - reader.delivered_at
        if silent_s >= STALL_S and not reader.thread.reopening:
            raise AudioDeviceError(
                DeviceTrouble.STALLED,
                f"input device {self.description} has delivered nothing for {STALL_S:g} s",
            )

    async def close(self) -> None:
        """Close the device; open() works again afterwards. Harmless when closed.

        Raises AudioDeviceHungError when the thread does not come back within 2 s.
        """
        reader, self._reader = self._reader, None
        if reader is None:
            return
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        self._frames.clear()
        self._arrived.set()
        await reader.thread.stop(f"input device {self.description}")


class _Reader:
    """The thread's side of one opening of the microphone.

    ``blocks``, ``woken`` and ``rest`` are all that both sides touch: appending to a bounded deque
    and taking from its other end are atomic. ``delivered_at`` is CLOCK_MONOTONIC of the last block,
    or of the beginning. ``opening`` is there once it is open.
    """

    opening: _Opening

    def __init__(
        self,
        wanted: Wanted,
        channel: int | Literal["auto"],
        frame_cutter: FrameCutter,
        arrived: Callable[[], None],
        watched: Callable[[], int],
    ) -> None:
        """``arrived`` wakes the loop; ``watched`` tells how many want each block at once."""
        self.blocks: deque[_Block] = deque(maxlen=QUEUE_BLOCKS)
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
        self._hurry = threading.Event()
        self._hop: list[_Block] = []
        """At rest, what is there of a hop that is not whole."""
        self._latest: deque[Frame] = deque(maxlen=HOP_FRAMES)
        """At rest, what the gate looks at."""
        self._gate = QuietGate()

    def rest(self, on: bool) -> None:
        """Wake the loop seldom, or at each block. Called on the loop's thread."""
        self._rests = on
        if not on:
            self._hurry.set()

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
            self.opening = _Opening(device, layout, channel, facts)
            self.delivered_at = time.monotonic()
            self.thread.opened()
            self._read(stream, self.opening, makeshift)

    def _leaves(self) -> bool:
        return self.thread.stopping

    def _read(self, stream: Any, opening: _Opening, makeshift: Makeshift) -> None:
        rate_hz = opening.layout.rate_hz
        step_samples = rate_hz * STEP_MS // 1000
        self._give(self._hop)  # of the opening before
        begun = False
        card = _CardPace(time.monotonic())
        while not self.thread.must_leave:
            makeshift.check()
            available = stream.get_read_available()
            card.look(time.monotonic(), max(0, available) / rate_hz)
            if available < step_samples:
                if available < 0 and available != INPUT_OVERFLOWED:
                    raise OSError(available, "it stopped delivering")
                available_s = max(0, available) / rate_hz
                if not self._at_rest:
                    longest_s = LONGEST_WAIT_S if opening.device.is_hardware else SERVER_WAIT_S
                    wait_s = min(longest_s, STEP_MS / 1000 - available_s)
                    time.sleep(max(SHORTEST_WAIT_S, wait_s))
                elif opening.device.is_hardware:
                    time.sleep(card.wait_s)
                else:
                    self._wait_for_hop(self._missing_steps * STEP_MS / 1000 - available_s)
                continue
            # At rest what there is of a hop is read at once.
            steps = min(available // step_samples, self._missing_steps) if self._at_rest else 1
            data = stream.read(steps * step_samples, exception_on_overflow=False)
            card.take(steps * STEP_MS / 1000)
            self.delivered_at = time.monotonic()
            # What is there already behind it came later.
            at = self.delivered_at - (available - steps * step_samples) / rate_hz
            if not begun:
                began_at = at - steps * step_samples / rate_hz
                self._frame_cutter.begin(opening.layout, opening.channel, began_at)
                begun = True
            frames = self._frame_cutter.take(data, at)
            self._hand_over(_Block(opening, self._number, steps, data, at, frames))
            self._number += steps

    @property
    def _missing_steps(self) -> int:
        """How many are missing of a hop; at least one: a resampler holds something back."""
        return max(1, HOP_FRAMES - sum(block.steps for block in self._hop))

    def _wait_for_hop(self, missing_s: float) -> None:
        """Wait for what is missing of it, but no longer than the rest lasts."""
        self._hurry.clear()
        if self._rests:
            self._hurry.wait(max(SHORTEST_WAIT_S, missing_s))

    def _hand_over(self, block: _Block) -> None:
        if not self._at_rest:
            self._latest.clear()
            self._give([*self._hop, block])
            self._wake()
            return
        self._hop.append(block)
        self._latest.extend(block.frames)
        if not any(frame.end_sample % HOP_SAMPLES < FRAME_SAMPLES for frame in block.frames):
            return
        whole = len(self._latest) == HOP_FRAMES
        pcm = b"".join(frame.pcm for frame in self._latest)
        if not whole or not self._gate.hear(np.frombuffer(pcm, "<i2")):
            self._give(self._hop)
            self._wake()
            return
        quiet = replace(
            self._hop[0],
            steps=sum(each.steps for each in self._hop),
            data=b"".join(each.data for each in self._hop),
            at=block.at,
            frames=[replace(each, quiet=True) for block in self._hop for each in block.frames],
        )
        self._give([quiet])
        if len(self.blocks) >= QUIET_HOPS:
            self._wake()

    def _give(self, blocks: Sequence[_Block]) -> None:
        self.blocks.extend(blocks)
        self._hop = []

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
