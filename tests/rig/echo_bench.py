"""A loudspeaker and a microphone in a simulated room, joined to an echo canceller with bad clocks.

Blocks are told of before they sound, their time stamps are early by what no sound system tells of
and jitter, and frames are stamped late by a few milliseconds. All of it is the same every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from device.audio.reference import PlayedBlocks
from device.audio.resample import Resampler
from device.echo.canceller import EchoCanceller, Heard
from device.frames import FRAME_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.ports import Played
from device.simulator.acoustics import ROOMS, Acoustics, at_level
from device.simulator.room import FULL_SCALE, Room
from tests.rig.speech import espeak

Samples = npt.NDArray[np.int16]

AHEAD_SAMPLES = 6 * FRAME_SAMPLES
"""A card is given what it plays 120 ms before."""
EARLY_MS = 80.0
"""By how much the stamps of what is played are early: a buffer that nobody tells of."""
NEAR_JITTER_S = 0.004
FAR_JITTER_S = 0.003
BEGAN_S = 100.0
"""CLOCK_MONOTONIC when both streams begin."""

STORY = (
    "Once upon a time there was a little girl who lived near the forest with her grandmother. "
    "Every morning she walked to the village to sell eggs, and every evening she came back with "
    "bread, salt and some news. One day a stranger asked her the way to the river, and because "
    "she had been told to be kind she went with him for a while."
)
ANSWER = "No, no, that is not what I meant. Please stop now and tell me about the dragons instead."


def whole(samples: npt.NDArray[np.float64]) -> Samples:
    rounded: Samples = np.clip(np.rint(samples * FULL_SCALE), -32_768, 32_767).astype(np.int16)
    return rounded


@cache
def ours(seconds: float, level_dbfs: float = -20.0) -> Samples:
    """So much of our own voice, which goes on from another place each time it is repeated."""
    said = at_level(np.concatenate([espeak(STORY), espeak(ANSWER)]) / FULL_SCALE, level_dbfs)
    return np.resize(whole(said), round(seconds * MICROPHONE_RATE_HZ))


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * MICROPHONE_RATE_HZ), np.int16)


def level_db(samples: npt.NDArray[np.generic]) -> float:
    """RMS in dBFS."""
    power = float(np.mean((samples.astype(np.float64) / FULL_SCALE) ** 2))
    return float(10 * np.log10(power + 1e-12))


class Bench:
    """Plays sound to an echo canceller, frame by frame; what it made of them is in `heard`.

    What is played is heard `AHEAD_SAMPLES` later, and the room's delay after that.
    """

    def __init__(
        self, room: str | Acoustics, *, cancels: bool = True, rate_hz: int = 16_000
    ) -> None:
        self.acoustics = ROOMS[room] if isinstance(room, str) else room
        self.room = Room(self.acoustics)
        self.echo = EchoCanceller(cancels=cancels)
        self.frames: list[Frame] = []
        self.heard: list[Heard] = []
        self.card = Card(rate_hz, self.acoustics.drift_ppm)
        self._rng = np.random.default_rng(7)
        self._lost = 0
        """Samples of the microphone that nobody counted."""
        self._untaken: list[Played] = []

    @property
    def position(self) -> int:
        """How many samples there were, of both."""
        return self.room.position

    def miss(self, seconds: float, *, counted: bool) -> None:
        """Let the microphone lose so much, and notice it (or not) by its count of samples."""
        for _ in range(round(seconds * 50)):
            sounds, blocks = self.card.give(np.zeros(FRAME_SAMPLES, np.int16))
            self.room.hear(sounds)
            self._untaken += blocks
            self._lost += 0 if counted else FRAME_SAMPLES

    def play(self, sound: Samples, *, attentive: bool = False, told: bool = True) -> list[Heard]:
        """Play whole frames of sound; gives what was heard meanwhile.

        Not ``told``, what was played is told of later, as when all threads were held up.
        """
        began = len(self.heard)
        for at in range(0, len(sound) // FRAME_SAMPLES * FRAME_SAMPLES, FRAME_SAMPLES):
            sounds, blocks = self.card.give(sound[at : at + FRAME_SAMPLES])
            frame = self._frame(self.room.hear(sounds))
            self.frames.append(frame)
            self._untaken += blocks
            played = self._untaken if told else []
            self.heard.append(self.echo.hear(frame, played, attentive=attentive))
            if told:
                self._untaken = []
        return self.heard[began:]

    def _frame(self, samples: Samples) -> Frame:
        late_s = float(self._rng.uniform(0, NEAR_JITTER_S))
        captured_at = BEGAN_S + self.position / MICROPHONE_RATE_HZ + late_s
        first = self.position - FRAME_SAMPLES - self._lost
        return Frame(samples.astype("<i2").tobytes(), first, captured_at)


class Card:
    """A loudspeaker's sound card that is given what it plays ahead of time, and tells of it."""

    def __init__(self, rate_hz: int, drift_ppm: float) -> None:
        self.early_ms = EARLY_MS
        self._rate_hz = rate_hz
        self._faster = 1 + drift_ppm / 1e6
        self._rng = np.random.default_rng(8)
        self._resampler = Resampler(MICROPHONE_RATE_HZ, rate_hz)
        self._waiting = np.zeros(AHEAD_SAMPLES, np.int16)
        self._played = PlayedBlocks()
        self._played.opened(rate_hz)
        self._opened_at_s = AHEAD_SAMPLES / MICROPHONE_RATE_HZ
        """When its first sample sounds, by its own clock."""
        self._position = 0
        self._stopped = False

    def reopen(self) -> None:
        """Count from 0 again; what was on its way is lost."""
        self._opened_at_s += self._position / self._rate_hz
        self._position = 0
        self._played.opened(self._rate_hz)
        self._resampler.reset()
        self._waiting[:] = 0

    def run_dry(self, seconds: float) -> None:
        """Play so much silence that nobody gave it; all that it is given sounds later from now."""
        missing = np.zeros(round(seconds * MICROPHONE_RATE_HZ), np.int16)
        self._waiting = np.concatenate([missing, self._waiting])
        self._opened_at_s += seconds

    def stop(self) -> None:
        """Take nothing until `start`: what plays is silence that nobody gave it."""
        self._stopped = True

    def start(self, late_s: float) -> None:
        """Take what comes; all of it sounds so much later from now on than is told of it."""
        self._stopped = False
        self._played.restarted()
        self.run_dry(late_s)
        self.early_ms += 1000 * late_s

    def give(self, samples: Samples) -> tuple[Samples, Sequence[Played]]:
        """Take the next samples; gives those that sound now, and what is told of the new ones."""
        waiting = np.concatenate([self._waiting, samples])
        self._waiting = waiting[len(samples) :]
        if self._stopped:
            self._opened_at_s += len(samples) / MICROPHONE_RATE_HZ
            return waiting[: len(samples)], []
        pcm = self._resampler.process(samples.astype("<i2").tobytes())
        sounds_s = (self._opened_at_s + self._position / self._rate_hz) / self._faster
        jitter_s = float(self._rng.uniform(-FAR_JITTER_S, FAR_JITTER_S))
        heard_at = BEGAN_S + sounds_s - self.early_ms / 1000 + jitter_s
        block = np.frombuffer(pcm, "<i2")
        self._played.note(block if any(pcm) else None, len(block), heard_at)
        self._position += len(block)
        return waiting[: len(samples)], self._played.take()


def microphone(frames: list[Frame]) -> Samples:
    """The samples of frames in a row."""
    return np.frombuffer(b"".join(frame.pcm for frame in frames), "<i2")


def cleaned(heard: list[Heard]) -> Samples:
    """The samples that came out."""
    return microphone([each.frame for each in heard])
