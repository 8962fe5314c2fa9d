"""The bills tell that the server has forgotten the talk, or never will."""

from __future__ import annotations

import pytest

from device.live.context import ENOUGH_TOKENS, Context, Found, Trouble

TRIGGER = 25_600


def test_a_talk_that_is_gone_after_a_resume_is_noticed_by_its_first_bill() -> None:
    """Once."""
    context = Context(TRIGGER)
    context.opened(resumed=False)
    assert context.billed(4_000) is None
    context.opened(resumed=True)
    assert context.billed(300) == Found(Trouble.LOST, 4_000, 300)
    context.opened(resumed=True)
    assert context.billed(100) is None


def test_a_talk_that_is_still_there_is_no_news() -> None:
    """It grows, or stays as it is; what is half of it may have been cut by rounding."""
    context = Context(TRIGGER)
    context.opened(resumed=False)
    context.billed(4_000)
    for prompt in (2_000, 4_200, 9_000):
        context.opened(resumed=True)
        assert context.billed(prompt) is None


@pytest.mark.parametrize("before", [ENOUGH_TOKENS - 1, TRIGGER, TRIGGER + 500])
def test_what_was_little_or_was_compressed_is_not_lost(before: int) -> None:
    """A few words may be billed in any way, and compression halves a context that is large."""
    context = Context(TRIGGER)
    context.opened(resumed=False)
    context.billed(before)
    context.opened(resumed=True)
    assert context.billed(before // 3) is None


def test_within_a_connection_the_context_may_shrink() -> None:
    """Only a resume can lose it."""
    context = Context(TRIGGER)
    context.opened(resumed=True)
    assert context.billed(9_000) is None
    assert context.billed(900) is None


def test_a_context_that_is_never_compressed_is_told_at_twice_the_trigger() -> None:
    """Once a session; a fresh one begins anew."""
    context = Context(TRIGGER)
    context.opened(resumed=False)
    assert [context.billed(tokens) for tokens in (30_000, 2 * TRIGGER)] == [None, None]
    assert context.billed(60_000) == Found(Trouble.GROWING, TRIGGER, 60_000)
    assert context.billed(120_000) is None
    context.opened(resumed=False)
    assert context.billed(60_000) == Found(Trouble.GROWING, TRIGGER, 60_000)
