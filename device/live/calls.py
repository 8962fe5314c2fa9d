"""Calls of functions by the model are taken, answered, cancelled, and told as news.

This speaker declares no function of its own, yet a call may come (from a resumed talk, or because a
model invents one), and every call must be answered: one that is not stops the talk for ever. An
answer says what to do instead, because an empty one is called again and again.
Live API: the result belongs under ``output`` or ``error``.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Literal

from device.live.messages import Answer
from device.live.uplink import (
    Uplink,
)
from device.news import Post, ToolNews
from device.text import printable

if TYPE_CHECKING:
    from google.genai import types

_log = logging.getLogger(__name__)

NAME_CHARACTERS = 64
"""Live API: the longest name that a function can be declared with."""
ID_CHARACTERS = 256
"""Of a call that can be answered: an id goes back as it came. Live API: theirs have about 40."""


class Calls:
    """Every call is answered once, unless it is cancelled before. Event loop's thread only."""

    def __init__(self, session: int, post: Post, uplink: Uplink) -> None:
        self._session = session
        self._post = post
        self._uplink = uplink

    def take(self, call: types.FunctionCall) -> None:
        """Answer a call."""
        name = printable(call.name or "", NAME_CHARACTERS) or "(unnamed)"
        self._tell("called", name)
        if call.id is None or len(call.id) > ID_CHARACTERS:
            _log.warning("the server called %s without a usable id: no answer is possible", name)
            self._tell("failed", name)
        else:
            self._uplink.append_answer(not_available(call.id, name))

    def cancel(self, call_id: str) -> None:
        """Take the answer back, if it has not gone up yet."""
        answer = self._uplink.withdraw(call_id)
        if answer is not None:
            self._tell("cancelled", answer.name)

    def cancel_all(self) -> None:
        """The connection ends, and with it every call."""
        for answer in self._uplink.withdraw_all():
            self._tell("cancelled", answer.name)

    def answered(self, answer: Answer) -> None:
        """The answer has gone up."""
        self._tell("failed" if answer.failed else "answered", answer.name)

    def _tell(self, what: Literal["called", "answered", "cancelled", "failed"], name: str) -> None:
        self._post(ToolNews(self._session, what, name, time.monotonic()))


def not_available(call_id: str, name: str) -> Answer:
    """Return the answer to a call of a function that this speaker does not have."""
    error = (
        f"the function {name} is not available on this speaker; do not call it again, "
        "tell the user or answer without it"
    )
    return Answer(call_id, name, {"error": error})
