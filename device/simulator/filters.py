"""These filters work on a stream: a long convolution, and a delay between two clocks. Pure.

Both count from their first sample in steps of a fixed size, so what comes out does not depend on
how the stream was cut into blocks.

Tested in tests/simulator/test_room.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.simulator.acoustics import Floats

BLOCK = 32
"""Samples of one partition: what the convolution waits for."""
HALF = 16
"""Samples on each side of the interpolating sinc."""
PHASES = 1024
KAISER_BETA = 9.0
PERIOD = 160
"""Of a card that ran dry: so many samples are heard twice."""
LEAST_DELAY = BLOCK + HALF
"""Samples that must pass between being played and being heard."""


class Convolver:
    """A convolution that gives whole blocks as soon as they are complete.

    Theory of operation: overlap-save in partitions of the response. The spectra of the newest
    blocks are multiplied with those of the partitions and added up, so a block costs two small
    transforms and one multiplication for each bin of the response.
    """

    def __init__(self, response: Floats) -> None:
        count = -(-len(response) // BLOCK)
        padded = np.zeros(count * BLOCK)
        padded[: len(response)] = response
        self._filters = np.fft.rfft(padded.reshape(count, BLOCK), 2 * BLOCK)
        self._spectra = np.zeros((2 * count, BLOCK + 1), np.complex128)
        """Newest first from ``_newest`` on; kept twice, so that they are always in a row."""
        self._newest = 0
        self._before = np.zeros(BLOCK)
        self._waiting = np.zeros(0)

    def push(self, samples: Floats) -> Floats:
        """Take samples; return those that are done: whole blocks, from the first sample on."""
        waiting = np.concatenate([self._waiting, samples])
        count = len(waiting) // BLOCK
        self._waiting = waiting[count * BLOCK :]
        if not count:
            return np.zeros(0)
        blocks = np.concatenate([self._before, waiting[: count * BLOCK]]).reshape(-1, BLOCK)
        self._before = blocks[-1]
        spectra = np.fft.rfft(np.concatenate([blocks[:-1], blocks[1:]], axis=1))
        totals = np.array([self._through(spectrum) for spectrum in spectra])
        done: Floats = np.fft.irfft(totals)[:, BLOCK:].reshape(-1)
        return done

    def _through(self, spectrum: NDArray[np.complex128]) -> NDArray[np.complex128]:
        count = len(self._filters)
        self._newest = (self._newest - 1) % count
        self._spectra[self._newest] = self._spectra[self._newest + count] = spectrum
        recent = self._spectra[self._newest : self._newest + count]
        total: NDArray[np.complex128] = np.einsum("pb,pb->b", self._filters, recent)
        return total


class DelayLine:
    """What was played by one clock, read by another.

    ``drift_ppm`` is how much faster the first one runs. Where that brings the reader to samples
    that are not there yet, the card ran dry: its last 10 ms (at 16 kHz) are heard again. A slower
    one falls behind for ever.
    """

    def __init__(self, delay_samples: float, drift_ppm: float) -> None:
        self._delay = delay_samples
        self._drift = drift_ppm / 1e6
        silence = int(delay_samples) + PERIOD + 2 * HALF
        self._kept = np.zeros(silence)
        self._begin = -silence
        """Place of the oldest sample that is kept."""
        self._read = 0
        self._kernels = _kernels()

    @property
    def dry(self) -> int:
        """How often the card ran dry."""
        return int(self._slips(np.array([self._read]))[0])

    def write(self, samples: Floats) -> None:
        """Append what is played."""
        self._kept = np.concatenate([self._kept, samples])

    def read(self, count: int) -> Floats:
        """Return the next samples; what was written may lag behind by BLOCK - 1 samples."""
        whole, part = self._places(np.arange(self._read, self._read + count + 1))
        windows = np.lib.stride_tricks.sliding_window_view(self._kept, 2 * HALF)
        found = windows[whole[:count] - self._begin - HALF + 1]
        heard: Floats = np.einsum("st,st->s", found, self._interpolating(part[:count]))
        self._read += count
        self._forget(before=int(whole[count]) - PERIOD - HALF)
        return heard

    def _interpolating(self, part: Floats) -> Floats:
        below = (part * PHASES).astype(np.int64)
        rest = (part * PHASES - below)[:, None]
        kernels: Floats = (1 - rest) * self._kernels[below] + rest * self._kernels[below + 1]
        return kernels

    def _forget(self, before: int) -> None:
        if before > self._begin:
            self._kept = self._kept[before - self._begin :]
            self._begin = before

    def _places(self, samples: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
        # Only the offset has a fraction: it stays exact however long the stream is.
        offset = samples * self._drift - self._delay - PERIOD * self._slips(samples)
        below = np.floor(offset)
        return samples + below.astype(np.int64), offset - below

    def _slips(self, samples: NDArray[np.int64]) -> Floats:
        lead = samples * self._drift - self._delay + LEAST_DELAY
        slips: Floats = np.maximum(0.0, np.ceil(lead / PERIOD))
        return slips


def _kernels() -> Floats:
    """Sinc under a Kaiser window for each part of a sample: shape (PHASES + 1, 2 * HALF)."""
    part = np.arange(PHASES + 1)[:, None] / PHASES
    distance = np.arange(-HALF + 1, HALF + 1)[None, :] - part
    inside = np.sqrt(np.maximum(0.0, 1 - (distance / HALF) ** 2))
    kernels: Floats = np.sinc(distance) * np.i0(KAISER_BETA * inside) / np.i0(KAISER_BETA)
    return kernels
