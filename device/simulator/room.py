"""(pure) A room lets a microphone hear what a loudspeaker plays: late, coloured and noisy.

Pure. Theory of operation: what is played goes through the loudspeaker's non-linearity, through the
room's impulse response, and into a delay line that is read by the microphone's clock. The room's
noise and the voices in it are added last. The result is the same for every cut into blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.simulator.acoustics import Acoustics, Floats, at_level, distorted
from device.simulator.filters import LEAST_DELAY, Convolver, DelayLine
from device.simulator.impulse import convolved, echo_response, noise_response, voice_response

Samples = NDArray[np.int16]

RATE_HZ = 16_000
FULL_SCALE = 32_768.0
STEP = 4096
"""Samples worked on at once; a longer block is cut."""


class Room:
    """What a microphone hears of a loudspeaker, of voices and of the room itself.

    ``rate_hz`` is that of both, and all places count its samples from the first that was heard.
    Not thread-safe. Raises ValueError for a delay of less than 3 ms (at 16 kHz).
    """

    def __init__(self, acoustics: Acoustics, rate_hz: int = RATE_HZ) -> None:
        delay = acoustics.delay_ms * rate_hz / 1000
        if delay < LEAST_DELAY:
            least_ms = LEAST_DELAY * 1000 / rate_hz
            raise ValueError(f"delay_ms {acoustics.delay_ms:g} is too short; {least_ms:g} or more")
        self.acoustics = acoustics
        self.rate_hz = rate_hz
        response = echo_response(acoustics, rate_hz)
        self._response = np.concatenate([np.zeros(round(delay)), response]).astype(np.float32)
        self._echo = Convolver(response)
        self._line = DelayLine(delay, acoustics.drift_ppm)
        self._noise = Noise(acoustics.noise_dbfs, acoustics.seed, rate_hz)
        self._sources: list[tuple[int, Floats]] = []
        self._position = 0

    @property
    def impulse_response(self) -> NDArray[np.float32]:
        """From loudspeaker to microphone, after ``delay_ms`` in whole samples of silence."""
        return self._response

    @property
    def position(self) -> int:
        """Place of the next sample to be heard."""
        return self._position

    @property
    def dry(self) -> int:
        """How often the loudspeaker, its clock being the faster one, had played all there was.

        Each time its last 10 ms are heard again, and the echo is later by as much.
        """
        return self._line.dry

    def hear(self, played: Samples) -> Samples:
        """Play a block of any length (s16) and return as many samples of the microphone."""
        heard = [self._hear(played[at : at + STEP]) for at in range(0, len(played), STEP)]
        return np.concatenate([np.zeros(0, np.int16), *heard])

    def hear_pcm(self, played: bytes) -> bytes:
        """Play a block of any length (s16le) and return as much of the microphone."""
        return self.hear(np.frombuffer(played, "<i2")).astype("<i2").tobytes()

    def say(
        self, voice: Samples, at_sample: int, level_dbfs: float, *, reverberant: bool = True
    ) -> Floats:
        """Let a person say something (s16), from a place of the microphone's stream on.

        ``level_dbfs`` is the RMS of what is voiced, at the microphone. Returns the person's part of
        what will be heard (1 is full scale), its reverberation included. Raises ValueError when the
        place is past.
        """
        said = self.voice(voice, level_dbfs, reverberant=reverberant)
        self._place(said, at_sample)
        return said

    def voice(self, voice: Samples, level_dbfs: float, *, reverberant: bool = True) -> Floats:
        """Return what say() would let be heard, without saying it."""
        spoken = voice / FULL_SCALE
        if reverberant:
            spoken = convolved(spoken, voice_response(self.acoustics, self.rate_hz))
        return at_level(spoken, level_dbfs)

    def add(self, samples: Samples, at_sample: int, gain: float = 1.0) -> None:
        """Let something sound as it is (s16), such as music. Raises ValueError as say() does."""
        self._place(samples / FULL_SCALE * gain, at_sample)

    def _place(self, sound: Floats, at_sample: int) -> None:
        if at_sample < self._position:
            raise ValueError(f"sample {at_sample} is past; the next one is {self._position}")
        self._sources.append((at_sample, sound))

    def _hear(self, played: Samples) -> Samples:
        driven = distorted(played / FULL_SCALE, self.acoustics.distortion)
        self._line.write(self._echo.push(driven))
        mixed = self._line.read(len(played)) + self._noise.take(len(played))
        self._mix_sources(mixed)
        self._position += len(played)
        whole: Samples = np.clip(np.rint(mixed * FULL_SCALE), -32_768, 32_767).astype(np.int16)
        return whole

    def _mix_sources(self, mixed: Floats) -> None:
        begin, end = self._position, self._position + len(mixed)
        for at, sound in self._sources:
            first, last = max(at, begin), min(at + len(sound), end)
            if first < last:
                mixed[first - begin : last - begin] += sound[first - at : last - at]
        self._sources = [(at, sound) for at, sound in self._sources if at + len(sound) > end]


class Noise:
    """The room's own noise: never the same, and the same for the same seed."""

    def __init__(self, level_dbfs: float, seed: int, rate_hz: int) -> None:
        self._gain = 10 ** (level_dbfs / 20)
        self._rng = np.random.default_rng(seed)
        self._colour = Convolver(noise_response(rate_hz))
        self._ahead = np.zeros(0)
        self._more()
        self._ahead = np.zeros(0)

    def take(self, count: int) -> Floats:
        """Return the next samples."""
        while len(self._ahead) < count:
            self._more()
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken * self._gain

    def _more(self) -> None:
        more = self._colour.push(self._rng.standard_normal(1024))
        self._ahead = np.concatenate([self._ahead, more])
