"""A microphone that hears WAV files and a loudspeaker that writes one, both paced by the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from device.errors import AudioDeviceError, DeviceTrouble
from device.frames import (
    FRAME_BYTES,
    FRAME_MS,
    FRAME_SAMPLES,
    MICROPHONE_RATE_HZ,
    REPLY_RATE_HZ,
    SAMPLE_BYTES,
    Frame,
)
from device.news import PlaybackNews, Post
from device.ports import Block, OpenDevice, Played, Speaker, Tap
from device.simulator.playlist import Samples
from device.simulator.sound_card import Card
from device.simulator.voices import heard_pcm, write_wav

Segment = int | str | bytes
"""Silence of so many ms; a shipped recording or a WAV by its path; or PCM (16 kHz s16le mono)."""

MICROPHONE = "simulated microphone (WAV)"
LOUDSPEAKER = "simulated loudspeaker (WAV)"


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
        self._device: OpenDevice | None = None
        self.taps: set[Tap] = set()
        for segment in segments:
            self.say(segment)

    @property
    def device(self) -> OpenDevice | None:
        """What it is, as :class:`device.ports.Microphone` says."""
        return self._device

    @property
    def description(self) -> str:
        """What it is, for status and messages."""
        return MICROPHONE

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
        self._device = OpenDevice(MICROPHONE, None, 0, 1, MICROPHONE_RATE_HZ)

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


class WavSpeaker:
    """A :class:`device.ports.Speaker` that keeps what a card would have played.

    ``chime`` returns the samples of a chime at a rate in Hz, as s16 or as floats in -1..1. ``tee``
    is another speaker that plays the same, such as a real card; the news come from this one.
    """

    def __init__(
        self,
        chime: Callable[[str, int], NDArray[Any]],
        *,
        volume: int = 100,
        latency_ms: int = 30,
        speed: float = 1.0,
        tee: Speaker | None = None,
    ) -> None:
        self._chime = chime
        self._card = Card(self._tell, latency_ms=latency_ms, speed=speed)
        self._card.volume = volume
        self._tee = tee
        self._post: Post | None = None
        self._dropped_bytes = 0
        self._device: OpenDevice | None = None

    @property
    def device(self) -> OpenDevice | None:
        """The other speaker's device, or what this one is once it was opened."""
        return self._tee.device if self._tee else self._device

    @property
    def description(self) -> str:
        """What it is, for status and messages."""
        return self._tee.description if self._tee else LOUDSPEAKER

    @property
    def counters(self) -> Mapping[str, int]:
        """``underruns`` and ``dropped_ms``."""
        dropped_ms = self._dropped_bytes // SAMPLE_BYTES * 1000 // REPLY_RATE_HZ
        return {"underruns": self._card.underruns, "dropped_ms": dropped_ms}

    @property
    def audible(self) -> bool:
        """Whether anything of ours can be heard now, the latency included."""
        return self._card.audible

    @property
    def level(self) -> float:
        """RMS of the newest block, 0..1 of full scale, after volume."""
        return self._card.level

    @property
    def heard(self) -> Samples:
        """Everything taken so far, silence included: s16 mono 24 kHz from the first open on."""
        return self._card.heard

    def time_of(self, sample: int) -> float:
        """Return when a sample of ``heard`` was taken (CLOCK_MONOTONIC)."""
        return self._card.time_of(sample)

    def write_wav(self, path: Path) -> None:
        """Write ``heard``. Raises OSError."""
        write_wav(path, self._card.heard.astype("<i2").tobytes(), REPLY_RATE_HZ)

    async def open(self, post: Post) -> None:
        """Start the card, as :class:`device.ports.Speaker` says."""
        if self._tee is not None:
            await self._tee.open(lambda _news: None)
        self._post = post
        self._device = OpenDevice(LOUDSPEAKER, None, None, 1, REPLY_RATE_HZ)
        self._card.start()

    async def wait_lost(self) -> None:
        """Wait for the loss of the other speaker, if there is one; this one is never lost."""
        if self._tee is not None:
            await self._tee.wait_lost()
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Stop the card; turns that were playing are drained as far as they came."""
        await self._card.stop()
        if self._tee is not None:
            await self._tee.close()

    def play(self, pcm: bytes, turn: int) -> None:
        """Append a chunk, as :class:`device.ports.Speaker` says."""
        if self._tee is not None:
            self._tee.play(pcm, turn)
        if not self._card.add(pcm, turn):
            self._dropped_bytes += len(pcm)

    def end_turn(self, turn: int) -> None:
        """No more of this turn will come."""
        if self._tee is not None:
            self._tee.end_turn(turn)
        self._card.end(turn)

    def clear(self) -> int:
        """Throw the rest away; return the milliseconds of the turn taken so far."""
        if self._tee is not None:
            self._tee.clear()
        return self._card.clear()

    def pause(self) -> None:
        """Let the reply fall silent and keep its place, as :class:`device.ports.Speaker` says."""
        if self._tee is not None:
            self._tee.pause()
        self._card.pause()

    def go_on(self) -> None:
        """Go on where it paused; harmless when it did not."""
        if self._tee is not None:
            self._tee.go_on()
        self._card.go_on()

    def take_played(self) -> Sequence[Played]:
        """What this card took since the last call; what the other speaker played is not asked."""
        return self._card.take_played()

    def chime(self, name: str) -> None:
        """Play a chime over whatever plays."""
        if self._tee is not None:
            self._tee.chime(name)
        self._card.overlay(self._chime(name, REPLY_RATE_HZ))

    def announce(self, pcm: bytes) -> None:
        """Say a sentence after the chime, as :class:`device.ports.Speaker` says."""
        if self._tee is not None:
            self._tee.announce(pcm)
        self._card.say(pcm)

    def hush(self) -> None:
        """Break off the sentence; harmless when there is none."""
        if self._tee is not None:
            self._tee.hush()
        self._card.hush()

    def set_volume(self, percent: int) -> None:
        """0..100, proportional to the amplitude."""
        if self._tee is not None:
            self._tee.set_volume(percent)
        self._card.volume = percent

    def _tell(self, news: PlaybackNews) -> None:
        if self._post is not None:
            self._post(news)
