"""What the card was given, for a moment."""

from __future__ import annotations

import numpy as np

from device.audio.reference import KEPT_BLOCKS, PlayedBlocks
from device.ports import Played


def test_silence_counts_and_is_left_out() -> None:
    """The place of each block is known without it."""
    played = PlayedBlocks()
    played.opened(48_000)
    played.note(None, 960, 1.0)
    played.note(np.array([1, -2], np.int16), 2, 1.02)
    played.note(None, 480, 1.1)
    played.note(np.array([3], np.int16), 1, 1.2)
    assert played.take() == [
        Played(b"\x01\x00\xfe\xff", 48_000, 1, 960, 1.02),
        Played(b"\x03\x00", 48_000, 1, 1442, 1.2),
    ]
    assert played.take() == []


def test_each_opening_has_its_number_and_begins_at_nothing() -> None:
    """What was taken late from the one before can be told from it."""
    played = PlayedBlocks()
    played.opened(48_000)
    played.note(np.array([1], np.int16), 1, 1.0)
    played.opened(16_000)
    played.note(np.array([2], np.int16), 1, 2.0)
    found = [(block.opening, block.position, block.rate_hz) for block in played.take()]
    assert found == [(1, 0, 48_000), (2, 0, 16_000)]


def test_who_comes_late_gets_the_newest() -> None:
    """Nobody may want them: two seconds are kept."""
    played = PlayedBlocks()
    played.opened(48_000)
    for number in range(KEPT_BLOCKS + 50):
        played.note(np.full(480, number, np.int16), 480, float(number))
    taken = played.take()
    assert len(taken) == KEPT_BLOCKS
    assert [taken[0].position, taken[-1].heard_at] == [50 * 480, KEPT_BLOCKS + 49.0]


def test_over_a_stop_places_go_on_by_the_clock_and_the_next_start_has_a_number() -> None:
    """Whoever looks for the echo knows that it may be some milliseconds off from then on."""
    played = PlayedBlocks()
    played.opened(48_000)
    played.note(np.array([1], np.int16), 1, 1.0)
    played.note(None, 480, 1.0)
    played.restarted()
    played.note(np.array([2], np.int16), 1, 3.01)
    first, second = played.take()
    assert (first.start, first.position) == (0, 0)
    assert (second.start, second.position) == (1, 481 + 2 * 48_000)
