"""`FrameCutter` makes 20 ms frames of one channel of what the sound card hands over. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from device.audio.devices import Layout
from device.audio.resample import Resampler
from device.frames import (
    FRAME_BYTES,
    HOP_SAMPLES,
    MICROPHONE_RATE_HZ,
    SAMPLE_BYTES,
    Frame,
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole frames that follow each other, and are not cut yet."""

    pcm: bytes
    """s16le, mono, 16 kHz; it may be none."""
    first_sample: int
    captured_at: float
    """CLOCK_MONOTONIC seconds when its last sample was there."""

    @property
    def ends_hop(self) -> bool:
        """Whether a hop of the wake word's networks is whole with it."""
        end_sample = self.first_sample + len(self.pcm) // SAMPLE_BYTES
        return end_sample // HOP_SAMPLES > self.first_sample // HOP_SAMPLES

    def frames(self, *, quiet: bool = False) -> Iterator[Frame]:
        """Cut them."""
        pcm, size = self.pcm, len(self.pcm)
        for begin in range(0, size, FRAME_BYTES):
            end = begin + FRAME_BYTES
            behind_s = (size - end) // SAMPLE_BYTES / MICROPHONE_RATE_HZ
            first_sample = self.first_sample + begin // SAMPLE_BYTES
            yield Frame(pcm[begin:end], first_sample, self.captured_at - behind_s, quiet)


class FrameCutter:
    """Knows the place of every sample in the microphone's stream, over all its openings.

    Where the device delivers 16 kHz mono s16le, its bytes are only cut, never computed with.
    """

    def __init__(self) -> None:
        self._next_sample = 0
        self._captured_at: float | None = None
        self._pending = b""
        self._layout = Layout(MICROPHONE_RATE_HZ, 1, SAMPLE_BYTES)
        self._channel = 0
        self._resampler = Resampler(MICROPHONE_RATE_HZ, MICROPHONE_RATE_HZ)

    def begin(self, layout: Layout, channel: int, began_at: float) -> None:
        """Another opening of the device begins; its first sample is of the time ``began_at``.

        What lies between that and the last block of the opening before counts as lost.
        """
        self._layout = layout
        self._channel = channel
        self._resampler = Resampler(layout.rate_hz, MICROPHONE_RATE_HZ)
        ended_at = began_at if self._captured_at is None else self._captured_at
        lost_samples = round(max(0.0, began_at - ended_at) * MICROPHONE_RATE_HZ)
        self._next_sample += len(self._pending) // SAMPLE_BYTES + lost_samples
        self._pending = b""

    def take(self, block: bytes, captured_at: float) -> Stretch:
        """Add a block in the device's layout; gives the frames that are whole now.

        ``captured_at``: when its last sample was there.
        """
        self._captured_at = captured_at
        pcm = self._pending + self._resampler.process(self._pick(block))
        whole = len(pcm) - len(pcm) % FRAME_BYTES
        self._pending = pcm[whole:]
        behind_s = len(self._pending) // SAMPLE_BYTES / MICROPHONE_RATE_HZ
        stretch = Stretch(pcm[:whole], self._next_sample, captured_at - behind_s)
        self._next_sample += whole // SAMPLE_BYTES
        return stretch

    def _pick(self, block: bytes) -> bytes:
        layout = self._layout
        if layout.channels == 1 and layout.sample_bytes == SAMPLE_BYTES:
            return block
        samples = np.frombuffer(block, f"<i{layout.sample_bytes}")
        one = samples.reshape(-1, layout.channels)[:, self._channel]
        if layout.sample_bytes > SAMPLE_BYTES:
            one = one >> 16
        return one.astype("<i2").tobytes()


class LossMeter:
    """Tells from the clock when the card threw samples away, which a blocking read never says.

    A block that is merely late is made up for by the next ones; samples that were lost leave the
    stream behind the clock for good. So the least lag behind the clock over a second of sound is
    compared with that of the second before: more than 20 ms of difference cannot be the drift of a
    crystal (at most 0.2 ms a second) and is one overrun. A second that ends amid blocks that come
    faster than real time goes on until they have caught up. Two losses within a second count once,
    and one shorter than 20 ms is missed.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._began: float | None = None
        self._last_at = 0.0
        self._samples = 0
        self._window_samples = 0
        self._least_lag_s = float("inf")
        self._reference_s: float | None = None

    def add(self, samples: int, at: float) -> bool:
        """A block of ``samples`` per channel came ``at`` this time; True when an overrun shows."""
        if self._began is None:
            self._began = at - samples / self._rate_hz
        catching_up = at - self._last_at < samples / self._rate_hz / 2
        self._last_at = at
        self._samples += samples
        self._window_samples += samples
        lag_s = at - self._began - self._samples / self._rate_hz
        self._least_lag_s = min(self._least_lag_s, lag_s)
        if self._window_samples < self._rate_hz or catching_up:
            return False
        lost = self._reference_s is not None and self._least_lag_s - self._reference_s > 0.02
        self._reference_s = self._least_lag_s
        self._window_samples = 0
        self._least_lag_s = float("inf")
        return lost
