"""A person is told from what is left of our own voice, and our own voice is no person."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from device.echo.near_end import (
    FALSE_ALARM_DB,
    FIRST_NEEDED_DB,
    LEAST_NEEDED_DB,
    MOST_NEEDED_DB,
    NearEnd,
)
from device.frames import FRAME_SAMPLES, MICROPHONE_RATE_HZ
from tests.rig.echo_bench import ANSWER, Bench, Samples, ours, quiet
from tests.rig.speech import espeak, noise

ROOMS = ("small", "medium", "large")
LEARNING_S = 15.0
"""Of our own voice: the canceller has learned the room then, and so has what is tested here."""


# --- in rooms, behind the canceller ---------------------------------------------------------------


@pytest.mark.parametrize("room", ROOMS)
def test_a_minute_of_our_own_voice_is_nobody(room: str) -> None:
    """Once it has learned, not even its loudest words, which a small loudspeaker distorts."""
    bench = Bench(room)
    bench.play(quiet(4))
    heard = bench.play(ours(60))
    assert bench.echo.figures.learned
    assert [number for number, each in enumerate(heard) if each.near] == []
    assert bench.echo.figures.needed_db < FIRST_NEEDED_DB


def answer(voice: str) -> Samples:
    """What a person says, from its first sound on."""
    said = espeak(ANSWER, voice)
    return said[int(np.argmax(np.abs(said) > 300)) :][: 2 * MICROPHONE_RATE_HZ]


@pytest.mark.parametrize("voice", ["en-us+m3", "en-us+f2"])
@pytest.mark.parametrize("room", ROOMS)
def test_a_person_over_our_own_voice_is_found_at_once(room: str, voice: str) -> None:
    """Within 200 ms of their first sound, as loud as we are or 6 dB quieter; then it is over."""
    bench = Bench(room)
    bench.play(quiet(4))
    bench.play(ours(LEARNING_S))
    spoken = answer(voice)
    for level_dbfs in (-20.0, -26.0):
        bench.room.say(spoken, bench.position, level_dbfs)
        near = [each.near for each in bench.play(ours(30)[-6 * MICROPHONE_RATE_HZ :])]
        assert any(near[:10])
        assert sum(near[: len(spoken) // FRAME_SAMPLES]) > 50
        assert not any(near[len(spoken) // FRAME_SAMPLES + 50 :])


# --- by itself ------------------------------------------------------------------------------------


class Room:
    """A room without any reverberation: what is left of ours is 30 dB below what was played."""

    def __init__(self, *, noise_level: float = 20.0, left_db: float = -30.0) -> None:
        self.near_end = NearEnd()
        self.left_db = left_db
        self._noise = noise(60, noise_level)
        self._voice = ours(60)
        self._at = 0

    def hear(self, seconds: float, person: Samples | None = None, *, sounding: bool = True) -> int:
        """So much passes; gives in how many frames somebody was heard."""
        count = 0
        for number in range(round(seconds * 50)):
            here = slice(self._at, self._at + FRAME_SAMPLES)
            self._at = (self._at + FRAME_SAMPLES) % (len(self._voice) - FRAME_SAMPLES)
            heard = self._noise[here].astype(np.float32)
            far = self._voice[here].astype(np.float32) if sounding else None
            if far is not None:
                heard += far * 10 ** (self.left_db / 20)
            if person is not None:
                said = person[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES]
                heard[: len(said)] += said
            count += self.near_end.hear(heard, far)
        return count


@pytest.fixture
def room() -> Room:
    return Room()


def at_level(said: Samples, level: float) -> Samples:
    quieter: Samples = np.rint(said * level).astype(np.int16)
    return quieter


PERSON = answer("en-us+m3")


def test_it_tells_when_it_has_learned(room: Room) -> None:
    """Two and a half seconds of our own sound; silence teaches nothing of it."""
    room.hear(5, sounding=False)
    assert not room.near_end.learned
    room.hear(2.4)
    before = room.near_end.learned
    room.hear(0.4)
    assert (before, room.near_end.learned) == (False, True)


def test_a_person_is_heard_while_nothing_of_ours_is(room: Room) -> None:
    """Over the room's noise; not much later they are not heard any more."""
    room.hear(2, sounding=False)
    assert room.hear(2, PERSON, sounding=False) > 60
    assert room.hear(0.4, sounding=False) <= 15
    assert room.hear(2, sounding=False) == 0


def test_after_the_way_has_changed_it_learns_anew(room: Room) -> None:
    """What used to be left of ours says nothing of what will be."""
    room.hear(1, sounding=False)
    room.hear(10)
    room.near_end.relearn()
    before = room.near_end.learned
    room.left_db = -10
    room.hear(10)
    assert (before, room.near_end.learned) == (False, True)
    assert room.hear(20) == 0


def test_in_doubt_more_of_ours_is_nobody(room: Room) -> None:
    """The filter went astray, and comes back; a person is known all the while."""
    room.hear(1, sounding=False)
    room.hear(30)
    astray_db, back_db = room.left_db + 10, room.left_db
    room.left_db = astray_db
    assert room.hear(0.5) > 5, "a test that shows nothing"
    room.left_db = back_db
    room.hear(30)
    room.near_end.doubt()
    assert room.near_end.learned
    room.left_db = astray_db
    assert room.hear(0.5) == 0
    room.left_db = back_db
    assert room.hear(0.5, PERSON) > 10


def test_an_echo_that_grows_is_learned_in_the_end(room: Room) -> None:
    """Who moved the speaker is not taken for a person for ever."""
    room.hear(1, sounding=False)
    room.hear(30)
    room.left_db = -20
    room.hear(30)
    assert room.hear(10) < 25


def test_a_false_alarm_raises_what_is_needed(room: Room) -> None:
    """Each time, up to a bound."""
    room.hear(1, sounding=False)
    room.hear(5)
    before = room.near_end.needed_db
    room.near_end.was_nobody()
    assert room.near_end.needed_db == before + FALSE_ALARM_DB
    for _ in range(10):
        room.near_end.was_nobody()
    assert room.near_end.needed_db == MOST_NEEDED_DB


def test_after_a_false_alarm_the_next_frame_is_nobody(room: Room) -> None:
    """What was heard so far is forgotten."""
    room.hear(1, sounding=False)
    room.hear(5)
    assert room.hear(1, PERSON) > 0
    room.near_end.was_nobody()
    assert room.hear(0.02) == 0


def test_in_time_less_is_needed_again(room: Room) -> None:
    """15 dB in a minute of our own sound, down to a bound; silence changes nothing."""
    room.near_end.was_nobody()
    room.hear(10, sounding=False)
    assert room.near_end.needed_db == FIRST_NEEDED_DB + FALSE_ALARM_DB
    room.hear(20)
    assert room.near_end.needed_db == pytest.approx(FIRST_NEEDED_DB + FALSE_ALARM_DB - 5, abs=0.1)
    room.hear(85)
    assert room.near_end.needed_db == LEAST_NEEDED_DB


def test_more_evidence_takes_a_person_longer() -> None:
    """But whoever speaks on is heard."""
    found = []
    for alarms in (0, 10):
        room = Room()
        room.hear(1, sounding=False)
        room.hear(10)
        for _ in range(alarms):
            room.near_end.was_nobody()
        person = at_level(PERSON, 0.3)
        found.append([room.hear(0.02, person[at:]) for at in range(0, len(person), FRAME_SAMPLES)])
    first = [frames.index(1) for frames in found]
    assert first[0] < first[1] < 50


@pytest.mark.parametrize("level", [5.0, 100.0, 600.0])
def test_the_room_s_noise_is_learned(level: float) -> None:
    """After some seconds it is nobody, alone and under our own voice."""
    room = Room(noise_level=level)
    room.hear(2, sounding=False)
    assert room.hear(3, sounding=False) == 0
    assert room.hear(10) == 0


def test_noise_that_begins_is_learned_in_time() -> None:
    """A fan is a person only for as long as nobody can know."""
    near_end = NearEnd()
    frames = [each.astype(np.float32) for each in np.split(noise(30, 10.0), 1500)]
    for frame in frames[:50]:
        near_end.hear(frame, None)
    assert near_end.hear(20 * frames[50], None) or near_end.hear(20 * frames[51], None)
    heard = [near_end.hear(20 * frame, None) for frame in frames]
    assert not any(heard[-50:])


def test_noise_that_ends_is_forgotten(room: Room) -> None:
    """A quiet person is heard again."""
    for frame in np.split(noise(4, 600.0), 200):
        room.near_end.hear(frame.astype(np.float32), None)
    room.hear(4, sounding=False)
    assert room.hear(2, at_level(PERSON, 0.05), sounding=False) > 30


@pytest.mark.parametrize("far", [lambda: None, lambda: np.zeros(FRAME_SAMPLES, np.float32)])
def test_digital_silence_has_a_level_too(far: Callable[[], npt.NDArray[np.float32] | None]) -> None:
    """A microphone that delivers none is nobody; and no noise is below -80 dBFS."""
    near_end = NearEnd()
    silence = np.zeros(FRAME_SAMPLES, np.float32)
    assert not any(near_end.hear(silence, far()) for _ in range(200))
    hiss = np.split(noise(2, 2.0), 100)
    assert not any(near_end.hear(frame.astype(np.float32), far()) for frame in hiss)


def test_a_click_is_soon_over(room: Room) -> None:
    """However loud: it is heard no longer than a short word."""
    room.hear(2, sounding=False)
    click = np.zeros(FRAME_SAMPLES, np.int16)
    click[10:12] = 30_000
    assert room.hear(0.5, click, sounding=False) < 10
    room.hear(10)
    assert room.hear(0.5, click) < 10
