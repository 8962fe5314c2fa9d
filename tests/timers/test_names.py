"""How people say which timer they mean."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import TimerError
from device.timers.entries import Appointment, Countdown, Entry, Ringing
from device.timers.names import MOST_LISTED, chosen, described, listed
from tests.timers.jumping import BERLIN, JumpingClocks

NOW = JumpingClocks().read(BERLIN)
MORNING = Appointment(time(7), day=date(2026, 12, 2))


def timer(number: int, name: str = "", seconds: float = 480.0) -> Entry:
    return Entry(number, "timer", name, countdown=Countdown.begin(seconds, NOW))


KITCHEN = [
    timer(1, "Pasta"),
    timer(2, "crème brûlée"),
    timer(3, "Pizza-Ofen"),
    timer(4, "pasta sauce"),
    timer(5),
    Entry(6, "alarm", "work", appointment=MORNING),
    Entry(7, "reminder", "call Grandma", "call Grandma", appointment=MORNING),
    timer(8, "10"),
    timer(9, "чай"),
    timer(10, "🍕"),
    timer(11, "Straße"),
]


@pytest.mark.parametrize(
    ("said", "number"),
    [
        (5, 5), ("5", 5), (" 11 ", 11), ("10", 10),
        ("Pasta", 1), ("pasta", 1), ("  PASTA ", 1), ("the pasta timer", 1), ("Pasta timer", 1),
        ("my timer for the pasta", 1), ("past\u0301a", 1),
        ("pasta sauce", 4), ("pastasauce", 4), ("the Pasta-Sauce timer!", 4), ("sauce", 4),
        ("creme brulee", 2), ("CRÈME BRÛLÉE", 2), ("cre\u0300me bru\u0302le\u0301e", 2),
        ("the brulee", 2), ("pizzaofen", 3), ("pizza ofen", 3), ("den Pizza Ofen bitte", 3),
        ("work", 6), ("the alarm", 6), ("my work alarm", 6), ("reminder", 7), ("grandma", 7),
        ("ЧАЙ", 9), ("🍕", 10), ("the 🍕 timer", 10), ("strasse", 11),
    ],
)  # fmt: skip
def test_a_name_is_found_as_it_is_said(said: int | str, number: int) -> None:
    """By number, without case, accents, spaces and punctuation, in a sentence, as a part."""
    assert chosen(KITCHEN, said, NOW).id == number


def test_a_name_of_digits_is_found_when_no_number_is_so() -> None:
    """The number comes first."""
    assert chosen([timer(1, "20")], "20", NOW).id == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("p", "no timer or alarm is called 'p'; there are: 1 'Pasta' (timer, 8 minutes left), "),
        (99, "no timer or alarm has that number; there are: 1 'Pasta' (timer, 8 minutes left), "),
        ("the timer", "'the timer' may be several: 1 'Pasta' (timer, 8 minutes left), 2 'crème"),
        ("", "no timer or alarm is called ''; there are: "),
        ("!?", "no timer or alarm is called '!?'; there are: "),
        ("\x1b[2J", "no timer or alarm is called '\ufffd[2J'; there are: "),
    ],
)
def test_what_is_unknown_or_ambiguous_lists_what_there_is(said: int | str, message: str) -> None:
    """In one line that can be read to a person."""
    with pytest.raises(TimerError, match=f"^{re.escape(message)}") as caught:
        chosen(KITCHEN, said, NOW)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(("and 1 more", "; say the number of one"))


def test_two_of_the_same_name_are_told_apart_by_number() -> None:
    """Each step finds one or asks."""
    with pytest.raises(TimerError, match=r"'egg' may be several: 1 'egg' .*, 2 'Egg' .* one$"):
        chosen([timer(1, "egg"), timer(2, "Egg")], "egg", NOW)
    with pytest.raises(TimerError, match="no timer or alarm is called 'egg'; none is set"):
        chosen([], "egg", NOW)


def test_what_there_is_is_said_in_the_order_in_which_it_rings() -> None:
    """At most ten of them, each with what tells it from the others."""
    unknown = replace(NOW, synchronised=False, boot_s=50.0)
    entries = [
        Entry(3, "alarm", appointment=MORNING),
        timer(2, "tea", 90),
        Entry(1, "timer", ringing=Ringing(NOW.wall_s, Countdown.begin(300, NOW))),
    ]
    assert listed(entries, NOW) == (
        "there are: 1 (timer, ringing), 2 'tea' (timer, 1 minute 30 seconds left), "
        "3 (alarm, 2026-12-02 07:00)"
    )
    assert described(Entry(4, "alarm", appointment=Appointment(time(7, 5))), unknown) == (
        "4 (alarm, 07:05, the day is not known yet)"
    )
    waiting = Entry(5, "timer", countdown=Countdown("old", 0.0, NOW.wall_s, 5.0))
    assert described(waiting, unknown) == "5 (timer, the time is not known yet)"
    many = [timer(number) for number in range(1, MOST_LISTED + 3)]
    assert listed(many, NOW).endswith(", and 2 more")
    assert listed([], NOW) == "none is set"


@given(st.text() | st.integers(), st.lists(st.text(max_size=60), max_size=5))
def test_whatever_is_said_finds_one_or_asks(said: int | str, names: list[str]) -> None:
    """Never anything else."""
    entries = [timer(number, name) for number, name in enumerate(names, 1)]
    with contextlib.suppress(TimerError):
        assert chosen(entries, said, NOW) in entries


@given(st.text(min_size=1, max_size=60).filter(lambda name: not name.strip().isdecimal()))
def test_a_name_that_is_said_as_it_was_given_is_found(name: str) -> None:
    """Whatever it is made of."""
    name = name.strip()
    if name:
        assert chosen([timer(900, name)], name, NOW).id == 900
