"""`StopListener` hears "stop" without a wake word, while something of ours rings.

It judges the embeddings that the wake words are scored from anyway, by a small network of its own
in ``stop_word.npz``; `tests/benchmarks/stop_training.py` says how that was made. What our own
loudspeaker says is judged in the same way, so that a reminder which is read out does not stop
itself.
"""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from device.frames import MICROPHONE_RATE_HZ
from device.wake.networks import Floats

EMBEDDINGS = 6
"""How many of the newest embeddings are looked at: 1.2 s, a word and what is around it."""
THRESHOLD = 0.4
"""Measured over ringing as loud as it grows, from its first bar on, in five rooms, at full and at
half volume, at -22, -28 and -34 dBFS of the talker, with voices that it was not trained with: 91 %
of the calls by eight of espeak-ng's are heard, 94 % of those by two that were learned from people;
at worst 77 % (across the room of a rattling loudspeaker at full volume), and 85 % of "alarm stop".
Talk without the word stopped it three times in half an hour in espeak-ng's voices, never in ten
minutes of the other two; two clinks of dishes a second did three times in five minutes, coughs,
doors and hums (200 of each) never. Its own ringing never did, in ten minutes at either volume in
each room.
"""
HOPS = 2
"""How many in a row must reach the threshold."""
REFRACTORY_SAMPLES = 1 * MICROPHONE_RATE_HZ
ECHO_SAMPLES = 640 * MICROPHONE_RATE_HZ // 1000
"""How much older than the microphone's a score of our own sound may be; see `own_voice`."""
NETWORK = Path(__file__).with_name("stop_word.npz")


class StopListener:
    """Decides from hop to hop. It counts hops and samples, never the clock. Not thread-safe."""

    def __init__(self, score: Callable[[Floats], float] | None = None) -> None:
        """``score``: how probable a "stop" is in embeddings; without, the network is loaded."""
        self._score = score or StopNetwork().score
        self.listening = False
        """Whether anybody wants to know; without, nothing is scored."""
        self.forget()

    def listen(self, on: bool) -> None:
        """Begin to listen, or cease."""
        if on is not self.listening:
            self.listening = on
            self.forget()

    def forget(self) -> None:
        """Begin afresh: nothing of before is joined to what comes."""
        self._streak = 0
        self._deaf_until: int | None = None
        self._ours: deque[tuple[int, float]] = deque()

    def hear(self, heard: Floats, ours: Floats | None, end_sample: int) -> bool:
        """Tell whether a "stop" has become certain with this hop.

        ``heard``: the last `EMBEDDINGS` of the microphone, oldest first, (6, 96). ``ours``: those
        of what our loudspeaker played; None while it is silent.
        """
        if ours is not None:
            self._ours.append((end_sample, self._score(ours)))
        while self._ours and self._ours[0][0] < end_sample - ECHO_SAMPLES:
            self._ours.popleft()
        fires = self._score(heard) >= THRESHOLD
        self._streak = self._streak + 1 if fires else 0
        if self._streak < HOPS or any(score >= THRESHOLD for _, score in self._ours):
            return False
        if self._deaf_until is not None and end_sample < self._deaf_until:
            return False
        self._deaf_until = end_sample + REFRACTORY_SAMPLES
        return True


class StopNetwork:
    """How probable it is that a "stop" ends in the newest embeddings. Two hidden layers."""

    def __init__(self) -> None:
        self._layers = _layers()

    def score(self, embeddings: Floats) -> float:
        """0..1 for (`EMBEDDINGS`, 96), the oldest first."""
        values = embeddings.reshape(-1)
        for weights, bias in self._layers[:-1]:
            values = np.maximum(values @ weights + bias, 0)
        weights, bias = self._layers[-1]
        logit = float((values @ weights + bias).item())
        return 0.5 + 0.5 * math.tanh(logit / 2)


@functools.cache
def _layers() -> list[tuple[Floats, Floats]]:
    """Weights and bias of each layer, as they lie in the package: half precision, no pickle."""
    with np.load(NETWORK, allow_pickle=False) as file:
        stored = [file[name].astype(np.float32) for name in sorted(file.files)]
    return list(zip(stored[1::2], stored[0::2], strict=True))
