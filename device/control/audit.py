"""`answer` does what the command `audit` of the control socket asks for.

``{"command": "audit", "since": "today", "after": null}`` lists what left the device since then, the
oldest first, and what it comes to. Where there is more than an answer holds, ``next`` says where to
go on: it is the ``after`` of the next request.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from device.assistant.audit import Audit
from device.config import Config
from device.errors import ControlError
from device.records.audit import START, Place, moment_of
from device.records.since import since
from device.timers.clocks import local_zone


async def answer(audit: Audit, config: Config, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page. Raises ControlError, RecordsError."""
    zone, asked = local_zone(), request.get("since", "today")
    if not isinstance(asked, str):
        raise ControlError(f"since is {reprlib.repr(asked)}: give a text such as today")
    try:
        begin = since(asked, audit.now, zone)
    except ValueError as error:
        raise ControlError(f"since: {error}") from None
    entries, following = await audit.page(begin, _place(request.get("after")))
    sums = await audit.sums(begin)
    return {
        "since": moment_of(begin, zone),
        "entries": entries,
        "next": [following.at, following.key] if following else None,
        "sums": sums.as_dict(),
        "camera": config.tools.camera != "off",
        "wake_clips": config.wake.keep,
    }


def _place(after: object) -> Place:
    match after:
        case None:
            return START
        case [int() | float() as at, str(key)]:
            return Place(float(at), key)
    raise ControlError(f"after is {reprlib.repr(after)}: give the next of an answer, or null")
