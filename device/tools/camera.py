"""The function `look` lets a model see: a picture is taken, and goes up before the answer.

What is to be seen is the model's to say. The answer tells what the picture alone does not: that it
is there, and when it is too dark to be worth a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from pydantic import Field

from device.ports import Picture
from device.tools.registry import Arguments, Enclosing, Function

DEADLINE_S = 14.5
"""How long a look may take. A camera's own deadlines come first, since its words are better: 8 s on
USB, 9 s on a Pi's connector, 5 s more where one has to be looked for."""

TOO_DARK = "it is so dark that hardly anything can be seen: say so"


class Viewer(Protocol):
    """What looks for a model."""

    async def look(self) -> Picture:
        """Take a picture for the talk that goes on.

        Raises ParleyError, with words for the model, where that cannot or must not be.
        """
        ...


class Look(Arguments):
    """What to look for."""

    question: Annotated[
        str, Field(max_length=300, description="What the user wants to know of what is seen.")
    ] = ""


def functions(viewer: Viewer) -> Sequence[Function]:
    """Return what can be seen with."""

    async def look(asked: Look) -> Enclosing:
        picture = await viewer.look()
        told: dict[str, Any] = {
            "picture": "it is in front of you now: answer from what you see in it",
            "pixels": f"{picture.width} x {picture.height}",
        }
        if asked.question:
            told["question"] = asked.question
        if picture.dark:
            told["dark"] = TOO_DARK
        return Enclosing(told, picture)

    return [
        Function(
            "look",
            "Take one picture with this speaker's camera and see it. Call it when the user asks "
            "about something that must be seen, such as: what is this? Never without being asked.",
            "look at something with its camera when it is asked to",
            Look,
            look,
            deadline_s=DEADLINE_S,
            shows=True,
        )
    ]
