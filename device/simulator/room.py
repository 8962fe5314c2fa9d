"""A room between a loudspeaker and a microphone: what is played is heard, late, coloured and noisy.

Pure. Theory of operation: the loudspeaker's non-linearity, the impulse response (a partitioned FFT
convolution in blocks of a fixed size), then a delay line that is read by the microphone's clock
with a windowed sinc; the room's noise and its voices are added last. Everything is counted from the
first sample in fixed steps, so how the stream is cut into blocks changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.simulator.acoustics import (
    Acoustics,
    Floats,
    distorted,
    echo_response,
    noise_response,
    speech_level,
    voice_response,
)

Samples = NDArray[np.int16]

RATE_HZ = 16_000
FULL_SCALE = 32_768.0
BLOCK = 32
"""Samples of one partition: what the convolution waits for."""
STEP = 4096
"""Samples worked on at once; a longer block is cut."""
HALF = 16
"""Zero crossings of the interpolating sinc on each side."""
PHASES = 1024
PERIOD = 160
"""Of a card that ran dry: so many samples are heard twice."""
LEAST_DELAY = BLOCK + HALF


class Convolver:
    """A streaming convolution that gives whole blocks, as soon as they are complete."""

    def __init__(self, response: Floats) -> None:
        count = -(-len(response) // BLOCK)
        padded = np.zeros(count * BLOCK)
        padded[: len(response)] = response
        self._filters = np.fft.rfft(padded.reshape(count, BLOCK), 2 * BLOCK)
        self._spectra = np.zeros((2 * count, BLOCK + 1), np.complex128)
        """Of the newest blocks, newest first, from ``_newest`` on; kept twice to stay in a row."""
        self._newest = 0
        self._before = np.zeros(BLOCK)
        self._waiting = np.zeros(0)

    def push(self, samples: Floats) -> Floats:
        """Take samples; return those that are done, always whole blocks."""
        waiting = np.concatenate([self._waiting, samples])
        whole = len(waiting) // BLOCK
        self._waiting = waiting[whole * BLOCK :]
        done = np.empty((whole, BLOCK))
        for index, block in enumerate(waiting[: whole * BLOCK].reshape(whole, BLOCK)):
            done[index] = self._convolve(block)
        return done.reshape(-1)

    def _convolve(self, block: Floats) -> Floats:
        count = len(self._filters)
        self._newest = (self._newest - 1) % count
        spectrum = np.fft.rfft(np.concatenate([self._before, block]))
        self._spectra[self._newest] = self._spectra[self._newest + count] = spectrum
        self._before = block
        recent = self._spectra[self._newest : self._newest + count]
        total = np.einsum("pb,pb->b", self._filters, recent)
        convolved: Floats = np.fft.irfft(total)[BLOCK:]
        return convolved


class DelayLine:
    """Sound that was played by one clock, read by another."""

    def __init__(self, delay_samples: float, drift_ppm: float) -> None:
        self._delay = delay_samples
        self._drift = drift_ppm / 1e6
        silence = int(delay_samples) + PERIOD + 2 * HALF
        self._begin = -silence
        """Place of the oldest sample that is kept."""
        self._kept = np.zeros(silence)
        self._read = 0
        self._kernels = _kernels()

    @property
    def dry(self) -> int:
        """How often the loudspeaker had played all there was, because its clock runs faster."""
        return int(self._slips(np.array([float(self._read)]))[0])

    def write(self, samples: Floats) -> None:
        """Append what is played."""
        self._kept = np.concatenate([self._kept, samples])

    def read(self, count: int) -> Floats:
        """Return the next samples of the other clock."""
        whole, part = self._places(np.arange(self._read, self._read + count + 1))
        windows = np.lib.stride_tricks.sliding_window_view(self._kept, 2 * HALF)
        found = windows[whole[:count] - self._begin - HALF + 1]
        below = (part[:count] * PHASES).astype(int)
        rest = (part[:count] * PHASES - below)[:, None]
        kernels = (1 - rest) * self._kernels[below] + rest * self._kernels[below + 1]
        self._read += count
        oldest = int(whole[count]) - PERIOD - HALF
        self._kept = self._kept[max(0, oldest - self._begin) :]
        self._begin = max(self._begin, oldest)
        heard: Floats = np.einsum("st,st->s", found, kernels)
        return heard

    def _places(self, samples: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
        # The offset alone is a fraction, so it stays exact however long it runs.
        offset = samples * self._drift - self._delay - PERIOD * self._slips(samples)
        below = np.floor(offset)
        return samples + below.astype(np.int64), offset - below

    def _slips(self, samples: NDArray[np.int64] | Floats) -> Floats:
        lead = samples * self._drift - self._delay + LEAST_DELAY
        slips: Floats = np.maximum(0.0, np.ceil(lead / PERIOD))
        return slips


class Room:
    """What a microphone hears of a loudspeaker, of voices and of the room itself.

    ``rate_hz`` is that of both. Raises ValueError for a delay of less than 3 ms (at 16 kHz), which
    the convolution needs. Not thread-safe.
    """

    def __init__(self, acoustics: Acoustics, rate_hz: int = RATE_HZ) -> None:
        delay = acoustics.delay_ms * rate_hz / 1000
        if delay < LEAST_DELAY:
            least_ms = LEAST_DELAY * 1000 / rate_hz
            raise ValueError(f"delay_ms {acoustics.delay_ms:g} is below {least_ms:g}")
        self.acoustics = acoustics
        self.rate_hz = rate_hz
        response = echo_response(acoustics, rate_hz)
        self._echo = Convolver(response)
        self._line = DelayLine(delay, acoustics.drift_ppm)
        self._noise = Noise(acoustics.noise_dbfs, acoustics.seed, rate_hz)
        self._voice_response = voice_response(acoustics, rate_hz)
        self._response = np.concatenate([np.zeros(round(delay)), response]).astype(np.float32)
        self._sources: list[tuple[int, Floats]] = []
        self._position = 0

    @property
    def impulse_response(self) -> NDArray[np.float32]:
        """From loudspeaker to microphone, the delay in whole samples included."""
        return self._response

    @property
    def position(self) -> int:
        """The microphone's next sample."""
        return self._position

    @property
    def dry(self) -> int:
        """How often the loudspeaker, its clock running faster, had nothing left to play.

        Each time the last 10 ms are heard again, and the echo's delay is longer by as much.
        """
        return self._line.dry

    def hear(self, played: Samples) -> Samples:
        """Play a block of any length (s16); return as many samples of the microphone."""
        heard = [self._hear(played[at : at + STEP]) for at in range(0, len(played), STEP)]
        return np.concatenate([np.zeros(0, np.int16), *heard])

    def say(
        self, voice: Samples, at_sample: int, level_dbfs: float, *, reverberant: bool = True
    ) -> Floats:
        """Let a person speak (s16), from a place of the microphone's stream on.

        ``level_dbfs`` is the RMS of what is voiced, at the microphone; -20 is loud, -40 far away.
        Returns what the microphone will hear of it (parts of full scale), reverberation included.
        Raises ValueError when that place is past.
        """
        spoken = voice / FULL_SCALE
        if reverberant:
            spoken = _convolved(spoken, self._voice_response)
        level = speech_level(spoken)
        spoken = spoken * (10 ** (level_dbfs / 20) / level) if level else spoken
        self._place(spoken, at_sample)
        return spoken

    def add(self, samples: Samples, at_sample: int, gain: float = 1.0) -> None:
        """Let something else sound as it is (s16), such as music. Raises ValueError as say()."""
        self._place(samples / FULL_SCALE * gain, at_sample)

    def _place(self, sound: Floats, at_sample: int) -> None:
        if at_sample < self._position:
            raise ValueError(f"sample {at_sample} is past; the next is {self._position}")
        self._sources.append((at_sample, sound))

    def _hear(self, played: Samples) -> Samples:
        self._line.write(self._echo.push(distorted(played / FULL_SCALE, self.acoustics.distortion)))
        mixed = self._line.read(len(played)) + self._noise.take(len(played))
        begin, end = self._position, self._position + len(played)
        for at, sound in self._sources:
            first, last = max(at, begin), min(at + len(sound), end)
            if first < last:
                mixed[first - begin : last - begin] += sound[first - at : last - at]
        self._sources = [(at, sound) for at, sound in self._sources if at + len(sound) > end]
        self._position = end
        whole: Samples = np.clip(np.rint(mixed * FULL_SCALE), -32_768, 32_767).astype(np.int16)
        return whole


class Noise:
    """The room's own noise, without end and never the same."""

    def __init__(self, level_dbfs: float, seed: int, rate_hz: int) -> None:
        self._gain = 10 ** (level_dbfs / 20)
        self._rng = np.random.default_rng(seed)
        self._filter = Convolver(noise_response(rate_hz))
        self._filter.push(self._rng.standard_normal(1024))
        self._ahead = np.zeros(0)

    def take(self, count: int) -> Floats:
        """Return the next samples."""
        while len(self._ahead) < count:
            more = self._filter.push(self._rng.standard_normal(1024))
            self._ahead = np.concatenate([self._ahead, more])
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken * self._gain


def _kernels() -> Floats:
    """Sinc under a Kaiser window for each part of a sample: shape (PHASES + 1, 2 * HALF)."""
    part = np.arange(PHASES + 1)[:, None] / PHASES
    distance = np.arange(-HALF + 1, HALF + 1)[None, :] - part
    window = np.i0(9.0 * np.sqrt(np.maximum(0.0, 1 - (distance / HALF) ** 2))) / np.i0(9.0)
    kernels: Floats = np.sinc(distance) * window
    return kernels


def _convolved(samples: Floats, response: Floats) -> Floats:
    length = len(samples) + len(response) - 1
    size = 1 << length.bit_length()
    product = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    convolved: Floats = np.fft.irfft(product, size)[:length]
    return convolved
