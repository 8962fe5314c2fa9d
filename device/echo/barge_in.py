"""`BargeIn` decides whether who is heard over our own voice means to interrupt it. Pure.

Who talks over a reply wants silence at once, but a cough or a short "mm-hm" wants no answer. So it
is decided in two steps. As soon as anybody is heard, the reply pauses: `Began`. In the silence that
follows nothing of ours disturbs the microphone, and speech can be counted: who says words for
`SUSTAINED_MS`, or hums for three times that, has interrupted (`Confirmed`), and when nobody speaks
for `PATIENCE_MS` the reply goes on where it was (`Dismissed`), nothing of it lost.

Counts microphone samples, not the clock; told of frames in their order, of speech a little later.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from device.frames import MICROPHONE_RATE_HZ

SUSTAINED_MS = 200
"""Of words: a "stop" has little more, a cough has none. Other speakers take 130 to 250 ms of
anything, but they throw the reply away with it, where this one pauses first."""

HUM_COUNTS = 0.3
"""How much of its time counts speech that sounds like a hum. Measured in synthetic rooms, 16 times
each: an "mm-hm" of 0.3 to 0.4 s (which counts as speech for 0.1 s more) ends no reply, where with
0.5 it ended 5 or 6; people who talk, whose words are no hum, take 0 to 20 ms longer."""

REST_MS = 1000
"""After a noise nothing pauses a reply: it must not stutter over clattering dishes."""

PATIENCE_MS = 500
"""Without speech, from when speech ended or, at first, from when somebody was heard. It holds what
the news of speech is late by, about 100 ms."""

VOICED = 0.5
"""Silero VAD: the probability from which it calls a window speech."""

MEMORY = 100
"""Frames that are remembered for the news of speech that comes after them: two seconds."""


@dataclass(frozen=True, slots=True)
class Began:
    """Somebody is heard over the reply."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Somebody speaks on: the reply is interrupted."""

    first_sample: int
    """The microphone's sample at which they were first heard."""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """It was a cough, a noise, a word or less: the reply goes on."""

    spoke: bool
    """Whether there was any speech in it."""


Verdict = Began | Confirmed | Dismissed


class BargeIn:
    """Follows one reply after the other. Used from one thread."""

    def __init__(self) -> None:
        self._near: deque[tuple[int, bool, bool]] = deque(maxlen=MEMORY)
        self._resting_until = 0
        self.tentative = False
        """Whether somebody is heard and it is not decided yet what that means."""
        self._first_sample = 0
        self._heard_until = 0
        self._spoken_samples = 0.0

    def forget(self) -> bool:
        """There is no reply to interrupt (any more); whether it was not decided yet."""
        was, self.tentative = self.tentative, False
        self._resting_until = 0
        return was

    def hear(
        self, end_sample: int, *, near: bool, armed: bool, bright: bool = False
    ) -> Verdict | None:
        """Take a frame that ends at this sample; what is decided by it.

        ``near``: somebody else than us is heard in it; ``bright``: it sounds like words, and not
        like a hum. ``armed``: a reply can be interrupted now.
        """
        self._near.append((end_sample, near, bright))
        if not self.tentative:
            if not (near and armed) or end_sample < self._resting_until:
                return None
            self.tentative = True
            self._first_sample = self._heard_until = end_sample
            self._spoken_samples = 0.0
            return Began()
        if end_sample - self._heard_until < PATIENCE_MS * MICROPHONE_RATE_HZ // 1000:
            return None
        self.tentative = False
        if not self._spoken_samples:
            self._resting_until = end_sample + REST_MS * MICROPHONE_RATE_HZ // 1000
        return Dismissed(spoke=self._spoken_samples > 0)

    def speech(self, probability: float, first_sample: int, end_sample: int) -> Verdict | None:
        """Take how likely speech was (0..1) between two samples; what is decided by it.

        It counts only where somebody else was heard too: what is left of our own voice is speech.
        """
        near, bright = self._then(first_sample)
        if not self.tentative or probability < VOICED or not near:
            return None
        self._heard_until = max(self._heard_until, end_sample)
        self._spoken_samples += (end_sample - first_sample) * (1.0 if bright else HUM_COUNTS)
        if self._spoken_samples < SUSTAINED_MS * MICROPHONE_RATE_HZ // 1000:
            return None
        self.tentative = False
        return Confirmed(self._first_sample)

    def _then(self, first_sample: int) -> tuple[bool, bool]:
        """What was heard in the first frame that ends after this sample."""
        later = ((near, bright) for end, near, bright in self._near if end > first_sample)
        return next(later, (False, False))
