"""`Tape` keeps what the networks heard lately, so that a clip of a wake word can be cut from it.

Theory of operation. Hops are kept whole, with the scores that were given to them, and with how long
the second network had been awake. A clip reaches so far back that scoring it again gives the scores
that it carries to the bit: as far as openWakeWord's networks look back, and where the second
network was asked, as far as they do from the hop that woke it (`device.wake.opinion`), since it has
heard everything since then. That is three to four seconds. Where so much is no longer there, since
the suspicion lasts for long, the clip says that it is not exact.

After a gap the networks begin anew, and so does the tape: a clip that begins there is scored again
as it was, warm-up included; any other from its 27th hop on. Not thread-safe.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from device.frames import HOP_SAMPLES
from device.news import KeepWakes, WakeClip
from device.wake.near_miss import END_HOPS, LONGEST_HOPS, Peak, hops_between
from device.wake.opinion import AGREEMENT_HOPS

LOOK_BACK_HOPS = 27
"""From its 27th hop on a stream is scored as if everything before it had been heard: 16 embeddings,
the 76 mel frames of the first, and 3 mel steps before those."""
TAIL_HOPS = 4
"""What is heard after a wake word belongs to a clip for 0.3 s: by then its score has culminated."""
SHOWN_HOPS = 8 + TAIL_HOPS
"""Of a wake word, so many scores are part of its clip: the whole of its rise."""
MOST_HOPS = LONGEST_HOPS + END_HOPS + LOOK_BACK_HOPS + AGREEMENT_HOPS
"""Five seconds and 160 kB: a suspicion, and what the networks had heard when it began."""


@dataclass(frozen=True, slots=True)
class _Hop:
    pcm: bytes
    scores: Mapping[str, float]
    awake_hops: int


@dataclass(slots=True)
class _Woken:
    """A wake word whose score may rise on."""

    peak: Peak
    left_hops: int
    over_our_own: bool
    time: float


class Tape:
    """The last hops of a stream, while clips are wanted at all."""

    def __init__(self, look_back_hops: int = LOOK_BACK_HOPS) -> None:
        """``look_back_hops``: of the words' networks, where one looks back further than most."""
        self._look_back_hops = look_back_hops
        self._keeps: KeepWakes = "none"
        more = max(0, look_back_hops - LOOK_BACK_HOPS)
        self._hops: deque[_Hop] = deque(maxlen=MOST_HOPS + more)
        self._part: list[bytes] = []
        self._offset_samples = 0
        self._from_the_start = False
        """Whether the tape begins where the networks did."""
        self._joins = False
        """Whether the hop that is not whole was heard from its beginning."""
        self._woken: _Woken | None = None

    @property
    def waits(self) -> bool:
        """Whether a wake word's clip is not complete yet."""
        return self._woken is not None

    def keep(self, keeps: KeepWakes) -> None:
        """Say which clips are wanted: of none, of what was nearly a wake word, or of all."""
        if keeps == self._keeps:
            return
        if "none" in {keeps, self._keeps}:
            self._clear()
            self._from_the_start = self._joins = False
        if keeps != "all":
            self._woken = None
        self._keeps = keeps

    def begin(self, first_sample: int) -> None:
        """Begin anew where the networks do: at this place of the microphone's stream."""
        self._clear()
        self._offset_samples = first_sample % HOP_SAMPLES
        self._from_the_start = self._joins = True

    def _clear(self) -> None:
        self._hops.clear()
        self._part.clear()
        self._woken = None

    def hear(self, pcm: bytes) -> None:
        """Take a frame, before it is scored."""
        if self._keeps != "none":
            self._part.append(pcm)

    def scored(self, scores: Mapping[str, float], awake_hops: int) -> None:
        """Take the scores of the hop that the frames so far complete.

        ``awake_hops``: for how many hops, this one included, a second network has listened; 0: it
        sleeps.
        """
        if self._keeps == "none":
            return
        pcm = b"".join(self._part)
        self._part.clear()
        if not self._joins:
            # Switched on in the middle of it: the next one is whole.
            self._joins = True
            return
        if len(self._hops) == self._hops.maxlen:
            self._from_the_start = False
        self._hops.append(_Hop(pcm, dict(scores), awake_hops))

    def woke(self, peak: Peak, time: float, *, over_our_own: bool) -> None:
        """Take note of a wake word in the newest hop; its clip comes when its score has peaked."""
        if self._keeps == "all":
            self._woken = _Woken(peak, TAIL_HOPS, over_our_own, time)

    def ripe(self, end_sample: int) -> Iterator[WakeClip]:
        """Yield the clip of a wake word that is complete with the hop that ends there."""
        woken = self._woken
        if woken is None or not self._hops:
            return
        score = self._hops[-1].scores.get(woken.peak.word, 0.0)
        if score > woken.peak.score:
            woken.peak = Peak(woken.peak.word, score, woken.peak.threshold, end_sample)
        if hops_left := woken.left_hops:
            woken.left_hops = hops_left - 1
            return
        self._woken = None
        over = woken.over_our_own
        yield self._cut(woken.peak, SHOWN_HOPS, 0, woken.time, woke=True, over_our_own=over)

    def missed(
        self, peak: Peak, lasted_hops: int, end_sample: int, time: float, *, over_our_own: bool
    ) -> Iterator[WakeClip]:
        """Yield the clip of a near miss that is certain with the hop that ends there, if wanted.

        ``lasted_hops``: how long the suspicion has lasted with that hop.
        """
        if self._keeps == "none":
            return
        after = max(0, hops_between(peak.end_sample, end_sample) - TAIL_HOPS)
        if after < len(self._hops):
            shown = max(1, lasted_hops - after)
            yield self._cut(peak, shown, after, time, woke=False, over_our_own=over_our_own)

    def _cut(
        self,
        peak: Peak,
        shown_hops: int,
        after_hops: int,
        time: float,
        *,
        woke: bool,
        over_our_own: bool,
    ) -> WakeClip:
        """Cut a clip that ends ``after_hops`` before now, with the scores of its last hops."""
        end = len(self._hops) - after_hops
        first = max(0, end - shown_hops)
        shown = list(islice(self._hops, first, end))
        asleep_until = [
            first + place - hop.awake_hops + 1 - AGREEMENT_HOPS
            for place, hop in enumerate(shown)
            if hop.awake_hops
        ]
        wanted = min([first, *asleep_until]) - self._look_back_hops + 1
        begin = max(0, wanted)
        from_the_start = self._from_the_start and begin == 0
        return WakeClip(
            word=peak.word,
            score=peak.score,
            threshold=peak.threshold,
            woke=woke,
            over_our_own=over_our_own,
            pcm=b"".join(hop.pcm for hop in islice(self._hops, begin, end)),
            offset_samples=self._offset_samples if from_the_start else 0,
            from_the_start=from_the_start,
            exact=wanted >= 0 or from_the_start,
            scores={word: tuple(hop.scores[word] for hop in shown) for word in shown[0].scores},
            time=time,
        )
