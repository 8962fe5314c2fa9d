"""`OwnVoice` hears wake words in what the speaker plays, lest its own voice wakes it.

The far end is scored by a twin of openWakeWord's scorer, in hops that end with the same frames as
the microphone's. It costs inference only while something of ours sounds and shortly after: digital
silence is the true past of whatever is played next. When the microphone is about to be woken, the
word's other network is asked about our own sound too: either of them vetoes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

import numpy as np

from device.frames import HOP_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.wake.networks import Floats
from device.wake.opinion import RING_SAMPLES, Network, Samples
from device.wake.scores import Scores, WakeScorer

_AFTERGLOW_SAMPLES = 1_200 * MICROPHONE_RATE_HZ // 1000
"""So long after somebody was heard over our own sound a word still counts as said over it: the
longest one lasts 1 s.
"""
_TAIL_SAMPLES = 1_300 * MICROPHONE_RATE_HZ // 1000
"""So much silence is scored after our own sound: all 16 embeddings after its last word."""
_ECHO_SAMPLES = 640 * MICROPHONE_RATE_HZ // 1000
"""How much older than the microphone's hit a score of the far end may be.

Measured over 1200 echoes that would have woken it, up to 0.2 s late: 0.32 s would do, and 0.64 s
forgives another 0.32 s that the far end is told too early.
"""
_LATELY_SAMPLES = _ECHO_SAMPLES + HOP_SAMPLES
_SUSPICION = 0.05
"""The part of a threshold at which the far end says the word.

The network likes a voice in a room better than the same voice from a recording. Measured over those
1200 echoes (8 voices, 3 rooms, 0 to -30 dB, half of the loudspeakers distorting), at a threshold of
0.3: half of it let 78 through, a tenth 14, a twentieth 6. And in six minutes of talk without the
word, some of it made to resemble it, a twentieth holds for 1.5 % of the time.
"""
_OTHER_SUSPICION = 0.1
"""What the other network says (0..1) from which our own sound says the word, whatever openWakeWord
thinks of it.

Measured over 1344 echoes of each word (112 ways to say it by voices of espeak-ng, flite, Hibari and
Piper; 3 rooms, 0 to -30 dB, half of the loudspeakers distorting, up to 0.2 s late): where only
openWakeWord vetoed, 2 of 1033 that would wake it got through for hey_jarvis, 27 of 950 for alexa
and 95 of 436 for hey_mycroft, at a threshold of 0.3; with this 2, none and none. It holds for 0.2 %
of the time of talk without the word, 0.9 % for hey_mycroft.
"""


class OwnVoice:
    """What our own sound has said lately. Not thread-safe."""

    def __init__(self, scorer: WakeScorer, networks: Mapping[str, Network] | None = None) -> None:
        """``scorer``: the microphone's; hops of the two go in step.

        ``networks``: the other ones, by word, for nobody else's use.
        """
        self._microphone = scorer
        self._scorer = scorer.twin(past_is_silence=True)
        self._networks = networks or {}
        self._played: deque[Samples] = deque()
        """The last of what was scored, two seconds and less than a frame."""
        self._scores: deque[tuple[int, Scores]] = deque()
        self._sounded_until: int | None = None
        self._talked_over_until: int | None = None
        self._scoring = False
        self.hops = 0
        """Inferences done."""

    def embeddings(self, count: int) -> Floats | None:
        """The last ones of our sound, (``count``, 96), oldest first; None while it is silent."""
        return self._scorer.embeddings(count) if self._scoring else None

    def forget(self) -> None:
        """The stream broke off: nothing of before says anything about what comes."""
        self._scores.clear()
        self._sounded_until = self._talked_over_until = None
        self._scoring = False

    def hear(self, far_end: bytes | None, frame: Frame) -> None:
        """Take what of our own sound arrives in ``frame``, before the frame itself is scored."""
        if far_end is not None:
            self._begin()
            self._sounded_until = frame.end_sample
        elif not self._sounded_within(_TAIL_SAMPLES, frame.end_sample):
            self._scoring = False
            return
        samples = np.frombuffer(far_end or bytes(len(frame.pcm)), "<i2")
        if self._networks:
            self._keep(samples)
        for scores in self._scorer.feed(samples):
            self.hops += 1
            self._scores.append((frame.end_sample, scores))
        while self._scores and self._scores[0][0] < frame.end_sample - _ECHO_SAMPLES:
            self._scores.popleft()

    def talked_over(self, frame: Frame) -> None:
        """Somebody else is heard in a frame that our own sound is in."""
        self._talked_over_until = frame.end_sample

    def is_talked_over(self, end_sample: int) -> bool:
        """Tell whether a word that ends there may have been said by somebody over our own sound."""
        until = self._talked_over_until
        return until is not None and end_sample - until <= _AFTERGLOW_SAMPLES

    def says(
        self, thresholds: Mapping[str, float], end_sample: int, heard: Collection[str] = ()
    ) -> set[str]:
        """The words that a microphone would now hear from us, at these thresholds (0..1).

        ``heard``: those that it does hear, about which the other networks are asked.
        """
        lately = [scores for end, scores in self._scores if end >= end_sample - _ECHO_SAMPLES]
        said = {
            word
            for word, threshold in thresholds.items()
            if any(scores[word] >= _SUSPICION * threshold for scores in lately)
        }
        return said | {word for word in heard if word not in said and self._other_hears(word)}

    def _other_hears(self, word: str) -> bool:
        network = self._networks.get(word) if self._scoring else None
        if network is None:
            return False
        played = np.concatenate(self._played)
        network.reset()
        network.hear(played[:-_LATELY_SAMPLES])
        return network.hear(played[-_LATELY_SAMPLES:]) >= _OTHER_SUSPICION

    def _keep(self, samples: Samples) -> None:
        self._played.append(samples)
        while sum(map(len, self._played)) - len(self._played[0]) >= RING_SAMPLES:
            self._played.popleft()

    def _sounded_within(self, samples: int, end_sample: int) -> bool:
        return self._sounded_until is not None and end_sample - self._sounded_until <= samples

    def _begin(self) -> None:
        if not self._scoring:
            self._scoring = True
            self._played.clear()
            self._scorer.reset(silent_samples=self._microphone.unfinished_samples)
