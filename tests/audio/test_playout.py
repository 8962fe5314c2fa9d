"""What a card takes becomes news, a reference and a level, each at its time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from device.audio.buffer import PlaybackBuffer
from device.audio.playout import Playout
from device.audio.reference import PlayedBlocks
from device.news import FirstSound, PlaybackDrained, PlaybackNews, PlaybackStarved

RATE_HZ = 48_000
BLOCK = 480
BLOCK_S = 0.01


def steady(samples: int, value: int = 8000) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def about(seconds: float) -> Any:
    """A time, but for rounding."""
    return pytest.approx(seconds, abs=1e-6)


class Card:
    """Takes blocks of 10 ms one after the other; they are heard ``latency_s`` later."""

    def __init__(self, latency_s: float = 0.04) -> None:
        self.played = PlayedBlocks()
        self.playout = Playout(PlaybackBuffer(RATE_HZ, 100, 600), self.played)
        self.now = 100.0
        self._latency_s = latency_s
        self.playout.opened()

    def take(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            block = self.playout.buffer.take(BLOCK)
            begins_at = self.now + self._latency_s
            self.playout.given(block, BLOCK, self.now, begins_at, begins_at + BLOCK_S)
            self.now += BLOCK_S

    def due(self, at: float | None = None) -> list[PlaybackNews]:
        return list(self.playout.due(self.now if at is None else at))


def test_the_first_sound_is_told_at_once_with_what_is_before_it() -> None:
    """So much later than it was taken it is heard."""
    card = Card()
    card.playout.buffer.append(steady(BLOCK), 3)
    card.take()
    (first,) = card.due(100.0)
    assert first == FirstSound(3, 100.0, about(0.05))
    assert card.due() == []


def test_the_end_is_told_when_it_was_heard_and_as_of_then() -> None:
    """Not when it was taken; and until then there is something left to do."""
    card = Card()
    card.playout.buffer.append(steady(2 * BLOCK), 1)
    card.playout.buffer.end(1)
    card.take(2)
    assert [type(news) for news in card.due()] == [FirstSound]
    assert card.playout.buffer.idle
    assert not card.playout.idle
    assert card.due(100.059) == []
    (drained,) = card.due(100.0601)
    assert drained == PlaybackDrained(1, 20, about(100.06))
    assert card.playout.idle


def test_starving_is_told_at_once() -> None:
    """Of a turn that goes on."""
    card = Card()
    card.playout.buffer.append(steady(BLOCK), 1)
    card.take(2)
    assert card.due()[1:] == [PlaybackStarved(1, 100.01)]


def test_news_keep_their_order() -> None:
    """The next turn begins before the last one was heard to its end, and is told after that."""
    card = Card()
    for turn in (1, 2):
        card.playout.buffer.append(steady(BLOCK), turn)
        card.playout.buffer.end(turn)
    card.take(2)
    assert [(type(news), news.turn) for news in card.due(101.0)] == [
        (FirstSound, 1),
        (PlaybackDrained, 1),
        (FirstSound, 2),
        (PlaybackDrained, 2),
    ]


def test_level_and_audibility_follow_the_blocks() -> None:
    """It is audible to the end of the last block with a sound in it, its latency included."""
    card = Card()
    card.take()
    assert (card.playout.level, card.playout.sounding) == (0.0, False)
    assert card.playout.audible_until == 0.0
    card.playout.buffer.chime(np.full(BLOCK, 0.5, np.float32))
    card.take()
    assert card.playout.level == pytest.approx(0.5, abs=0.001)
    assert card.playout.sounding
    until = card.playout.audible_until
    assert until == pytest.approx(100.01 + 0.04 + BLOCK_S)
    card.take()
    assert (card.playout.level, card.playout.sounding) == (0.0, False)
    assert card.playout.audible_until == until


def test_the_reference_has_the_place_and_time_of_each_sound() -> None:
    """Also after the card was opened anew, from where places count again."""
    card = Card()
    card.take(2)
    card.playout.buffer.append(steady(BLOCK), 1)
    card.playout.buffer.end(1)
    card.take()
    card.playout.opened()
    card.playout.buffer.append(steady(BLOCK), 2)
    card.take()
    noted = [
        (block.opening, block.position, block.rate_hz, block.heard_at)
        for block in card.played.take()
    ]
    assert noted == [
        (1, 2 * BLOCK, RATE_HZ, about(100.06)),
        (2, 0, RATE_HZ, about(100.07)),
    ]
