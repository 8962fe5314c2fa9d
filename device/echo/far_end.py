"""`FarEnd` finds what our loudspeaker played by its place, at the microphone's rate. Pure.

The blocks that the card was given are resampled to 16 kHz and laid into a ring of some seconds.
A place is counted in samples of 16 kHz since the loudspeaker was opened; what nobody wrote is
silence.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device.audio.resample import Resampler
from device.frames import MICROPHONE_RATE_HZ
from device.ports import Played

Samples = npt.NDArray[np.float32]

RING_SAMPLES = 6 * MICROPHONE_RATE_HZ
TAPS = np.arange(-7, 9, dtype=np.float32)
"""Where the neighbours lie from which a sample between two is computed (windowed sinc)."""


class FarEnd:
    """Blocks go in as they were played, stretches come out by their place."""

    def __init__(self) -> None:
        self._ring = np.zeros(RING_SAMPLES, np.float32)
        self._opening: int | None = None
        self._rate_hz = 0
        self._resampler: Resampler | None = None
        self._next_position = 0
        self._end = 0
        """The place after the newest sample that was written."""

    @property
    def end(self) -> int:
        """The place after the newest sample there is."""
        return self._end

    def add(self, block: Played) -> bool:
        """Take the next block; True when it is the first of another opening: all places are new."""
        anew = block.opening != self._opening or block.rate_hz != self._rate_hz
        if anew:
            self._ring[:] = 0
            self._opening, self._rate_hz = block.opening, block.rate_hz
            self._resampler = None
            self._end = self.place_of(block)
        if self._resampler is None or block.position != self._next_position:
            self._finish()
            self._resampler = Resampler(block.rate_hz, MICROPHONE_RATE_HZ)
            self._skip_to(self.place_of(block))
        self._next_position = block.position + len(block.pcm) // 2
        self._write(self._resampler.process(block.pcm))
        return anew

    def read(self, place: float, samples: int) -> Samples:
        """Give so many samples from a place on, which may lie between two; silence beyond the end.

        In int16 steps. What is older than the ring is silence too.
        """
        whole = int(np.floor(place))
        if whole + samples > self._end:
            # Nothing followed: what the resampler held back is the end of what was played.
            self._finish()
        between = place - whole
        if between == 0:
            return self._cut(whole, samples)
        around = self._cut(whole + int(TAPS[0]), samples + len(TAPS) - 1)
        distance = TAPS - between
        weights = (np.sinc(distance) * np.cos(np.pi * distance / 17) ** 2).astype(np.float32)
        return np.convolve(around, weights[::-1], mode="valid").astype(np.float32)

    def glance(self, place: int, samples: int) -> Samples:
        """As `read`, of what is there already: what the resampler holds back waits for the rest."""
        return self._cut(place, samples)

    def place_of(self, block: Played) -> int:
        """Return where a block begins."""
        return round(block.position * MICROPHONE_RATE_HZ / block.rate_hz)

    def _finish(self) -> None:
        if self._resampler is not None:
            self._write(self._resampler.finish())
            self._resampler = None

    def _skip_to(self, place: int) -> None:
        silent = min(place - self._end, RING_SAMPLES)
        if silent > 0:
            self._ring[np.arange(place - silent, place) % RING_SAMPLES] = 0
        # A resampler's end may reach a sample or two into what follows.
        self._end = max(place, 0)

    def _write(self, pcm: bytes) -> None:
        samples = np.frombuffer(pcm, "<i2")
        self._ring[np.arange(self._end, self._end + len(samples)) % RING_SAMPLES] = samples
        self._end += len(samples)

    def _cut(self, first: int, samples: int) -> Samples:
        places = np.arange(first, first + samples)
        there = (places < self._end) & (places >= max(0, self._end - RING_SAMPLES))
        return np.where(there, self._ring[places % RING_SAMPLES], np.float32(0))
