"""A call that needs a yes is made when one was said, and not when a model says so."""

from __future__ import annotations

import asyncio

from device.tools.confirmation import VALID_S, Confirmations

DOOR = {"name": "front door"}


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def unhurried() -> Confirmations:
    return Confirmations(patience_s=0.01)


async def test_a_yes_lets_the_same_call_through_once() -> None:
    """It is used up by that."""
    asked = unhurried()
    first = await asked.missing("home_unlock", DOOR)
    assert first is not None
    assert "was NOT done" in first
    assert "Ask the user" in first
    asked.aloud()
    asked.said("Yes, ")
    asked.said("please.")
    assert await asked.missing("home_unlock", DOOR) is None
    assert await asked.missing("home_unlock", DOOR) == first


async def test_nobody_has_said_anything() -> None:
    """A model that calls again by itself is told so, however often it does."""
    asked = unhurried()
    await asked.missing("home_unlock", DOOR)
    for _ in range(3):
        again = await asked.missing("home_unlock", DOOR)
        assert again is not None
        assert "nobody has answered" in again


async def test_what_was_said_before_the_question_is_no_answer_to_it() -> None:
    """Also where its words come after the call: whoever says "okay, open it" was not asked yet."""
    asked = unhurried()
    asked.said("yes, unlock the door")
    await asked.missing("home_unlock", DOOR)
    asked.said("yes, unlock the door")
    told = await asked.missing("home_unlock", DOOR)
    assert told is not None
    assert "nobody has answered" in told


async def test_what_is_typed_is_an_answer_at_once() -> None:
    """It comes when it is sent, and never late."""
    asked = unhurried()
    await asked.missing("home_unlock", DOOR)
    asked.typed("yes")
    assert await asked.missing("home_unlock", DOOR) is None


async def test_a_no_ends_it() -> None:
    """The model is told, and asks anew about the next call: a later yes is for something else."""
    asked = unhurried()
    await asked.missing("home_unlock", DOOR)
    asked.aloud()
    asked.said("No!")
    told = await asked.missing("home_unlock", DOOR)
    assert told is not None
    assert "said no" in told
    asked.said("yes")
    assert await asked.missing("home_unlock", DOOR) is not None


async def test_what_is_neither_is_asked_again() -> None:
    """Then a yes counts; what was said before it does not count any more."""
    asked = unhurried()
    await asked.missing("home_unlock", DOOR)
    asked.aloud()
    asked.said("which door?")
    told = await asked.missing("home_unlock", DOOR)
    assert told is not None
    assert "no clear yes" in told
    asked.aloud()
    asked.said("yes")
    assert await asked.missing("home_unlock", DOOR) is None


async def test_a_yes_is_for_that_call_only() -> None:
    """Another door, or another function, is another question."""
    asked = unhurried()
    await asked.missing("home_unlock", DOOR)
    asked.typed("yes")
    assert await asked.missing("home_unlock", {"name": "back door"}) is not None
    asked.typed("yes")
    assert await asked.missing("home_open", DOOR) is not None


async def test_of_two_calls_a_yes_is_good_for_the_one_that_was_asked_about_last() -> None:
    """Who says yes to the light has not opened the door."""
    asked = unhurried()
    light = {"name": "light"}
    await asked.missing("home_unlock", DOOR)
    await asked.missing("home_on", light)
    asked.aloud()
    asked.said("yes")
    assert await asked.missing("home_on", light) is None
    assert await asked.missing("home_unlock", DOOR) is not None


async def test_the_same_call_twice_is_done_once_and_both_are_answered() -> None:
    """A yes that comes while both wait for it is used up by the first; so after a stop, by none."""
    asked = Confirmations(patience_s=30.0)
    await asked.missing("home_unlock", DOOR)
    twice = [asyncio.create_task(asked.missing("home_unlock", DOOR)) for _ in range(2)]
    await asyncio.sleep(0)
    asked.typed("yes")
    first, second = await asyncio.gather(*twice)
    assert first is None
    assert second is not None
    waiting = asyncio.create_task(asked.missing("home_unlock", DOOR))
    await asyncio.sleep(0)
    assert waiting.done()
    again = asyncio.create_task(asked.missing("home_unlock", DOOR))
    await asyncio.sleep(0)
    asked.typed("yes")
    asked.forget()
    assert await again is not None


async def test_a_question_is_forgotten_after_a_minute_and_with_its_talk() -> None:
    """A yes to something else must not open a door then."""
    clock = Clock()
    asked = Confirmations(now=clock, patience_s=0.01)
    await asked.missing("home_unlock", DOOR)
    asked.typed("yes")
    clock.now += VALID_S + 1
    assert await asked.missing("home_unlock", DOOR) is not None
    asked.typed("yes")
    asked.forget()
    assert await asked.missing("home_unlock", DOOR) is not None


async def test_the_words_of_a_yes_may_come_after_the_call() -> None:
    """A transcript comes when it comes."""
    asked = Confirmations(patience_s=30.0)
    await asked.missing("home_unlock", DOOR)
    asked.aloud()
    calling = asyncio.create_task(asked.missing("home_unlock", DOOR))
    await asyncio.sleep(0)
    asked.said(" ")
    await asyncio.sleep(0)
    assert not calling.done()
    asked.said("ja")
    assert await calling is None


async def test_a_yes_that_goes_on_is_judged_by_all_of_it() -> None:
    """Words come in pieces: "yes", and then "but wait"."""
    asked = Confirmations(patience_s=30.0)
    await asked.missing("home_unlock", DOOR)
    asked.aloud()
    asked.said("Yes")
    calling = asyncio.create_task(asked.missing("home_unlock", DOOR))
    await asyncio.sleep(0)
    asked.said(", no, wait")
    told = await calling
    assert told is not None
    assert "no clear yes" in told
