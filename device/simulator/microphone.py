"""A microphone that is not there hears WAV files, paced by the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping

from device.errors import AudioDeviceError, DeviceTrouble
from device.frames import (
    FRAME_BYTES,
    FRAME_MS,
    FRAME_SAMPLES,
    MICROPHONE_RATE_HZ,
    SAMPLE_BYTES,
    Frame,
)
from device.ports import Block, OpenDevice, Tap
from device.simulator.voices import heard_pcm

NAME = "simulated microphone (WAV)"

Segment = int | str | bytes
"""Silence of so many ms; a shipped recording or a WAV by its path; or PCM (16 kHz s16le mono)."""


class WavMicrophone:
    """A :class:`device.ports.Microphone` that hears what it is told, and silence otherwise.

    Time goes on while it is closed: what is said then is lost, and ``first_sample`` jumps. A reader
    that is late gets what waits at once; nothing is ever dropped. ``speed`` runs it faster than
    real time, for tests.
    """

    def __init__(self, segments: Iterable[Segment] = (), *, speed: float = 1.0) -> None:
        self._speed = speed
        self._ahead = bytearray()
        self._said = asyncio.Event()
        self._said.set()
        self._position = 0
        self._epoch: float | None = None
        """When sample 0 was (CLOCK_MONOTONIC), set at the first opening."""
        self._is_open = False
        self._present = True
        self._frames = 0
        self.taps: set[Tap] = set()
        for segment in segments:
            self.say(segment)

    @property
    def device(self) -> OpenDevice | None:
        """What stands for its facts, once it was opened; None before."""
        return None if self._epoch is None else OpenDevice(NAME, None, 0, 1, MICROPHONE_RATE_HZ)

    @property
    def description(self) -> str:
        """What it is, for status and messages."""
        return NAME

    @property
    def counters(self) -> Mapping[str, int]:
        """``frames`` delivered; the rest is 0, as it loses nothing."""
        return {"frames": self._frames, "overruns": 0, "dropped": 0}

    def say(self, segment: Segment) -> int:
        """Append something to hear, after what is still to be heard; callable at any time.

        Returns its place in the microphone's stream (the ``first_sample`` it begins in), which
        holds as long as the microphone stays open. Raises ScriptError for a WAV it cannot use.
        """
        begin = self._position + len(self._ahead) // SAMPLE_BYTES
        pcm = heard_pcm(segment)
        self._ahead += pcm + bytes(-len(pcm) % FRAME_BYTES)
        if pcm:
            self._said.clear()
        return begin

    async def wait_said(self) -> None:
        """Wait until everything that was appended has been delivered (or lost while closed)."""
        await self._said.wait()

    def unplug(self) -> None:
        """Vanish, as a USB device does: read() and open() raise until it is plugged in again."""
        self._present = False

    def plug_in(self) -> None:
        """Be there again, for open()."""
        self._present = True

    def rest(self, on: bool) -> None:
        """Change nothing: it costs no card a step."""

    async def open(self) -> None:
        """Begin to hear, as :class:`device.ports.Microphone` says."""
        if not self._present:
            raise AudioDeviceError(DeviceTrouble.MISSING, f"no {self.description}; plug it in")
        now = time.monotonic()
        if self._epoch is None:
            self._epoch = now
        passed_s = (now - self._epoch) * self._speed - self._position / MICROPHONE_RATE_HZ
        if not self._is_open:
            self._skip(int(passed_s * 1000 / FRAME_MS))
        self._is_open = True

    async def read(self) -> Frame:
        """Wait for the next frame, as :class:`device.ports.Microphone` says."""
        due = self._due()
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if not (self._present and self._is_open):
            raise AudioDeviceError(DeviceTrouble.LOST, f"{self.description} is gone")
        frame = Frame(self._cut(), self._position, due)
        self._position += FRAME_SAMPLES
        self._frames += 1
        for tap in self.taps:
            tap(Block(frame.pcm, 1, SAMPLE_BYTES, 0))
        return frame

    async def close(self) -> None:
        """Stop hearing; harmless when closed."""
        self._is_open = False

    def _due(self) -> float:
        end_s = (self._position + FRAME_SAMPLES) / MICROPHONE_RATE_HZ
        return (self._epoch or 0.0) + end_s / self._speed

    def _skip(self, frames: int) -> None:
        for _ in range(frames):
            self._cut()
        self._position += max(frames, 0) * FRAME_SAMPLES

    def _cut(self) -> bytes:
        pcm = bytes(self._ahead[:FRAME_BYTES]) or bytes(FRAME_BYTES)
        del self._ahead[:FRAME_BYTES]
        if not self._ahead:
            self._said.set()
        return pcm
