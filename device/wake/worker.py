"""The worker thread of the wake room makes news of frames.

No thread and no clock of its own (but to time the hops): everything is counted in samples.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from device.errors import SecondOpinionError, WakeModelError
from device.frames import FRAME_SAMPLES, HOP_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.news import (
    Detection,
    KeepWakes,
    NearMiss,
    SpeechChanged,
    SpeechJudged,
    StopWord,
    WakeNews,
)
from device.ports import WakeScores
from device.wake.catalogue import word_name
from device.wake.clip import LOOK_BACK_HOPS, Tape
from device.wake.endpointing import Edge, Endpointing
from device.wake.gate import WakeGate
from device.wake.micro import MicroNetwork, micro_networks
from device.wake.near_miss import NearMisses, Peak
from device.wake.networks import SPEECH_SAMPLES, SpeechNetwork
from device.wake.opinion import SecondOpinion
from device.wake.own_voice import OwnVoice
from device.wake.scores import WakeScorer
from device.wake.stop_word import EMBEDDINGS, StopListener

log = logging.getLogger(__name__)

_SPEECH_WARM_UP_FRAMES = 25
"""Half a second heard before makes the speech network sure from the first syllable on; one that
starts cold needs 130 ms more, which is half a "no"."""
_VETO_S = 0.5
"""Our own word is over by then, and a person who says it next is not yet done."""
_TIMED_HOPS = 256
"""The last 20 s."""


@dataclass(frozen=True, slots=True)
class Word:
    """A wake word to listen for."""

    model: str
    """A bundled name, or the absolute path of an .onnx file."""
    threshold: float = 0.5
    """0..1: the score that counts."""
    playback_threshold: float = 0.3
    """0..1: the score that counts over our own sound; above ``threshold`` it is as that."""

    @property
    def name(self) -> str:
        """What it is called in events."""
        return word_name(self.model)


class Hearing:
    """Wake words, and speech while asked to.

    What is quiet costs nothing: it is only remembered, as far back as the networks need it when
    something is heard again. Used from one thread, except for ``scores``.
    """

    def __init__(
        self, words: Sequence[Word], patience: int, refractory_s: float, silence_ms: int
    ) -> None:
        """Load the networks, which takes a while. Raises WakeModelError."""
        if len({word.name for word in words}) < len(words):
            raise WakeModelError(
                f"two wake words have one name: {', '.join(w.name for w in words)}; "
                "rename the file of one"
            )
        self.alone_because = ""
        """Why no word has a second opinion; empty where nothing is wrong."""
        openwakeword = WakeScorer([word.model for word in words], embeddings=EMBEDDINGS)
        of_microphone, of_our_sound = self._other_networks(words)
        self._scorer = SecondOpinion(openwakeword, of_microphone)
        self._own_voice = OwnVoice(openwakeword, of_our_sound)
        self._thresholds = {word.name: word.threshold for word in words}
        self._playback_thresholds = {
            word.name: min(word.threshold, word.playback_threshold) for word in words
        }
        pauses = [round(s * MICROPHONE_RATE_HZ) for s in (refractory_s, _VETO_S)]
        self._gate = WakeGate(self._thresholds, patience, *pauses)
        self._near_misses = NearMisses(pauses[0])
        self._tape = Tape(openwakeword.look_back_hops)
        self._speech = SpeechNetwork()
        self._endpointing = Endpointing(silence_ms, MICROPHONE_RATE_HZ)
        self._stop = StopListener()
        self._tracking = False
        self._heard: deque[NDArray[np.int16]] = deque(maxlen=_SPEECH_WARM_UP_FRAMES)
        self._unjudged = np.zeros(0, np.int16)
        self._next_sample: int | None = None
        self._ring: deque[Frame] = deque(maxlen=LOOK_BACK_HOPS * HOP_SAMPLES // FRAME_SAMPLES)
        """What is quiet and was not listened to."""
        self._skipped = False
        """Whether more was quiet than the ring holds."""
        self._last: Mapping[str, float] = dict.fromkeys(self._thresholds, 0.0)
        self._took_ms = np.zeros(_TIMED_HOPS)
        self._quiet_frames = 0
        self.hops = 0
        """Those that were looked at."""
        self.gaps = 0

    @property
    def scores(self) -> WakeScores:
        """As of the last hop. From any thread."""
        took_ms = self._took_ms[: min(self.hops, _TIMED_HOPS)]
        if not took_ms.size:
            return WakeScores(self._last, 0.0, 0.0)
        return WakeScores(self._last, median(took_ms.tolist()), float(took_ms.max()))

    @property
    def warm(self) -> bool:
        """Whether enough was heard since a gap, or the beginning, for a score. From any thread."""
        return self._scorer.warm

    @property
    def quiet_hops(self) -> int:
        """How many were too quiet to be looked at, and are not so far."""
        return self._quiet_frames * FRAME_SAMPLES // HOP_SAMPLES

    @property
    def vetoed(self) -> int:
        """How many wake words were our own voice."""
        return self._gate.vetoed

    @property
    def asks(self) -> Sequence[str]:
        """The words that a second network is asked about."""
        return self._scorer.asks

    def _other_networks(
        self, words: Sequence[Word]
    ) -> tuple[Mapping[str, MicroNetwork], Mapping[str, MicroNetwork]]:
        """Load those of the words that have one, twice; none where they do not load."""
        models = [word.model for word in words]
        try:
            return micro_networks(models), micro_networks(models)
        except SecondOpinionError as error:
            self.alone_because = str(error)
            log.warning("openWakeWord judges alone, and is more often wrong: %s", error)
            return {}, {}

    def keep(self, clips: KeepWakes) -> None:
        """Say which clips are wanted from now on."""
        self._tape.keep(clips)

    def hear(
        self,
        frame: Frame,
        track_speech: bool,
        far_end: bytes | None = None,
        *,
        near: bool = False,
        listen_for_stop: bool = False,
    ) -> Iterator[WakeNews]:
        """Take a frame; yield what became certain.

        With it comes what of our own sound arrives in it, and whether somebody is heard over that.
        """
        self._stop.listen(listen_for_stop)
        continues = frame.first_sample == self._next_sample
        judging = self._near_misses.hops or self._tape.waits
        awaited = track_speech or listen_for_stop or near or far_end is not None or judging
        if frame.quiet and continues and not awaited and not self._tracking:
            self._next_sample = frame.end_sample
            self._quiet_frames += 1
            self._skipped = self._skipped or len(self._ring) == self._ring.maxlen
            self._ring.append(frame)
            return
        if continues:
            yield from self._catch_up()
        else:
            yield from self._begin_afresh(frame)
        self._next_sample = frame.end_sample
        if track_speech != self._tracking:
            self._switch_tracking(track_speech, frame.first_sample)
        if near:
            self._own_voice.talked_over(frame)
        yield from self._listen(frame, far_end)

    def _listen(self, frame: Frame, far_end: bytes | None) -> Iterator[WakeNews]:
        samples = np.frombuffer(frame.pcm, "<i2")
        yield from self._listen_for_words(samples, far_end, frame)
        if self._tracking:
            yield from self._listen_for_speech(samples, frame)
        self._heard.append(samples)

    def _catch_up(self) -> Iterator[WakeNews]:
        """Listen to what was passed over as quiet, as far back as it matters."""
        if self._skipped:
            self._hear_anew(self._ring[0].first_sample)
            self._skipped = False
        while self._ring:
            self._quiet_frames -= 1
            yield from self._listen(self._ring.popleft(), None)

    def _begin_afresh(self, frame: Frame) -> Iterator[WakeNews]:
        """Nothing of before the gap may be joined to what comes after it.

        The gate needs no telling (the scores of the warm-up are below every threshold) unless the
        stream goes back, which only another microphone's does; and the speech network is better
        off with an old memory than with none.
        """
        if self._next_sample is not None:
            if frame.first_sample < self._next_sample:
                self._gate.forget()
                self._near_misses.begin_again()
            self.gaps += 1
            if ended := self._endpointing.cut(self._next_sample):
                yield _speech_changed(ended, frame)
        self._hear_anew(frame.first_sample)
        self._ring.clear()
        self._skipped = False
        self._own_voice.forget()
        self._stop.forget()
        self._unjudged = self._unjudged[:0]

    def _hear_anew(self, first_sample: int) -> None:
        # Hops lie on one grid over all of the microphone's stream: at rest it delivers them whole.
        self._scorer.reset(first_sample % HOP_SAMPLES)
        self._near_misses.forget()
        self._tape.begin(first_sample)

    def _listen_for_words(
        self, samples: NDArray[np.int16], far_end: bytes | None, frame: Frame
    ) -> Iterator[WakeNews]:
        began = time.perf_counter()
        self._own_voice.hear(far_end, frame)
        self._tape.hear(frame.pcm)
        for scores in self._scorer.feed(samples):
            self._took_ms[self.hops % _TIMED_HOPS] = (time.perf_counter() - began) * 1000.0
            self.hops += 1
            self._last = scores
            yield from self._judge(scores, frame)
            if self._hears_stop(frame.end_sample):
                yield StopWord(frame.end_sample, frame.captured_at)

    def _judge(self, scores: Mapping[str, float], frame: Frame) -> Iterator[WakeNews]:
        """Tell whether a hop is a wake word, or was nearly one, and what they sounded like."""
        # A hop is four frames and begins with one, so it ends with one.
        end_sample = frame.end_sample
        thresholds = self._in_force(end_sample)
        asked = [word for word, score in scores.items() if score >= thresholds[word]]
        asked += self._near_misses.culminated(scores)
        ours = self._own_voice.says(thresholds, end_sample, asked)
        over = self._own_voice.is_talked_over(end_sample)
        self._tape.scored(scores, self._scorer.awake_hops)
        hit = self._gate.judge(scores, thresholds, end_sample, ours)
        if hit:
            yield Detection(hit.word, hit.score, end_sample, frame.captured_at)
            peak = Peak(hit.word, hit.score, thresholds[hit.word], end_sample)
            self._tape.woke(peak, frame.captured_at, over_our_own=over)
        lasted_hops = self._near_misses.hops + 1
        missed = self._near_misses.judge(
            scores, thresholds, end_sample, ours=ours, woke=hit is not None
        )
        if missed:
            at = frame.captured_at - (end_sample - missed.end_sample) / MICROPHONE_RATE_HZ
            yield NearMiss(missed.word, missed.score, at)
            yield from self._tape.missed(missed, lasted_hops, end_sample, at, over_our_own=over)
        yield from self._tape.ripe(end_sample)

    def _hears_stop(self, end_sample: int) -> bool:
        heard = self._scorer.embeddings(EMBEDDINGS) if self._stop.listening else None
        if heard is None:
            return False
        return self._stop.hear(heard, self._own_voice.embeddings(EMBEDDINGS), end_sample)

    def _in_force(self, end_sample: int) -> Mapping[str, float]:
        over_our_own = self._own_voice.is_talked_over(end_sample)
        return self._playback_thresholds if over_our_own else self._thresholds

    def _switch_tracking(self, on: bool, first_sample: int) -> None:
        self._tracking = on
        self._endpointing.cut(first_sample)
        self._unjudged = self._unjudged[:0]
        if on:
            heard = np.concatenate([self._unjudged, *self._heard])
            whole = heard[heard.size % SPEECH_SAMPLES :].reshape(-1, SPEECH_SAMPLES)
            for before in whole:
                self._speech.probability(before)

    def _listen_for_speech(self, samples: NDArray[np.int16], frame: Frame) -> Iterator[WakeNews]:
        self._unjudged = np.concatenate([self._unjudged, samples])
        while self._unjudged.size >= SPEECH_SAMPLES:
            first_sample = frame.end_sample - self._unjudged.size
            probability = self._speech.probability(self._unjudged[:SPEECH_SAMPLES])
            self._unjudged = self._unjudged[SPEECH_SAMPLES:]
            end_sample = first_sample + SPEECH_SAMPLES
            yield SpeechJudged(probability, first_sample, end_sample, frame.captured_at)
            if edge := self._endpointing.judge(probability, first_sample, end_sample):
                yield _speech_changed(edge, frame)


def _speech_changed(edge: Edge, frame: Frame) -> SpeechChanged:
    """``edge`` as news, with the time at which it happened: before ``frame`` was captured."""
    ago_s = (frame.end_sample - edge.sample) / MICROPHONE_RATE_HZ
    return SpeechChanged(edge.speaking, edge.sample, frame.captured_at - ago_s)
