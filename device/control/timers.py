"""`answer` does what the command `timers` of the control socket asks for.

``{"command": "timers", "action": "set", "duration_s": 600, "name": "pasta"}``: an action, and the
arguments that the function of the model takes that does the same. Each is over at once and needs
neither a talk nor a network.
"""

from __future__ import annotations

import reprlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from device.errors import ControlError, TimerError
from device.timers import answers
from device.timers.alarm_clock import AlarmClock

Action = Callable[[AlarmClock, Mapping[str, object]], Awaitable[dict[str, Any]]]

ACTIONS: dict[str, Action] = {
    "list": answers.list_timers,
    "set": answers.set_timer,
    "at": answers.set_alarm,
    "cancel": answers.cancel_timer,
    "change": answers.change_timer,
    "snooze": answers.snooze,
    "stop": answers.stop,
}


async def answer(alarm_clock: AlarmClock, request: Mapping[str, Any]) -> dict[str, Any]:
    """Do it; return what was done, with a ``warning`` where it is not on the disk.

    Raises ControlError where it cannot be done. Where it is cancelled the change stands.
    """
    action = request.get("action", "list")
    if not isinstance(action, str) or action not in ACTIONS:
        known = ", ".join(ACTIONS)
        raise ControlError(
            f"action {reprlib.repr(action)} of timers is not known; there are: {known}"
        )
    arguments = {name: each for name, each in request.items() if name not in {"command", "action"}}
    if not isinstance(arguments.get("all", False), bool):
        raise ControlError(
            f"all is {reprlib.repr(arguments['all'])}: say true for all there are, or leave it out"
        )
    try:
        answered = await ACTIONS[action](alarm_clock, arguments)
    except TimerError as error:
        raise ControlError(str(error)) from error
    return answered if alarm_clock.is_kept else answered | {"warning": answers.NOT_KEPT}
