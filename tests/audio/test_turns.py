"""Replies that are paused, go on, and wait for more of themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio.buffer import Block, PlaybackBuffer
from device.audio.cushion import CALM_TURNS, Cushion
from device.audio.turns import LONGEST_GATHERING_MS, What

RATE_HZ = 48_000
BLOCK = 480
FADE = 240
MS = RATE_HZ // 1000
Ints = npt.NDArray[np.int16]


def steady(samples: int, value: int = 8000) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def voice(samples: int) -> Ints:
    wave = 12_000 * np.sin(2 * np.pi * 200 * np.arange(samples) / RATE_HZ)
    return wave.astype(np.int16)


class Card:
    """Takes from a buffer and remembers all of it."""

    def __init__(self, cushion: Cushion | None = None, capacity_s: float = 600) -> None:
        self.buffer = PlaybackBuffer(RATE_HZ, 100, capacity_s, 0.0, cushion)
        self.heard = np.zeros(0, np.int16)
        self.marks: list[tuple[What, int, int]] = []

    def take(self, samples: int = BLOCK) -> Ints:
        block = self.buffer.take(samples)
        piece = np.zeros(samples, np.int16) if block.samples is None else block.samples
        self.heard = np.concatenate([self.heard, piece])
        self.marks += [(mark.what, mark.turn, mark.played_samples) for mark in block.marks]
        return piece

    def takes(self, blocks: int) -> Ints:
        return np.concatenate([self.take() for _ in range(blocks)])

    @property
    def told(self) -> list[tuple[What, int]]:
        return [(what, turn) for what, turn, _ in self.marks]

    @property
    def largest_step(self) -> int:
        return int(np.max(np.abs(np.diff(self.heard.astype(int)))))


# --- pause and go on -----------------------------------------------------------------------------


def test_a_pause_is_silent_after_5_ms_and_goes_on_where_it_began() -> None:
    """What faded out fades in again: together they are the samples as they were."""
    wave = voice(20 * BLOCK)
    card = Card()
    card.buffer.append(wave.tobytes(), 1)
    card.takes(5)
    card.buffer.pause()
    card.takes(10)
    card.buffer.go_on()
    card.takes(16)
    heard = card.heard.astype(int)
    assert np.array_equal(heard[: 5 * BLOCK], wave[: 5 * BLOCK])
    fading = heard[5 * BLOCK : 5 * BLOCK + FADE]
    assert not heard[5 * BLOCK + FADE : 15 * BLOCK].any()
    rising = heard[15 * BLOCK : 15 * BLOCK + FADE]
    assert np.max(np.abs(fading + rising - wave[5 * BLOCK : 5 * BLOCK + FADE])) <= 1
    rest = wave[5 * BLOCK + FADE :]
    assert np.array_equal(heard[15 * BLOCK + FADE :][: len(rest)], rest)
    assert card.largest_step < 12_000 * 2 * np.pi * 200 / RATE_HZ + 12_000 / FADE + 2


def test_a_pause_that_ends_at_once_is_not_heard() -> None:
    """The two fades lie on each other, however often."""
    wave = voice(10 * BLOCK)
    card = Card()
    card.buffer.append(wave.tobytes(), 1)
    card.takes(3)
    for _ in range(3):
        card.buffer.pause()
        card.buffer.go_on()
    card.takes(7)
    assert np.max(np.abs(card.heard.astype(int) - wave)) <= 1


def test_no_news_comes_in_a_pause_and_all_of_it_after() -> None:
    """Neither that it ran dry, nor that it is over, nor that the next one began."""
    card = Card()
    card.buffer.append(steady(BLOCK), 1)
    card.take()
    card.buffer.pause()
    card.buffer.pause()
    card.takes(3)
    card.buffer.end(1)
    card.buffer.append(steady(BLOCK), 2)
    card.buffer.end(2)
    card.takes(3)
    assert card.told == [(What.FIRST, 1)]
    assert not card.buffer.idle
    assert card.buffer.take(BLOCK) == Block(None, 0.0, ())
    card.buffer.go_on()
    card.buffer.go_on()
    assert np.all(card.take() == 8000)
    assert card.told[1:] == [(What.LAST, 1), (What.FIRST, 2), (What.LAST, 2)]
    card.take()
    assert card.buffer.idle


def test_a_turn_that_begins_in_a_pause_is_paused_too() -> None:
    """And begins, not with a fade, when it goes on."""
    card = Card()
    card.buffer.pause()
    assert card.buffer.idle
    card.buffer.append(steady(BLOCK), 1)
    assert not card.takes(3).any()
    card.buffer.go_on()
    assert np.all(card.take() == 8000)
    assert card.told == [(What.FIRST, 1)]


def test_a_pause_before_the_first_sample_is_silence_at_once() -> None:
    """Of what nobody has heard nothing needs to fade; but what sounded before it does."""
    card = Card()
    card.buffer.append(steady(BLOCK), 1)
    card.buffer.end(1)
    card.take()
    card.buffer.append(steady(BLOCK), 2)
    card.buffer.pause()
    card.takes(2)
    assert card.largest_step < 8000 / FADE + 2
    assert not card.heard[BLOCK + FADE :].any()
    card.buffer.go_on()
    assert np.all(card.take() == 8000)


@pytest.mark.parametrize("left", [0, 1, 100])
def test_a_pause_near_the_end_of_what_came_does_not_click(left: int) -> None:
    """Whether more of it comes before it goes on or after."""
    for early in (True, False):
        card = Card()
        card.buffer.append(steady(BLOCK + left), 1)
        card.take()
        card.buffer.pause()
        card.takes(2)
        if early:
            card.buffer.append(steady(20 * BLOCK), 1)
        card.buffer.go_on()
        if not early:
            card.buffer.append(steady(20 * BLOCK), 1)
        card.buffer.end(1)
        card.takes(25)
        assert np.max(np.abs(np.diff(card.heard[:-BLOCK].astype(int)))) <= 8000 / FADE + 2
        assert card.marks[-1] == (What.LAST, 1, 21 * BLOCK + left)


def test_a_paused_turn_that_ran_dry_is_still_dry_when_it_goes_on() -> None:
    """It is not told a second time, and comes back softly."""
    card = Card()
    card.buffer.append(steady(BLOCK), 1)
    card.takes(3)
    card.buffer.pause()
    card.takes(2)
    card.buffer.go_on()
    card.takes(2)
    card.buffer.append(steady(10 * BLOCK), 1)
    card.takes(3)
    assert card.told == [(What.FIRST, 1), (What.STARVED, 1)]
    assert card.largest_step < 8000 / FADE + 2


def test_a_second_pause_while_it_fades_in_does_not_click() -> None:
    """It fades from where the fade-in was."""
    card = Card()
    card.buffer.append(steady(30 * BLOCK), 1)
    card.take()
    card.buffer.pause()
    card.takes(2)
    for samples in (1, 60, 239, 240):
        card.buffer.go_on()
        card.take(samples)
        card.buffer.pause()
        card.takes(2)
    assert card.largest_step < 2 * 8000 / FADE + 2
    assert not card.heard[-BLOCK:].any()
    assert card.buffer.played_ms(1) == (BLOCK + 540) // MS


def test_clear_ends_a_pause_without_a_sound() -> None:
    """And the next turn plays at once."""
    card = Card()
    card.buffer.append(steady(10 * BLOCK), 1)
    card.take()
    card.buffer.pause()
    card.takes(2)
    card.buffer.clear()
    assert card.buffer.idle
    assert not card.takes(2).any()
    assert card.buffer.played_ms(1) == BLOCK // MS
    card.buffer.append(steady(BLOCK), 2)
    assert np.all(card.take() == 8000)
    assert card.told == [(What.FIRST, 1), (What.FIRST, 2)]


def test_clear_of_a_turn_that_has_not_begun_is_no_sound() -> None:
    """Nobody hears a scrap of what was thrown away."""
    card = Card()
    card.buffer.append(steady(10 * BLOCK), 1)
    card.buffer.clear()
    assert not card.takes(2).any()
    assert card.buffer.played_ms(1) == 0


def test_chimes_and_sentences_go_on_in_a_pause() -> None:
    """A sentence may begin in it: no reply sounds."""
    card = Card()
    card.buffer.append(steady(10 * BLOCK, 1000), 1)
    card.buffer.chime(np.full(3 * BLOCK, 0.125, np.float32))
    card.buffer.announce(steady(BLOCK, 500))
    card.take()
    card.buffer.pause()
    assert np.all(card.takes(2)[FADE:] == 4096)
    said = card.takes(RATE_HZ * 150 // 1000 // BLOCK + 1)
    assert np.count_nonzero(said == 500) == BLOCK


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 1500), st.sampled_from(["", "pause", "go_on"])),
        max_size=20,
    ),
    st.lists(st.integers(1, 3000), min_size=1, max_size=8),
)
def test_every_sample_is_played_once_and_in_its_order(
    steps: list[tuple[int, str]], chunks: list[int]
) -> None:
    """Apart from the fades, wherever it pauses and goes on: nothing is lost and nothing doubled."""
    wave = np.random.default_rng(1).integers(-9000, 9000, sum(chunks)).astype(np.int16)
    card = Card()
    for end, size in zip(np.cumsum(chunks), chunks, strict=True):
        card.buffer.append(wave[end - size : end].tobytes(), 1)
    card.buffer.end(1)
    paused, touched, place = False, FADE, 0
    # `touched` counts the samples since a fade began.

    def take(samples: int) -> None:
        nonlocal place, touched
        piece = card.take(samples)
        clean = max(0, FADE - touched)
        touched += samples
        expected = np.zeros(samples, np.int16)
        if not paused:
            # Behind its end the voice sinks.
            expected = wave[place : place + samples]
            place += len(expected)
        assert np.array_equal(piece[clean : len(expected)], expected[clean:])

    for samples, action in steps:
        if action == "pause":
            card.buffer.pause()
            touched = touched if paused else 0
            paused = True
        elif action == "go_on":
            card.buffer.go_on()
            touched = 0 if paused else touched
            paused = False
        take(samples)
    card.buffer.go_on()
    touched = 0 if paused else touched
    paused = False
    while place < len(wave):
        take(700)
    card.take()
    assert card.marks[-1] == (What.LAST, 1, len(wave))
    assert card.told == [(What.FIRST, 1), (What.LAST, 1)]


# --- the cushion ---------------------------------------------------------------------------------


def starved_once() -> Card:
    card = Card()
    card.buffer.append(steady(BLOCK), 1)
    card.takes(2)
    return card


def test_a_turn_begins_at_once_as_long_as_none_has_starved() -> None:
    """However little of it is there."""
    card = Card()
    card.buffer.append(steady(1), 1)
    assert card.take()[0] == 8000


def test_a_turn_that_starved_goes_on_when_its_cushion_waits() -> None:
    """80 ms of it."""
    card = starved_once()
    card.buffer.append(steady(80 * MS - 1), 1)
    assert not card.takes(3)[FADE:].any()
    card.buffer.append(steady(1), 1)
    assert card.take()[FADE:].all()


def test_the_next_turn_waits_too_and_is_marked_when_it_sounds() -> None:
    """Even right behind the last one, which sinks softly."""
    card = starved_once()
    card.buffer.append(steady(BLOCK), 1)
    card.buffer.end(1)
    card.buffer.append(steady(80 * MS - 1), 2)
    card.takes(5)
    assert card.told == [(What.FIRST, 1), (What.STARVED, 1), (What.LAST, 1)]
    assert card.largest_step < 8000 / FADE + 2
    card.buffer.append(steady(1), 2)
    assert np.all(card.take() == 8000)
    assert card.told[3:] == [(What.FIRST, 2)]


def test_the_end_of_a_turn_releases_it() -> None:
    """All of a short one is there, so nothing is waited for."""
    card = starved_once()
    card.buffer.append(steady(BLOCK), 1)
    assert not card.takes(2)[FADE:].any()
    card.buffer.end(1)
    assert card.take()[FADE:].all()
    assert card.told[-1] == (What.LAST, 1)


def test_a_word_before_a_long_silence_is_not_held_back_for_ever() -> None:
    """The model may say it and then use a tool for many seconds."""
    card = starved_once()
    card.take()
    card.buffer.append(steady(BLOCK), 1)
    assert not card.takes(LONGEST_GATHERING_MS * MS // BLOCK).any()
    assert card.take().any()


def test_a_buffer_smaller_than_the_cushion_plays_all_the_same() -> None:
    """What does not fit is dropped; what is there sounds after a while."""
    card = Card(capacity_s=0.02)
    card.buffer.append(steady(BLOCK), 1)
    card.takes(2)
    assert card.buffer.append(steady(100 * BLOCK), 1) > 0
    assert card.takes(LONGEST_GATHERING_MS * MS // BLOCK + 2).any()


def test_running_dry_at_the_end_is_not_starving() -> None:
    """The news that a turn has ended may come after its last sound was played."""
    cushion = Cushion()
    card = Card(cushion)
    card.buffer.append(steady(BLOCK), 1)
    card.takes(2)
    card.buffer.end(1)
    card.take()
    assert card.told == [(What.FIRST, 1), (What.STARVED, 1), (What.LAST, 1)]
    assert cushion.ms == 0


def test_the_cushion_grows_once_for_each_time_and_shrinks_after_good_turns() -> None:
    """A turn without a sound is no good one."""
    cushion = Cushion()
    card = Card(cushion)
    card.buffer.append(steady(BLOCK), 1)
    card.takes(2)
    for _ in range(3):
        card.buffer.append(steady(30 * MS), 1)
    assert cushion.ms == 80
    card.takes(12)
    card.buffer.append(steady(BLOCK), 1)
    assert cushion.ms == 160
    card.buffer.end(1)
    card.takes(2)
    for turn in range(2, 2 + CALM_TURNS):
        card.buffer.end(turn)
        card.take()
    assert cushion.ms == 160
    for turn in range(20, 20 + CALM_TURNS):
        assert cushion.ms == 160
        card.buffer.append(steady(BLOCK), turn)
        card.buffer.end(turn)
        card.takes(2)
    assert cushion.ms == 80


def test_a_pause_does_not_count_as_gathering() -> None:
    """Nor is the turn starved by it."""
    card = starved_once()
    card.buffer.append(steady(BLOCK), 1)
    card.buffer.pause()
    card.takes(300)
    card.buffer.go_on()
    assert not card.take().any()
    card.buffer.end(1)
    assert card.take().any()


def test_sound_that_comes_sample_by_sample_takes_no_more_room() -> None:
    """A server may cut its reply as fine as it likes: few pieces are kept, and all is played."""
    card = Card()
    wave = voice(5_000)
    for sample in wave:
        card.buffer.append(sample.tobytes(), 1)
    (turn,) = card.buffer._turns._turns
    assert len(turn.pieces) <= 5
    card.buffer.end(1)
    card.takes(5_000 // BLOCK + 1)
    assert np.array_equal(card.heard[:5_000], wave)
