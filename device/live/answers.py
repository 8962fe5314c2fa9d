"""`Answer` judges whether a turn of the model was an answer that could be heard. Pure.

What counts is what was heard: a turn without a sound, with a text instead of sound, that the server
rejected, or whose sound is that of a dead line, is no answer, whatever its transcript says. Nor is
a reply that turns into one loud tone while its transcript stands still. A reply may begin with a
silence, and what answers may come after the call of a function, in a turn of its own.
Live API: each of these was reported by people who run it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from device.frames import REPLY_RATE_HZ

Why = Literal["empty", "text_only", "rejected", "silent"]

DEAD_PEAK = 33
"""Of 32,768: -60 dBFS. The quietest reply that is meant to be heard peaks far above."""
SILENT_MS = 2_000
"""So much sound at the level of a dead line, and none above it, is no beginning of a reply: good
replies were seen to begin with up to 1.5 s of silence."""
TONE_MS = 5_000
"""So long a tone is no speech: the longest held vowel of a song is shorter."""
TONE_RMS = 7_300
"""Of 32,768: -13 dBFS, which is louder than speech; a softer tone may be one that was asked for."""
TONE_SHARE = 0.8
"""Of a window's energy within one bin of its strongest: a voiced vowel has less than half of it in
its strongest harmonic, a tone nearly all."""

_WINDOW_SAMPLES = REPLY_RATE_HZ // 10
_MS = 100
"""Of one window; its bins are 10 Hz apart."""
_TAPER = np.hanning(_WINDOW_SAMPLES).astype(np.float32)


class Answer:
    """Follows one turn of the model. Used from one thread."""

    def __init__(self) -> None:
        self._sound_ms = 0.0
        self._audible = False
        self._text = False
        self.called = False
        """Whether the turn calls a function: what answers may come after it."""
        self._rejected = False
        self._tone_ms = 0
        self._pitch = -1
        self._rest = np.zeros(0, np.int16)

    @property
    def audible(self) -> bool:
        """Whether anything of the turn can be heard."""
        return self._audible

    def sound(self, pcm: bytes) -> bool:
        """Take a chunk (s16le mono 24 kHz, any length); returns whether the turn is hopeless.

        Then it is no answer, however much of it still comes.
        """
        samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], np.int16)
        self._sound_ms += 1000 * len(samples) / REPLY_RATE_HZ
        if len(samples) and int(np.max(np.abs(samples.astype(np.int32)))) >= DEAD_PEAK:
            self._audible = True
        self._rest = np.concatenate([self._rest, samples])
        while len(self._rest) >= _WINDOW_SAMPLES:
            self._hear(self._rest[:_WINDOW_SAMPLES])
            self._rest = self._rest[_WINDOW_SAMPLES:]
        dead = not self._audible and self._sound_ms >= SILENT_MS
        return dead or self._tone_ms >= TONE_MS

    def text(self) -> None:
        """Take note that a part of the turn was text."""
        self._text = True

    def transcribed(self) -> None:
        """Take note that the model's transcript goes on: what sounds is speech, or a song."""
        self._tone_ms = 0

    def rejected(self) -> None:
        """Take note that the server has rejected the turn."""
        self._rejected = True

    @property
    def unheard(self) -> Why | None:
        """Why the turn, as far as it came, is no answer; None when it is one."""
        if self._tone_ms >= TONE_MS:
            return "silent"
        if self._audible:
            return None
        if self._rejected:
            return "rejected"
        if self._sound_ms > 0:
            return "silent"
        return "text_only" if self._text else "empty"

    def _hear(self, window: npt.NDArray[np.int16]) -> None:
        """Follow a tone: most of the energy in one bin, and that the same as before."""
        loud = window.astype(np.float32)
        if float(np.sqrt(np.mean(loud * loud))) < TONE_RMS:
            self._tone_ms, self._pitch = 0, -1
            return
        power = np.abs(np.fft.rfft(loud * _TAPER)) ** 2
        strongest = int(np.argmax(power))
        near = float(np.sum(power[max(strongest - 2, 0) : strongest + 3]))
        steady = abs(strongest - self._pitch) <= 1 and near >= TONE_SHARE * float(np.sum(power))
        self._tone_ms = self._tone_ms + _MS if steady else 0
        self._pitch = strongest
