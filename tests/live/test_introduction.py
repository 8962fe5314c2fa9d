"""What the model is told of the speaker, in a few sentences."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from device.live.introduction import CANNOT, filled, introduction

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 30, 17, 5, tzinfo=BERLIN)


def test_it_tells_date_time_zone_and_place() -> None:
    """As one says them."""
    told = introduction(NOW, "Berlin, Germany", None, [])
    assert "It is Monday, 30 November 2026, 17:05 CET (UTC+01:00) in Berlin, Germany." in told
    assert " in " not in introduction(NOW, None, None, []).split("It is ")[1].split(".")[0]
    summer = introduction(NOW.replace(month=7), None, None, [])
    assert "17:05 CEST (UTC+02:00)" in summer


def test_what_it_cannot_shrinks_as_things_are_on() -> None:
    """And it never says that something was done which no function has done."""
    bare = introduction(NOW, None, None, [])
    assert all(each in bare.split("It cannot: ")[1] for each in CANNOT)
    able = introduction(NOW, None, None, ["look things up on the web", "tell the time"])
    can, cannot = able.split("It cannot: ")
    assert "This speaker can: look things up on the web; tell the time." in can
    assert "look things up" not in cannot
    assert "set timers or alarms" in cannot
    assert "never say that something was done which no function has done" in cannot


def test_where_others_offer_something_it_does_not_say_that_it_cannot() -> None:
    """What is told of the house comes last."""
    told = introduction(NOW, None, None, [], "home:\nKitchen: a light")
    assert told.endswith("\n\nhome:\nKitchen: a light")
    assert "control other devices" not in told
    assert "set timers or alarms" in told.split("It cannot: ")[1]
    everything = introduction(NOW, None, None, CANNOT, "home: a light")
    assert "It cannot: do what no function does." in everything


def test_the_language_is_said_in_words_too() -> None:
    """Some models take no code."""
    assert "the language with the tag de-DE" in introduction(NOW, None, "de-DE", [])
    assert "language" not in introduction(NOW, None, None, [])


def test_it_is_short() -> None:
    """It is billed with every turn: four characters are about a token."""
    everything = introduction(NOW, "Berlin, Germany", "de-DE", [*CANNOT, "tell the time"])
    assert len(everything) < 1_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is {time} on {date}.", "It is 17:05 CET (UTC+01:00) on Monday, 30 November 2026."),
        ("You stand in {place}, {place}!", "You stand in Berlin, Berlin!"),
        ("A {thing} and {} and {{place", "A {thing} and {} and {{place"),
    ],
)
def test_the_owners_text_is_filled_in(text: str, expected: str) -> None:
    """Its other braces stay."""
    assert filled(text, NOW, "Berlin") == expected


def test_an_unknown_place_is_no_hole() -> None:
    """The sentence stays one."""
    assert filled("You stand in {place}.", NOW, None) == "You stand in an unknown place."
