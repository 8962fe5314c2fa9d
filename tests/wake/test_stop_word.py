"""A "stop" is heard without the wake word while an alarm rings, and at no other time."""

from __future__ import annotations

import numpy as np
import pytest

from device.audio.chimes import ALARM_EVERY_S
from device.frames import FRAME_SAMPLES, HOP_SAMPLES, MICROPHONE_RATE_HZ, Frame
from device.news import StopWord
from device.wake.networks import EMBEDDING_SIZE, Floats
from device.wake.stop_word import (
    ECHO_SAMPLES,
    EMBEDDINGS,
    NETWORK,
    REFRACTORY_SAMPLES,
    THRESHOLD,
    StopListener,
    StopNetwork,
)
from device.wake.worker import Hearing, Word
from tests.rig.overhearing import Speaker, cough, door, spoken
from tests.rig.ringing import HELD_OUT, ringing
from tests.rig.speech import espeak, noise, silence
from tests.wake.conftest import Clip

CALLER = HELD_OUT[1]
LEVEL_DBFS = -28.0
OTHER_WORDS = ("what time is it", "good morning", "please turn on the light", "where is my coffee")


# --- what is decided ------------------------------------------------------------------------------


def embeddings(score: float) -> Floats:
    """What a judge who reads the first number gives this score."""
    return np.full((EMBEDDINGS, EMBEDDING_SIZE), score, np.float32)


class Listener:
    """A listener whose judge is told what to say, hop by hop."""

    def __init__(self) -> None:
        self.judged = 0
        self.stop = StopListener(self._score)
        self.stop.listen(True)
        self.place = 0

    def _score(self, heard: Floats) -> float:
        self.judged += 1
        return float(heard[0, 0])

    def hear(self, *scores: float, ours: float | None = None) -> list[bool]:
        return [self._hear(score, ours) for score in scores]

    def _hear(self, score: float, ours: float | None) -> bool:
        self.place += HOP_SAMPLES
        own = None if ours is None else embeddings(ours)
        return self.stop.hear(embeddings(score), own, self.place)


def test_it_takes_two_hops_in_a_row() -> None:
    """One is a word that ends like it."""
    assert Listener().hear(0.0, 1.0, 0.0, 1.0, 0.0) == [False] * 5
    assert Listener().hear(0.0, THRESHOLD, THRESHOLD) == [False, False, True]
    below = THRESHOLD - 0.01
    assert Listener().hear(1.0, below, 1.0) == [False] * 3


def test_it_is_told_once() -> None:
    """The same word scores for several hops; said again a second later it counts again."""
    listener = Listener()
    assert sum(listener.hear(*[1.0] * 6)) == 1
    listener.hear(*[0.0] * (REFRACTORY_SAMPLES // HOP_SAMPLES))
    assert listener.hear(1.0, 1.0) == [False, True]


def test_our_own_voice_stops_nothing() -> None:
    """A reminder that says the word is read out: what is heard of it soon after is ours."""
    listener = Listener()
    listener.hear(0.0, ours=1.0)
    assert not any(listener.hear(1.0, 1.0, ours=0.0))
    listener.hear(*[0.0] * (ECHO_SAMPLES // HOP_SAMPLES))
    assert any(listener.hear(1.0, 1.0, ours=0.0))


def test_what_was_before_a_gap_is_forgotten() -> None:
    """Half of it before and half of it after is no word, and our own is over."""
    listener = Listener()
    listener.hear(1.0, ours=1.0)
    listener.stop.forget()
    assert listener.hear(1.0, 1.0) == [False, True]


def test_switched_on_again_it_begins_afresh() -> None:
    """Told the same again, it goes on with what it heard."""
    listener = Listener()
    listener.hear(1.0)
    listener.stop.listen(False)
    listener.stop.listen(True)
    assert listener.hear(1.0) == [False]
    listener.stop.listen(True)
    assert listener.hear(1.0) == [True]


def test_the_network_is_small_and_gives_a_probability() -> None:
    """It ships in the package, and digital silence is no word."""
    assert NETWORK.stat().st_size < 200_000
    network = StopNetwork()
    assert 0.0 <= network.score(embeddings(0.0)) <= 1.0
    assert network.score(embeddings(1e6)) in {0.0, 1.0}
    assert network.score(embeddings(-1e6)) in {0.0, 1.0}


# --- what is heard --------------------------------------------------------------------------------


def stops(hearing: Hearing, clip: Clip, place: int = 0, *, listen: bool = True) -> list[StopWord]:
    found = []
    for start in range(0, clip.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        end = place + start + FRAME_SAMPLES
        frame = Frame(clip[start : start + FRAME_SAMPLES].tobytes(), place + start, end / 16_000)
        found += [
            news
            for news in hearing.hear(frame, False, listen_for_stop=listen)
            if isinstance(news, StopWord)
        ]
    return found


@pytest.fixture
def hearing() -> Hearing:
    return Hearing([Word("hey_jarvis")], 1, 2.0, silence_ms=700)


@pytest.fixture(scope="module")
def call() -> Clip:
    """Two seconds of room, the word, one second of room; whole frames."""
    clip = np.concatenate([noise(2.0, 20.0), espeak("stop", CALLER), noise(1.0, 20.0)])
    return clip[: clip.size // FRAME_SAMPLES * FRAME_SAMPLES]


def test_it_is_told_with_its_place_and_time(hearing: Hearing, call: Clip) -> None:
    """The place is the end of the deciding hop, within half a second of the word."""
    (stop,) = stops(hearing, call)
    assert stop.end_sample % HOP_SAMPLES == 0
    assert stop.time == pytest.approx(stop.end_sample / 16_000)
    said = 32_000 + espeak("stop", CALLER).size
    assert 32_000 < stop.end_sample < said + 8_000


def test_while_nothing_rings_nothing_is_heard_and_nothing_judged(
    hearing: Hearing, call: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs nothing then."""
    judged: list[int] = []
    monkeypatch.setattr(StopListener, "hear", lambda *_: judged.append(1))
    assert stops(hearing, call, listen=False) == []
    assert not judged
    stops(hearing, call, call.size)
    assert len(judged) > 20


def test_right_after_a_gap_it_does_not_listen_yet(hearing: Hearing, call: Clip) -> None:
    """What it would judge is half silence that nobody heard; a second later it does."""
    stops(hearing, noise(1.0, 20.0))
    word = call[32_000:]
    assert stops(hearing, word[: word.size // FRAME_SAMPLES * FRAME_SAMPLES], 160_000) == []
    assert stops(hearing, call, 320_000)


def rings(room: str, gain: float = 1.0) -> Speaker:
    speaker = ringing(room, gain)
    speaker.run(6.0)
    return speaker


@pytest.mark.parametrize(("room", "gain"), [("small", 1.0), ("medium", 1.0), ("large", 0.125)])
def test_it_is_heard_over_the_ringing(room: str, gain: float) -> None:
    """At any place of the ring, by voices that it was not trained with; one may be missed."""
    speaker, heard = rings(room, gain), 0
    for number, voice in enumerate(HELD_OUT):
        in_s = 0.1 + ALARM_EVERY_S * number / len(HELD_OUT)
        onset, end = speaker.say(spoken("stop", voice, 150), LEVEL_DBFS, in_s=in_s)
        speaker.run_until(end + 12_000)
        heard += speaker.count("stopped", onset) > 0
        speaker.run(1.0)
    assert heard >= len(HELD_OUT) - 1


@pytest.mark.parametrize("room", ["enclosure", "rattling"])
def test_its_own_ringing_never_stops_it(room: str) -> None:
    """Where the echo is loudest, from the first bar on; the benchmark rings for hours."""
    speaker = ringing(room)
    speaker.run(40.0)
    assert speaker.own_samples > 12 * MICROPHONE_RATE_HZ
    assert speaker.count("stopped") == 0


def test_other_words_and_noises_do_not_stop_it() -> None:
    """Four sentences by two voices, coughs and doors."""
    speaker = rings("medium")
    sounds = [spoken(text, voice, 150) for text in OTHER_WORDS for voice in HELD_OUT[:2]]
    sounds += [make(seed) for make in (cough, door) for seed in range(3)]
    for sound in sounds:
        _, end = speaker.say(sound, LEVEL_DBFS)
        speaker.run_until(end + 12_000)
    assert speaker.count("stopped") == 0


def test_a_reminder_that_says_it_does_not_stop_itself(hearing: Hearing) -> None:
    """The same sound, by nobody told to be ours, would have."""
    said = np.concatenate([silence(0.5), espeak("stop", CALLER), silence(1.0)])
    place, found = 0, dict[bool, int]()
    for told in (False, True):
        stops(hearing, noise(2.0, 20.0), place)
        place += 32_000
        found[told] = 0
        for start in range(0, said.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            pcm = said[start : start + FRAME_SAMPLES].tobytes()
            frame = Frame(pcm, place, place / 16_000)
            news = hearing.hear(frame, False, pcm if told else None, listen_for_stop=True)
            found[told] += sum(isinstance(each, StopWord) for each in news)
            place += FRAME_SAMPLES
    assert found == {False: 1, True: 0}
