"""`Scorer` makes one score per wake word of every 80 ms hop.

A hop's samples give 8 mel frames, the last 76 mel frames an embedding, the last embeddings (16 for
most words) a score. Each is computed once, when the sample that completes it arrives.

After a start or a gap there is no past. openWakeWord fills it with random noise, whose scores wake
speakers for no reason. Here the past is digital silence and nothing scores until the silence has
almost left the classifier's view: see ``WARM_UP_HOPS``. A stream that really was silent before it
began needs none of that: what a speaker plays, for one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from device.frames import HOP_SAMPLES
from device.wake.networks import (
    EMBEDDING_SIZE,
    HISTORY_SAMPLES,
    HOP_FRAMES,
    WINDOW_FRAMES,
    Classifier,
    Embedding,
    Floats,
    Melspectrogram,
)
from device.wake.own_network import load_word

WARM_UP_HOPS = 5
"""How many hops more than the classifier's embeddings pass before its first score counts.

Measured over 1200 starts in the middle of talk (10 voices, 4 backgrounds, 4 words): scoring from
the first hop on, 15 starts gave a score above 0.1 that the same talk does not have when it is heard
from its beginning, 3 of them above 0.5. After 16 hops it was 2 starts, after 20 (where 16
embeddings and these 5 put the first score) none. Waiting until the last trace of the silence is
gone takes 26 hops, and misses a word that begins less than 0.8 s after the start; with 20 it is
found in 18 to 20 of 21 ways to say it 0.3 s after the start, and in all 21 at 0.5 s.
"""

Scores = Mapping[str, float]


class WakeScorer:
    """Streams samples through the networks. Not thread-safe, not even beside its twin."""

    def __init__(
        self, models: Sequence[str], *, embeddings: int = 1, past_is_silence: bool = False
    ) -> None:
        """Load the networks: a tenth of a second on a PC, about one on a small Raspberry Pi.

        ``models`` are bundled names or absolute paths. ``embeddings``: how many somebody else looks
        at. ``past_is_silence``: whether digital silence really is what came before a reset; then
        there is no warm-up. Raises WakeModelError.
        """
        self._past_is_silence = past_is_silence
        self._classifiers = [load_word(model) for model in models]
        self._melspectrogram = Melspectrogram()
        self._embedding = Embedding()
        self._samples = np.zeros((1, HISTORY_SAMPLES + HOP_SAMPLES), np.float32)
        most = max([embeddings, *(c.embeddings for c in self._classifiers)])
        self._embeddings = np.zeros((1, most, EMBEDDING_SIZE), np.float32)
        self._silence = self._hear_silence()
        self._silent_states = self._embedding.states()
        self.reset()

    def twin(self, *, past_is_silence: bool = False) -> WakeScorer:
        """A scorer of another stream by the same loaded networks; it has heard nothing yet.

        Only what a scorer remembers is there twice: about 0.1 MB.
        """
        twin = copy.copy(self)
        twin._past_is_silence = past_is_silence
        twin._embedding = self._embedding.twin()
        twin._samples, twin._embeddings = self._samples.copy(), self._embeddings.copy()
        twin.reset()
        return twin

    @property
    def unfinished_samples(self) -> int:
        """How many samples of the next hop are there."""
        return self._filled - HISTORY_SAMPLES

    @property
    def look_back_hops(self) -> int:
        """From which hop on a stream is scored as if everything before it had been heard.

        Its embeddings, the mel frames of the first of them, and 3 mel steps before those.
        """
        most = max(classifier.embeddings for classifier in self._classifiers)
        return most + -(-WINDOW_FRAMES // HOP_FRAMES) + 1

    @property
    def warm(self) -> bool:
        """Whether every word is scored: the warm-up after the last reset is over."""
        return all(self._hops >= self._warm_up_hops(each) for each in self._classifiers)

    def embeddings(self, count: int) -> Floats | None:
        """The last ones, (``count``, 96), oldest first; None while the warm-up lasts."""
        warm = self._past_is_silence or self._hops >= count + WARM_UP_HOPS
        return self._embeddings[0, -count:] if warm else None

    def reset(self, silent_samples: int = 0) -> None:
        """Forget all that was heard, as after a gap; costs no inference.

        ``silent_samples``: how many of the next hop are silence and already there, 0..1279.
        """
        self._embedding.restore(self._silent_states)
        self._embeddings[:] = self._silence
        self._samples[:] = 0.0
        self._filled = HISTORY_SAMPLES + silent_samples
        self._hops = 0

    def feed(self, samples: NDArray[np.int16]) -> Iterator[Scores]:
        """Take any number of samples; yield the scores (0..1) of each hop they complete."""
        room = self._samples[0]
        while len(samples):
            taken, samples = np.split(samples, [room.size - self._filled])
            room[self._filled : self._filled + taken.size] = taken
            self._filled += taken.size
            if self._filled == room.size:
                yield self._hop()

    def _hop(self) -> Scores:
        embedding = self._embedding.embed(self._melspectrogram.frames(self._samples))
        self._samples[0, :HISTORY_SAMPLES] = self._samples[0, -HISTORY_SAMPLES:]
        self._filled = HISTORY_SAMPLES
        self._embeddings[0, :-1] = self._embeddings[0, 1:]
        self._embeddings[0, -1] = embedding
        self._hops += 1
        return {classifier.name: self._score(classifier) for classifier in self._classifiers}

    def _score(self, classifier: Classifier) -> float:
        if self._hops < self._warm_up_hops(classifier):
            return 0.0
        return classifier.score(self._embeddings[:, -classifier.embeddings :])

    def _warm_up_hops(self, classifier: Classifier) -> int:
        return 0 if self._past_is_silence else classifier.embeddings + WARM_UP_HOPS

    def _hear_silence(self) -> Floats:
        """The embedding of digital silence, leaving the network as if it had heard nothing else."""
        frames = self._melspectrogram.frames(self._samples)
        for _ in range(WINDOW_FRAMES // HOP_FRAMES):
            self._embedding.embed(frames)
        return self._embedding.embed(frames)
