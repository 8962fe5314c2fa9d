"""What can be expected of a place, from what was measured in rooms like it."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from device.echo.outlook import (
    POOR_OF_10,
    POOR_PAUSES,
    ROOMS,
    UNHEARD_DB,
    UNLIKE_DB,
    Outlook,
    is_poor,
    outlook,
    sentence,
)

SOFTWARE = {"canceller": "software", "mode": "full"}
ROOM = Outlook("a room", 0.0, 20.0, 8, 7, 0.5, 2)


def measured(return_loss_db: float | None, erle_db: float | None) -> dict[str, Any]:
    return {"return_loss_db": return_loss_db, "erle_db": erle_db}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.like))
def test_each_room_stands_for_itself_and_for_what_is_nearly_like_it(room: Outlook) -> None:
    """A decibel or two is nothing."""
    for more_db in (-1.0, 0.0, 1.0):
        figures = measured(room.return_loss_db + more_db, room.erle_db - more_db)
        assert outlook(figures, SOFTWARE) == room


def test_no_two_rooms_are_alike() -> None:
    """Else one of them could not be told from the other."""
    for one, other in combinations(ROOMS, 2):
        assert abs(one.return_loss_db - other.return_loss_db) > 2 or (
            abs(one.erle_db - other.erle_db) > 2
        )


@pytest.mark.parametrize(
    ("echo", "duplex"),
    [
        (measured(None, None), SOFTWARE),
        (measured(6.0, None), SOFTWARE),
        ({}, SOFTWARE),
        ({"erle_db": None}, SOFTWARE),
        (measured(0.0, 23.0), {**SOFTWARE, "canceller": "hardware"}),
        (measured(0.0, 23.0), {**SOFTWARE, "canceller": "none"}),
        (measured(UNHEARD_DB, 0.0), SOFTWARE),
        (measured(-20.0 - UNLIKE_DB, 60.0), SOFTWARE),
    ],
)
def test_of_what_was_not_measured_nothing_is_said(
    echo: dict[str, Any], duplex: dict[str, str]
) -> None:
    """No figures, another canceller, no echo at all, or a place like none of the rooms."""
    assert outlook(echo, duplex) is None


def test_in_full_duplex_the_sentence_says_what_stops_a_reply() -> None:
    """With the figures, and where they come from."""
    assert sentence(ROOM, "full") == (
        "like a room: of 10 wake words over its own voice about 8 are heard of who is as loud as "
        "its echo, 7 of who is 10 dB quieter; its own voice pauses a reply about 0.5 times a "
        "minute; a short 'mm-hm' ends 2 of 8 replies (measured in a synthetic room)"
    )
    never = Outlook("a room", 0.0, 20.0, 8, 7, 0.0, 0)
    assert "its own voice pauses a reply never; a short 'mm-hm' ends 0 of 8" in sentence(
        never, "full"
    )


def test_in_half_duplex_it_says_that_nobody_is_heard_over_a_reply() -> None:
    """But for the wake word."""
    told = sentence(ROOM, "half")
    assert "only the wake word and the button end a reply (half duplex)" in told
    assert "mm-hm" not in told


def test_a_place_where_much_is_missed_or_stutters_is_poor() -> None:
    """What never happens in half duplex counts for nothing there."""
    few = Outlook("a room", 0.0, 20.0, 8, POOR_OF_10 - 1, 0.0, 0)
    stutters = Outlook("a room", 0.0, 20.0, 8, 8, POOR_PAUSES, 4)
    assert [is_poor(each, "full") for each in (ROOM, few, stutters)] == [False, True, True]
    assert [is_poor(each, "half") for each in (ROOM, few, stutters)] == [False, True, False]
