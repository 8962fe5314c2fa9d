"""When the next picture may go up."""

from __future__ import annotations

import pytest

from device.live.pace import FREE_S, GONE_BYTES, PATIENCE, Pace


def test_a_picture_that_is_gone_at_once_is_followed_by_the_next() -> None:
    """As over any good line."""
    pace = Pace()
    for second in range(5):
        now = 100.0 + second
        assert pace.allows(now)
        pace.sends(now, 0)
        assert not pace.allows(now + 0.01)
        pace.look(now + FREE_S, GONE_BYTES)
        assert not pace.waits


def test_one_that_takes_long_is_followed_much_later() -> None:
    """So sound is late once in a while, and not all the time."""
    pace = Pace()
    pace.sends(100.0, 0)
    pace.look(100.5, 60_000)
    assert pace.waits
    pace.look(101.0, 0)
    assert not pace.allows(100.0 + PATIENCE - 0.01)
    assert pace.allows(100.0 + PATIENCE)


def test_one_that_does_not_arrive_is_followed_by_none() -> None:
    """Until another connection takes over, which knows nothing of it."""
    pace = Pace()
    pace.sends(100.0, 0)
    pace.look(200.0, GONE_BYTES + 1)
    assert not pace.allows(300.0)
    pace.opened()
    assert pace.allows(300.0)


def test_sound_on_a_long_way_is_no_picture() -> None:
    """Where an answer takes a second, as much sound is always on its way."""
    pace = Pace()
    pace.sends(100.0, 40_000)
    pace.look(100.1, 89_000)
    assert pace.waits
    pace.look(100.2, 80_000)
    assert not pace.waits


@pytest.mark.parametrize("unacknowledged_bytes", [0, 10**6])
def test_looking_without_a_picture_changes_nothing(unacknowledged_bytes: int) -> None:
    """Each piece of sound is an occasion to look."""
    pace = Pace()
    pace.look(100.0, unacknowledged_bytes)
    assert pace.allows(100.0)
