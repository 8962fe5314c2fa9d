"""`PlaybackBuffer` mixes what the loudspeaker has still to play, at a volume and limited. Pure.

Two threads share a `PlaybackBuffer` under its one lock: the event loop appends, pauses, clears and
sets the volume; the playback thread takes blocks of the length it needs, always full ones, padded
with silence. The replies are `device.audio.turns`', chimes and sentences of our own are mixed in by
`device.audio.overlay`, what rings comes over all that at a loudness of its own, and
`device.audio.limiter` has the last word. What a block contains of note
(the first and the last sample of a turn, a buffer run dry) comes back with it as `Mark`s; when that
is heard is for the thread to work out.

Nothing clicks: whatever stops short goes out in a 5 ms ramp, what goes on comes in with one, and a
change of the volume is spread over a block.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.audio.cushion import Cushion
from device.audio.limiter import CEILING_DBFS, FULL_SCALE, Limiter
from device.audio.overlay import Overlay, Samples
from device.audio.turns import Mark, Turns

CAPACITY_S = 600.0
"""Ten minutes, if a server should really go on for that long without being heard."""
CAPACITY_SAMPLES = 12_000_000
"""24 MB, whatever the rate: at 48 kHz that is four minutes. Ten would take 58 MB of the 65 that a
speaker can grow by on the smallest board (512 MB) before it is too large to go on."""


DUCKED = 0.25
"""Amplitude of a reply while something rings: -12 dB, still to be followed, and well below it."""


def gain(percent: int) -> float:
    """Amplitude factor of a volume of 0..100 percent.

    The cube: 0 is silence, 50 is -18 dB, 60 is -13 dB, 100 is unity. Loudness is felt about so,
    and PulseAudio's and most players' scales are the same.
    """
    return (percent / 100) ** 3


@dataclass(frozen=True, slots=True)
class Block:
    """What the card is to get next."""

    samples: npt.NDArray[np.int16] | None
    """Mono; None is silence."""
    level: float
    """RMS, 0..1 of full scale, after volume and limiter."""
    marks: tuple[Mark, ...]


class PlaybackBuffer:
    """Bounded in time and size; every method may be called from any thread.

    ``ceiling_dbfs``: the loudest peak that leaves it. ``cushion``: how much of a turn waits before
    it sounds, and what it learns of the network.
    """

    def __init__(
        self,
        rate_hz: int,
        volume: int,
        capacity_s: float,
        ceiling_dbfs: float = CEILING_DBFS,
        cushion: Cushion | None = None,
    ) -> None:
        self.rate_hz = rate_hz
        self._lock = threading.Lock()
        capacity_samples = min(round(capacity_s * rate_hz), CAPACITY_SAMPLES)
        self._turns = Turns(rate_hz, capacity_samples, cushion or Cushion())
        self._overlay = Overlay(rate_hz)
        self._ringing = Overlay(rate_hz)
        self._ducking = self._next_ducking = 1.0
        self._limiter = Limiter(rate_hz, ceiling_dbfs)
        self._gain = self._next_gain = gain(volume)

    # --- the event loop's side --------------------------------------------------------------------

    def append(self, pcm: bytes, turn: int) -> int:
        """Add s16le mono of the newest turn, which may be a new one: that ends the one before.

        Gives how many samples found no room and were dropped.
        """
        with self._lock:
            return self._turns.append(np.frombuffer(pcm, "<i2"), turn)

    def end(self, turn: int, tail: bytes = b"") -> int:
        """No more than ``tail`` will come; a turn that never began is over with the next block.

        Gives how many samples found no room and were dropped.
        """
        with self._lock:
            return self._turns.end(turn, np.frombuffer(tail, "<i2"))

    def clear(self) -> None:
        """Throw away what is left of all turns, with a fade; the rest goes on. Ends a pause."""
        with self._lock:
            self._fade(self._turns.clear())

    def pause(self) -> None:
        """Let the turns fall silent, with a fade, and keep their place; the rest goes on.

        No marks come meanwhile. Harmless when they are paused or there are none: a turn that comes
        meanwhile waits too.
        """
        with self._lock:
            self._fade(self._turns.pause())

    def go_on(self) -> None:
        """Go on, with a fade, where `pause` began to fade; harmless when nothing is paused."""
        with self._lock:
            self._turns.go_on()

    def chime(self, samples: Samples, least_percent: int = 0) -> None:
        """Play this over whatever plays: mono float32 in -1..1.

        ``least_percent``: as loud as at this volume, 0..100, also while it is turned down further.
        """
        least = gain(least_percent)
        with self._lock:
            if least > self._next_gain:
                self._ringing.add(samples * np.float32(FULL_SCALE * least))
            else:
                self._overlay.add(samples * np.float32(FULL_SCALE))

    def ring(self, samples: Samples, percent: int) -> None:
        """Play this over all else, at a volume of its own (0..100), in place of what rings still.

        Mono float32 in -1..1. A reply plays softly until `stop_ringing`.
        """
        with self._lock:
            self._ringing.say(samples * np.float32(FULL_SCALE * gain(percent)))
            self._next_ducking = DUCKED

    def stop_ringing(self) -> None:
        """Break off what rings, with a fade; a reply is as loud as before. Harmless at rest."""
        with self._lock:
            self._ringing.hush()
            self._next_ducking = 1.0

    def announce(self, pcm: bytes) -> None:
        """Say this (s16le mono) after the chimes that still play, instead of what is being said."""
        sentence = np.frombuffer(pcm, "<i2").astype(np.float32)
        with self._lock:
            self._overlay.say(sentence)

    def hush(self) -> None:
        """Break off what is being said, with a fade; turns and chimes go on."""
        with self._lock:
            self._overlay.hush()

    def set_volume(self, percent: int) -> None:
        """0..100; reached at the end of the next block."""
        with self._lock:
            self._next_gain = gain(percent)

    def played_ms(self, turn: int) -> int:
        """Return how much of a turn was taken; only known of the one that sounded last, else 0."""
        number, samples = self._turns.played
        return samples * 1000 // self.rate_hz if number == turn else 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to play and no turn going on, not even a paused one."""
        return self._turns.empty and self._overlay.empty and self._ringing.empty

    # --- the playback thread's side ---------------------------------------------------------------

    def take(self, samples: int) -> Block:
        """Give the next so many samples, mixed, at their volume and below the ceiling."""
        with self._lock:
            if self.idle and not self._turns.sounding:
                return self._silence(())
            mix = np.zeros(samples, np.float32)
            marks: list[Mark] = []
            filled = self._turns.mix(mix, marks)
            self._duck(mix)
            if filled < samples:
                self._fade(self._turns.let_go(filled))
            over = self._overlay.mix(mix, replying=filled > 0)
            if not (filled or over or not self._ringing.empty):
                return self._silence(tuple(marks))
            return self._finish(mix, tuple(marks))

    def _fade(self, end: Samples) -> None:
        """Let a reply end so, as loud as it is."""
        self._overlay.add(end * np.float32(self._ducking))

    def _duck(self, mix: Samples) -> None:
        if self._ducking != self._next_ducking:
            mix *= np.linspace(self._ducking, self._next_ducking, len(mix), dtype=np.float32)
            self._ducking = self._next_ducking
        elif self._ducking != 1.0:
            mix *= np.float32(self._ducking)

    def _silence(self, marks: tuple[Mark, ...]) -> Block:
        self._gain, self._ducking = self._next_gain, self._next_ducking
        self._limiter.reset()
        return Block(None, 0.0, marks)

    def _finish(self, mix: Samples, marks: tuple[Mark, ...]) -> Block:
        if self._gain == self._next_gain:
            mix *= np.float32(self._gain)
        else:
            mix *= np.linspace(self._gain, self._next_gain, len(mix), dtype=np.float32)
            self._gain = self._next_gain
        self._ringing.mix(mix, replying=False)
        mix = self._limiter.apply(mix)
        level = float(np.sqrt(np.dot(mix, mix) / len(mix))) / FULL_SCALE
        return Block(np.rint(mix).astype(np.int16), level, marks)
