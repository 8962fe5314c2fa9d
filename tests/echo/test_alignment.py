"""Which sample of the loudspeaker belongs to which of the microphone is found, and followed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.echo.alignment import (
    AGREEING_STAMPS,
    GUESSED_SEARCHES,
    JUMP_SAMPLES,
    LEAD_SAMPLES,
    SAME_SAMPLES,
    STAMPS,
    Alignment,
)
from device.echo.correlation import CLEAR, LOOK_CLEAR, Found
from device.frames import FRAME_SAMPLES, MICROPHONE_RATE_HZ

Samples = npt.NDArray[np.float32]


class Clocks:
    """Two streams with stamps, for an alignment to join.

    The loudspeaker's sample 0 sounds when the microphone's `offset` is captured, its sound takes
    `way`, and its clock is faster by `drift_ppm`.
    """

    def __init__(self, offset: int = 5000, way: float = 1400.0, drift_ppm: float = 0.0) -> None:
        self.alignment = Alignment()
        self.offset = offset
        self.way = way
        self.drift_ppm = drift_ppm
        self.jitter_samples = 40.0
        self.sample = 0
        self._rng = np.random.default_rng(3)

    def pass_by(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self.sample += FRAME_SAMPLES
            late = self._rng.uniform(0, self.jitter_samples)
            self.alignment.stamp_microphone(self.sample, (self.sample + late) / MICROPHONE_RATE_HZ)
            off = self._rng.uniform(-self.jitter_samples, self.jitter_samples)
            place = round(self.far_at(self.sample))
            self.alignment.stamp_far_end(place, (self.sample + off) / MICROPHONE_RATE_HZ)

    def far_at(self, sample: float) -> float:
        """The far end's sample that sounds now."""
        return (sample - self.offset) * (1 + self.drift_ppm / 1e6)

    def arriving(self) -> float:
        """The far end's sample that arrives at the microphone now."""
        return self.far_at(self.sample) - self.way

    def look(self, *, clearness: float = 20.0, off: float = 0.0) -> bool:
        """Search, and tell what was found; `off`: by how many samples that is wrong."""
        stamped = self.alignment.stamped
        assert stamped is not None
        path = self.arriving() - self.sample
        found = Found(round(stamped) - path + off, clearness)
        return self.alignment.learn(found, round(stamped), self.sample)

    def glance(self, *, clearness: float = LOOK_CLEAR + 1, off: float = 0.0) -> bool:
        """Look near the place only; `off`: by how many samples what is found is wrong."""
        return self.alignment.moved(Found(self.error + off, clearness), self.sample)

    def watch(self, seconds: float, jitter: float = 0.2) -> None:
        """Search every two seconds, as well as searches are."""
        for _ in range(round(seconds / 2)):
            self.pass_by(2)
            self.look(off=float(self._rng.normal(0, jitter)))

    def guesses(self) -> bool:
        return self.alignment.guessed

    @property
    def error(self) -> float:
        """By how many samples the place is wrong."""
        place = self.alignment.place(self.sample)
        assert place is not None
        return place - self.arriving() - LEAD_SAMPLES


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_without_stamps_nothing_is_known(clocks: Clocks) -> None:
    """Both streams must have told of themselves."""
    alignment = clocks.alignment
    assert alignment.stamped is None
    alignment.stamp_microphone(320, 1.0)
    assert alignment.stamped is None
    alignment.stamp_far_end(0, 1.0)
    assert alignment.stamped == pytest.approx(-320)
    assert alignment.place(320) is None
    assert alignment.delay_ms is None
    assert not alignment.jumped()


@settings(max_examples=30, deadline=None)
@given(
    late=st.lists(st.floats(0, 0.05), min_size=STAMPS, max_size=STAMPS),
    off=st.lists(st.floats(-0.007, 0.007), min_size=STAMPS, max_size=STAMPS),
)
def test_stamps_jitter_and_the_streams_are_joined_all_the_same(
    late: list[float], off: list[float]
) -> None:
    """A frame can only be late, so the earliest counts; of blocks it is the middle."""
    alignment = Alignment()
    for number in range(STAMPS):
        end = number * FRAME_SAMPLES
        alignment.stamp_microphone(end, 7 + end / MICROPHONE_RATE_HZ + late[number])
        alignment.stamp_far_end(end, 5 + end / MICROPHONE_RATE_HZ + off[number])
    wanted = (2 + min(late) - float(np.median(off))) * MICROPHONE_RATE_HZ
    assert alignment.stamped == pytest.approx(wanted, abs=1e-3)


def test_old_stamps_are_forgotten(clocks: Clocks) -> None:
    """A second of them counts: clocks drift."""
    clocks.pass_by(3)
    clocks.offset += 1000
    clocks.pass_by(1)
    assert clocks.alignment.stamped == pytest.approx(-clocks.offset, abs=30)


def test_one_search_is_not_believed_and_two_that_agree_are(clocks: Clocks) -> None:
    """Chance may have a peak as well."""
    clocks.pass_by(1)
    told = []
    for off in (0, SAME_SAMPLES + 1, SAME_SAMPLES + 4):
        changed = clocks.look(off=off)
        told.append((changed, clocks.alignment.found))
    assert told == [(False, False), (False, False), (True, True)]
    assert clocks.error == pytest.approx(-SAME_SAMPLES - 4, abs=1)


def test_what_is_not_clear_is_no_news(clocks: Clocks) -> None:
    """Neither for nor against."""
    clocks.pass_by(1)
    clocks.look()
    assert not clocks.look(off=3000, clearness=CLEAR - 0.1)
    assert clocks.look()
    assert abs(clocks.error) <= 0.5


def test_the_delay_is_told_in_milliseconds(clocks: Clocks) -> None:
    """As far as the time stamps are right."""
    clocks.pass_by(1)
    clocks.look()
    clocks.look()
    assert clocks.alignment.delay_ms == pytest.approx(1400 / 16, abs=1.5)
    assert clocks.error == pytest.approx(0, abs=0.5)


def test_it_moves_when_two_searches_find_another_way(clocks: Clocks) -> None:
    """A buffer that grew shows in no time stamp."""
    clocks.pass_by(1)
    clocks.look()
    clocks.look()
    clocks.way += 200
    assert not clocks.look()
    assert clocks.error == pytest.approx(200, abs=1)
    assert clocks.look()
    assert clocks.error == pytest.approx(0, abs=1)


def test_a_stray_search_changes_nothing(clocks: Clocks) -> None:
    """Where the next one is as before, it is forgotten."""
    clocks.pass_by(1)
    clocks.look()
    clocks.look()
    assert not clocks.look(off=500)
    assert not clocks.look()
    assert not clocks.look(off=500)
    assert clocks.error == pytest.approx(0, abs=1)


@pytest.mark.parametrize("drift_ppm", [-60.0, -20.0, 12.0, 100.0])
def test_drift_is_found_and_followed(drift_ppm: float) -> None:
    """Within 2 ppm after a minute; from then on the place is off by what it was off then.

    But for what 4 ppm make in two minutes: as much is not followed.
    """
    clocks = Clocks(drift_ppm=drift_ppm)
    clocks.watch(60)
    assert clocks.alignment.drift_ppm == pytest.approx(drift_ppm, abs=2)
    began = clocks.error
    assert abs(began) <= SAME_SAMPLES
    clocks.watch(120)
    assert clocks.alignment.drift_ppm == pytest.approx(drift_ppm, abs=2)
    assert clocks.error == pytest.approx(began, abs=8)


@pytest.mark.parametrize("drift_ppm", [-150.0, 60.0, 100.0])
def test_drift_is_found_over_short_replies_too(drift_ppm: float) -> None:
    """Three searches and ten seconds of silence: the way creeps out of reach meanwhile."""
    clocks = Clocks(drift_ppm=drift_ppm)
    for _ in range(12):
        clocks.watch(6)
        clocks.pass_by(10)
    assert clocks.alignment.drift_ppm == pytest.approx(drift_ppm, abs=2)
    began = clocks.error
    clocks.watch(60)
    assert clocks.error == pytest.approx(began, abs=8)


def test_samples_that_were_lost_are_no_drift() -> None:
    """What was seen before them says nothing of what comes after."""
    clocks = Clocks(drift_ppm=20)
    clocks.watch(60)
    clocks.way += 100
    clocks.watch(8)
    assert clocks.error == pytest.approx(0, abs=2)
    clocks.watch(60)
    assert clocks.alignment.drift_ppm == pytest.approx(20, abs=2)


def test_where_the_clocks_agree_the_place_stays_a_whole_sample(clocks: Clocks) -> None:
    """Nothing is interpolated for a drift that is none."""
    clocks.watch(60)
    assert clocks.alignment.drift_ppm == pytest.approx(0, abs=2)
    place = clocks.alignment.place(clocks.sample)
    assert place is not None
    assert place.is_integer()


def test_the_place_does_not_jump_where_a_drift_begins_to_be_followed() -> None:
    """The filter keeps what it has learned: from frame to frame it is less than a sample."""
    clocks = Clocks(drift_ppm=20)
    clocks.pass_by(1)
    clocks.look()
    clocks.look()
    steps = []
    for _ in range(60):
        clocks.pass_by(2)
        before = clocks.alignment.place(clocks.sample)
        clocks.look()
        after = clocks.alignment.place(clocks.sample)
        assert before is not None
        assert after is not None
        steps.append(abs(after - before))
    assert clocks.alignment.drift_ppm == pytest.approx(20, abs=2)
    assert max(steps) <= 0.5


def test_a_drift_that_is_followed_is_no_jump(clocks: Clocks) -> None:
    """However long it goes on: the stamps run away with it, and the place with them."""
    alignment = Alignment()
    ppm = 50.0
    for second in range(1200):
        sample = second * 16_000
        heard_at = 100.0 + second
        for block in range(STAMPS):
            place = round((sample + 320 * block) * (1 + ppm / 1e6))
            alignment.stamp_far_end(place, heard_at + 0.02 * block)
            alignment.stamp_microphone(sample + 320 * block, heard_at + 0.02 * block)
        stamped = alignment.stamped
        assert stamped is not None
        alignment.learn(Found(1000.0, 20.0), stamped, sample)
        if second > 30:
            assert not alignment.jumped(), second
    assert alignment.drift_ppm == pytest.approx(ppm, abs=2)


def test_after_a_silence_old_stamps_say_nothing() -> None:
    """Clocks run apart meanwhile: a place made of old and new stamps would be far off."""
    alignment = Alignment()
    for number in range(STAMPS):
        alignment.stamp_far_end(320 * number, 100.0 + 0.02 * number)
    hour_s = 3600.0
    late = round((hour_s * 16_000) * (1 + 40 / 1e6))
    alignment.stamp_far_end(late, 100.0 + hour_s)
    for number in range(STAMPS):
        sample = late + 320 * number
        alignment.stamp_microphone(sample, 100.0 + hour_s + 0.02 * number)
    assert alignment.stamped == pytest.approx(0, abs=1)


def test_a_jump_of_the_stamps_moves_the_place(clocks: Clocks) -> None:
    """The loudspeaker took 60 ms more than it counted: the echo comes so much later."""
    clocks.watch(6)
    assert not clocks.alignment.jumped()
    clocks.offset += 960
    clocks.pass_by((AGREEING_STAMPS - 1) / 50)
    assert not clocks.alignment.jumped()
    clocks.pass_by(1 / 50)
    assert clocks.alignment.jumped()
    assert clocks.guesses()
    assert clocks.error == pytest.approx(0, abs=60)
    assert not clocks.alignment.jumped()
    assert not clocks.look()
    assert not clocks.guesses()
    assert clocks.error == pytest.approx(0, abs=1)


def test_what_a_filter_has_learned_with_is_kept_over_a_jump() -> None:
    """Before the drift was known the place was some samples off, and is so again."""
    clocks = Clocks(drift_ppm=25)
    clocks.watch(20)
    off = clocks.error
    assert abs(off) > 2
    clocks.offset += 960
    clocks.pass_by(0.2)
    assert clocks.alignment.jumped()
    clocks.look()
    assert clocks.error == pytest.approx(off, abs=0.5)
    clocks.watch(20)
    assert clocks.error == pytest.approx(off, abs=1)


def test_a_guess_that_is_wrong_is_given_up_for_what_is_found(clocks: Clocks) -> None:
    """Two searches that agree are believed, as ever."""
    clocks.watch(6)
    clocks.offset += 960
    clocks.pass_by(0.2)
    assert clocks.alignment.jumped()
    clocks.way += 2 * JUMP_SAMPLES
    assert not clocks.look()
    assert clocks.guesses()
    assert clocks.look()
    assert not clocks.guesses()
    assert clocks.error == pytest.approx(0, abs=1)


def test_a_guess_that_nothing_confirms_is_given_up(clocks: Clocks) -> None:
    """The volume was turned down, say, and no echo is heard any more: the place is not known."""
    clocks.watch(6)
    clocks.offset += 960
    clocks.pass_by(0.2)
    assert clocks.alignment.jumped()
    changes = [clocks.look(clearness=CLEAR - 1) for _ in range(GUESSED_SEARCHES)]
    assert changes == [False] * (GUESSED_SEARCHES - 1) + [True]
    assert not clocks.guesses()
    assert not clocks.alignment.found
    assert not clocks.look(clearness=CLEAR - 1)
    clocks.look()
    assert clocks.look()
    assert clocks.error == pytest.approx(0, abs=1)


def test_threads_that_are_late_now_and_then_are_no_jump(clocks: Clocks) -> None:
    """Up to two stamps in a row."""
    clocks.watch(6)
    for _ in range(10):
        clocks.pass_by(0.2)
        clocks.offset += 960
        clocks.pass_by((AGREEING_STAMPS - 1) / 50)
        clocks.offset -= 960
        assert not clocks.alignment.jumped()


def test_a_little_jitter_is_no_jump(clocks: Clocks) -> None:
    """Below 15 ms only the search is believed."""
    clocks.watch(6)
    before = clocks.error
    clocks.offset += JUMP_SAMPLES - 60
    clocks.pass_by(1.2)
    assert not clocks.alignment.jumped()
    assert clocks.error == pytest.approx(before + JUMP_SAMPLES - 60, abs=1)


def test_a_few_stamps_are_no_reason_to_jump(clocks: Clocks) -> None:
    """After a pause the first of them say little."""
    clocks.watch(6)
    clocks.alignment.stamp_far_end(0, 1000.0)
    for _ in range(AGREEING_STAMPS - 1):
        assert not clocks.alignment.jumped()
        clocks.alignment.stamp_far_end(0, 1000.0)
    assert clocks.alignment.jumped()


@pytest.mark.parametrize("drift_ppm", [0.0, 40.0])
@pytest.mark.parametrize("later", [-200, -40, 40, 80, 160, 230])
def test_two_looks_that_agree_move_the_place(later: int, drift_ppm: float) -> None:
    """The filter's place in it is kept; the stamps, which tell of it later, move it no more."""
    clocks = Clocks(drift_ppm=drift_ppm)
    clocks.watch(60)
    learned_with = clocks.error
    clocks.offset += later
    clocks.pass_by(0.06)
    assert not clocks.glance(off=3)
    assert clocks.error == pytest.approx(learned_with + later, abs=0.5)
    clocks.pass_by(0.08)
    assert clocks.glance()
    assert clocks.error == pytest.approx(learned_with, abs=0.5)
    for _ in range(100):
        clocks.pass_by(0.02)
        assert not clocks.alignment.jumped()
    assert clocks.error == pytest.approx(learned_with, abs=0.5)
    assert not clocks.look()
    assert not clocks.alignment.doubtful


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"off": SAME_SAMPLES + 1}),
        ({}, {"clearness": LOOK_CLEAR}),
        ({"clearness": LOOK_CLEAR}, {}),
        ({"off": -160}, {"off": -160}),
    ],
    ids=["elsewhere", "unclear", "unclear at first", "at our own place"],
)
def test_two_looks_that_do_not_agree_move_nothing(
    clocks: Clocks, first: dict[str, float], second: dict[str, float]
) -> None:
    """Somebody else is heard, or nothing that is clear, or our voice where it always was."""
    clocks.watch(6)
    clocks.offset += 160
    clocks.pass_by(0.06)
    before = clocks.error
    assert not clocks.glance(**first)
    assert not clocks.glance(**second)
    assert clocks.error == before


def test_without_a_place_a_look_says_nothing(clocks: Clocks) -> None:
    """It was made around another one."""
    clocks.watch(6)
    clocks.alignment.forget_microphone()
    found = Found(160.0, LOOK_CLEAR + 1)
    assert [clocks.alignment.moved(found, clocks.sample) for _ in range(3)] == [False] * 3


@pytest.mark.parametrize("what", ["far end", "microphone"])
def test_what_is_forgotten_is_looked_for_anew(clocks: Clocks, what: str) -> None:
    """Samples are counted from elsewhere then; the stamps of the other stream stay."""
    clocks.watch(6)
    if what == "far end":
        clocks.alignment.forget_far_end()
    else:
        clocks.alignment.forget_microphone()
    assert not clocks.alignment.found
    assert clocks.alignment.stamped is None
    assert clocks.alignment.place(clocks.sample) is None
    clocks.pass_by(0.1)
    assert not clocks.look()
    assert clocks.look()
    assert clocks.error == pytest.approx(0, abs=1)


def test_the_clocks_are_the_same_after_something_was_forgotten() -> None:
    """A drift that was found is followed from the first search on."""
    clocks = Clocks(drift_ppm=40)
    clocks.watch(60)
    clocks.alignment.forget_microphone()
    clocks.pass_by(1)
    clocks.look()
    clocks.look()
    clocks.pass_by(30)
    assert clocks.error == pytest.approx(0, abs=2)
