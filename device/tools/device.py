"""These functions are about the speaker itself: its volume, its microphone, the talk, the time.

Muting and hanging up wait until what the model says of it has been heard: it says goodbye first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol

from pydantic import Field

from device.errors import FunctionError
from device.tools.registry import Arguments, Function, NoArguments


class Device(Protocol):
    """The speaker, as far as a model may change it."""

    @property
    def volume(self) -> int:
        """How loud it is, 0..100."""
        ...

    def set_volume(self, percent: int) -> None:
        """Be so loud from now on; more or less is as much as there is."""
        ...

    def leave(self, *, mutes: bool) -> None:
        """End the talk, or mute, when what is being said has been heard."""
        ...

    async def report(self) -> Mapping[str, Any]:
        """Return how it stands, in words and numbers for a person; may take as long as a disk."""
        ...


class Volume(Arguments):
    """Either of them."""

    percent: Annotated[
        int, Field(ge=0, le=100, description="The new volume. Leave out to change by an amount.")
    ] = 0
    change: Annotated[
        int,
        Field(ge=-100, le=100, description="More (20 if no amount is said) or less (negative)."),
    ] = 0


def functions(device: Device) -> Sequence[Function]:
    """Return the functions of this speaker."""

    async def set_volume(asked: Volume) -> Mapping[str, Any]:
        if len(asked.given) != 1:
            raise FunctionError("set_volume needs percent or change, one of them: call it again so")
        percent = asked.percent if "percent" in asked.given else device.volume + asked.change
        before = device.volume
        device.set_volume(percent)
        return {"volume_percent": device.volume, "before": before}

    async def mute(_: NoArguments) -> Mapping[str, Any]:
        device.leave(mutes=True)
        return {
            "microphone": "it closes as soon as you have said so; it opens again by its button or "
            "by `parley unmute`, not by voice: tell the user"
        }

    async def end(_: NoArguments) -> Mapping[str, Any]:
        device.leave(mutes=False)
        return {"conversation": "it ends when you have said goodbye: one short sentence"}

    async def get_time(_: NoArguments) -> Mapping[str, Any]:
        now = datetime.now().astimezone()
        return {"iso": now.isoformat(timespec="seconds"), "weekday": f"{now:%A}"}

    async def get_status(_: NoArguments) -> Mapping[str, Any]:
        return await device.report()

    return [
        Function(
            "set_volume",
            "Make this speaker louder or softer. Also answers how loud it is now: change 0.",
            "change its own volume",
            Volume,
            set_volume,
            undo=lambda output: device.set_volume(output["before"]),
        ),
        Function(
            "mute_microphone",
            "Stop listening altogether, only when the user asks for it. Not for ending a talk.",
            "mute its microphone",
            NoArguments,
            mute,
        ),
        Function(
            "end_conversation",
            "End this talk when the user says goodbye or that this is all. The wake word begins "
            "another. Not when they go on asking something.",
            "end the conversation",
            NoArguments,
            end,
        ),
        Function(
            "get_time",
            "Tell date, time and zone of now, here.",
            "tell the time",
            NoArguments,
            get_time,
        ),
        Function(
            "get_status",
            "Tell what is wrong with this speaker, how loud it is, what it has sent today (sound, "
            "pictures, texts, calls of functions), and what it has cost (an estimate).",
            "say how it stands, what it has sent today and what that cost",
            NoArguments,
            get_status,
        ),
    ]
