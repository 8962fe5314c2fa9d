"""`Overlay` plays over the replies: chimes, fading ends, one sentence of our own. Pure.

Chimes lie over whatever plays, each other included. A sentence must be understood: it waits until
the chimes that sound when it comes are over and `GAP_MS` more, and as long as a reply sounds. It
says nothing at the same time as another: a newer one takes its place.

No thread, no lock and no volume: those are `device.audio.buffer`'s.

Tested in tests/audio/test_buffer.py.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

FADE_MS = 5
GAP_MS = 150
"""Between a chime and the sentence that explains it."""

NOTHING: Samples = np.zeros(0, np.float32)


class Overlay:
    """All samples are mono, in steps of int16, at ``rate_hz``."""

    def __init__(self, rate_hz: int) -> None:
        self.fade_samples = rate_hz * FADE_MS // 1000
        self._gap_samples = rate_hz * GAP_MS // 1000
        self._sounds: list[Samples] = []
        self._sentence = NOTHING
        self._wait_samples = 0
        """What has to pass before the sentence begins; negative: it has begun."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to come."""
        return not self._sounds and not len(self._sentence)

    def add(self, sound: Samples) -> None:
        """Play this from the next block on, over whatever plays; nothing is no sound."""
        if len(sound):
            self._sounds.append(sound)

    def say(self, sentence: Samples) -> None:
        """Play this after what is playing now."""
        self.hush()
        self._sentence = sentence
        longest = max((len(sound) for sound in self._sounds), default=0)
        self._wait_samples = longest + self._gap_samples if longest else 0

    def hush(self) -> None:
        """Break the sentence off: what is left of it fades over its own next samples."""
        rest, self._sentence = self._sentence[: self.fade_samples], NOTHING
        if self._wait_samples < 0 and len(rest):
            self._sounds.append(rest * ramp_down(len(rest)))

    def mix(self, block: Samples, *, replying: bool) -> bool:
        """Add the next samples to a block; whether there was anything to add.

        ``replying``: a reply sounds in this block, so the sentence does not begin in it.
        """
        sounds, self._sounds = self._sounds, []
        for sound in sounds:
            part = sound[: len(block)]
            block[: len(part)] += part
            if len(sound) > len(block):
                self._sounds.append(sound[len(block) :])
        said = self._mix_sentence(block, replying=replying)
        return bool(sounds) or said

    def _mix_sentence(self, block: Samples, *, replying: bool) -> bool:
        if self._wait_samples >= len(block) or (replying and self._wait_samples >= 0):
            self._wait_samples = max(0, self._wait_samples - len(block))
            return False
        begin = max(0, self._wait_samples)
        part = self._sentence[: len(block) - begin]
        block[begin : begin + len(part)] += part
        self._sentence = self._sentence[len(part) :]
        self._wait_samples = -1
        return bool(len(part))


def ramp_down(samples: int) -> Samples:
    """From just below 1 to 0."""
    return np.linspace(1, 0, samples + 1, dtype=np.float32)[1:]
