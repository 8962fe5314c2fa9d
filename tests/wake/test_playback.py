"""What the speaker plays itself: it never wakes it, and it makes it listen more closely."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from device.frames import FRAME_SAMPLES, Frame
from device.news import Detection
from device.wake.worker import Hearing, Word
from tests.rig.speech import chatter, espeak, noise, silence
from tests.wake.conftest import Clip

VOICES = ["en-gb", "en-us+f3", "en-gb-x-rp", "en-us"]
PEOPLE = ["en-us+f3", "en-us+f2", "en-us+f4"]
"""Whom both networks understand, over other talk too."""
SPEEDS_WPM = [130, 160, 190]
LEVELS_DB = [-6, -20]
DELAYS_MS = [0, 60, 200]
MINUTE = 60 * 16_000


def db(sound: Clip, level: float) -> Clip:
    return (sound * 10 ** (level / 20)).astype(np.int16)


def mixed(*sounds: Clip) -> Clip:
    """All at once; as long as the longest, in whole frames."""
    size = -(-max(sound.size for sound in sounds) // FRAME_SAMPLES) * FRAME_SAMPLES
    total = sum(np.pad(sound.astype(np.int32), (0, size - sound.size)) for sound in sounds)
    return np.clip(total, -32768, 32767).astype(np.int16)


def after(seconds: float, sound: Clip) -> Clip:
    return np.concatenate([silence(seconds), sound])


class Room:
    """A microphone that hears what it is given, and a far end that is told while it sounds."""

    def __init__(self, **settings: float) -> None:
        self.hearing = Hearing([Word("hey_jarvis", **settings)], 1, 2.0, silence_ms=700)
        self.place = 0

    def hear(
        self, microphone: Clip, played: Clip | None = None, *, near: bool = True
    ) -> list[Detection]:
        """After two seconds of an empty room, both begin at once. What is heard is returned.

        Each time it begins anew, after a gap. `near`: whether somebody seems to be heard over all
        that is played.
        """
        self.place += MINUTE
        heard = mixed(after(2.0, microphone), noise(2.0 + microphone.size / 16_000, 20.0))
        said = None if played is None else after(2.0, played)
        return [
            news
            for frame, far_end in pairs(heard, said, self.place)
            for news in self.hearing.hear(frame, False, far_end, near=near and far_end is not None)
            if isinstance(news, Detection)
        ]


def pairs(heard: Clip, played: Clip | None, place: int) -> Iterator[tuple[Frame, bytes | None]]:
    """Frames and what arrives in them of ``played``, from its first sample to its last."""
    sounding = np.flatnonzero(played) if played is not None else np.zeros(0, np.int64)
    ours = np.zeros(heard.size, np.int16)
    if played is not None:
        ours[: played.size] = played[: heard.size]
    for start in range(0, heard.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        end = start + FRAME_SAMPLES
        sounds = sounding.size > 0 and sounding[0] < end and start <= sounding[-1]
        frame = Frame(heard[start:end].tobytes(), place + start, (place + end) / 16_000)
        yield frame, ours[start:end].tobytes() if sounds else None


@pytest.fixture(scope="module")
def room() -> Room:
    return Room()


@pytest.mark.parametrize(("voice", "wpm"), list(itertools.product(VOICES, SPEEDS_WPM)))
def test_our_own_voice_never_wakes_it(room: Room, voice: str, wpm: int) -> None:
    """It says the word, loud and soft, at once or late in the microphone: nothing, ever."""
    said = espeak("You wake me with the words hey jarvis, and then you ask.", voice, wpm)
    for level, delay_ms in itertools.product(LEVELS_DB, DELAYS_MS):
        for played in (espeak("hey jarvis", voice, wpm), said):
            echo = after(delay_ms / 1000, db(played, level))
            heard = np.concatenate([echo, silence(1.5)])
            assert room.hear(heard, played) == [], (level, delay_ms)


def test_it_would_have_been_woken() -> None:
    """The same echoes, by nobody told to be ours, do wake it: so there is something to veto."""
    room = Room()
    echoes = [db(espeak("hey jarvis", PEOPLE[0], wpm), -6) for wpm in SPEEDS_WPM]
    for echo in echoes:
        heard = np.concatenate([echo, silence(1.0)])
        assert room.hear(heard)
        assert room.hearing.vetoed == 0
    for number, echo in enumerate(echoes, 1):
        assert room.hear(np.concatenate([echo, silence(1.0)]), echo) == []
        assert room.hearing.vetoed >= number


@pytest.mark.parametrize("voice", PEOPLE)
@pytest.mark.parametrize("second", [20, 100, 200])
def test_a_person_is_heard_over_what_else_we_say(room: Room, voice: str, second: int) -> None:
    """Our own speech is 10 dB below the person's in the microphone and has nothing of the word."""
    vetoed = room.hearing.vetoed
    played = chatter()[second * 16_000 : (second + 5) * 16_000]
    person = after(2.0, espeak("hey jarvis", voice, 150))
    (heard,) = room.hear(mixed(db(played, -10), person), played)
    assert heard.word == "hey_jarvis"
    assert room.hearing.vetoed == vetoed


def test_a_person_is_heard_soon_after_we_said_the_word(room: Room) -> None:
    """A veto is over long before the refractory period of a wake word would be."""
    ours, theirs = espeak("hey jarvis", "en-gb", 160), espeak("hey jarvis", "en-us+f3", 140)
    microphone = mixed(db(ours, -6), after(ours.size / 16_000 + 0.6, theirs))
    microphone = np.concatenate([microphone, silence(1.0)])
    vetoed = room.hearing.vetoed
    (heard,) = room.hear(microphone, ours)
    assert heard.end_sample > room.place + 32_000 + ours.size + 9_600
    assert room.hearing.vetoed > vetoed


def scored(clip: Clip) -> float:
    """The best score of a clip in an empty room."""
    room = Room(threshold=1.0)
    best = 0.0
    for frame, _ in pairs(mixed(after(2.0, clip), noise(5.0, 20.0)), None, 0):
        list(room.hearing.hear(frame, False))
        best = max(best, room.hearing.scores.last["hey_jarvis"])
    return best


@pytest.fixture(scope="module")
def mumbled() -> Clip:
    """A person whose word scores in between: less than 0.5, more than 0.3."""
    person = espeak("hey travis", "en-us+f2", 170)
    assert 0.3 < scored(person) < 0.5
    return np.concatenate([person, silence(1.0)])


def test_the_lower_threshold_is_in_force_while_we_sound(room: Room, mumbled: Clip) -> None:
    """A word that scores 0.4 counts over our own sound, and only there."""
    assert room.hear(mumbled) == []
    (heard,) = room.hear(mumbled, noise(2.0, 3.0))
    assert 0.3 <= heard.score < 0.5
    assert room.hear(mumbled) == []


def test_where_nobody_talks_over_us_the_usual_threshold_is_in_force(
    room: Room, mumbled: Clip
) -> None:
    """What is left of our own voice scores 0.3 now and then, but is not heard as somebody else."""
    assert room.hear(mumbled, noise(2.0, 3.0), near=False) == []
    assert len(room.hear(espeak("hey jarvis"), noise(2.0, 3.0), near=False)) == 1


@pytest.mark.parametrize(("pause_s", "hits"), [(0.0, 1), (1.92, 0)])
def test_a_word_begun_over_our_own_sound_still_counts(
    room: Room, mumbled: Clip, pause_s: float, hits: int
) -> None:
    """Our sound ends as the person begins to speak, or long before."""
    played = noise(0.48, 3.0)
    assert len(room.hear(after(0.48 + pause_s, mumbled), played)) == hits


def test_over_our_own_sound_no_higher_threshold_is_in_force(mumbled: Clip) -> None:
    """``playback_threshold`` lowers and never raises."""
    settings = {"threshold": 0.35, "playback_threshold": 0.9}
    assert Room(**settings).hear(mumbled)
    assert Room(**settings).hear(mumbled, noise(2.0, 3.0))


def test_a_gap_in_the_microphone_forgets_what_we_said(room: Room) -> None:
    """Nothing is joined over it: no old sound lowers the threshold, no half word of ours vetoes."""
    own = room.hearing
    word = espeak("hey jarvis")
    room.hear(word, word)
    room.place += MINUTE
    end = room.place
    for frame, _ in pairs(noise(3.0, 20.0), None, room.place):
        assert list(own.hear(frame, False)) == []
        end = frame.end_sample
    vetoed = own.vetoed
    torn = np.concatenate([db(word, -6), silence(1.0)])
    for frame, far_end in pairs(torn, word, end):
        if frame.first_sample - end < 6400:
            list(own.hear(frame, False, far_end))
    for frame, far_end in pairs(torn, word, end + 16_000):
        if frame.first_sample - end - 16_000 >= 6400:
            assert list(own.hear(frame, False, far_end)) == []
    assert own.vetoed == vetoed
    assert room.hear(np.concatenate([word, silence(1.0)]))


def test_it_goes_on_after_a_stream_that_started_over() -> None:
    """Another microphone counts from 0 again, and our reply goes on meanwhile."""
    room, word = Room(), espeak("hey jarvis")
    echo = np.concatenate([db(word, -6), silence(1.0)])
    assert room.hear(echo, word) == []
    room.place = -MINUTE
    assert room.hear(echo, word) == []
    assert room.hearing.vetoed >= 2
    assert room.hear(echo)
