"""`answer` does what the command `wakes` of the control socket asks for.

``{"command": "wakes", "action": "label", "id": "k7m2p", "said": true}``: an action, and what it
needs. ``list`` tells every clip that is kept, ``advise`` what their labels speak for, ``play``
plays one through the loudspeaker, ``clear`` removes one, or all of them.
"""

from __future__ import annotations

import reprlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from device.assistant.hub import Assistant
from device.audio.resample import Resampler
from device.control.wake_records import advice_record, contents_record, kept_record
from device.errors import ControlError, WakeClipError
from device.frames import MICROPHONE_RATE_HZ, REPLY_RATE_HZ
from device.timers.clocks import local_zone

Action = Callable[[Assistant, Mapping[str, Any]], Awaitable[dict[str, Any]]]


async def answer(hub: Assistant, request: Mapping[str, Any]) -> dict[str, Any]:
    """Do it; return what was found or done. Raises ControlError where it cannot be done.

    It may take as long as the disk does. Where it is cancelled the change may stand.
    """
    action = request.get("action", "list")
    if not isinstance(action, str) or action not in ACTIONS:
        known = ", ".join(ACTIONS)
        raise ControlError(
            f"action {reprlib.repr(action)} of wakes is not known; there are: {known}"
        )
    try:
        return await ACTIONS[action](hub, request)
    except WakeClipError as error:
        raise ControlError(str(error)) from error


async def _list(hub: Assistant, _request: Mapping[str, Any]) -> dict[str, Any]:
    contents = await hub.wake_clips.contents()
    return {"keep": hub.wake_clips.keeps, **contents_record(contents, local_zone())}


async def _advise(hub: Assistant, _request: Mapping[str, Any]) -> dict[str, Any]:
    contents = await hub.wake_clips.contents()
    return {"keep": hub.wake_clips.keeps, **advice_record(contents, hub.settings.now.wake)}


async def _label(hub: Assistant, request: Mapping[str, Any]) -> dict[str, Any]:
    said = request.get("said")
    if not isinstance(said, bool):
        raise ControlError(f"said is {reprlib.repr(said)}: say whether the word was said")
    return kept_record(await hub.wake_clips.label(_id(request), said=said), local_zone())


async def _play(hub: Assistant, request: Mapping[str, Any]) -> dict[str, Any]:
    name = _id(request)
    kept = await hub.wake_clips.clip(name)
    # Only now: a talk may have begun while the disk was asked.
    if not hub.talk.resting:
        raise ControlError(
            f"the clip {name} is not played in a talk: wait for its end, or end it (parley stop)"
        )
    if hub.alarm_clock.ringing:
        raise ControlError(f"the clip {name} is not played while something rings: parley stop")
    if hub.output.speaker.device is None:
        raise ControlError(f"the clip {name} cannot be played: no loudspeaker is open")
    resampler = Resampler(MICROPHONE_RATE_HZ, REPLY_RATE_HZ)
    hub.output.speaker.announce(resampler.process(kept.clip.pcm) + resampler.finish())
    return kept_record(kept, local_zone())


async def _clear(hub: Assistant, request: Mapping[str, Any]) -> dict[str, Any]:
    if "id" not in request:
        return {"removed": await hub.wake_clips.clear()}
    await hub.wake_clips.remove(_id(request))
    return {"removed": 1}


def _id(request: Mapping[str, Any]) -> str:
    name = request.get("id")
    if not isinstance(name, str):
        raise ControlError(f"id is {reprlib.repr(name)}: give the name of a clip")
    return name


ACTIONS: dict[str, Action] = {
    "list": _list,
    "label": _label,
    "play": _play,
    "advise": _advise,
    "clear": _clear,
}
