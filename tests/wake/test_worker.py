"""What the worker makes of each frame: detections, speech, gaps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from device.errors import SecondOpinionError, WakeModelError
from device.frames import FRAME_SAMPLES, Frame
from device.news import Detection, SpeechChanged, SpeechJudged, WakeNews
from device.wake.catalogue import bundled_network
from device.wake.worker import Hearing, Word
from tests.rig.speech import espeak, noise, silence
from tests.wake.conftest import Clip

START = 32_000
"""Where the microphone's stream is when the detector begins to listen: not at 0."""
BEGAN_AT = 100.0


def frames(samples: Clip, first_sample: int = START) -> Iterator[Frame]:
    """The samples as the microphone hands them over; the clock follows the samples."""
    for start in range(0, samples.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        place = first_sample + start
        captured_at = BEGAN_AT + (place + FRAME_SAMPLES - START) / 16_000
        yield Frame(samples[start : start + FRAME_SAMPLES].tobytes(), place, captured_at)


def heard(
    hearing: Hearing, samples: Clip, first_sample: int = START, *, track: bool = False
) -> list[WakeNews]:
    return [news for frame in frames(samples, first_sample) for news in hearing.hear(frame, track)]


def make(patience: int = 1, refractory_s: float = 2.0, threshold: float = 0.5) -> Hearing:
    return Hearing([Word("hey_jarvis", threshold)], patience, refractory_s, silence_ms=700)


@pytest.fixture
def hearing() -> Hearing:
    return make()


@pytest.fixture(scope="module")
def jarvis() -> Clip:
    """Two seconds of room, ``hey jarvis``, one second of room."""
    word = espeak("hey jarvis")
    return np.concatenate([noise(2.0, 20.0), word, noise(1.0, 20.0)])


def words(news: list[WakeNews]) -> list[Detection]:
    return [n for n in news if isinstance(n, Detection)]


def speech(news: list[WakeNews]) -> list[SpeechChanged]:
    return [n for n in news if isinstance(n, SpeechChanged)]


def test_a_wake_word_is_told_once_with_its_place_and_time(hearing: Hearing, jarvis: Clip) -> None:
    """The place is the end of the deciding hop, the time that of the frame that completed it."""
    (detection,) = words(heard(hearing, jarvis))
    assert detection.word == "hey_jarvis"
    assert 0.5 <= detection.score <= 1.0
    assert (detection.end_sample - START) % 1280 == 0
    assert detection.time == pytest.approx(BEGAN_AT + (detection.end_sample - START) / 16_000)
    said_at = START + 32_000
    assert said_at < detection.end_sample < said_at + espeak("hey jarvis").size + 4 * 1280


def test_a_threshold_above_every_score_hears_nothing(jarvis: Clip) -> None:
    """The threshold of the word reaches the gate."""
    assert words(heard(make(threshold=1.0), jarvis)) == []


def test_patience_waits_for_as_many_hops(hearing: Hearing, jarvis: Clip) -> None:
    """One hop more of patience, one hop later."""
    (first,) = words(heard(hearing, jarvis))
    (second,) = words(heard(make(patience=2), jarvis))
    assert second.end_sample == first.end_sample + 1280


def test_the_refractory_period_is_audio(jarvis: Clip) -> None:
    """A word said again within it is ignored, after it heard; the wall clock plays no part."""
    word = espeak("hey jarvis")
    twice = np.concatenate([jarvis, word, noise(1.0, 20.0)])
    assert len(words(heard(make(refractory_s=0.9), twice))) == 2
    assert len(words(heard(make(refractory_s=5.0), twice))) == 1


def test_a_word_torn_apart_by_a_gap_is_not_joined(hearing: Hearing, jarvis: Clip) -> None:
    """Its halves on both sides of a gap are no word; without the gap they are."""
    middle = (32_000 + 6000) // 320 * 320
    before = heard(hearing, jarvis[:middle])
    after = heard(hearing, jarvis[middle:], START + middle + 16_000)
    assert words(before + after) == []
    assert hearing.gaps == 1
    whole = make()
    assert words(heard(whole, jarvis[:middle]) + heard(whole, jarvis[middle:], START + middle))
    assert whole.gaps == 0


def test_a_word_after_a_gap_is_found(hearing: Hearing, jarvis: Clip) -> None:
    """A second of room after the gap is more than the warm-up needs."""
    heard(hearing, noise(1.0, 20.0))
    assert words(heard(hearing, jarvis[16_000:], START + 160_000))
    assert hearing.gaps == 1


def test_a_stream_that_starts_over_is_not_deaf_to_the_old_ones_refractory_period(
    jarvis: Clip,
) -> None:
    """Another microphone counts from 0 again, hours before the last wake word of the old one."""
    hearing = make()
    assert words(heard(hearing, jarvis, START + 16_000 * 3600))
    assert words(heard(hearing, jarvis, 0))


def test_a_hop_after_a_gap_begins_with_the_gap(hearing: Hearing, jarvis: Clip) -> None:
    """Frames left over from before it belong to no hop: the places still fit the stream."""
    heard(hearing, noise(0.06, 20.0))
    (detection,) = words(heard(hearing, jarvis, START + 100_000))
    assert (detection.end_sample - START - 100_000) % 1280 == 0


def test_speech_is_only_told_while_asked_for(hearing: Hearing, jarvis: Clip) -> None:
    """Without a conversation nobody wants to know."""
    assert speech(heard(hearing, jarvis)) == []


def test_speech_is_told_with_where_it_began_and_ended(hearing: Hearing) -> None:
    """Both edges lie within 0.25 s of the words, and the news carries the time of the edge."""
    said = espeak("what time is it in London")
    clip = np.concatenate([noise(1.0, 20.0), said, noise(1.5, 20.0)])
    began, ended = speech(heard(hearing, clip, track=True))
    assert began.speaking
    assert not ended.speaking
    assert abs(began.end_sample - START - 16_000) < 4000
    assert abs(ended.end_sample - START - 16_000 - said.size) < 6000
    for edge in (began, ended):
        assert edge.time == pytest.approx(BEGAN_AT + (edge.end_sample - START) / 16_000)


@pytest.mark.parametrize(("word", "within_ms"), [("no", 180), ("yes", 180), ("stop", 300)])
def test_a_short_answer_is_heard_at_once(hearing: Hearing, word: str, within_ms: int) -> None:
    """Spoken just when the follow-up window opens: 120 ms must be speech, and an "s" is hissed.

    The speech network is warm by then, for it is given what was heard before.
    """
    said = espeak(word)
    said = said[int(np.argmax(np.abs(said) > 300)) :]
    heard(hearing, noise(1.0, 20.0))
    place = START + 16_000
    for frame in frames(np.concatenate([said, noise(0.5, 20.0)]), place):
        edges = speech(list(hearing.hear(frame, track_speech=True)))
        if edges:
            assert frame.end_sample - place <= 16 * within_ms
            assert edges[0].speaking
            return
    pytest.fail("the answer was not heard")


def test_a_gap_ends_what_was_being_said(hearing: Hearing) -> None:
    """The microphone went away in the middle of a sentence: it ended where the stream did."""
    said = espeak("what time is it in London and in Paris")[:16_000]
    clip = np.concatenate([noise(1.0, 20.0), said])
    (began,) = speech(heard(hearing, clip, track=True))
    (ended,) = speech(heard(hearing, noise(2.0, 20.0), START + 64_000, track=True))
    assert (began.speaking, ended.speaking) == (True, False)
    assert ended.end_sample == START + clip.size
    assert ended.time == pytest.approx(BEGAN_AT + clip.size / 16_000, abs=0.001)


def test_asking_again_begins_afresh(hearing: Hearing) -> None:
    """Speech cut short by the end of a conversation is not told as ended in the next one."""
    said = np.concatenate([noise(1.0, 20.0), espeak("what time is it in London")])
    said = said[: said.size // 320 * 320]
    assert len(speech(heard(hearing, said, track=True))) == 1
    place = START + said.size
    assert heard(hearing, noise(1.0, 20.0), place) == []
    assert speech(heard(hearing, silence(2.0), place + 16_000, track=True)) == []


def test_every_stretch_is_judged_while_speech_is_tracked(hearing: Hearing) -> None:
    """One after the other, without a gap, so that speech over a reply can be counted."""
    clip = np.concatenate([noise(1.0, 20.0), espeak("what time is it"), noise(1.0, 20.0)])
    judged = [n for n in heard(hearing, clip, track=True) if isinstance(n, SpeechJudged)]
    assert judged[0].first_sample == START
    assert all(a.end_sample == b.first_sample for a, b in itertools.pairwise(judged))
    assert {n.end_sample - n.first_sample for n in judged} == {512}
    likely = [n for n in judged if n.probability > 0.5]
    assert 20 < len(likely) < 60
    assert min(n.first_sample for n in likely) > START + 15_000


@pytest.mark.parametrize("gap", [0, 16_000], ids=["asked again", "after a gap"])
def test_samples_left_over_do_not_shift_what_follows(hearing: Hearing, gap: int) -> None:
    """Windows of 32 ms begin with the first frame that is tracked, or that follows the gap."""
    heard(hearing, noise(0.9, 20.0), track=True)
    place = START + 14_400 + gap
    if not gap:
        heard(hearing, noise(0.1, 20.0), place)
        place += 1600
    clip = np.concatenate([noise(1.0, 20.0), espeak("what time is it"), noise(1.5, 20.0)])
    edges = speech(heard(hearing, clip, place, track=True))
    assert [(edge.end_sample - place) % 512 for edge in edges] == [0, 0]


def test_scores_tell_how_it_is_doing(hearing: Hearing, jarvis: Clip) -> None:
    """The last score of each word, and what the hops took: nothing before the first."""
    assert hearing.scores.last == {"hey_jarvis": 0.0}
    assert hearing.scores.hop_ms_max == 0.0
    heard(hearing, jarvis)
    scores = hearing.scores
    assert 0.0 < scores.last["hey_jarvis"] <= 1.0
    assert 0.0 < scores.hop_ms_p50 <= scores.hop_ms_max
    assert hearing.hops == jarvis.size // 1280


def test_two_words_of_one_name_are_refused() -> None:
    """Events name the word, so a name must be enough to know which."""
    with pytest.raises(WakeModelError, match="two wake words have one name: alexa, alexa"):
        Hearing([Word("alexa"), Word("alexa_v0.1", 0.3)], 1, 2.0, 700)


# --- what is quiet --------------------------------------------------------------------------------


def hushed(
    hearing: Hearing, samples: Clip, first_sample: int, *, far_end: bytes | None = None
) -> list[WakeNews]:
    """Hear the samples as what the microphone found quiet."""
    return [
        news
        for frame in frames(samples, first_sample)
        for news in hearing.hear(replace(frame, quiet=True), False, far_end)
    ]


@pytest.mark.parametrize("quiet_s", [0.3, 2.0, 2.3, 9.0])
def test_what_was_quiet_is_caught_up_with_to_the_bit(quiet_s: float, jarvis: Clip) -> None:
    """However long: a word scores as if every hop had been looked at, at the same place."""
    before, room = noise(3.0, 20.0), noise(quiet_s, 20.0)
    word = jarvis[32_000:]
    begins = START + before.size + room.size
    everything = np.concatenate([before, room, word])
    hearing, other = make(), make()
    heard(hearing, before)
    looked = hearing.hops
    assert hushed(hearing, room, START + before.size) == []
    assert hearing.hops == looked
    assert hearing.quiet_hops == room.size // 1280
    assert words(heard(hearing, word, begins)) == words(heard(other, everything)) != []
    assert hearing.hops <= looked + 28 + word.size // 1280
    assert hearing.gaps == 0


def test_a_gap_in_what_is_quiet_is_a_gap(jarvis: Clip) -> None:
    """Nothing of before it is joined to what comes after."""
    hearing = make()
    heard(hearing, noise(3.0, 20.0))
    hushed(hearing, noise(1.0, 20.0), START + 48_000)
    assert words(heard(hearing, jarvis, START + 640_000))
    assert hearing.gaps == 1


def test_while_something_else_is_awaited_nothing_is_passed_over() -> None:
    """Our own sound, speech and "stop" need every hop."""
    hearing = make()
    heard(hearing, noise(0.8, 20.0))
    room = noise(0.8, 20.0)
    hushed(hearing, room, START + 12_800, far_end=bytes(640))
    assert (hearing.hops, hearing.quiet_hops) == (20, 0)
    for frame in frames(room, START + 25_600):
        list(hearing.hear(replace(frame, quiet=True), True))
    assert (hearing.hops, hearing.quiet_hops) == (30, 0)


# --- two kinds of network -------------------------------------------------------------------------


def test_without_the_other_networks_openwakeword_judges_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, jarvis: Clip
) -> None:
    """It says so, once, and hears."""

    def refuse(_words: object) -> None:
        raise SecondOpinionError("pymicro-wakeword does not load: no such module")

    monkeypatch.setattr("device.wake.worker.micro_networks", refuse)
    hearing = make()
    assert len(words(heard(hearing, jarvis))) == 1
    assert (list(hearing.asks), hearing.alone_because.split(":")[0]) == (
        [],
        "pymicro-wakeword does not load",
    )
    assert [each.getMessage().split(",")[0] for each in caplog.records] == [
        "openWakeWord judges alone"
    ]


def test_only_bundled_words_are_judged_twice() -> None:
    """The owner's own network may be of another word than its name says."""
    assert list(Hearing([Word("alexa"), Word("hey_rhasspy")], 1, 2.0, 700).asks) == ["alexa"]
    own = str(bundled_network("hey_jarvis"))
    assert list(Hearing([Word(own)], 1, 2.0, 700).asks) == []


@pytest.mark.parametrize(("voice", "wpm"), [("en-gb", 170), ("en-us", 150)])
def test_what_openwakeword_takes_for_the_word_is_not_enough(
    monkeypatch: pytest.MonkeyPatch, voice: str, wpm: int
) -> None:
    """It hears somebody called Jarvan; the other network knows better."""
    jarvan = espeak("hey jarvan", voice, wpm)
    called = np.concatenate([noise(2.0, 20.0), jarvan, noise(1.0, 20.0)])
    assert words(heard(make(), called)) == []
    monkeypatch.setattr("device.wake.worker.micro_networks", lambda _models: {})
    assert len(words(heard(make(), called))) == 1


def test_the_score_that_is_told_is_that_of_both(jarvis: Clip) -> None:
    """The one that reached the threshold, in the event and in the status."""
    hearing, told, last = make(), [], []
    for frame in frames(jarvis):
        told += words(list(hearing.hear(frame, track_speech=False)))
        last.append(hearing.scores.last["hey_jarvis"])
    (detection,) = told
    assert detection.score in last
    assert max(last) <= 0.998
