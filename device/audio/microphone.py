"""The microphone delivers one channel of a sound card as 20 ms frames at 16 kHz.

A thread reads the card (`device.audio.capture_thread`, which says how). What it read waits in a
queue until somebody wants the next frame; then it is looked at on the event loop: whether anything
was lost of it, and whether it can be sound at all.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import Literal

from device.audio.capture_thread import CapturedBlock, CaptureThread, Opening
from device.audio.devices import Facts, Wanted, no_facts
from device.audio.frame_cutter import FrameCutter, LossMeter
from device.audio.liveness import Liveness, Symptom
from device.errors import AudioDeviceError, DeviceTrouble
from device.frames import Frame
from device.ports import Block, OpenDevice, Tap

STALL_S = 3.0


def _cure(opening: Opening, symptom: Symptom) -> str:
    """What an owner can do for a microphone that is dead of this."""
    if not opening.device.is_hardware:
        return "see that the source is not muted in the sound server, or plug it out and in again"
    if opening.facts.mutes:
        first = "press its mute button if its red light is on, or "
    elif symptom is Symptom.ZEROS:
        first = "see that a mute switch of its own is off, or "
    else:
        first = ""
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
        self._reader: CaptureThread | None = None
        self._losses = LossMeter(1)
        self._liveness = Liveness(1.0, 1, is_card=False)
        self._suspect = False
        self._opening: Opening | None = None
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
        reader = CaptureThread(
            self._wanted, self._channel, self._frame_cutter, self._arrived.set, watched
        )
        await reader.thread.start(f"input device '{self._wanted.name}'")
        self._reader = reader
        reader.rest(self._rests)
        self._device = reader.opening.open_device
        self._opening = None
        self._next_number = 0
        self._watch(reader)

    def _watch(self, reader: CaptureThread) -> None:
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

    def _take(self, block: CapturedBlock) -> None:
        layout = block.opening.layout
        step_bytes = len(block.data) // block.steps
        step_samples = step_bytes // layout.channels // layout.sample_bytes
        if block.opening is not self._opening:
            self._losses = LossMeter(layout.rate_hz)
            self._liveness = Liveness(
                step_samples / layout.rate_hz,
                layout.channels * layout.sample_bytes,
                sample_bytes=layout.sample_bytes,
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
                    f"input device {self.description} delivers {symptom}: "
                    f"{_cure(block.opening, symptom)}",
                )
        self._suspect = self._suspect and not self._liveness.alive
        if not self._suspect:
            self._frames.extend(block.stretch.frames(quiet=block.quiet))

    def _check(self, reader: CaptureThread) -> None:
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
