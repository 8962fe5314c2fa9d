"""These functions are the timers, alarms and reminders of the speaker, as a model calls them.

What they do, and the words of their answers, is `device.timers`'s; here they are declared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from device.tools.registry import Arguments, Function, NoArguments

ABILITY = "set timers or alarms"
Answer = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Does what a function of this name is asked for; raises ParleyError with words for the model."""

Name = Annotated[
    str, Field(description="What the user calls it, such as pasta. Leave out if none.")
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class TimerArguments(Arguments):
    """A timer runs for a while, whatever time it is."""

    duration_s: Annotated[float, Field(description="Seconds from now.")]
    name: Name = ""


class AlarmArguments(Arguments):
    """An alarm rings at a time of day; a reminder also says something then."""

    time: Annotated[str, Field(description='Local time, 24 hours, "HH:MM".')]
    date: Annotated[
        str,
        Field(description='"YYYY-MM-DD", only if the user names a day. Else the next such time.'),
    ] = ""
    weekdays: Annotated[
        tuple[Weekday, ...], Field(description="To ring again and again on these days.")
    ] = ()
    name: Name = ""
    text: Annotated[
        str, Field(description="Makes it a reminder: what the speaker says when it rings.")
    ] = ""


Number = Annotated[int, Field(description="Its id, from an earlier answer.")]
Which = Annotated[str, Field(description="Its name, if the id is not known.")]


class CancelArguments(Arguments):
    """One, or all."""

    id: Number = 0
    name: Which = ""
    all: Annotated[bool, Field(description="All there are.")] = False


class ChangeArguments(Arguments):
    """One, and what becomes of it."""

    id: Number = 0
    name: Which = ""
    add_s: Annotated[
        float, Field(description="Seconds more, or less (negative). To snooze: how long.")
    ] = 0
    time: Annotated[str, Field(description='The new time of an alarm, "HH:MM".')] = ""


def functions(answer: Answer, undo_set: Callable[[Mapping[str, Any]], None]) -> Sequence[Function]:
    """Return the functions; `undo_set` takes back what one of the two that set put out."""

    def function(
        name: str,
        purpose: str,
        arguments: type[Arguments],
        undo: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Function:
        async def do(asked: Arguments) -> Mapping[str, Any]:
            # What a model leaves empty it does not mean.
            meant = {
                key: value for key, value in asked.given.items() if value or key == "duration_s"
            }
            return await answer(name, meant)

        return Function(name, purpose, ABILITY, arguments, do, undo=undo)

    return [
        function(
            "set_timer",
            "Start a timer. It rings on this speaker, also without a network.",
            TimerArguments,
            undo_set,
        ),
        function(
            "set_alarm",
            "Set an alarm or a reminder for a time of day, once or on weekdays.",
            AlarmArguments,
            undo_set,
        ),
        function(
            "list_timers",
            "Tell all timers, alarms and reminders, how long is left, and what rings now or was "
            "just stopped.",
            NoArguments,
        ),
        function(
            "cancel_timer",
            "Take a timer or an alarm away, or stop it while it rings.",
            CancelArguments,
        ),
        function(
            "change_timer",
            "Give a timer more or less time, an alarm another time, or snooze what rings or was "
            "just stopped.",
            ChangeArguments,
        ),
    ]
