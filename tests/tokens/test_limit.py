"""Who may ask again, and when."""

from __future__ import annotations

from device.tokens.limit import MOST_KNOWN, Limit


def test_some_at_once_and_then_by_the_hour() -> None:
    """A bucket that is empty says when the next one is in it."""
    limit = Limit(an_hour=60, at_once=3)
    for _ in range(3):
        assert limit.wait_s("kitchen", 100.0) == 0
        limit.count("kitchen", 100.0)
    assert limit.wait_s("kitchen", 100.0) == 60
    assert limit.wait_s("kitchen", 130.0) == 30
    assert limit.wait_s("kitchen", 160.0) == 0
    assert limit.wait_s("bath", 100.0) == 0, "each has its own"


def test_a_bucket_never_holds_more_than_it_can() -> None:
    """Whoever was away for a day is lent no day's worth at once."""
    limit = Limit(an_hour=3_600, at_once=2)
    limit.count("kitchen", 0.0)
    for _ in range(2):
        assert limit.wait_s("kitchen", 86_400.0) == 0
        limit.count("kitchen", 86_400.0)
    assert limit.wait_s("kitchen", 86_400.0) == 1


def test_made_up_names_take_no_memory_without_end() -> None:
    """The oldest is forgotten, and begins anew."""
    limit = Limit(an_hour=1, at_once=1)
    limit.count("first", 0.0)
    for number in range(MOST_KNOWN):
        limit.count(str(number), 0.0)
    assert limit.wait_s("first", 0.0) == 0
    assert limit.wait_s(str(MOST_KNOWN - 1), 0.0) > 0


def test_what_is_given_back_was_not_counted() -> None:
    """And nobody gets more by it than there is for anybody."""
    limit = Limit(60, 2)
    limit.count("kitchen", 0.0)
    limit.give_back("kitchen", 0.0)
    limit.give_back("kitchen", 0.0)
    for _ in range(2):
        assert limit.wait_s("kitchen", 0.0) == 0.0
        limit.count("kitchen", 0.0)
    assert limit.wait_s("kitchen", 0.0) == 60.0
