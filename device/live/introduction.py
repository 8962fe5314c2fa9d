"""`introduction` tells the model what it speaks through, where it is, and what time it is. Pure.

A model knows neither the day nor what this speaker can do: asked for a timer it says that one is
set, and nothing rings. So each setup begins with a few plain sentences. They are billed with every
turn (about 150 tokens), hence short; the owner's own instruction follows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

CANNOT = ("set timers or alarms", "change its own volume", "look things up on the web")
"""What people ask of a speaker most, and what it says it cannot while nothing of it is on."""
NEVER = ("play music", "call anybody", "send messages", "control other devices")

_SPOKEN = (
    "You are heard through a smart speaker without a screen: say things as one says them, without "
    "lists or markup, and briefly."
)
_HONEST = (
    "Say so when you are asked for that, and never say that something was done which no function "
    "has done."
)


def introduction(
    now: datetime,
    place: str | None,
    language: str | None,
    abilities: Sequence[str],
    facts: str = "",
) -> str:
    """Return a few sentences; ``now`` has a zone, ``abilities`` are verbs of what is on.

    ``facts`` is what is told of the house; where there are any, it may be able to do more.

    ``language`` is a tag of BCP 47: it is said in words too, for models that take no code.
    """
    where = f" in {place}" if place else ""
    can = f"This speaker can: {'; '.join(abilities)}. " if abilities else ""
    never = NEVER if not facts else ()
    cannot = "; ".join([*(each for each in CANNOT if each not in abilities), *never])
    lines = [
        _SPOKEN,
        f"It is {date_of(now)}, {time_of(now)}{where}. Later ask for the time where you can.",
        f"{can}It cannot: {cannot or 'do what no function does'}. {_HONEST}",
    ]
    if language:
        lines.append(
            f"Answer in the language with the tag {language}, unless you are asked not to."
        )
    told = " ".join(lines)
    return f"{told}\n\n{facts}" if facts else told


def filled(instruction: str, now: datetime, place: str | None) -> str:
    """Return the owner's text with ``{date}``, ``{time}`` and ``{place}`` filled in.

    Other braces stay as they are.
    """
    words = {"{date}": date_of(now), "{time}": time_of(now), "{place}": place or "an unknown place"}
    for name, word in words.items():
        instruction = instruction.replace(name, word)
    return instruction


def date_of(now: datetime) -> str:
    """Return the day as one says it, in English: Monday, 30 November 2026."""
    return f"{now:%A}, {now.day} {now:%B} {now.year}"


def time_of(now: datetime) -> str:
    """Return the time with its zone: 17:05 CET (UTC+01:00)."""
    offset = f"{now:%z}"
    return f"{now:%H:%M} {now.tzname()} (UTC{offset[:3]}:{offset[3:5]})"
